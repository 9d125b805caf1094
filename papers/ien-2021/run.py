"""Table 5 on rotated MNIST: a queue of trainings that can be stopped and started again at any time.

    EQUIVISION_DATA=... python papers/ien-2021/run.py            # trains what is missing, one run after another
    EQUIVISION_DATA=... python papers/ien-2021/run.py --list     # says what is done and what is not
    python papers/ien-2021/table.py                              # the table of README.md, from results/*.json

Start it twice for two processes. Every run ends in one file, results/<network>-s<seed>.json.
"""

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from _networks import BY_NAME, NETWORKS
from _runs import runs
from torch import Tensor, nn

import equivision as ev
from equivision.data import MNISTDataModule
from equivision.groups import cyclic
from equivision.implicit import ImplicitEquivariance, Motion, rotations
from equivision.tasks import ClassificationTask, ImplicitTraining

RESULTS = Path(__file__).parent / "results"
EPOCHS, BATCH = 12, 64
MILESTONES = [7, 10]
TRAIN_IMAGES, TEST_IMAGES = 12_000, 50_000


@dataclass(frozen=True)
class Run:
    """One training."""

    network: str
    seed: int

    @property
    def name(self) -> str:
        return "-".join((*re.findall(r"[\w.]+", self.network), f"s{self.seed}"))

    @property
    def result(self) -> Path:
        return RESULTS / f"{self.name}.json"

    @property
    def checkpoints(self) -> Path:
        return runs.checkpoint_folder("ien-2021", self.name)


def layer_differences(net: nn.Module, images: Tensor) -> dict[str, float]:
    """The loss of each layer on these images, in evaluation mode, over quarter turns of every image."""
    turns = rotations([90, 180, 270])
    implicit = ImplicitEquivariance(net.double().eval(), transforms=turns)
    with torch.no_grad():
        each = [implicit(images.double(), [Motion(turns, torch.full((len(images),), i))]) for i in range(3)]
    return {name: float(sum(e.differences[name] for e in each)) / 3 for name in implicit.layers}


def train(run: Run) -> dict[str, Any]:
    """Train, test on rotated and upright digits, and say what was found."""
    network = BY_NAME[run.network]
    lightning.seed_everything(run.seed, verbose=False)
    data = MNISTDataModule(
        train_size=TRAIN_IMAGES, val_size=0, test_size=TEST_IMAGES, train_variant="rotated",
        test_variants=("rotated", "upright"), batch_size=BATCH, shuffle_seed=run.seed,
    )  # fmt: skip
    task = ClassificationTask(network.build(), lr=0.005, weight_decay=1e-7, milestones=MILESTONES, gamma=0.1)
    extra = [] if network.beta is None else [ImplicitTraining(beta=network.beta)]
    errors, hours = runs.fit_and_test(run, task, data, EPOCHS, callbacks=extra)
    images, _ = next(iter(data.test_dataloader()[0]))
    return {
        **asdict(run),
        "model": "ien_cnn",
        "arguments": network.arguments,
        "beta": network.beta,
        "parameters": sum(p.numel() for p in task.model.parameters()),
        "macs": ev.cost(task.model, (1, 28, 28)).macs,
        "train_images": TRAIN_IMAGES,
        "epochs": EPOCHS,
        "batch_size": BATCH,
        "optimizer": f"Adam, lr 0.005, a tenth after {MILESTONES}, weight decay 1e-7",
        "test_images": TEST_IMAGES,
        "test_error_percent": errors,
        "layer_differences": layer_differences(task.model, images),
        "equivariance_error": runs.symmetry(task.model, images, cyclic(4)),
        "hours": hours,
        **runs.circumstances(),
    }


def queue(seeds: int) -> list[Run]:
    """All networks with one seed before the next."""
    return [Run(network.name, seed) for seed in range(seeds) for network in NETWORKS]


if __name__ == "__main__":
    runs.run_queue(__doc__, queue, train, seeds=3)
