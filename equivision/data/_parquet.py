"""Parquet files in the hub's layout: a column of encoded pictures, a column of labels or of masks."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from equivision.data._columns import choose_columns, class_numbers, stack_rows
from equivision.data._extras import require
from equivision.data._images import ImageData
from equivision.data._masks import MaskClasses
from equivision.data._pictures import PictureStack
from equivision.errors import DataError

_VALIDATION = ("validation", "valid", "val", "dev")
_SHARD = re.compile(r"-(\d+)-of-(\d+)$")


def find_parquet(root: str | Path, split: str) -> list[Path]:
    """The files of a split, in order: ``train.parquet``, ``train-00000-of-00002.parquet``, ... in the folder or in
    ``data/``.

    "validation", "valid", "val" and "dev" all name the same split.

    Raises:
        DataError: there are no such files, or a shard is missing.
    """
    root = Path(root)
    files = [path for folder in (root, root / "data") for path in sorted(folder.glob("*.parquet"))]
    names = _VALIDATION if split in _VALIDATION else (split,)
    chosen = [path for path in files if _SHARD.sub("", path.stem) in names]
    if not chosen:
        found = ", ".join(path.name for path in files) or "no parquet files at all"
        raise DataError(
            f"{root} holds no file {split}*.parquet for the split {split!r}; there: {found}. Check the path and the "
            "split"
        )
    numbered = [match for path in chosen if (match := _SHARD.search(path.stem))]
    if numbered and {int(match[1]) for match in numbered} != set(range(int(numbered[0][2]))):
        raise DataError(
            f"{root} holds {len(chosen)} of the {int(numbered[0][2])} files of the split {split!r} "
            f"({', '.join(path.name for path in chosen)}): fetch the missing ones"
        )
    return chosen


def _stated_classes(schema: Any, column: str) -> list[str] | None:
    """The class names in the hub's metadata of a parquet file."""
    metadata = schema.metadata or {}
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}")).get("info", {}).get("features", {})
        return features.get(column, {}).get("names")
    except (ValueError, AttributeError):
        return None


def _rows(files: Sequence[Any], columns: list[str]) -> Iterator[dict[str, Any]]:
    for file in files:
        for batch in file.iter_batches(batch_size=256, columns=columns):
            yield from batch.to_pylist()


def read_parquet(
    files: str | Path | Sequence[str | Path],
    *,
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
    """Read pictures with labels or with masks from parquet files in the hub's layout.

    Args:
        files: one file, or the files of one split in order (:func:`find_parquet`).
        image_column: encoded pictures, as ``{bytes, path}`` or plain bytes; by default ``image``, ``img`` or
            ``picture``.
        label_column: numbers or strings; by default ``label``, ``labels``, ``class`` or ``fine_label``.
        mask_column: pictures that hold a class number for each pixel; None: masks are not read, or, with ``masks``,
            those of ``mask``, ``masks``, ``segmentation`` or ``annotation``.
        class_names: the classes in the order of their numbers; by default what the file states, else the sorted
            strings, else the numbers.
        image_size: side of the square that every picture is scaled and cropped to; None: they all have one size.
        crop: False: the whole picture is stretched to the square instead.
        channels: 1 or 3; None: 1 if all pictures are grey, else 3.
        skip_bad: leave out pictures that cannot be read, list them in ``skipped``, and warn once.
        masks: what the values in masks mean: then the masks are what is learned, labels are not read, and
            ``class_names`` are not needed.

    Raises:
        DataError: a file is missing or damaged, a column is missing, a picture cannot be read, sizes differ, or labels
            do not fit.
        MissingExtraError: pyarrow or pillow is not installed.
    """
    parquet = require("pyarrow.parquet", "pyarrow", "reading parquet files")
    arrow_error = require("pyarrow", "pyarrow", "reading parquet files").ArrowException
    paths = [Path(files)] if isinstance(files, str | Path) else [Path(path) for path in files]
    source = ", ".join(map(str, paths))
    stack = PictureStack(source, image_size=image_size, crop=crop, channels=channels, skip_bad=skip_bad, masks=masks)
    opened: list[Any] = []
    try:
        opened.extend(parquet.ParquetFile(path) for path in paths)
        available, targets = opened[0].schema_arrow.names, masks is not None
        columns = choose_columns(available, source, image_column, label_column, mask_column, masks_are_targets=targets)
        if columns.label is None:
            return stack_rows(_rows(opened, columns.used()), None, (), columns, stack, paths[0].parent)
        labels = [row[columns.label] for row in _rows(opened, [columns.label])]
        known = _stated_classes(opened[0].schema_arrow, columns.label)
        numbers, names = class_numbers(labels, known, class_names, source)
        return stack_rows(_rows(opened, columns.used()), numbers, names, columns, stack, paths[0].parent)
    except FileNotFoundError as error:
        raise DataError(f"there is no file {error.filename or source}: check the path") from None
    except (arrow_error, OSError) as error:
        raise DataError(
            f"{source} cannot be read as parquet ({error}): it is damaged or cut short; fetch it again"
        ) from error
    finally:
        for file in opened:
            file.close()
