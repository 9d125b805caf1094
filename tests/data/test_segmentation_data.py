import itertools
from pathlib import Path
from typing import Any

import jsonargparse
import lightning
import numpy as np
import pytest
import torch

from equivision.data import (
    ImageData,
    ImageDataModule,
    MaskFolderDataModule,
    MaskParquetDataModule,
    NumberedEpochs,
    PH2DataModule,
    SegmentationDataModule,
    Splits,
    Variant,
    VariantDataset,
    named_variant,
    random_split,
    training_loader,
)
from equivision.errors import ConfigError, DataError
from tests.data._make import cells, numbered_images, picture, png, write_masks, write_parquet, write_ph2

FLIPS_AND_TURNS = named_variant("quarters_reflected")


def with_masks(size: int = 24, side: int = 7, ignore_index: int | None = None) -> ImageData:
    """The mask of a picture has its values divided by 100."""
    data = numbered_images(size, side=side)
    names = ("background", "a", "b")
    return ImageData(data.images, None, names, data.index, masks=data.images[:, 0] // 100, ignore_index=ignore_index)


class Numbers(SegmentationDataModule):
    def read_masks(self, split: str, masks: Any, channels: Any) -> ImageData:
        return with_masks({"train": 20, "test": 5}[split])


def gathered(loader) -> tuple[torch.Tensor, torch.Tensor]:
    images, masks = zip(*loader, strict=True)
    return torch.cat(images), torch.cat(masks)


def belong_together(images: torch.Tensor, masks: torch.Tensor) -> bool:
    return torch.equal((images[:, 0] * 255).round().long() // 100, masks)


def test_batches_are_pictures_and_masks_moved_alike() -> None:
    module = Numbers(train_variant="rotated90", batch_size=6)
    assert module.test_names == ("upright", "quarters")
    assert (module.num_classes, module.class_names) == (3, ("background", "a", "b"))
    assert (module.in_channels, module.image_size, module.ignore_index) == (1, (7, 7), None)
    for loader in (module.train_dataloader(), *module.test_dataloader()):
        for images, masks in loader:
            assert (images.dtype, masks.dtype) == (torch.float32, torch.int64)
            assert images.shape == (len(masks), 1, 7, 7)
            assert belong_together(images, masks)
    upright, quarters = (gathered(loader)[1] for loader in module.test_dataloader())
    assert torch.equal(upright, with_masks(5).masks.long())  # type: ignore[union-attr]
    assert not torch.equal(upright, quarters)
    image, mask = VariantDataset(with_masks(), Variant(90))[3]
    assert belong_together(image[None], mask[None])


def test_what_comes_in_from_outside_is_ignored_if_asked() -> None:
    for ignore, outside in ((None, 0), (255, 255)):
        _, masks = VariantDataset(with_masks(ignore_index=ignore), Variant(45)).__getitems__(range(24))
        assert set(masks[:, 0, 0].tolist()) == {outside}


def test_labels_come_before_masks() -> None:
    data = with_masks()
    both = ImageData(data.images, torch.arange(24) % 3, data.class_names, data.index, masks=data.masks)
    assert VariantDataset(both)[4][1].tolist() == 1


def test_masks_must_have_the_size_of_the_images(unchecked_annotations: None) -> None:
    for masks in (torch.zeros(4, 8, 7).byte(), torch.zeros(3, 8, 8).byte(), torch.zeros(4, 8, 8)):
        with pytest.raises(DataError, match=r"images are \[4, 1, 8, 8\] and masks \[.*\], .*: need one mask an image"):
            ImageData(torch.zeros(4, 1, 8, 8), None, ("a", "b"), torch.arange(4), masks=masks)


def epoch_of(loader, epoch: int) -> torch.Tensor:
    loader.sampler.set_epoch(epoch)
    images, masks = gathered(loader)
    assert belong_together(images, masks)
    return images


def canonical(images: torch.Tensor) -> list[tuple[int, ...]]:
    """Each picture by the smallest of its eight flips and turns."""
    moved = [torch.rot90(flipped, k, (-2, -1)) for flipped in (images, images.flip(-1)) for k in range(4)]
    rows = [[tuple((255 * one).round().int().flatten().tolist()) for one in batch] for batch in moved]
    return sorted(map(min, zip(*rows, strict=True)))


def test_augmentation_is_new_in_every_epoch_and_a_function_of_seed_and_epoch() -> None:
    data = with_masks(40)
    loaders = [
        training_loader(data, None, 8, augment=FLIPS_AND_TURNS, seed=seed, num_workers=n)
        for seed, n in ((3, 0), (3, 2), (4, 0))
    ]
    epochs = [[epoch_of(loader, epoch) for epoch in (0, 1, 5)] for loader in loaders]
    for a, b in zip(epochs[0], epochs[1], strict=True):
        assert torch.equal(a, b)
    assert torch.equal(epoch_of(loaders[0], 0), epochs[0][0])  # whichever epochs came before
    every = [*epochs[0], *epochs[2]]
    assert all(not torch.equal(a, b) for a, b in itertools.combinations(every, 2))
    assert len({str(canonical(one)) for one in [*every, data.images / 255]}) == 1


def test_augmentation_takes_every_flip_and_turn_equally_often() -> None:
    data = with_masks(400, side=3)
    dataset = VariantDataset(data, None, FLIPS_AND_TURNS)
    moved = [dataset.__getitems__(range(400 * epoch, 400 * epoch + 400))[0] for epoch in range(3)]
    images = data.images / 255
    same = [
        torch.stack([(one == torch.rot90(flipped, k, (-2, -1))).flatten(1).all(1) for one in moved])
        for flipped in (images, images.flip(-1))
        for k in range(4)
    ]
    assert all(30 <= count <= 70 for one in same for count in one.sum(1).tolist())
    for a, b in itertools.combinations(range(3), 2):  # epochs are independent
        assert 30 <= sum(int((one[a] & one[b]).sum()) for one in same) <= 70


def test_an_augmented_epoch_is_taken_up_where_it_stopped() -> None:
    whole, rest = (training_loader(with_masks(), None, 5, augment=FLIPS_AND_TURNS, seed=2) for _ in range(2))
    for loader in (whole, rest):
        loader.sampler.set_epoch(3)  # type: ignore[attr-defined]
    rest.load_state_dict({"epoch": 3, "batches": 2})
    for (a, _), (b, _) in zip(list(whole)[2:], rest, strict=True):
        assert torch.equal(a, b)


def test_processes_share_the_numbers_of_an_epoch() -> None:
    samplers = [NumberedEpochs(10, seed=1, num_replicas=2, rank=rank) for rank in (0, 1)]
    for sampler in samplers:
        sampler.set_epoch(4)
    assert sorted(itertools.chain(*samplers)) == list(range(40, 50))


class Labelled(ImageDataModule):
    def load(self) -> Splits:
        return Splits(numbered_images(23, side=9), numbered_images(5, side=9), None)


def test_pictures_with_labels_can_be_augmented_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)
    loaders = [Labelled(augment=augment, batch_size=23).train_dataloader() for augment in (None, "quarters_reflected")]
    (plain, labels), (moved, same) = (next(iter(loader)) for loader in loaders)
    assert torch.equal(labels, same)
    assert not torch.equal(plain, moved)
    assert canonical(plain) == canonical(moved)
    module = Labelled(augment="rotated", shuffle_seed=5)
    assert not torch.equal(next(iter(module.train_dataloader()))[0], next(iter(module.val_dataloader()))[0])
    assert torch.equal(next(iter(module.val_dataloader()))[0], numbered_images(5, side=9).images / 255)


def test_augmentation_must_be_random() -> None:
    for name in ("upright", "rotated90", "reflected"):
        with pytest.raises(ConfigError, match=f"augment='{name}' would move the images alike in every epoch"):
            Numbers(augment=name)
    with pytest.raises(ConfigError, match="augment='rotated30' would move"):
        training_loader(with_masks(), None, 4, augment=Variant(30))
    with pytest.raises(ConfigError, match="variant 'spun' is not known"):
        Numbers(augment="spun")


def test_smaller_training_sets_are_parts_of_larger_ones() -> None:
    def chosen(size: int | None, seed: int = 0) -> set[int]:
        module = Numbers(train_size=size, val_size=4, seed=seed)
        assert module.splits.val is not None
        assert not set(module.splits.val.index.tolist()) & set(module.splits.train.index.tolist())
        return set(module.splits.train.index.tolist())

    sizes = [1, 5, 10, 16]
    sets = [chosen(size) for size in sizes]
    assert [len(one) for one in sets] == sizes
    assert all(small < large for small, large in itertools.pairwise(sets))
    assert sets[-1] == chosen(None)
    assert chosen(5, seed=1) != sets[1]
    expected = random_split(with_masks(20), (4, 5), seed=0)
    assert set(expected[1].index.tolist()) == sets[1]


def mask_table(folder: Path, split: str, values: list[int], **extra: list) -> None:
    masks = [{"bytes": png(picture(value, (6, 6))), "path": None} for value in values]
    write_parquet(folder / f"{split}.parquet", {"image": cells(len(values)), "mask": masks, **extra})


def test_parquet_files_with_masks(tmp_path: Path) -> None:
    mask_table(tmp_path, "train", [0, 1, 2])
    mask_table(tmp_path, "val", [1, 0])
    mask_table(tmp_path, "test", [2], label=[0])
    module = MaskParquetDataModule(tmp_path, val_split="validation", image_size=3, channels=3)
    assert (module.class_names, module.in_channels, module.image_size) == (("0", "1", "2"), 3, (3, 3))
    splits = module.splits
    assert splits.val is not None
    assert splits.test is not None
    for part, values in ((splits.train, [0, 1, 2]), (splits.val, [1, 0]), (splits.test, [2])):
        assert part.masks is not None
        assert part.masks[:, 1, 1].tolist() == values
        assert (part.labels, part.class_names) == (None, ("0", "1", "2"))
    merged = MaskParquetDataModule(tmp_path, classes={"cell": (1, 2)})
    assert merged.class_names == ("background", "cell")
    assert gathered(merged.test_dataloader()[0])[1].unique().tolist() == [1]
    mask_table(tmp_path, "test", [0, 3])
    with pytest.raises(
        DataError, match=r"the mask of row 1 .* in .*test.parquet holds the value 3, but the classes 0, 1, 2"
    ):
        _ = MaskParquetDataModule(tmp_path).splits
    write_parquet(tmp_path / "train.parquet", {"image": cells(2), "region": cells(2)})
    with pytest.raises(DataError, match=r"no column 'mask' or 'masks' or .* 'annotation': .*mask_column="):
        _ = MaskParquetDataModule(tmp_path).splits
    write_parquet(tmp_path / "test.parquet", {"image": cells(2), "region": cells(2)})
    assert MaskParquetDataModule(tmp_path, mask_column="region").num_classes == 2


def test_folders_with_masks(tmp_path: Path) -> None:
    write_masks(tmp_path / "train", 6)
    write_masks(tmp_path / "test", 3)
    module = MaskFolderDataModule(tmp_path, class_names=tuple("abcdef"), val_size=2)
    assert [len(part or ()) for part in (module.splits.train, module.splits.val, module.splits.test)] == [4, 2, 3]
    for images, masks in (gathered(module.train_dataloader()), gathered(module.test_dataloader()[0])):
        assert torch.equal((images[:, 0] * 255).round().long(), masks)
    whole = MaskFolderDataModule(tmp_path / "train", train_size=2)
    assert [len(part or ()) for part in (whole.splits.train, whole.splits.val, whole.splits.test)] == [2, 1, 1]
    assert whole.class_names == tuple("012345")


def test_ph2_is_split_by_numpys_permutation(tmp_path: Path) -> None:
    write_ph2(tmp_path, 20)
    module = PH2DataModule(tmp_path, image_size=8, val_size=5, test_size=5)
    order = [f"IMD{i + 1:03d}" for i in np.random.RandomState(0).permutation(20)]
    splits = module.splits
    assert splits.val is not None
    assert splits.test is not None
    assert [*splits.train.names, *splits.val.names, *splits.test.names] == order
    assert (module.num_classes, module.image_size, module.crop) == (2, (8, 8), False)
    images, masks = next(iter(module.val_dataloader()))
    assert images.shape == (5, 3, 8, 8)
    assert masks.sum((1, 2)).tolist() == [8 * 2] * 5
    small = PH2DataModule(tmp_path, image_size=8, val_size=5, test_size=5, train_size=3).splits
    assert small.train.names == tuple(order[:3])
    assert small.val is not None
    assert small.val.names == splits.val.names
    picture((9, 0, 0), (30, 20), "RGB").save(tmp_path / "new.bmp")
    assert PH2DataModule(tmp_path, image_size=8, predict_folder=tmp_path, val_size=5, test_size=5).crop is False
    assert PH2DataModule(tmp_path, image_size=257).scaled_size == 257


@pytest.mark.parametrize(
    "sizes", [{}, {"val_size": 10, "test_size": 10}, {"val_size": 5, "test_size": 5, "train_size": 11}]
)
def test_ph2_must_have_enough_pictures(tmp_path: Path, sizes: dict[str, int]) -> None:
    write_ph2(tmp_path, 20)
    with pytest.raises(ConfigError, match="they must fit in the 20 pictures there are, and leave some to train on"):
        PH2DataModule(tmp_path, image_size=8, **sizes).setup("fit")


def test_pictures_to_predict_are_stretched_where_the_training_pictures_were(tmp_path: Path) -> None:
    write_masks(tmp_path / "data" / "train", 3, size=(12, 8))
    write_masks(tmp_path / "data" / "test", 1, size=(12, 8))
    (tmp_path / "new").mkdir()
    wide = np.zeros((8, 16), dtype=np.uint8)
    wide[:, :4] = 200
    picture(0, (16, 8)).save(tmp_path / "new" / "a.png")
    from PIL import Image

    Image.fromarray(wide).save(tmp_path / "new" / "b.png")
    for crop in (True, False):
        options = {"image_size": 8, "crop": crop, "predict_folder": tmp_path / "new"}
        module = MaskFolderDataModule(tmp_path / "data", **options)
        images, positions = next(iter(module.predict_dataloader()))
        assert positions.tolist() == [0, 1]
        assert bool(images[1].max() > 0.5) is not crop


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.*JsonargparseDeprecationWarning.*")
def test_the_command_line_builds_them() -> None:
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(lightning.LightningDataModule, "data")

    def build(*arguments: str) -> Any:
        return parser.instantiate_classes(parser.parse_args(list(arguments))).data

    tables = build(
        "--data=equivision.data.MaskParquetDataModule",
        "--data.root=x",
        "--data.classes={cell: [1, 2]}",
        "--data.augment=quarters_reflected",
        "--data.train_size=25",
        "--data.ignore_index=255",
    )
    assert (tables.mask_classes.names, tables.train_size, tables.ignore_index) == (("background", "cell"), 25, 255)
    assert tables.augment.name == "quarters_reflected"
    folders = build("--data=equivision.data.MaskFolderDataModule", "--data.root=x", "--data.class_names=[skin, lesion]")
    assert folders.mask_classes.names == ("skin", "lesion")
    lesions = build("--data=equivision.data.PH2DataModule", "--data.image_size=257", "--data.batch_size=20")
    assert (lesions.scaled_size, lesions.val_size, lesions.mask_classes.names) == (257, 50, ("background", "lesion"))


def test_meanings_are_checked_when_the_module_is_made() -> None:
    with pytest.raises(ConfigError, match="give class_names to keep the values of the masks, or classes"):
        Numbers(class_names=["a", "b"], classes={"c": [1]})
    with pytest.raises(ConfigError, match="ignore_index=1"):
        Numbers(class_names=["a", "b"], ignore_index=1)
