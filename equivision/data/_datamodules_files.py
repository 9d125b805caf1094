"""Lightning data modules for parquet files, data sets of the hub, and folders of pictures."""

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch

from equivision.data._datamodules import ImageDataModule
from equivision.data._folder import read_image_folder
from equivision.data._hub import read_hub
from equivision.data._images import ImageData
from equivision.data._parquet import find_parquet, read_parquet
from equivision.data._root import data_folder
from equivision.data._splits import Splits, carve
from equivision.data._stl10 import read_stl10
from equivision.errors import DataError


class PictureDataModule(ImageDataModule):
    """Pictures of any source that has named splits; a subclass says in ``read`` how one is read.

    Args:
        train_split: what is trained on.
        val_split: what validates; None: nothing, unless ``val_size`` is given.
        test_split: what is tested on; None: nothing, unless ``test_size`` is given.
        train_size: how many images to train on, in the proportions of the classes, or at random where there are no
            labels; None: all. The images of a smaller number are among those of a larger one.
        val_size: images taken from ``train_split`` for validation, instead of ``val_split``; None: 0.
        test_size: images taken from ``train_split`` for testing, instead of ``test_split``; None: 0.
        image_size: side of the square that every picture is scaled (bilinear, antialiased) and cropped to; None: they
            all have one size.
        channels: 1 or 3; None: 1 if all training pictures are grey, else 3.
        **options: see :class:`ImageDataModule`.
    """

    def __init__(
        self,
        *,
        train_split: str = "train",
        val_split: str | None = None,
        test_split: str | None = "test",
        train_size: int | None = None,
        val_size: int | None = None,
        test_size: int | None = None,
        image_size: int | None = None,
        channels: Literal[1, 3] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.train_split, self.val_split, self.test_split = train_split, val_split, test_split
        self.train_size, self.val_size, self.test_size = train_size, val_size, test_size
        self.scaled_size = image_size
        self.channels: Literal[1, 3] | None = channels

    def read(self, split: str, class_names: Sequence[str] | None, channels: Literal[1, 3] | None) -> ImageData:
        """Read one split."""
        raise NotImplementedError

    def load(self) -> Splits:
        """Read the splits.

        Raises:
            DataError: a split has images of another size than the training images.
        """
        whole = self.read(self.train_split, None, self.channels)
        val_size, test_size = self.val_size or 0, self.test_size or 0
        splits = carve(whole, train_size=self.train_size, val_size=val_size, test_size=test_size, seed=self.seed)
        for part, split in (("val", self.val_split), ("test", self.test_split)):
            if getattr(splits, part) is None and split is not None:
                data = self.read(split, whole.class_names, 1 if whole.images.shape[1] == 1 else 3)
                if data.images.shape[2:] != whole.images.shape[2:]:
                    raise DataError(
                        f"the split {split!r} has images of {_size(data)}, the split {self.train_split!r} of "
                        f"{_size(whole)}: give image_size= to scale and crop all of them to one square"
                    )
                splits = dataclasses.replace(splits, **{part: data})
        return splits


def _size(data: ImageData) -> str:
    return "x".join(map(str, data.images.shape[2:]))


class FolderSplits(PictureDataModule):
    """Pictures in a folder for each split, or in one folder, of which a seventh validates and a seventh tests.

    Args:
        root: the folder; a relative one is also looked for below the environment variable EQUIVISION_DATA.
        **options: see :class:`PictureDataModule`.
    """

    def __init__(self, root: str | Path, **options: Any) -> None:
        super().__init__(**options)
        self.root = root

    def _has_no_splits(self) -> bool:
        return self.train_split == "train" and not (data_folder(self.root) / "train").is_dir()

    def load(self) -> Splits:
        """Read the splits, or read all pictures and split them.

        Raises:
            DataError: a split is missing or empty, a picture cannot be read, or sizes differ.
        """
        root = data_folder(self.root)
        if self._has_no_splits():
            whole = self.read("", None, self.channels)
            seventh = -(-len(whole) // 7)
            val_size, test_size = (seventh if size is None else size for size in (self.val_size, self.test_size))
            return carve(whole, train_size=self.train_size, val_size=val_size, test_size=test_size, seed=self.seed)
        if self.val_split is None and self.val_size is None and (root / "val").is_dir():
            self.val_split = "val"
        if self.test_split == "test" and self.test_size is None and not (root / "test").is_dir():
            raise DataError(
                f"{root} has a folder train and none called test: add one, name it with test_split=, or take pictures "
                "from train with test_size= (on the command line --data.test_size)"
            )
        return super().load()

    def state_dict(self) -> dict[str, Any]:
        """For checkpoints: which pictures were trained on, where those to be tested are drawn from the same folder."""
        if not self.test_size and not self._has_no_splits():
            return {}
        names = "\n".join(self.splits.train.names)
        return {"root": str(data_folder(self.root).resolve()), "trained": hashlib.sha256(names.encode()).hexdigest()}


class _TableDataModule(PictureDataModule):
    """Pictures in tables with named columns.

    Args:
        image_column: the column of the pictures; None: one of the usual names.
        label_column: the column of the labels; None: one of the usual names.
        **options: see :class:`PictureDataModule`.
    """

    def __init__(self, *, image_column: str | None = None, label_column: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.image_column, self.label_column = image_column, label_column

    def _read_options(self, class_names: Sequence[str] | None, channels: Literal[1, 3] | None) -> dict[str, Any]:
        return {
            "image_column": self.image_column,
            "label_column": self.label_column,
            "class_names": class_names,
            "image_size": self.scaled_size,
            "channels": channels,
            "skip_bad": self.skip_bad,
        }


class ParquetDataModule(_TableDataModule):
    """Pictures in parquet files of the hub's layout (:func:`find_parquet`, :func:`read_parquet`).

    Args:
        root: folder of the files; a relative one is also looked for below the environment variable EQUIVISION_DATA.
        **options: ``image_column``, ``label_column``, and see :class:`PictureDataModule`.
    """

    def __init__(self, root: str | Path, **options: Any) -> None:
        super().__init__(**options)
        self.root = root

    def read(self, split: str, class_names: Sequence[str] | None, channels: Literal[1, 3] | None) -> ImageData:
        """Read one split."""
        return read_parquet(find_parquet(data_folder(self.root), split), **self._read_options(class_names, channels))


class HubDataModule(_TableDataModule):
    """A data set of the Hugging Face hub by name, offline when it is cached (:func:`read_hub`).

    Args:
        name: as on the hub, ``owner/name``.
        config: the configuration, where the data set has several.
        **options: ``image_column``, ``label_column``, and see :class:`PictureDataModule`.
    """

    def __init__(self, name: str, *, config: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.dataset_name, self.config = name, config

    def read(self, split: str, class_names: Sequence[str] | None, channels: Literal[1, 3] | None) -> ImageData:
        """Read one split."""
        return read_hub(self.dataset_name, split, config=self.config, **self._read_options(class_names, channels))


class ImageFolderDataModule(FolderSplits):
    """Folders of pictures, a folder for each class (:func:`read_image_folder`).

    Either ``root/train/<class>/*.png`` and ``root/test/<class>/*.png``, or, without a folder ``train``, the classes lie
    in ``root`` itself; then a seventh of the pictures validates and a seventh tests, unless ``val_size`` and
    ``test_size`` say how many. A folder ``root/val`` validates, if neither ``val_split`` nor ``val_size`` is given.

    Args:
        root: folder of the splits; a relative one is also looked for below the environment variable EQUIVISION_DATA.
        **options: see :class:`PictureDataModule`.
    """

    def read(self, split: str, class_names: Sequence[str] | None, channels: Literal[1, 3] | None) -> ImageData:
        """Read one split."""
        return read_image_folder(
            data_folder(self.root) / split,
            class_names=class_names,
            image_size=self.scaled_size,
            channels=channels,
            skip_bad=self.skip_bad,
        )


class PredictionDataModule(ImageDataModule):
    """A folder of pictures to predict, where the data of the training is not at hand.

    Args:
        predict_folder: folder of pictures.
        image_size: side of the square that every picture is scaled and cropped to: that of the training images.
        in_channels: 1 or 3: that of the training images.
        class_names: names of the classes, by number.
        batch_size: images in a batch.
        skip_bad: leave out pictures that cannot be read, list them in ``skipped``, and warn.
    """

    def __init__(
        self,
        predict_folder: str | Path,
        *,
        image_size: int,
        in_channels: Literal[1, 3],
        class_names: Sequence[str],
        batch_size: int = 128,
        skip_bad: bool = False,
    ) -> None:
        super().__init__(predict_folder=predict_folder, batch_size=batch_size, skip_bad=skip_bad)
        self._empty = ImageData(
            torch.empty(0, in_channels, image_size, image_size),
            torch.empty(0, dtype=torch.int64),
            tuple(class_names),
            torch.empty(0, dtype=torch.int64),
        )

    def load(self) -> Splits:
        """No images to train on, but their shape and classes."""
        return Splits(self._empty, None, None)


class STL10DataModule(PictureDataModule):
    """STL-10: 5,000 colour pictures of 96x96 to train on, 8,000 for testing, ten classes (:func:`read_stl10`).

    Args:
        root: folder of the binary files; by default ``stl10_binary`` below the environment variable EQUIVISION_DATA.
        **options: see :class:`PictureDataModule`; pictures are not scaled, so ``image_size`` and ``channels`` do
            nothing.
    """

    def __init__(self, root: str | Path | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.root = root

    def read(self, split: str, class_names: Sequence[str] | None, channels: Literal[1, 3] | None) -> ImageData:
        """Read one split."""
        return read_stl10(self.root, split)
