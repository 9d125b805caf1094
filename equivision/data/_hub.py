"""Data sets of the Hugging Face hub, by name."""

from collections.abc import Sequence
from typing import Any, Literal

from equivision.data._columns import choose_columns, class_numbers, stack_rows
from equivision.data._extras import require
from equivision.data._images import ImageData
from equivision.data._masks import MaskClasses
from equivision.data._pictures import PictureStack
from equivision.errors import DataError


def _load(name: str, config: str | None, split: str) -> Any:
    datasets = require("datasets", "datasets", "loading a data set of the hub")
    try:
        return datasets.load_dataset(name, config, split=split)
    except (datasets.exceptions.DatasetsError, OSError, ValueError) as error:
        call = f"datasets.load_dataset({name!r}{f', {config!r}' if config else ''}, split={split!r})"
        raise DataError(
            f"the hub's data set {name!r} (config {config!r}, split {split!r}) could not be loaded "
            f"({type(error).__name__}: {error}). Check the three names; without a network, run {call} once where "
            "there is one and bring its cache along (environment variable HF_HOME), or fetch the parquet files and "
            "read those"
        ) from error


def read_hub(
    name: str,
    split: str,
    *,
    config: str | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    mask_column: str | None = None,
    masks: MaskClasses | None = None,
    class_names: Sequence[str] | None = None,
    image_size: int | None = None,
    crop: bool = True,
    channels: Literal[1, 3] | None = None,
    skip_bad: bool = False,
) -> ImageData:
    """Read a split of a data set of the hub through ``datasets``: from its cache when it lies there, else downloaded.

    Args:
        name: as on the hub, ``owner/name``, or a local folder that ``datasets`` understands.
        split: ``train``, ``test``, also slices such as ``train[:500]``.
        config: the configuration, where the data set has several.
        image_column: by default ``image``, ``img`` or ``picture``.
        label_column: by default ``label``, ``labels``, ``class`` or ``fine_label``.
        mask_column: pictures that hold a class number for each pixel; None: masks are not read, or, with ``masks``,
            those of ``mask``, ``masks``, ``segmentation`` or ``annotation``.
        class_names: the classes in the order of their numbers; by default what the data set states.
        image_size: side of the square that every picture is scaled and cropped to; None: they all have one size.
        crop: False: the whole picture is stretched to the square instead.
        channels: 1 or 3; None: 1 if all pictures are grey, else 3.
        skip_bad: leave out pictures that cannot be read, list them in ``skipped``, and warn once.
        masks: what the values in masks mean: then the masks are what is learned, labels are not read, and
            ``class_names`` are not needed.

    Raises:
        DataError: the data set is neither cached nor to be had, a column is missing, or the pictures or labels do not
            fit.
        MissingExtraError: ``datasets`` or pillow is not installed.
    """
    table = _load(name, config, split)
    source = f"{name} ({split})"
    names, targets = table.column_names, masks is not None
    columns = choose_columns(names, source, image_column, label_column, mask_column, masks_are_targets=targets)
    stack = PictureStack(source, image_size=image_size, crop=crop, channels=channels, skip_bad=skip_bad, masks=masks)
    numbers, names = None, ()
    if columns.label is not None:
        known = getattr(table.features[columns.label], "names", None)
        numbers, names = class_numbers(list(table[columns.label]), known, class_names, source)
    encoded = require("datasets", "datasets", "loading a data set of the hub").Image(decode=False)
    for column in (columns.image, columns.mask):
        if column is not None:
            table = table.cast_column(column, encoded)
    return stack_rows(table.select_columns(columns.used()), numbers, names, columns, stack, None)
