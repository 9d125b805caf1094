from pathlib import Path
from typing import Any

import jsonargparse
import lightning
import pytest
import torch

from equivision.data import (
    DigitsDataModule,
    HubDataModule,
    ImageData,
    ImageDataModule,
    ImageFolderDataModule,
    MNISTDataModule,
    ParquetDataModule,
    PredictionDataModule,
    ScaleMNISTDataModule,
    Splits,
    Variant,
    named_variant,
    read_digits,
    read_mnist,
)
from equivision.errors import ConfigError, DataError
from tests.data._make import cells, numbered_images, picture, write_classes, write_mnist, write_parquet


class Numbers(ImageDataModule):
    def load(self) -> Splits:
        data = numbered_images(23, side=9)
        return Splits(data.take(range(15)), None, data.take(range(15, 23)))


def gathered(loader) -> tuple[torch.Tensor, torch.Tensor]:
    batches = list(loader)
    return torch.cat([images for images, _ in batches]), torch.cat([labels for _, labels in batches])


def test_all_test_loaders_hold_the_same_images_in_their_variants() -> None:
    module = Numbers(test_variants=["upright", "rotated", "rotated90", Variant(30)], seed=6, batch_size=3)
    assert module.test_names == ("upright", "rotated", "rotated90", "rotated30")
    test = numbered_images(23, side=9).take(range(15, 23))
    upright = test.images / 255.0
    expected = [
        upright,
        named_variant("rotated", seed=6).apply(upright, torch.arange(15, 23)),
        torch.rot90(upright, 1, (-2, -1)),
        Variant(30).apply(upright),
    ]
    for loader, images in zip(module.test_dataloader(), expected, strict=True):
        got, labels = gathered(loader)
        assert torch.allclose(got, images)
        assert torch.equal(labels, test.labels)


def test_training_batches_are_shuffled_by_seed_and_moved() -> None:
    module = Numbers(train_variant="rotated90", batch_size=4, shuffle_seed=1)
    images, labels = gathered(module.train_dataloader())
    expected = torch.rot90(numbered_images(23, side=9).images[:15] / 255.0, 1, (-2, -1))
    assert not torch.equal(images, expected)
    assert torch.equal(images.flatten(1).sum(1).sort().values, expected.flatten(1).sum(1).sort().values)
    assert torch.equal(gathered(module.train_dataloader())[0], images)
    other = Numbers(train_variant="rotated90", batch_size=4, shuffle_seed=2)
    assert not torch.equal(gathered(other.train_dataloader())[0], images)
    assert len(labels) == 15


def test_the_global_seed_orders_training_but_does_not_touch_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    def first_and_test() -> tuple[torch.Tensor, torch.Tensor]:
        module = Numbers(train_variant="upright", test_variants=["rotated"], seed=5)
        return gathered(module.train_dataloader())[0], gathered(module.test_dataloader()[0])[0]

    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)
    unseeded, test = first_and_test()
    results = {}
    for seed in ("5", "6"):
        monkeypatch.setenv("PL_GLOBAL_SEED", seed)
        results[seed], same = first_and_test()
        assert torch.equal(same, test)
    assert torch.equal(results["5"], unseeded)
    assert not torch.equal(results["6"], unseeded)


def test_digits() -> None:
    module = DigitsDataModule(seed=2)
    splits = module.splits
    assert splits.val is not None
    assert splits.test is not None
    assert [len(part) for part in (splits.train, splits.val, splits.test)] == [1197, 200, 400]
    indices = torch.cat([part.index for part in (splits.train, splits.val, splits.test)])
    assert indices.unique().numel() == 1797
    assert (module.num_classes, module.in_channels, module.image_size) == (10, 1, (28, 28))
    assert module.class_names == splits.train.class_names
    assert splits.test.labels is not None
    assert splits.test.labels.bincount().min() >= 38
    assert splits.train.images.shape[1:] == (1, 28, 28)
    images, labels = next(iter(module.val_dataloader()))
    assert torch.equal(images, named_variant("rotated", seed=2).apply(read_digits().images)[splits.val.index[:128]])
    assert torch.equal(labels, splits.val.labels[:128])
    other = DigitsDataModule(seed=3).splits.train
    assert not torch.equal(other.index, splits.train.index)


def test_the_digits_must_leave_something_to_train_on() -> None:
    with pytest.raises(ConfigError, match="val_size=800, test_size=997: of 1797 images 0 would be trained on"):
        DigitsDataModule(val_size=800, test_size=997).setup("fit")


def test_mnist_variants_are_of_the_same_digits(tmp_path: Path) -> None:
    write_mnist(tmp_path, 30, 20)
    options = {"train_size": 20, "val_size": 6, "test_size": 25, "batch_size": 8}
    rotated = MNISTDataModule(tmp_path, **options)
    upright = MNISTDataModule(tmp_path, train_variant="upright", **options)
    assert (rotated.num_classes, rotated.in_channels, rotated.image_size) == (10, 1, (28, 28))
    pooled = read_mnist(tmp_path)
    for part, size in (("train", 14), ("val", 6), ("test", 25)):
        a, b = getattr(rotated.splits, part), getattr(upright.splits, part)
        assert len(a) == size
        assert torch.equal(a.index, b.index)
        assert torch.equal(a.images, pooled.images[a.index])
    train, _ = gathered(rotated.train_dataloader())
    straight, _ = gathered(upright.train_dataloader())
    assert torch.allclose(train, named_variant("rotated").apply(straight, order(rotated)), atol=1e-6)


def order(module: MNISTDataModule) -> torch.Tensor:
    """The indices of the training images, in the order of the first epoch."""
    return module.splits.train.index[list(module.train_dataloader().sampler)]


def test_scale_mnist(tmp_path: Path) -> None:
    write_mnist(tmp_path, train=60, test=40)
    sizes = {"train_size": 20, "val_size": 10, "test_size": 50, "batch_size": 50}
    module, double = (ScaleMNISTDataModule(tmp_path, upsample=n, seed=3, **sizes) for n in (1, 2))
    assert module.splits.val is not None
    assert module.splits.test is not None
    assert [len(part) for part in (module.splits.train, module.splits.val, module.splits.test)] == [20, 10, 50]
    assert module.splits.train.labels is not None
    assert module.splits.train.labels.bincount().tolist() == [2] * 10
    assert module.test_names == ("scaled",)
    assert (module.image_size, double.image_size) == ((28, 28), (56, 56))
    (images, labels), (large, same) = (next(iter(m.test_dataloader()[0])) for m in (module, double))
    assert images.shape == (50, 1, 28, 28)
    assert torch.equal(labels, same)
    assert torch.equal(large, images.repeat_interleave(2, -1).repeat_interleave(2, -2))
    expected = Variant(scale=(0.3, 1.0), seed=3).apply(module.splits.test.images, module.splits.test.index)
    assert torch.equal(images, expected)
    with pytest.raises(ConfigError, match="upsample=0: give a whole number of at least 1"):
        ScaleMNISTDataModule(tmp_path, upsample=0)


def test_validation_digits_are_the_last_of_the_training_digits(tmp_path: Path) -> None:
    write_mnist(tmp_path, 30, 20)
    whole = MNISTDataModule(tmp_path, train_size=20, val_size=0, test_size=25)
    parts = MNISTDataModule(tmp_path, train_size=20, val_size=6, test_size=25)
    assert whole.splits.val is None
    assert whole.val_dataloader() == []
    assert parts.splits.val is not None
    assert torch.equal(torch.cat([parts.splits.train.index, parts.splits.val.index]), whole.splits.train.index)
    assert torch.equal(parts.splits.test.index, whole.splits.test.index)
    assert MNISTDataModule(tmp_path, train_size=20, val_size=6, test_size=0).splits.test is None


def test_mnist_sizes_must_fit(tmp_path: Path) -> None:
    write_mnist(tmp_path, 30, 20)
    with pytest.raises(ConfigError, match="val_size=20: validation digits are taken from the train_size=20 digits"):
        MNISTDataModule(tmp_path, train_size=20, val_size=20)
    with pytest.raises(ConfigError, match=r"sizes=\(10000, 2000, 50000\): .* at most 50, the images there are"):
        MNISTDataModule(tmp_path).setup("fit")


def test_mnist_below_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mnist").mkdir()
    write_mnist(tmp_path / "mnist", 30, 20)
    monkeypatch.setenv("EQUIVISION_DATA", str(tmp_path))
    assert len(MNISTDataModule(train_size=10, val_size=2, test_size=5).splits.train) == 8
    monkeypatch.delenv("EQUIVISION_DATA")
    with pytest.raises(DataError, match="'mnist': pass root=, or set the environment variable EQUIVISION_DATA"):
        MNISTDataModule(train_size=10, val_size=2, test_size=5).setup("fit")


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    write_parquet(tmp_path / "train.parquet", {"image": cells(20), "label": [0, 1] * 10}, ["cat", "dog"])
    write_parquet(tmp_path / "valid.parquet", {"image": cells(4, mode="RGB"), "label": [0, 1] * 2}, ["cat", "dog"])
    write_parquet(tmp_path / "test.parquet", {"image": cells(6), "label": [0, 1] * 3}, ["cat", "dog"])
    return tmp_path


def test_parquet_splits(tables: Path) -> None:
    module = ParquetDataModule(tables, val_split="validation")
    splits = module.splits
    assert splits.val is not None
    assert splits.test is not None
    assert [len(part) for part in (splits.train, splits.val, splits.test)] == [20, 4, 6]
    assert splits.train.index.tolist() == list(range(20))
    assert splits.val.images.shape[1] == 1  # as the training pictures, though these have colour
    assert (module.num_classes, module.in_channels, module.image_size) == (2, 1, (6, 6))
    assert module.class_names == ("cat", "dog")
    assert module.skipped == ()


def test_splits_carved_from_the_training_pictures(tables: Path) -> None:
    module = ParquetDataModule(tables, val_size=4, test_size=6)
    splits = module.splits
    assert splits.val is not None
    assert splits.test is not None
    few = ParquetDataModule(tables, train_size=4, val_size=4, test_size=6).splits
    assert few.val is not None
    assert few.test is not None
    assert [len(part) for part in (splits.train, splits.val, splits.test, few.train)] == [10, 4, 6, 4]
    assert few.test.index.tolist() == splits.test.index.tolist()
    assert few.val.index.tolist() == splits.val.index.tolist()
    assert set(few.train.index.tolist()) <= set(splits.train.index.tolist())
    assert few.train.labels is not None
    assert few.train.labels.bincount().tolist() == [2, 2]


def test_without_test_pictures_testing_is_refused(tables: Path) -> None:
    module = ParquetDataModule(tables, test_split=None)
    module.setup("fit")
    with pytest.raises(
        DataError, match=r"ParquetDataModule has no test images: give it some \(test_size or test_split\)"
    ):
        module.test_dataloader()


def test_splits_must_agree_in_size_and_classes(tables: Path) -> None:
    write_parquet(tables / "test.parquet", {"image": cells(6, (8, 8)), "label": [0, 1] * 3}, ["cat", "dog"])
    with pytest.raises(
        DataError, match="the split 'test' has images of 8x8, the split 'train' of 6x6: give image_size="
    ):
        ParquetDataModule(tables).setup("fit")
    assert ParquetDataModule(tables, image_size=5).image_size == (5, 5)
    write_parquet(tables / "test.parquet", {"image": cells(6), "label": [0, 1] * 3}, ["dog", "cat"])
    with pytest.raises(DataError, match="states the classes dog, cat, but cat, dog are needed"):
        ParquetDataModule(tables).setup("fit")


def test_a_data_set_of_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def read_hub(*arguments: Any, **options: Any) -> ImageData:
        asked.append((arguments, options))
        return numbered_images(6)

    monkeypatch.setattr("equivision.data._datamodules_files.read_hub", read_hub)
    module = HubDataModule("owner/name", config="small", label_column="kind", channels=1, skip_bad=True)
    assert (module.num_classes, module.in_channels, module.image_size) == (3, 1, (5, 5))
    assert [arguments for arguments, _ in asked] == [("owner/name", "train"), ("owner/name", "test")]
    common = {"config": "small", "label_column": "kind", "channels": 1, "skip_bad": True, "image_column": None}
    assert all(options.items() >= common.items() for _, options in asked)
    assert [options["class_names"] for _, options in asked] == [None, numbered_images().class_names]


def test_image_folders(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", ["ant", "bee", "fly"])
    write_classes(tmp_path / "test", ["bee"])
    module = ImageFolderDataModule(tmp_path, channels=3)
    assert module.splits.test is not None
    assert module.splits.test.labels is not None
    assert module.splits.test.labels.tolist() == [1] * 4
    assert (module.num_classes, module.in_channels) == (3, 3)
    whole = ImageFolderDataModule(tmp_path / "train", train_split="", val_size=3, test_size=3).splits
    assert whole.test is not None
    assert whole.test.labels is not None
    assert whole.test.labels.bincount().tolist() == [1, 1, 1]
    write_classes(tmp_path / "test", ["wasp"])
    with pytest.raises(DataError, match="wasp is not one of the classes ant, bee, fly"):
        ImageFolderDataModule(tmp_path).setup("fit")


def test_classes_that_lie_in_the_root_itself_are_split(tmp_path: Path) -> None:
    write_classes(tmp_path, ["ant", "bee"])
    each = len(list((tmp_path / "ant").iterdir()))
    module = ImageFolderDataModule(tmp_path, val_size=1)
    splits = module.splits
    assert splits.val is not None
    assert splits.test is not None
    assert (len(splits.val), len(splits.test)) == (1, -(-2 * each // 7))
    assert len(splits.train) + len(splits.val) + len(splits.test) == 2 * each
    names = [name for part in (splits.train, splits.val, splits.test) for name in part.names]
    assert len(set(names)) == 2 * each
    assert module.class_names == ("ant", "bee")
    whole = ImageFolderDataModule(tmp_path, val_size=0, test_size=0).splits
    assert (len(whole.train), whole.val, whole.test) == (2 * each, None, None)


def test_a_folder_val_validates(tmp_path: Path) -> None:
    for part in ("train", "val"):
        write_classes(tmp_path / part)
    with pytest.raises(DataError, match=r"has a folder train and none called test: .* --data.test_size"):
        ImageFolderDataModule(tmp_path).setup("fit")
    splits = ImageFolderDataModule(tmp_path, test_size=2).splits
    assert splits.val is not None
    assert (len(splits.train), len(splits.val)) == (6, 8)
    fewer = ImageFolderDataModule(tmp_path, test_size=2, val_size=1).splits.val
    assert fewer is not None
    assert len(fewer) == 1
    write_classes(tmp_path / "test")
    assert ImageFolderDataModule(tmp_path).splits.val is not None


def test_a_class_of_which_nothing_is_left_to_train_on(tmp_path: Path) -> None:
    write_classes(tmp_path, ["ant"], each=20)
    write_classes(tmp_path, ["bee"], each=1)
    found = set()
    for seed in range(8):  # where it goes is drawn by lot
        try:
            found.add(ImageFolderDataModule(tmp_path, seed=seed).splits.train.labels.bincount().numel())  # type: ignore[union-attr]
        except ConfigError as error:
            found.add(str(error))
    assert found == {2, "of the class 'bee', with 1 picture(s), none is left to train on: add pictures of it, or make "
                        "val_size and test_size smaller"}  # fmt: skip
    few = ImageFolderDataModule(tmp_path, train_size=1, val_size=0, test_size=0)  # as one asked
    assert len(few.splits.train) == 1


def test_what_was_drawn_to_train_on_is_remembered(tmp_path: Path) -> None:
    write_classes(tmp_path, each=8)
    before = ImageFolderDataModule(tmp_path).state_dict()
    assert before == ImageFolderDataModule(tmp_path, batch_size=3).state_dict()
    assert before != ImageFolderDataModule(tmp_path, seed=1).state_dict()
    picture(size=(6, 6)).save(tmp_path / "ant" / "new.png")
    after = ImageFolderDataModule(tmp_path).state_dict()
    assert (after["root"], after["trained"] != before["trained"]) == (before["root"], True)
    for part in ("train", "test"):  # here nothing is drawn
        write_classes(tmp_path / "split" / part)
    assert ImageFolderDataModule(tmp_path / "split").state_dict() == {}
    assert ImageFolderDataModule(tmp_path / "split", test_size=2).state_dict() != {}


def test_skipped_pictures_of_all_splits_are_listed_once(tmp_path: Path) -> None:
    write_classes(tmp_path / "train")
    write_classes(tmp_path / "test")
    for split in ("train", "test"):
        (tmp_path / split / "ant" / "bad.png").write_bytes(b"rubbish")
    with pytest.raises(DataError, match=r"bad.png in .*on the command line --skip-bad"):
        ImageFolderDataModule(tmp_path).setup("fit")
    module = ImageFolderDataModule(tmp_path, val_size=2, skip_bad=True)
    assert module.skipped == ()
    with pytest.warns(UserWarning, match="skipped 1 of 9") as warned:
        module.setup("fit")
    assert len(warned) == 2
    assert [(Path(one.source).name, Path(one.name).name) for one in module.skipped] == [
        ("train", "bad.png"),
        ("test", "bad.png"),
    ]


def test_pictures_to_predict_get_the_shape_of_the_training_images(tmp_path: Path) -> None:
    for i, size in enumerate([(10, 10), (50, 30), (28, 28)]):
        picture((10 * i, 0, 0), size, "RGB").save(tmp_path / f"{i}.png")
    module = DigitsDataModule(predict_folder=tmp_path, batch_size=2)
    module.setup("predict")
    assert module.predict_names == ("0.png", "1.png", "2.png")
    images, positions = gathered(module.predict_dataloader())
    assert images.shape == (3, 1, 28, 28)
    assert positions.tolist() == [0, 1, 2]
    with pytest.raises(ConfigError, match=r"predict_folder is not given: .*--data.predict_folder"):
        DigitsDataModule().setup("predict")


def test_predicting_without_the_training_data(tmp_path: Path) -> None:
    picture(200, (40, 20)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"rubbish")
    module = PredictionDataModule(tmp_path, image_size=16, in_channels=3, class_names=["x", "y"], skip_bad=True)
    with pytest.warns(UserWarning, match="skipped 1 of 2"):
        module.setup("predict")
    assert (module.num_classes, module.in_channels, module.image_size) == (2, 3, (16, 16))
    assert gathered(module.predict_dataloader())[0].shape == (1, 3, 16, 16)
    assert [one.name for one in module.skipped] == ["b.png"]


def test_oblong_training_images_need_pictures_of_their_size(tmp_path: Path) -> None:
    write_classes(tmp_path / "data" / "train", size=(8, 6))
    write_classes(tmp_path / "data" / "test", size=(8, 6))
    picture(1, (8, 6)).save(tmp_path / "a.png")
    assert ImageFolderDataModule(tmp_path / "data", predict_folder=tmp_path / "data").predict_data.images.shape[2:] == (
        6,
        8,
    )
    (tmp_path / "new").mkdir()
    picture(1, (9, 6)).save(tmp_path / "new" / "a.png")
    with pytest.raises(DataError, match="new has pictures of 6x9, but 6x8 are needed: resize them"):
        ImageFolderDataModule(tmp_path / "data", predict_folder=tmp_path / "new").setup("predict")


def test_padding_reaches_the_named_variants() -> None:
    module = Numbers(train_variant="rotated", test_variants=["rotated", Variant(10)], padding="reflection")
    assert [one.padding for one in (module.train_variant, *module.test_variants)] == [
        "reflection",
        "reflection",
        "zeros",
    ]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.*JsonargparseDeprecationWarning.*")
def test_the_command_line_builds_them() -> None:
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(lightning.LightningDataModule, "data")

    def build(*arguments: str) -> Any:
        return parser.instantiate_classes(parser.parse_args(list(arguments))).data

    mnist = build("--data=equivision.data.MNISTDataModule", "--data.batch_size=7", "--data.test_variants=[rotated]")
    assert isinstance(mnist, MNISTDataModule)
    assert (mnist.batch_size, mnist.test_names, mnist.train_variant.name) == (7, ("rotated",), "rotated")
    digits = build("--data=equivision.data.DigitsDataModule", '--data.train_variant={"angle": 30}')
    assert digits.train_variant == Variant(30)
    tables = build("--data=equivision.data.ParquetDataModule", "--data.root=x", "--data.skip_bad=true")
    assert tables.skip_bad
    with pytest.raises(jsonargparse.ArgumentError, match="'nonsense' is not accepted"):
        build("--data=equivision.data.DigitsDataModule", "--data.nonsense=1")


def test_options_that_do_not_fit() -> None:
    with pytest.raises(ConfigError, match="batch_size=0: a batch needs at least one image"):
        Numbers(batch_size=0)
    with pytest.raises(ConfigError, match="variant 'spun' is not known"):
        Numbers(train_variant="spun")
    for empty in ([], "upright"):
        with pytest.raises(ConfigError, match=r"test_variants=.*: give a list of at least one variant"):
            Numbers(test_variants=empty)
    with pytest.raises(ConfigError, match="each variant may be named once"):
        Numbers(test_variants=["upright", Variant(0)])
