"""The real data sets, where they are at hand: set EQUIVISION_DATA to their folder."""

import os
from pathlib import Path

import pytest
import torch

from equivision.data import (
    MaskParquetDataModule,
    MNISTDataModule,
    ParquetDataModule,
    find_parquet,
    named_variant,
    random_split,
    read_mnist,
    read_parquet,
)

pytestmark = pytest.mark.data


def folder(name: str) -> Path:
    base = os.environ.get("EQUIVISION_DATA")
    if not base:
        pytest.skip("EQUIVISION_DATA is not set: it names the folder of the real data sets")
    if not (Path(base) / name).is_dir():
        pytest.skip(f"EQUIVISION_DATA={base} holds no folder {name}")
    return Path(base) / name


def test_mnist_is_complete() -> None:
    data = read_mnist(folder("mnist"))
    assert data.images.shape == (70_000, 1, 28, 28)
    assert data.labels is not None
    assert data.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert data.labels[60_000:60_010].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert data.labels.bincount().tolist() == [6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958]
    assert data.images[:60_000].float().mean() / 255 == pytest.approx(0.1307, abs=5e-5)


def test_rotated_mnist_is_this_one() -> None:
    train, test = random_split(read_mnist(folder("mnist")), (12_000, 50_000), seed=0)
    assert train.index[:4].tolist() == [24611, 64676, 43665, 48449]
    assert not set(train.index.tolist()) & set(test.index.tolist())
    assert train.labels is not None
    assert train.labels.bincount().min() > 1000
    images = named_variant("rotated", seed=0).apply(train.images, train.index)
    assert images.shape == (12_000, 1, 28, 28)
    assert images.min() >= 0
    assert images.max() <= 1.0001
    assert images.double().mean().item() == pytest.approx(0.1306392, abs=1e-6)
    assert images[0, 0, 14, 10:18].double().mean().item() == pytest.approx(0.000000, abs=1e-5)


def test_the_mnist_module_tests_three_variants_of_50000_digits() -> None:
    module = MNISTDataModule(folder("mnist"), batch_size=500)
    module.setup("fit")
    assert [len(module.splits.train), len(module.splits.val or []), len(module.splits.test or [])] == [
        10_000,
        2_000,
        50_000,
    ]
    labels = [torch.cat([labels for _, labels in loader]) for loader in module.test_dataloader()]
    assert all(torch.equal(one, labels[0]) for one in labels)
    assert len(labels) == 3


def test_cifar10() -> None:
    module = ParquetDataModule(folder("cifar10"), test_split="test", train_split="test", test_size=1000, train_size=500)
    assert (module.num_classes, module.in_channels, module.image_size) == (10, 3, (32, 32))
    assert module.class_names[:3] == ("airplane", "automobile", "bird")
    assert module.splits.train.labels is not None
    assert module.splits.train.labels.bincount().tolist() == [50] * 10


def test_tiny_imagenet_mixes_grey_and_colour() -> None:
    module = ParquetDataModule(folder("tiny-imagenet10"), test_split="valid", val_size=250)
    splits = module.splits
    assert [len(splits.train), len(splits.val or []), len(splits.test or [])] == [2250, 250, 500]
    assert (module.in_channels, module.image_size, module.num_classes) == (3, (64, 64), 10)
    grey = (splits.train.images[:, :1] == splits.train.images).flatten(1).all(1)
    assert 0 < grey.sum() < len(grey)
    small = read_parquet(find_parquet(folder("tiny-imagenet10"), "valid"), image_size=33, channels=1)
    assert small.images.shape == (500, 1, 33, 33)


def test_blood_cells_with_masks() -> None:
    data = read_parquet(find_parquet(folder("wbc"), "train"), mask_column="mask")
    assert data.images.shape == (150, 3, 120, 120)
    assert data.masks is not None
    assert data.masks.shape == (150, 120, 120)
    assert data.masks.unique().tolist() == [0, 1, 2]
    assert data.class_names == ("neutrophil", "lymphocyte", "monocyte", "eosinophil", "basophil")
    assert data.skipped == ()


@pytest.mark.parametrize(
    ("options", "names", "share"),
    [
        ({"class_names": ("background", "cytoplasm", "nucleus")}, ("background", "cytoplasm", "nucleus"), None),
        ({"classes": {"cell": (1, 2)}}, ("background", "cell"), 0.0),
        ({"classes": {"nucleus": (2,)}}, ("background", "nucleus"), 0.0),
    ],
)
def test_the_module_of_the_blood_cells(options: dict, names: tuple[str, ...], share: float | None) -> None:
    module = MaskParquetDataModule(folder("wbc"), val_split="validation", batch_size=75, **options)
    splits = module.splits
    assert [len(part or ()) for part in (splits.train, splits.val, splits.test)] == [150, 75, 75]
    assert (module.class_names, module.in_channels, module.image_size) == (names, 3, (120, 120))
    (upright, masks), (turned, turned_masks) = (next(iter(loader)) for loader in module.test_dataloader())
    assert masks.unique().tolist() == list(range(len(names)))
    for k in range(4):
        same = (torch.rot90(upright, k, (-2, -1)) == turned).flatten(1).all(1)
        assert 5 < same.sum() < 40
        assert torch.equal(torch.rot90(masks, k, (-2, -1))[same], turned_masks[same])
    small = MaskParquetDataModule(folder("wbc"), image_size=64, train_size=25, **options).splits.train
    assert small.images.shape == (25, 3, 64, 64)
    assert small.masks is not None
    assert small.masks.unique().tolist() == list(range(len(names)))
