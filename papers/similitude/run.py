"""Digits that are turned and shrunk: a queue of trainings that can be stopped and started again at any time.

    EQUIVISION_DATA=... python papers/similitude/run.py            # trains what is missing, one run after another
    EQUIVISION_DATA=... python papers/similitude/run.py --list     # says what is done and what is not
    python papers/similitude/table.py                              # the table of README.md, from results/*.json

Start it twice for two processes. Every run ends in one file, results/<network>-<training>-s<seed>.json.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from _networks import BY_NAME, NETWORKS
from _runs import runs

import equivision as ev
from equivision.data import MNISTDataModule, Variant
from equivision.tasks import ClassificationTask

TRAIN_IMAGES, TEST_IMAGES, BATCH, EPOCHS, MILESTONES, RATE = 2000, 2000, 25, 12, (8, 10), 0.01
SHRUNK = (0.5, 1.0)
#: How test digits are moved, by the names of the columns.
TESTS = {
    "upright": Variant(),
    "turned": Variant("uniform"),
    "shrunk": Variant(scale=SHRUNK),
    "turned and shrunk": Variant("uniform", scale=SHRUNK),
}
TRAININGS = ("upright", "turned and shrunk")


@dataclass(frozen=True)
class Run(runs.QueuedRun):
    """One training, on digits as they are, or on ones that are moved anew in every epoch."""

    folder = Path(__file__).parent
    network: str
    training: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.network}-{self.training}-s{self.seed}".replace(" ", "_")


def change_with_pose(model: torch.nn.Module, images: torch.Tensor) -> float:
    """Relative change of the logits of digits at 0.9 of their size: turned by 45 degrees, and shrunk by sqrt 2."""
    with torch.no_grad():
        net = model.cpu().eval()
        large = ev.functional.rescale(images, 0.9)
        small = ev.functional.rescale(ev.functional.rotate(images, 45.0), 0.9 * 0.5**0.5)
        return float(ev.testing.relative_error(net(small), net(large)))


def train(run: Run) -> dict[str, Any]:
    """Train, test on the same digits in four poses, and say what was found."""
    lightning.seed_everything(run.seed, verbose=False)
    data = MNISTDataModule(
        train_size=TRAIN_IMAGES, val_size=0, test_size=TEST_IMAGES, train_variant="upright",
        augment=None if run.training == "upright" else TESTS[run.training], test_variants=list(TESTS.values()),
        batch_size=BATCH, seed=run.seed, shuffle_seed=run.seed,
    )  # fmt: skip
    model = BY_NAME[run.network].build()
    task = ClassificationTask(model, lr=RATE, weight_decay=0.0, milestones=MILESTONES, gamma=0.2)
    errors, hours = runs.fit_and_test(run, task, data, EPOCHS)
    upright, _ = next(iter(data.test_dataloader()[0]))
    return {
        **asdict(run),
        "parameters": sum(p.numel() for p in model.parameters()),
        "million_macs": round(ev.cost(task.model, (1, 28, 28)).macs / 1e6, 1),
        "epochs": EPOCHS,
        "batch_size": BATCH,
        "train_images": len(data.splits.train),
        "test_images": TEST_IMAGES,
        "test_error_percent": dict(zip(TESTS, errors.values(), strict=True)),
        "change_with_pose": change_with_pose(task.model, upright),
        "hours": hours,
        **runs.circumstances(),
    }


def queue(seeds: int) -> list[Run]:
    """All networks with one seed before the next."""
    return [Run(one.name, training, seed) for seed in range(seeds) for training in TRAININGS for one in NETWORKS]


if __name__ == "__main__":
    runs.run_queue(__doc__, queue, train, seeds=3)
