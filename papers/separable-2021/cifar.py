"""Table 2 on CIFAR-10 at a small budget, the same for every network: a queue that can be stopped and started again.

    EQUIVISION_DATA=... python papers/separable-2021/cifar.py --images 1000 --epochs 3 --test_images 500
    EQUIVISION_DATA=... python papers/separable-2021/cifar.py --list
    python papers/separable-2021/table.py          # the tables of README.md

That is what 20 minutes on one processor core allow the slowest of them, and it tells nothing but that everything runs.
The paper trains on 50,000 images for 300 epochs (--images 50000 --epochs 300 --accelerator gpu). Every run ends in one
file, results/cifar10/<net>-<form>-n<images>-e<epochs>-t<test images>-s<seed>.json.

The data is read from the folder cifar10 below EQUIVISION_DATA, parquet in the hub's column layout (img, label). Our
copy holds the images encoded again as JPEG of quality 75, so that no error here may be compared with one on the
original images. Images are standardised by the mean and deviation of each channel, not whitened as in the paper.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import lightning
import torch
from _runs import QueuedRun, circumstances, fit_and_test, queue_parser, ready_to_train, symmetry, work
from torch import Tensor, nn

import equivision as ev
from equivision.data import ParquetDataModule, Splits, stratified_split
from equivision.tasks import ClassificationTask

#: The networks of table 2 as printed, and the invariant forms of those over D4.
NETWORKS = (
    ("resnet44", "printed"), ("p4m_resnet44", "printed"), ("g_p4m_resnet44", "printed"), ("gc_p4m_resnet44", "printed"),
    ("p4m_resnet44", "exact"), ("g_p4m_resnet44", "exact"), ("gc_p4m_resnet44", "exact"),
)  # fmt: skip
TEST_VARIANTS = ("upright", "rotated90")
#: Of the 300 epochs of the paper; the rate falls to a tenth at each.
MILESTONES = (50 / 300, 100 / 300, 150 / 300)


@dataclass(frozen=True)
class Run(QueuedRun):
    """One training."""

    folder = Path(__file__).parent
    net: str
    form: str
    images: int
    epochs: int
    test_images: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.net}-{self.form}-n{self.images}-e{self.epochs}-t{self.test_images}-s{self.seed}"

    @property
    def result(self) -> Path:
        return self.folder / "results" / "cifar10" / f"{self.name}.json"


class CIFAR10(ParquetDataModule):
    """A part of CIFAR-10, in the proportions of its classes."""

    def __init__(self, images: int, test_images: int, **options: Any) -> None:
        super().__init__("cifar10", train_size=images, test_variants=TEST_VARIANTS, batch_size=128, **options)
        self.test_images = test_images

    def load(self) -> Splits:
        """Read both files, and keep a part of the test images."""
        splits = super().load()
        if splits.test is not None and self.test_images < len(splits.test):
            (test,) = stratified_split(splits.test, (self.test_images,), seed=self.seed)
            splits = replace(splits, test=test)
        return splits


class Standardised(nn.Module):
    """A network behind the standardisation of its images, which commutes with rotations and reflections."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, net: nn.Module, images: Tensor) -> None:
        super().__init__()
        self.net = net
        values = images.double() / (255 if images.dtype == torch.uint8 else 1)
        deviation, mean = torch.std_mean(values, (0, 2, 3), keepdim=True)
        self.register_buffer("mean", mean.float())
        self.register_buffer("deviation", deviation.float())

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        return self.net((x - self.mean) / self.deviation)


def network(run: Run) -> nn.Module:
    """The network of a run, not trained."""
    return ev.create_model(run.net, **({} if run.net == "resnet44" else {"form": run.form}))


def milestones(epochs: int) -> list[int]:
    """The epochs of the paper's schedule, in proportion."""
    return sorted({max(1, round(share * epochs)) for share in MILESTONES})


def train(run: Run, accelerator: str) -> dict[str, Any]:
    """Train, test upright and turned by 90 degrees, and say what was found."""
    lightning.seed_everything(run.seed, verbose=False)
    data = CIFAR10(run.images, run.test_images, shuffle_seed=run.seed)
    net = Standardised(network(run), data.splits.train.images)
    task = ClassificationTask(
        net, in_channels=3, optimizer="sgd", lr=0.05, momentum=0.9, weight_decay=1e-5,
        milestones=milestones(run.epochs), gamma=0.1,
    )  # fmt: skip
    errors, hours = fit_and_test(run, task, data, run.epochs, accelerator=accelerator)
    images, _ = next(iter(data.test_dataloader()[0]))
    return {
        **asdict(run),
        "parameters": sum(p.numel() for p in net.parameters()),
        "batch_size": 128,
        "optimizer": f"SGD, lr 0.05, momentum 0.9, weight decay 1e-5, x0.1 after epochs {milestones(run.epochs)}",
        "data": "CIFAR-10 encoded again as JPEG, standardised by channel, no augmentation",
        "test_error_percent": errors,
        "equivariance_error": symmetry(net, images[:20], ev.groups.dihedral(4)),
        "hours": hours,
        "accelerator": accelerator,
        **circumstances(),
    }


def queue(images: int, epochs: int, test_images: int, seeds: int) -> list[Run]:
    """All runs of one budget, the networks of the paper first."""
    return [Run(net, form, images, epochs, test_images, seed) for seed in range(seeds) for net, form in NETWORKS]


def main() -> None:
    parser = queue_parser(__doc__, seeds=1)
    parser.add_argument("--images", type=int, default=1_000, help="training images (default: 1000; the paper: 50000)")
    parser.add_argument("--epochs", type=int, default=3, help="passes over them (default: 3; the paper: 300)")
    parser.add_argument("--test_images", type=int, default=500, help="test images (default: 500; all: 10000)")
    parser.add_argument("--accelerator", choices=("cpu", "gpu"), default="cpu")
    arguments = ready_to_train(parser)
    jobs = queue(arguments.images, arguments.epochs, arguments.test_images, arguments.seeds)
    work(jobs, lambda run: train(run, arguments.accelerator), only_list=arguments.list)


if __name__ == "__main__":
    main()
