"""What a run leaves on disk: a table of metrics, and its checkpoints."""

import csv
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import lightning
from lightning.pytorch.callbacks import Checkpoint

from equivision._files import atomic_write
from equivision.errors import ConfigError

Row = dict[str, int | float]


class RunRecorder(Checkpoint):
    """Writes ``metrics.csv``, ``checkpoints/last.ckpt`` and ``checkpoints/best.ckpt`` at the end of every epoch.

    The table has one row an epoch, numbered from 1: optimiser steps so far, learning rate, every metric with a ``/`` in
    its name, and seconds. It is part of the checkpoint, and the file is written anew from it, so a resumed run ends
    with the table of the unbroken one (but for the seconds). All files are written atomically, ``last.ckpt`` last.

    Args:
        folder: of the run.
        monitor: metric that chooses ``best.ckpt``; when there are no validation images, each epoch is the best so far.
        mode: whether more or less of it is better; the first of equals is kept. An epoch whose ``val/loss`` is not
            finite is never the best.
        on_epoch: called with each new row, by the first process.

    Raises:
        ConfigError: mode is not known.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        monitor: str = "val/accuracy",
        mode: Literal["max", "min"] = "max",
        on_epoch: Callable[[Row], None] | None = None,
    ) -> None:
        if mode not in ("max", "min"):
            raise ConfigError(f"mode={mode!r}: choose 'max' or 'min'")
        self.folder = Path(folder)
        self.monitor, self.mode, self.on_epoch = monitor, mode, on_epoch
        self.rows: list[Row] = []
        self.best: Row | None = None
        self._lr, self._start, self._validated = math.nan, 0.0, False

    @property
    def last_path(self) -> Path:
        """The checkpoint of the last epoch that was completed."""
        return self.folder / "checkpoints" / "last.ckpt"

    @property
    def best_path(self) -> Path:
        """The checkpoint of the best epoch."""
        return self.folder / "checkpoints" / "best.ckpt"

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Note time and learning rate."""
        self._start, self._validated = time.perf_counter(), False
        self._lr = trainer.optimizers[0].param_groups[0]["lr"] if trainer.optimizers else math.nan

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Note that the metrics of validation are of this epoch."""
        self._validated = True

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Add a row, and write table and checkpoints."""
        row = self._row(trainer)
        self.rows.append(row)
        if trainer.is_global_zero and self.on_epoch is not None:
            self.on_epoch(row)
        if trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        if trainer.is_global_zero:
            self._write_table()
        if self._improves(row):
            self.best = row
            trainer.save_checkpoint(self.best_path)
        trainer.save_checkpoint(self.last_path)

    def _row(self, trainer: lightning.Trainer) -> Row:
        metrics = {
            name: float(f"{value:.7g}") for name, value in sorted(trainer.callback_metrics.items()) if "/" in name
        }
        if not self._validated:
            metrics = {name: value for name, value in metrics.items() if not name.startswith("val/")}
        counts: Row = {"epoch": trainer.current_epoch + 1, "step": trainer.global_step, "lr": self._lr}
        return counts | metrics | {"seconds": round(time.perf_counter() - self._start, 3)}

    def _improves(self, row: Row) -> bool:
        if not math.isfinite(row.get("val/loss", 0.0)):
            return False
        if self.best is None or self.monitor not in self.best:
            return True
        if self.monitor not in row or math.isnan(row[self.monitor]):
            return False
        new, old = row[self.monitor], self.best[self.monitor]
        return math.isnan(old) or (new > old if self.mode == "max" else new < old)

    def _write_table(self) -> None:
        names = list(dict.fromkeys(name for row in self.rows for name in row if name != "seconds"))
        with atomic_write(self.folder / "metrics.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [*names, "seconds"])
            writer.writeheader()
            writer.writerows(self.rows)

    def state_dict(self) -> dict[str, Any]:
        """The table and the best row."""
        return {"rows": self.rows, "best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the table of the checkpoint."""
        self.rows, self.best = list(state_dict["rows"]), state_dict["best"]
