"""Steerable networks on rotated MNIST: a queue of trainings that can be stopped and started again at any time.

    EQUIVISION_DATA=... python papers/e2cnn-2019/run.py            # trains what is missing, one run after another
    EQUIVISION_DATA=... python papers/e2cnn-2019/run.py --list     # says what is done and what is not
    python papers/e2cnn-2019/table.py                              # the table of README.md, from results/*.json

Start it twice for two processes. Every run ends in one file, results/<network>-s<seed>.json.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightning
from _networks import BY_NAME, NETWORKS
from _runs import runs

from equivision.data import MNISTDataModule
from equivision.groups import cyclic
from equivision.tasks import ClassificationTask

EPOCHS = 24
RATE, DECAY, MILESTONES, GAMMA = 0.004, 1e-5, (12, 18, 22), 0.2


@dataclass(frozen=True)
class Run(runs.QueuedRun):
    """One training."""

    folder = Path(__file__).parent
    network: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.network}-s{self.seed}"


def train(run: Run) -> dict[str, Any]:
    """Train on 12,000 rotated digits, test on 50,000, and say what was found."""
    lightning.seed_everything(run.seed, verbose=False)
    data = MNISTDataModule(
        train_size=12_000, val_size=0, test_size=50_000, train_variant="rotated", test_variants=("rotated", "upright"),
        batch_size=64, shuffle_seed=run.seed,
    )  # fmt: skip
    recipe: dict[str, Any] = {"lr": RATE, "weight_decay": DECAY, "milestones": MILESTONES, "gamma": GAMMA}
    task = ClassificationTask(BY_NAME[run.network].build(), **recipe)
    errors, hours = runs.fit_and_test(run, task, data, EPOCHS)
    images, _ = next(iter(data.test_dataloader()[0]))
    return {
        **asdict(run),
        "model": BY_NAME[run.network].model,
        "arguments": dict(BY_NAME[run.network].arguments),
        "parameters": sum(p.numel() for p in task.model.parameters()),
        "epochs": EPOCHS,
        "batch_size": 64,
        "optimizer": f"Adam, lr {RATE}, weight decay {DECAY}, x{GAMMA} after epochs {MILESTONES}",
        "test_images": 50_000,
        "test_error_percent": errors,
        "equivariance_error": runs.symmetry(task.model, images, cyclic(4)),
        "hours": hours,
        **runs.circumstances(),
    }


def queue(seeds: int) -> list[Run]:
    """All networks with one seed before the next."""
    return [Run(network.name, seed) for seed in range(seeds) for network in NETWORKS]


if __name__ == "__main__":
    runs.run_queue(__doc__, queue, train, seeds=2)
