"""Resuming is exact for data loaders and networks that draw from the global generators, too."""

import random
from pathlib import Path

import lightning
import numpy as np
import pytest
import torch
from torch import nn

from equivision.tasks import ClassificationTask, RunRecorder, SeedEachEpoch
from equivision.tasks._seed import seed_generators
from tests.tasks import _make as make

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),
    pytest.mark.filterwarnings("ignore:.*treespec, LeafSpec.*"),
]


def task() -> ClassificationTask:
    torch.manual_seed(1)
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 8), nn.Dropout(), nn.ReLU(), nn.Linear(8, 10))
    return ClassificationTask(network, milestones=[2], lr=0.001)


def train(folder: Path, epochs: int, seed: int, workers: int, path: Path | None = None) -> dict[str, torch.Tensor]:
    lightning.seed_everything(seed, workers=True, verbose=False)
    network, recorder = task(), RunRecorder(folder)
    trainer = make.trainer(
        folder, max_epochs=epochs, callbacks=[SeedEachEpoch(seed), recorder], enable_checkpointing=True
    )
    trainer.fit(network, make.loader(24, 4, shuffle=True, num_workers=workers), make.loader(8), ckpt_path=path)
    return {name: value.clone() for name, value in network.state_dict().items()}


@pytest.mark.parametrize("workers", [0, 2])
def test_resumed_equals_unbroken(workers: int, tmp_path: Path) -> None:
    unbroken = train(tmp_path / "unbroken", 3, 5, workers)
    train(tmp_path / "broken", 1, 5, workers)
    last = tmp_path / "broken" / "checkpoints" / "last.ckpt"
    resumed = train(tmp_path / "broken", 3, 99, workers, last)  # the seed of the checkpoint counts
    assert all(torch.equal(resumed[name], unbroken[name]) for name in unbroken)
    other = train(tmp_path / "other", 3, 6, workers)
    assert any(not torch.equal(other[name], unbroken[name]) for name in unbroken), "the seed matters"


def test_all_generators_are_seeded_by_all_keys() -> None:
    def draw(*keys: int) -> tuple[float, float, float]:
        seed_generators(*keys)
        return float(torch.rand(())), float(np.random.rand()), random.random()  # noqa: NPY002

    assert draw(1, 2, 3) == draw(1, 2, 3)
    draws = [draw(*keys) for keys in ((1, 2, 3), (1, 3, 2), (2, 2, 3), (1, 2, 4), (2**40, 2, 3))]
    for values in zip(*draws, strict=True):
        assert len(set(values)) == len(draws)
