"""Lightning data modules of pictures with masks."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from equivision.data._datamodules_files import FolderSplits, PictureDataModule
from equivision.data._images import ImageData
from equivision.data._mask_folder import read_mask_folder, read_ph2
from equivision.data._masks import MaskClasses
from equivision.data._parquet import find_parquet, read_parquet
from equivision.data._root import data_folder
from equivision.data._splits import Splits
from equivision.data._variants import Variant
from equivision.errors import ConfigError


class SegmentationDataModule(PictureDataModule):
    """Pictures with masks of any source; a subclass says in ``read_masks`` how a split is read.

    Batches are pairs (images, masks): ``[batch, channel, height, width]`` floats in [0, 1], and ``[batch, height,
    width]`` class numbers of int64, moved alike. What is taken from ``train_split`` for validation, testing or a
    smaller training set is chosen at random by ``seed``.

    Args:
        class_names: names of the values 0, 1, 2, ... in the masks, the first that of the background; None: ``"0"``,
            ``"1"``, ... as many as there are. Masks of 0 and 255 are binary.
        classes: other classes than the values: by name, the values that make up each, such as ``{"cell": (1, 2)}``; all
            other values are background (:class:`MaskClasses`).
        ignore_index: the value of pixels whose class is not known, and then also of what comes in from outside a turned
            picture; None: there are none, and background comes in.
        crop: whether pictures are cropped to the square of ``image_size``; False: they are stretched to it.
        test_variants: how test images and masks are moved.
        **options: see :class:`PictureDataModule`. With ``augment="quarters_reflected"`` every epoch has its own flips
            and quarter turns.

    Raises:
        ConfigError: class_names, classes or ignore_index is not valid, or see :class:`PictureDataModule`.
    """

    def __init__(
        self,
        *,
        class_names: Sequence[str] | None = None,
        classes: Mapping[str, Sequence[int]] | None = None,
        ignore_index: int | None = None,
        crop: bool = True,
        test_variants: Sequence[str | Variant] = ("upright", "quarters"),
        **options: Any,
    ) -> None:
        super().__init__(test_variants=test_variants, **options)
        self.mask_classes = MaskClasses(class_names, classes, ignore_index)
        self.crop = crop

    @property
    def ignore_index(self) -> int | None:
        """The value of pixels in masks whose class is not known; None: there are none."""
        return self.mask_classes.ignore_index

    def read_masks(self, split: str, masks: MaskClasses, channels: Literal[1, 3] | None) -> ImageData:
        """Read one split."""
        raise NotImplementedError

    def read(self, split: str, class_names: Sequence[str] | None, channels: Literal[1, 3] | None) -> ImageData:
        """Read one split, with the classes of the training masks."""
        masks = self.mask_classes
        if class_names is not None and masks.classes is None:
            masks = dataclasses.replace(masks, class_names=class_names)
        return self.read_masks(split, masks, channels)


class MaskParquetDataModule(SegmentationDataModule):
    """Pictures and masks in parquet files of the hub's layout (:func:`find_parquet`, :func:`read_parquet`).

    Args:
        root: folder of the files; a relative one is also looked for below the environment variable EQUIVISION_DATA.
        image_column: the column of the pictures; None: one of the usual names.
        mask_column: the column of the masks; None: one of the usual names.
        **options: see :class:`SegmentationDataModule`.
    """

    def __init__(
        self, root: str | Path, *, image_column: str | None = None, mask_column: str | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        self.root, self.image_column, self.mask_column = root, image_column, mask_column

    def read_masks(self, split: str, masks: MaskClasses, channels: Literal[1, 3] | None) -> ImageData:
        """Read one split."""
        return read_parquet(
            find_parquet(data_folder(self.root), split),
            image_column=self.image_column,
            mask_column=self.mask_column,
            masks=masks,
            image_size=self.scaled_size,
            crop=self.crop,
            channels=channels,
            skip_bad=self.skip_bad,
        )


class MaskFolderDataModule(FolderSplits, SegmentationDataModule):
    """Folders of pictures and masks (:func:`read_mask_folder`).

    Either ``root/train/images/a.jpg``, ``root/train/masks/a.png`` and the same in ``root/test``, or, without a folder
    ``train``, ``root/images`` and ``root/masks``; then a seventh of the pairs validates and a seventh tests, unless
    ``val_size`` and ``test_size`` say how many. A folder ``root/val`` validates, if neither ``val_split`` nor
    ``val_size`` is given.

    Args:
        root: folder of the splits; a relative one is also looked for below the environment variable EQUIVISION_DATA.
        mask_suffix: what the name of a mask has at its end, where pictures and masks lie in one folder.
        **options: see :class:`SegmentationDataModule`.
    """

    def __init__(self, root: str | Path, *, mask_suffix: str = "_mask", **options: Any) -> None:
        super().__init__(root, **options)
        self.mask_suffix = mask_suffix

    def read_masks(self, split: str, masks: MaskClasses, channels: Literal[1, 3] | None) -> ImageData:
        """Read one split."""
        return read_mask_folder(
            data_folder(self.root) / split,
            masks=masks,
            mask_suffix=self.mask_suffix,
            image_size=self.scaled_size,
            crop=self.crop,
            channels=channels,
            skip_bad=self.skip_bad,
        )


class PH2DataModule(SegmentationDataModule):
    """PH2: 200 dermoscopic pictures, of which 100 train, 50 validate and 50 test (:func:`read_ph2`).

    Pictures and masks are stretched to a square, and split in the order of a permutation by
    ``numpy.random.RandomState(seed)``: first those to train on, then validation, then test. A smaller ``train_size``
    takes the first of the training pictures.

    Args:
        root: the folder of PH2; by default ``PH2Dataset`` below the environment variable EQUIVISION_DATA.
        image_size: side of the square.
        crop: True: the central square is cut out instead.
        val_size: pictures that validate.
        test_size: pictures that are tested on; the rest is trained on.
        class_names: names of background and lesion.
        **options: see :class:`SegmentationDataModule`; there are no splits to name.

    Raises:
        ConfigError: the sizes do not fit in the number of pictures.
    """

    def __init__(
        self,
        root: str | Path | None = None,
        *,
        image_size: int = 256,
        crop: bool = False,
        val_size: int = 50,
        test_size: int = 50,
        class_names: Sequence[str] = ("background", "lesion"),
        **options: Any,
    ) -> None:
        super().__init__(
            image_size=image_size,
            crop=crop,
            val_size=val_size,
            test_size=test_size,
            class_names=class_names,
            **options,
        )
        self.root = root

    def load(self) -> Splits:
        """Read the pictures and split them."""
        whole = self.read_masks("", self.mask_classes, self.channels)
        order = np.random.RandomState(self.seed).permutation(len(whole))
        val_size, test_size = self.val_size or 0, self.test_size or 0
        train_size = len(whole) - val_size - test_size if self.train_size is None else self.train_size
        if min(train_size - 1, val_size, test_size) < 0 or train_size + val_size + test_size > len(whole):
            raise ConfigError(
                f"train_size={self.train_size}, val_size={val_size}, test_size={test_size}: they must fit in the "
                f"{len(whole)} pictures there are, and leave some to train on"
            )
        first = len(whole) - val_size - test_size
        train, val, test = (whole.take(part) for part in np.split(order, [first, first + val_size]))
        return Splits(train.take(range(train_size)), val if val_size else None, test if test_size else None)

    def read_masks(self, split: str, masks: MaskClasses, channels: Literal[1, 3] | None) -> ImageData:
        """Read all pictures; there are no splits."""
        folder = data_folder(self.root, "PH2Dataset")
        size, skip_bad = self.scaled_size or 256, self.skip_bad
        return read_ph2(folder, image_size=size, crop=self.crop, channels=channels, skip_bad=skip_bad, masks=masks)
