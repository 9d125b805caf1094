"""Scale-MNIST, 28x28 and 56x56: a queue of trainings that can be stopped and started again at any time.

    EQUIVISION_DATA=... python papers/sesn-2020/run.py            # trains what is missing, one run after another
    EQUIVISION_DATA=... python papers/sesn-2020/run.py --list     # says what is done and what is not
    python papers/sesn-2020/table.py                              # the tables of README.md, from results/*.json

Start it twice for two processes. Every run ends in one file, results/<model>-<size>-s<seed>.json.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import lightning
import torch
from _networks import BY_MODEL, NETWORKS
from _runs import runs

import equivision as ev
from equivision.data import ScaleMNISTDataModule
from equivision.tasks import ClassificationTask, ImplicitTraining

RATE, GAMMA, BATCH = 0.01, 0.1, 128


class Budget(NamedTuple):
    """What all networks get on images of one size; the study: width 32, 60 epochs."""

    width: int
    epochs: int
    milestones: tuple[int, ...]
    test_images: int


BUDGETS = {28: Budget(16, 12, (8, 10), 50_000), 56: Budget(8, 6, (4, 5), 10_000)}


@dataclass(frozen=True)
class Run(runs.QueuedRun):
    """One training."""

    folder = Path(__file__).parent
    model: str
    size: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.model}-{self.size}-s{self.seed}"


def change_with_scale(model: torch.nn.Module, images: torch.Tensor) -> float:
    """Relative change of the logits of upright digits when they are shrunk to a half instead of to 0.7."""
    with torch.no_grad():
        net = model.cpu().eval()
        larger, smaller = (net(ev.functional.rescale(images, factor)) for factor in (0.7, 0.5))
    return float(ev.testing.relative_error(smaller, larger))


def train(run: Run) -> dict[str, Any]:
    """Train on 10,000 digits, test on others, and say what was found."""
    lightning.seed_everything(run.seed, verbose=False)
    budget = BUDGETS[run.size]
    data = ScaleMNISTDataModule(
        upsample=run.size // 28, test_size=budget.test_images, test_variants=("scaled", "upright"), batch_size=BATCH,
        seed=run.seed, shuffle_seed=run.seed,
    )  # fmt: skip
    model = BY_MODEL[run.model].build(run.size, budget.width)
    task = ClassificationTask(model, lr=RATE, weight_decay=0.0, milestones=budget.milestones, gamma=GAMMA)
    scales = BY_MODEL[run.model].scales
    extra = [ImplicitTraining(beta=0.1, rotations=None, scales=list(scales))] if scales else []
    errors, hours = runs.fit_and_test(run, task, data, budget.epochs, callbacks=extra)
    upright, _ = next(iter(data.test_dataloader()[1]))
    return {
        **asdict(run),
        "width": budget.width,
        "parameters": sum(p.numel() for p in task.model.parameters()),
        "epochs": budget.epochs,
        "batch_size": BATCH,
        "optimizer": f"Adam, lr {RATE}, x{GAMMA} after epochs {budget.milestones}",
        "train_images": len(data.splits.train),
        "test_images": budget.test_images,
        "test_error_percent": errors,
        "change_with_scale": change_with_scale(task.model, upright),
        "hours": hours,
        **runs.circumstances(),
    }


def queue(seeds: int) -> list[Run]:
    """All networks with one seed before the next; small images first."""
    return [Run(network.model, size, seed) for seed in range(seeds) for size in BUDGETS for network in NETWORKS]


if __name__ == "__main__":
    runs.run_queue(__doc__, queue, train, seeds=1)
