"""What the runs that are killed import; it lies on their PYTHONPATH."""

import io
import os
import signal
from pathlib import Path
from typing import Any

import lightning
import torch
from torch import Tensor, nn


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class KillInEpoch(lightning.Callback):
    """Kills the process before a batch of an epoch."""

    def __init__(self, epoch: int, batch: int) -> None:
        self.epoch, self.batch = epoch, batch

    def on_train_batch_start(self, trainer: lightning.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if (trainer.current_epoch, batch_idx) == (self.epoch, self.batch):
            die()


class KillWhileSaving(lightning.Callback):
    """Kills the process when half of last.ckpt is written, in an epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        if trainer.current_epoch != self.epoch:
            return
        whole = torch.save

        def half(value: Any, file: Any, *arguments: Any, **options: Any) -> None:
            if "last.ckpt" not in Path(file.name).name:
                whole(value, file, *arguments, **options)
                return
            buffer = io.BytesIO()
            whole(value, buffer, *arguments, **options)
            file.write(buffer.getvalue()[: len(buffer.getvalue()) // 2])
            file.flush()
            die()

        torch.save = half


class DropoutNet(nn.Module):
    """A network without a name in the registry, which draws random numbers."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(784, width), nn.Dropout(), nn.ReLU(), nn.Linear(width, 10))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)
