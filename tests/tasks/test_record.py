import csv
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from equivision.errors import ConfigError
from equivision.tasks import ClassificationTask, RunRecorder, read_checkpoint
from tests.tasks import _make as make

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),
    pytest.mark.filterwarnings("ignore:.*treespec, LeafSpec.*"),
]


class Scripted(ClassificationTask):
    """Validation accuracy is what the test says, epoch by epoch."""

    script: tuple[float, ...] = ()

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val/accuracy", torch.tensor(self.script[self.current_epoch]), batch_size=len(batch[1]))


def run(
    folder: Path,
    script: tuple[float, ...],
    recorder: RunRecorder | None = None,
    task: Scripted | None = None,
    **options: Any,
) -> RunRecorder:
    task = task or Scripted(width=2)
    task.script = script
    recorder = recorder or RunRecorder(folder)
    trainer = make.trainer(
        folder,
        max_epochs=len(script),
        callbacks=[recorder],
        enable_checkpointing=True,
        limit_train_batches=1,
        **options,
    )
    trainer.fit(task, make.loader(), make.loader(8))
    return recorder


@pytest.mark.parametrize(
    ("script", "best"),
    [
        ((0.1, 0.5, 0.3), 1),
        ((0.5, 0.5, 0.2), 0),
        ((math.nan, 0.1, math.nan), 1),
        ((0.2, math.nan, math.inf), 2),
    ],
)
def test_the_best_checkpoint(script: tuple[float, ...], best: int, tmp_path: Path) -> None:
    recorder = run(tmp_path, script)
    assert read_checkpoint(recorder.best_path)["epoch"] == best
    assert read_checkpoint(recorder.last_path)["epoch"] == len(script) - 1
    assert recorder.best is recorder.rows[best]


class Diverging(Scripted):
    """Validation loss is not finite in the first and the last epoch."""

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        super().validation_step(batch, batch_idx)
        self.log("val/loss", torch.tensor((math.nan, 1.0, math.inf)[self.current_epoch]), batch_size=len(batch[1]))


def test_an_epoch_without_a_finite_loss_is_not_the_best(tmp_path: Path) -> None:
    recorder = run(tmp_path, (0.8, 0.1, 0.9), task=Diverging(width=2))
    assert read_checkpoint(recorder.best_path)["epoch"] == 1


def test_less_can_be_better(tmp_path: Path) -> None:
    assert read_checkpoint(run(tmp_path, (0.3, 0.1, 0.2), RunRecorder(tmp_path, mode="min")).best_path)["epoch"] == 1


def test_old_validation_metrics_do_not_count(tmp_path: Path) -> None:
    seen: list[Any] = []
    recorder = RunRecorder(tmp_path, on_epoch=seen.append)
    run(tmp_path, (0.1, 0.2, 0.9, 0.3), recorder, check_val_every_n_epoch=2)
    assert ["val/accuracy" in row for row in recorder.rows] == [False, True, False, True]
    assert seen == recorder.rows
    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["val/accuracy"] for row in rows] == ["", "0.2", "", "0.3"]
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert list(rows[0])[-1] == "seconds"
    assert read_checkpoint(recorder.best_path)["epoch"] == 3


def test_the_mode_is_checked(tmp_path: Path, unchecked_annotations: None) -> None:
    with pytest.raises(ConfigError, match="mode='most': choose 'max' or 'min'"):
        RunRecorder(tmp_path, mode="most")  # type: ignore[arg-type]
