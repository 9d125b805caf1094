"""Tables 1 and 2 on MNIST, and controls: a queue of trainings that can be stopped and started again at any time.

    EQUIVISION_DATA=... python papers/pn-study-2023/run.py            # trains what is missing, one run after another
    EQUIVISION_DATA=... python papers/pn-study-2023/run.py --list     # says what is done and what is not
    python papers/pn-study-2023/table.py                              # the tables of README.md, from results/*.json

Everything is trained for 10 epochs first, and then on to the 30 of the study. Start it twice for two processes. Every
run ends in one file, results/<network>-<training digits>-e<epochs>-s<seed>.json.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import _runs
import lightning
import torch
from _networks import CONTROLS, MORE, NETWORKS, P6_BILINEAR, P6_SHARED, STUDY, Network
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn
from torch.utils.data import DataLoader

from equivision.data import MNISTDataModule, Variant
from equivision.tasks import ClassificationTask

EPOCHS = (10, 30)
TRAIN_IMAGES, TEST_IMAGES = 12_000, 10_000
Digits = Literal["upright", "rotated"]
DIGITS: tuple[Digits, ...] = ("rotated", "upright")


@dataclass(frozen=True)
class Run(_runs.QueuedRun):
    """One training, up to some epoch."""

    folder = Path(__file__).parent
    network: str
    digits: Digits
    epochs: int
    seed: int

    @property
    def _kind(self) -> str:
        return "-".join((*re.findall(r"\w+", self.network), self.digits))

    @property
    def name(self) -> str:
        return f"{self._kind}-e{self.epochs}-s{self.seed}"

    @property
    def checkpoints(self) -> Path:
        """The same for every number of epochs, so that a longer training goes on from a shorter one."""
        return _runs.checkpoint_folder("pn-study-2023", f"{self._kind}-s{self.seed}")


class Nearest(Variant):
    """A variant that turns images by the nearest pixel, as torchvision does."""

    @property
    def name(self) -> str:
        return "turned" if self.flip == "never" else "transformed"

    def apply(
        self,
        images: Shaped[Tensor, "image channel height width"],
        index: Int[Tensor, " image"] | None = None,
        *,
        mode: str = "nearest",
    ) -> Float[Tensor, "image channel new_height new_width"]:
        """Move images."""
        return super().apply(images, index, mode=mode)


class StudyDigits(MNISTDataModule):
    """12,000 digits to train on, always in the same order, and a part of the 50,000 test digits, moved in four ways."""

    def __init__(self, digits: Digits) -> None:
        tests = ("upright", "rotated", Nearest("uniform"), Nearest("uniform", "random"))
        super().__init__(
            train_size=TRAIN_IMAGES, val_size=0, test_size=TEST_IMAGES, train_variant=digits, test_variants=tests,
            batch_size=64,
        )  # fmt: skip

    def train_dataloader(self) -> DataLoader:
        """Not shuffled."""
        return self._evaluate(self.splits.train, self.train_variant)


class AfterPadding(nn.Module):
    """A network without its padding, which moves images by half a pixel."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.steps = nn.Sequential(net.features, net.invariant, net.largest, nn.Flatten(), net.classifier)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of padded images."""
        return self.steps(x)


def equivariance_error(network: Network, net: Any, images: Tensor) -> dict[str, float] | None:
    """Largest relative change of the logits of padded images; None where no element moves the grid onto itself."""
    if network.exact_group.order == 1:
        return None
    with torch.no_grad():
        padded = net.pad(images)
    return _runs.symmetry(AfterPadding(net), padded, network.exact_group)


def train(run: Run) -> dict[str, Any]:
    """Train, test on four variants, and say what was found."""
    network = NETWORKS[run.network]
    lightning.seed_everything(run.seed, verbose=False)
    data = StudyDigits(run.digits)
    task = ClassificationTask(network.build(), lr=5e-5, weight_decay=1e-5, milestones=[], channels_last=True)
    errors, hours = _runs.fit_and_test(run, task, data, run.epochs)
    images, _ = next(iter(data.test_dataloader()[0]))
    return {
        **asdict(run),
        "group": network.group,
        "filters": network.filters if network.group not in (None, "C4", "D4") else None,
        "parameters": sum(p.numel() for p in task.model.parameters()),
        "train_images": TRAIN_IMAGES,
        "batch_size": 64,
        "optimizer": "Adam, lr 5e-5, weight decay 1e-5, not shuffled",
        "test_images": TEST_IMAGES,
        "test_error_percent": errors,
        "equivariance_error": equivariance_error(network, task.model, images),
        "hours": hours,
        **_runs.circumstances(),
    }


def kinds() -> Iterator[tuple[Network, Digits]]:
    """Networks and the digits that they are trained on: the tables, the controls, the further networks."""
    for digits in DIGITS:
        for network in STUDY:
            yield network, digits
    for network in CONTROLS:
        yield network, "rotated"
        if network in (P6_BILINEAR, P6_SHARED):
            yield network, "upright"
    for network in MORE:
        yield network, "rotated"


def queue(seeds: int, epochs: Sequence[int] = EPOCHS) -> list[Run]:
    """All runs of one seed before the next, all short ones before a longer one."""
    return [Run(network.name, digits, e, seed) for seed in range(seeds) for e in epochs for network, digits in kinds()]


def main() -> None:
    parser = _runs.queue_parser(__doc__, seeds=3)
    parser.add_argument("--epochs", type=int, nargs="+", default=EPOCHS, help="(default: 10 30; the study: 30)")
    arguments = _runs.ready_to_train(parser)
    _runs.work(queue(arguments.seeds, sorted(arguments.epochs)), train, only_list=arguments.list)


if __name__ == "__main__":
    main()
