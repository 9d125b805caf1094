"""Tables 1 to 6 and controls: a queue of trainings that can be stopped and started again at any time.

    EQUIVISION_DATA=... python papers/he-cnn-2025/run.py            # trains what is missing, one run after another
    EQUIVISION_DATA=... python papers/he-cnn-2025/run.py --list     # says what is done and what is not
    python papers/he-cnn-2025/table.py                              # the tables of README.md, from results/*.json

Start it twice for two processes. Every run ends in one file, results/<table>-<network>-<training digits>-s<seed>.json.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import lightning
from _networks import CIFAR, LARGE, SMALL, TABLES, TINY, Form, Network
from _runs import runs
from jaxtyping import Float
from torch import Tensor

from equivision.data import ImageDataModule, MNISTDataModule, ParquetDataModule
from equivision.groups import cyclic
from equivision.hyper import HyperEquivariantCNN, rotation_loss
from equivision.tasks import ClassificationTask, TwoPhaseAveraging

#: Images to train on, to test on, and epochs.
BUDGETS = {
    "small": (60_000, 10_000, 10),
    "large": (12_000, 50_000, 10),
    "cifar": (10_000, 10_000, 4),
    "tiny": (2_500, 500, 6),
}
BATCHES = {"small": 32, "large": 32, "cifar": 64, "tiny": 64}
DIGIT_TESTS = ("upright", "rotated", "rotated90")


@dataclass(frozen=True)
class Run(runs.QueuedRun):
    """One training; ``digits`` is how its images lie."""

    folder = Path(__file__).parent
    table: str
    network: str
    digits: str
    seed: int

    @property
    def name(self) -> str:
        return "-".join((self.table, *re.findall(r"\w+", self.network), self.digits, f"s{self.seed}"))


class WithRotationLoss(ClassificationTask):
    """Adds the loss that asks the generator itself to turn kernels, with weight 1."""

    def __init__(self, model: HyperEquivariantCNN, form: Form, **options: Any) -> None:
        super().__init__(model, **options)
        self.form: Form = form

    def training_step(self, batch: Sequence[Tensor], batch_idx: int) -> Float[Tensor, ""]:
        """Cross-entropy and rotation loss of a batch."""
        net = cast("HyperEquivariantCNN", self.model)
        return super().training_step(batch, batch_idx) + rotation_loss(net, batch[0], form=self.form)


def task_of(network: Network, data: ImageDataModule) -> ClassificationTask:
    """The network with its recipe."""
    recipe: dict[str, Any] = {"lr": network.rate, "weight_decay": 0.0, "milestones": []}
    recipe["in_channels"] = data.in_channels
    model = network.build()
    if network.rotation_loss is None:
        return ClassificationTask(model, **recipe)
    if not isinstance(model, HyperEquivariantCNN):
        raise TypeError(model)
    return WithRotationLoss(model, network.rotation_loss, **recipe)


def data_of(run: Run) -> ImageDataModule:
    """Digits; for tables 3 and 4 pictures, those of Tiny ImageNet at 65 pixels, where strides keep the centre."""
    train_size, test_size, _ = BUDGETS[run.table]
    options: dict[str, Any] = {"batch_size": BATCHES[run.table], "shuffle_seed": run.seed, "train_variant": run.digits}
    if run.table in ("small", "large"):
        sizes = {"train_size": train_size, "val_size": 0, "test_size": test_size}
        return MNISTDataModule(**sizes, test_variants=DIGIT_TESTS, **options)
    options["test_variants"] = ("upright", "rotated90")
    if run.table == "tiny":
        return ParquetDataModule("tiny-imagenet10", test_split="valid", image_size=65, **options)
    return ParquetDataModule("cifar10", train_size=train_size, **options)


def train(run: Run) -> dict[str, Any]:
    """Train, test as it is and turned, and say what was found."""
    network = TABLES[run.table][run.network]
    epochs = network.epochs or BUDGETS[run.table][2]
    lightning.seed_everything(run.seed, verbose=False)
    data = data_of(run)
    task = task_of(network, data)
    phases = [TwoPhaseAveraging()] if network.two_phases else []
    errors, hours = runs.fit_and_test(run, task, data, epochs, callbacks=phases)
    images, _ = next(iter(data.test_dataloader()[0]))
    return {
        **asdict(run),
        "model": network.model,
        "arguments": network.arguments,
        "parameters": sum(p.numel() for p in task.model.parameters()),
        "train_images": len(data.splits.train),
        "epochs": epochs,
        "batch_size": BATCHES[run.table],
        "optimizer": f"Adam, lr {network.rate}",
        "test_images": BUDGETS[run.table][1],
        "test_error_percent": errors,
        "equivariance_error": runs.symmetry(task.model, images[:32], cyclic(4)),
        "hours": hours,
        **runs.circumstances(),
    }


#: Controls without which the tables say enough.
LATE = ("Z4-HE-CNN, naive", "C8-HE-CNN-L", "C16-HE-CNN-L", "13 layers", "Z4 13 layers", "Z4-HE-L 13 layers")


def claims(seed: int) -> Iterator[Run]:
    """What the claims of tables 1 and 5 rest on."""
    yield from (Run("small", network.name, digits, seed) for digits in ("rotated", "upright") for network in SMALL[:3])
    yield Run("small", SMALL[3].name, "rotated", seed)


def controls(seed: int) -> Iterator[Run]:
    """What else the small networks are compared with, and the other tables."""
    small = [Run("small", network.name, "rotated", seed) for network in SMALL[4:]]
    yield from small[:2]
    yield from (Run("large", network.name, "rotated", seed) for network in LARGE)
    yield from (Run("cifar", network.name, "upright", seed) for network in CIFAR)
    yield from (Run("tiny", network.name, "upright", seed) for network in TINY)
    yield from small[2:]
    yield from (Run("small", network.name, "upright", seed) for network in SMALL[4:])


def queue(seeds: int) -> list[Run]:
    """Everything once, and the claims again from other seeds; controls that say least come after the second seed."""
    first = list(controls(0))
    late = [run for run in first if run.network in LATE or (run.table == "small" and run.digits == "upright")]
    early = [run for run in first if run not in late]
    again = {seed: list(claims(seed)) for seed in range(1, seeds)}
    return [*claims(0), *early, *again.pop(1, ()), *late, *(run for runs in again.values() for run in runs)]


if __name__ == "__main__":
    runs.run_queue(__doc__, queue, train, seeds=3)
