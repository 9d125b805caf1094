"""How equivariance came about: the curves that a training has logged, layer by layer."""

import csv
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, cast

from equivision.audit._report import TrainingCurve
from equivision.errors import DataError

#: Names such as ``train/equivariance/features.conv1``.
_LOGGED = re.compile(r"(train|val)/equivariance/(.+)")


def training_curves(path: str | Path) -> tuple[TrainingCurve, ...]:
    """The curves in the table of a run, ``metrics.csv``; none where no equivariance was logged.

    Rows without a value, and values that are not finite, are left out.

    Raises:
        DataError: the file cannot be read, or is no such table.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows, names = list(reader), list(reader.fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"metrics={str(path)!r} cannot be read: {error}; give the metrics.csv of a run") from error
    found = [(name, match) for name in names if (match := _LOGGED.fullmatch(name))]
    try:
        curves = [_curve(rows, name, match) for name, match in found]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"metrics={str(path)!r} is no table of a run ({error!r}): give the metrics.csv that equivision fit wrote"
        ) from error
    return tuple(curve for curve in curves if curve.epochs)


def _curve(rows: Sequence[Mapping[str, str]], name: str, match: re.Match[str]) -> TrainingCurve:
    points = [(int(row["epoch"]), float(row[name])) for row in rows if row[name]]
    kept = [(epoch, value) for epoch, value in points if math.isfinite(value)]
    return TrainingCurve(
        layer=match[2],
        images=cast('Literal["train", "val"]', match[1]),
        epochs=tuple(epoch for epoch, _ in kept),
        differences=tuple(value for _, value in kept),
    )
