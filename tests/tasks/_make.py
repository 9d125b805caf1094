"""Small pieces that the tests of tasks share."""

from pathlib import Path
from typing import Any

import lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from equivision.tasks import SafeCheckpointIO


def trainer(folder: Path, **options: Any) -> lightning.Trainer:
    settings: dict[str, Any] = {
        "default_root_dir": folder,
        "accelerator": "cpu",
        "devices": 1,
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
        "num_sanity_val_steps": 0,
        "plugins": [SafeCheckpointIO()],
    }
    return lightning.Trainer(**settings | options)


def images(number: int = 24, size: int = 28, classes: int = 10) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    labels = torch.arange(number) % classes
    return torch.rand(number, 1, size, size, generator=generator), labels


def loader(number: int = 24, batch_size: int = 8, **options: Any) -> DataLoader:
    return DataLoader(TensorDataset(*images(number)), batch_size=batch_size, **options)


class Variants(lightning.LightningDataModule):
    """Two variants of test images."""

    test_names = ("upright", "turned")

    def test_dataloader(self) -> list[DataLoader]:
        pictures, labels = images()
        turned = TensorDataset(pictures.rot90(1, (2, 3)), labels)
        return [loader(), DataLoader(turned, batch_size=16)]
