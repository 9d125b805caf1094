"""Run by torchrun in two processes; see test_ddp.py."""

import os
import sys
from pathlib import Path
from typing import Any, Literal, get_args

import lightning
import torch
from torch import nn

from equivision.cli import main
from equivision.data import ImageData, evaluation_loader, training_loader
from equivision.groups import cyclic
from equivision.nn import (
    FieldBatchNorm2d,
    GroupConv2d,
    GroupPool,
    InvariantMap,
    LiftConv2d,
    NormReLU,
    SteerableConv2d,
)
from equivision.tasks import ClassificationTask

SIZE, BATCH = 32, 8
Kind = Literal["regular", "fields"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class SaveWeights(lightning.Callback):
    """Each process writes the weights that it ends with."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        torch.save(dict(pl_module.named_parameters()), self.folder / f"{trainer.global_rank}.pt")


def task(kind: Kind) -> ClassificationTask:
    """A network without batch norm, or with one whose statistics are those of all processes."""
    torch.manual_seed(0)
    C4, fields = cyclic(4), "2 regular + E1"
    if kind == "regular":
        layers = [LiftConv2d(1, 3, 3, group=C4), nn.ReLU(), GroupConv2d(3, 3, 3, group=C4), nn.ReLU(), GroupPool("max")]
    else:
        conv, norm = SteerableConv2d("A", fields, 3, group=C4, bias=False), FieldBatchNorm2d(fields, group=C4)
        layers = [conv, norm, NormReLU(fields, group=C4), InvariantMap(fields, group=C4)]
    return ClassificationTask(
        nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 4)), num_classes=4, lr=0.01
    )


def train(processes: int, folder: Path, kind: Kind) -> dict[str, Any]:
    """Two epochs on the same batches, whole or dealt out; what was logged and learned."""
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(SIZE, 1, 9, 9, generator=generator, dtype=torch.float64)
    data = ImageData(images, torch.arange(SIZE) % 4, tuple("abcd"), torch.arange(SIZE))
    rank = int(os.environ["RANK"]) if processes > 1 else 0
    batch = BATCH // processes
    loaders = (
        training_loader(data, None, batch, num_replicas=processes, rank=rank),
        evaluation_loader(data, None, batch),  # dealt out by Lightning
    )
    trainer = lightning.Trainer(
        default_root_dir=folder,
        accelerator="cpu",
        devices=processes,
        strategy="ddp" if processes > 1 else "auto",
        precision="64-true",
        max_epochs=2,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        sync_batchnorm=processes > 1 and kind == "fields",
    )
    module = task(kind)
    trainer.fit(module, *loaders)
    metrics = {name: value for name, value in trainer.callback_metrics.items() if "/" in name}
    return {"metrics": metrics, "weights": module.state_dict()}


if __name__ == "__main__":
    out = Path(sys.argv[1])
    torch.set_num_threads(1)
    for kind in KINDS:
        torch.save(train(2, out, kind), out / f"{kind}-{os.environ['RANK']}.pt")
    options = (
        f"fit --data DigitsDataModule --data.batch_size 16 --data.val_size 32 --model.width 2 --run_dir {out / 'run'} "
        "--trainer.max_epochs 2 --trainer.limit_train_batches 2 --trainer.limit_val_batches 1 "
        "--trainer.accelerator cpu --trainer.devices 2 --trainer.strategy ddp "
        f"--trainer.callbacks ddp_worker.SaveWeights --trainer.callbacks.folder {out}"
    )
    sys.exit(main(options.split()))
