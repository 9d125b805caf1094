"""A small trained run that the tests of the command line share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from equivision.cli import main

DATA = ["--data", "DigitsDataModule", "--data.batch_size", "32", "--data.val_size", "32", "--data.test_size", "64"]
#: A few batches of a very small network.
TINY = [*DATA, "--model.width", "2", "--trainer.limit_train_batches", "3", "--trainer.accelerator", "cpu"]


@pytest.fixture(autouse=True)
def _environment_as_it_was() -> Iterator[None]:
    """Lightning notes its seed in the environment."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def tiny() -> list[str]:
    return list(TINY)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two epochs."""
    folder = tmp_path_factory.mktemp("shared") / "run"
    assert main(["fit", *TINY, "--trainer.max_epochs", "2", "--run_dir", str(folder)]) == 0
    return folder
