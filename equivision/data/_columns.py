"""Tables of pictures in the hub's layout: which column is what, and rows to images."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from equivision.data._images import ImageData
from equivision.data._pictures import PictureStack
from equivision.errors import DataError

_IMAGE_NAMES = ("image", "img", "picture")
_MASK_NAMES = ("mask", "masks", "segmentation", "annotation")
_LABEL_NAMES = ("label", "labels", "class", "fine_label")


class Columns(NamedTuple):
    """The names of the columns that are read."""

    image: str
    label: str | None
    mask: str | None

    def used(self) -> list[str]:
        """The columns there are."""
        return [name for name in self if name is not None]


def _choose(what: str, given: str | None, usual: Sequence[str], available: Sequence[str], source: str) -> str:
    for name in usual if given is None else (given,):
        if name in available:
            return name
    sought = f"{given!r}" if given is not None else " or ".join(map(repr, usual))
    raise DataError(
        f"{source} has no column {sought}: its columns are {', '.join(map(repr, available))}; name one with "
        f"{what}_column="
    )


def choose_columns(
    available: Sequence[str],
    source: str,
    image: str | None,
    label: str | None,
    mask: str | None,
    *,
    masks_are_targets: bool = False,
) -> Columns:
    """Find the columns by their given or usual names.

    Args:
        available: the columns there are.
        source: for messages.
        image: the given name of the pictures.
        label: the given name of the labels.
        mask: the given name of the masks; they are read when it is given, or when they are the targets.
        masks_are_targets: read masks, and no labels.

    Raises:
        DataError: a column is missing.
    """
    if masks_are_targets:
        return Columns(
            _choose("image", image, _IMAGE_NAMES, available, source),
            None,
            _choose("mask", mask, _MASK_NAMES, available, source),
        )
    return Columns(
        _choose("image", image, _IMAGE_NAMES, available, source),
        _choose("label", label, _LABEL_NAMES, available, source),
        None if mask is None else _choose("mask", mask, (mask,), available, source),
    )


def class_numbers(
    values: Sequence[Any], known: Sequence[str] | None, wanted: Sequence[str] | None, source: str
) -> tuple[list[int], tuple[str, ...]]:
    """Class numbers and class names from the values of a label column.

    Args:
        values: numbers or strings.
        known: the class names that the table itself states.
        wanted: the class names it must have, in the order of their numbers; None: any.
        source: for messages.

    Raises:
        DataError: the labels are neither numbers nor strings, or the classes are not those that are wanted.
    """
    if all(isinstance(value, int) for value in values):
        names = tuple(known) if known is not None else tuple(map(str, range(max(values, default=-1) + 1)))
        if wanted is not None and known is not None and names != tuple(wanted):
            raise DataError(
                f"{source} states the classes {', '.join(names)}, but {', '.join(wanted)} are needed: the files do "
                "not belong together"
            )
        return list(values), names if wanted is None else tuple(wanted)
    if all(isinstance(value, str) for value in values):
        names = tuple(sorted(set(values))) if wanted is None else tuple(wanted)
        unknown = sorted(set(values) - set(names))
        if unknown:
            raise DataError(f"{source} holds the label {unknown[0]!r}, which is not one of {', '.join(names)}")
        return [names.index(value) for value in values], names
    kinds = ", ".join(sorted({type(value).__name__ for value in values}))
    raise DataError(
        f"the labels of {source} are of the types {kinds}: they must all be whole numbers, or all be strings; name "
        "another column with label_column="
    )


def _content(cell: Any, folder: Path | None) -> bytes | Path | None:
    """The bytes of a picture, or the path of its file below ``folder``."""
    if not isinstance(cell, Mapping):
        return cell if isinstance(cell, bytes) else None
    if cell.get("bytes") is not None:
        return cell["bytes"]
    path = cell.get("path")
    return None if path is None else (Path(path) if folder is None else folder / path)


def stack_rows(
    rows: Iterable[Mapping[str, Any]],
    labels: Sequence[int] | None,
    class_names: Sequence[str],
    columns: Columns,
    stack: PictureStack,
    folder: Path | None,
) -> ImageData:
    """Decode the pictures (and masks) of a table."""
    for number, row in enumerate(rows):
        cell = row[columns.image]
        path = cell.get("path") if isinstance(cell, Mapping) else None
        name = f"row {number}" + (f" ({path})" if path else "")
        mask = None
        if columns.mask is not None:
            mask = _content(row[columns.mask], folder) or b""
        stack.add(_content(cell, folder), name, None if labels is None else labels[number], mask, f"the mask of {name}")
    return stack.finish(class_names)
