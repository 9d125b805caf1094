"""Partial equivariance on MNIST: a queue of small trainings that can be stopped and started again at any time.

    EQUIVISION_DATA=... python papers/partial-2022/run.py            # trains what is missing, one run after another
    EQUIVISION_DATA=... python papers/partial-2022/run.py --list     # says what is done and what is not
    python papers/partial-2022/table.py                              # the tables of README.md, from results/*.json

Start it twice for two processes. Every run ends in one file, results/<network>-<task>-e<epochs>-s<seed>.json.
"""

import dataclasses
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import _runs
import lightning
import torch
from _networks import CLASSES, NETWORKS, Network, Task
from torch import nn
from torch.optim.swa_utils import update_bn

import equivision as ev
from equivision.continuous import FixedElements, partial_layers
from equivision.data import ImageData, MNISTDataModule, Splits, random_split, read_mnist
from equivision.tasks import ClassificationTask

EPOCHS = 10
TRAIN_IMAGES, TEST_IMAGES = 3_000, 3_000
P_LR = 1e-2


@dataclass(frozen=True)
class Run(_runs.QueuedRun):
    """One training."""

    folder = Path(__file__).parent
    network: str
    task: Task
    epochs: int
    seed: int

    @property
    def _kind(self) -> str:
        return "-".join((*re.findall(r"[\w.]+", self.network), self.task))

    @property
    def name(self) -> str:
        return f"{self._kind}-e{self.epochs}-s{self.seed}"


class RotatedDigits(MNISTDataModule):
    """Digits at any angle."""

    def __init__(self) -> None:
        super().__init__(
            train_size=TRAIN_IMAGES, val_size=0, test_size=TEST_IMAGES, test_variants=("rotated",), batch_size=64
        )


class Sixes(MNISTDataModule):
    """Sixes, every other one of them upside down; the class says which."""

    def __init__(self) -> None:
        super().__init__(
            train_size=TRAIN_IMAGES, val_size=0, test_size=TEST_IMAGES, train_variant="upright",
            test_variants=("upright",), batch_size=64,
        )  # fmt: skip

    @property
    def class_names(self) -> tuple[str, ...]:
        """Upright, upside down."""
        return "upright", "upside down"

    def load(self) -> Splits:
        """Read the digits, take the sixes, turn half of them."""
        train, test = random_split(sixes(read_mnist(self.root)), (TRAIN_IMAGES, TEST_IMAGES), seed=self.seed)
        return Splits(train, None, test)


def sixes(digits: ImageData) -> ImageData:
    """The sixes among digits, those at odd positions turned by 180 degrees."""
    if digits.labels is None:
        raise ValueError(digits)
    found = digits.take(torch.nonzero(digits.labels == 6).flatten())
    turned = torch.arange(len(found)) % 2 == 1
    images = torch.where(turned[:, None, None, None], found.images.rot90(2, (-2, -1)), found.images)
    names = ("upright", "upside down")
    return dataclasses.replace(found, images=images, labels=turned.long(), class_names=names)


class PartialTask(ClassificationTask):
    """Classification with Adam, a learning rate of its own for p, and half a cosine for all rates."""

    def configure_optimizers(self) -> Any:
        """Adam; p is not decayed, and learns faster, so that few steps can move it."""
        fast = [layer.p for layer in partial_layers(self.model)]
        known = {id(p) for p in fast}
        rest = [p for p in self.parameters() if id(p) not in known]
        optimizer = torch.optim.Adam(
            [{"params": rest}, *([{"params": fast, "lr": P_LR}] if fast else [])], self.hparams["lr"]
        )
        return {"optimizer": optimizer, "lr_scheduler": torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)}

    def on_test_start(self) -> None:
        """Average the statistics of batch norm anew, at the elements of eval mode."""
        half, net = cast("nn.Sequential", self.model)
        if hasattr(net, "elements"):
            loader: Any = self.trainer.datamodule.train_dataloader()  # pyright: ignore[reportAttributeAccessIssue]
            with torch.inference_mode(False), torch.no_grad():
                update_bn(loader, nn.Sequential(half, FixedElements(net)))
        self.eval()
        super().on_test_start()


def turn_errors(net: nn.Module, images: torch.Tensor) -> dict[str, float]:
    """Relative change of the logits by quarter turns and by half turns, in float64 and eval mode."""
    net = net.cpu().double().eval()
    with torch.no_grad():
        found = ev.testing.equivariance_error(net, images.double(), group=ev.groups.cyclic(4))
    return {"quarter": float(found[1]), "half": float(found[2])}


def train(run: Run) -> dict[str, Any]:
    """Train, test, and say what was found."""
    network = NETWORKS[run.network, run.task]
    lightning.seed_everything(run.seed, verbose=False)
    data = RotatedDigits() if run.task == "rotated" else Sixes()
    task = PartialTask(network.build(), num_classes=CLASSES[run.task], lr=network.lr, weight_decay=0.0, milestones=[])
    errors, hours = _runs.fit_and_test(run, task, data, run.epochs)
    images, _ = next(iter(data.test_dataloader()[0]))
    return {
        **asdict(run),
        "p_at_start": network.p,
        "p_gradient": network.p_gradient,
        "p": [round(layer.coverage, 4) for layer in partial_layers(task.model)],
        "parameters": sum(p.numel() for p in task.model.parameters()),
        "train_images": TRAIN_IMAGES,
        "test_images": TEST_IMAGES,
        "batch_size": 64,
        "optimizer": f"Adam, lr {network.lr:g}, of p {P_LR:g}, cosine",
        "test_error_percent": next(iter(errors.values())),
        "turn_errors": turn_errors(task.model, images),
        "hours": hours,
        **_runs.circumstances(),
    }


def queue(seeds: int, epochs: int = EPOCHS) -> list[Run]:
    """All runs of one seed before the next; those that the tables need most first."""

    def order(network: Network) -> tuple[bool, bool]:
        return network.p_gradient == "elements", network.p is not None and network.p_gradient is None

    networks = sorted(NETWORKS.values(), key=order)
    return [Run(network.name, network.task, epochs, seed) for seed in range(seeds) for network in networks]


if __name__ == "__main__":
    _runs.run_queue(__doc__, queue, train, seeds=1)
