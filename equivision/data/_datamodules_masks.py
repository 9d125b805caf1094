"""Lightning data modules of pictures with masks."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from equivision.data._datamodules_files import PictureDataModule
from equivision.data._images import ImageData
from equivision.data._masks import MaskClasses
from equivision.data._parquet import find_parquet, read_parquet
from equivision.data._root import data_folder
from equivision.data._variants import Variant


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
