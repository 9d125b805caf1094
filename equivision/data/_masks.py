"""Masks: what the values in a file mean, and how masks are scaled."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equivision.errors import ConfigError, DataError

_INTERPOLATED = 16  # more values than these that mean nothing: no class numbers, but shades of grey
_MOST_CLASSES = 64  # more need names
_HINT = (
    "Masks that were saved as JPEG, or scaled with interpolation, have such values at their edges: save them as PNG, "
    "scaled with 'nearest'"
)


class BadMask(Exception):  # noqa: N818
    """A mask that cannot be used, with the reason."""


@dataclass(frozen=True)
class MaskClasses:
    """What the values in mask files mean.

    By default they are class numbers as they stand, from 0, the background, on. Masks that hold only 0 and 255 are
    binary: 255 is class 1.

    Attributes:
        class_names: names of the values 0, 1, 2, ...; None: ``"0"``, ``"1"``, ... as many as there are in the masks.
        classes: other classes than the values: by name, the values that make up each. All other values are background,
            class 0, which is called so unless the first entry holds the value 0.
        ignore_index: the value of pixels whose class is not known; None: there are none.

    Raises:
        ConfigError: class_names and classes are both given, or one of the three is not valid.

    >>> MaskClasses(classes={"cell": (1, 2)}).names
    ('background', 'cell')
    >>> MaskClasses(class_names=("background", "cytoplasm", "nucleus")).names
    ('background', 'cytoplasm', 'nucleus')
    """

    class_names: Sequence[str] | None = None
    classes: Mapping[str, Sequence[int]] | None = None
    ignore_index: int | None = None

    def __post_init__(self) -> None:
        if self.class_names is not None and self.classes is not None:
            raise ConfigError(
                f"class_names={self.class_names!r}, classes={dict(self.classes)!r}: give class_names to keep the "
                "values of the masks, or classes, which has names of its own"
            )
        if self.class_names is not None and (isinstance(self.class_names, str) or len(self.class_names) < 2):
            raise ConfigError(
                f"class_names={self.class_names!r}: give a list of at least two names, the first that of the background"
            )
        if self.classes is not None:
            _check_classes(self.classes)
        ignore, names = self.ignore_index, self.names or ("background",)
        if ignore is not None and not len(names) <= ignore <= 255:
            raise ConfigError(f"ignore_index={ignore}: give a number up to 255 that is no class, such as 255")
        if ignore is not None and any(ignore in values for values in (self.classes or {}).values()):
            raise ConfigError(f"ignore_index={ignore} is also among the values of classes={self.classes!r}: remove one")

    @property
    def names(self) -> tuple[str, ...] | None:
        """Names of the classes, where they are known before any mask is read."""
        if self.classes is None:
            return None if self.class_names is None else tuple(self.class_names)
        names = tuple(self.classes)
        return names if 0 in self.classes[names[0]] else ("background", *names)


def _check_classes(classes: Mapping[str, Sequence[int]]) -> None:
    values = list(classes.values())
    good = all(isinstance(one, Sequence) and len(one) for one in values)
    listed = [value for one in values for value in one] if good else []
    good = good and all(isinstance(value, int) and 0 <= value <= 255 for value in listed)
    if (
        not listed
        or not good
        or len(set(listed)) < len(listed)
        or (0 in listed and (0 not in values[0] or len(values) < 2))
    ):
        raise ConfigError(
            f"classes={dict(classes)!r}: give for each class the values from 0 to 255 that belong to it, as in "
            "{'cell': (1, 2)}; each value once, and 0 only in the first class"
        )


class MaskReader:
    """Turns the values of the masks of one source into class numbers, and judges them when all are known."""

    def __init__(self, meaning: MaskClasses) -> None:
        self.meaning = meaning
        self._first: dict[int, str] = {}  # in which mask a value was first seen
        self._table = np.arange(256, dtype=np.uint8)
        if meaning.classes is not None:
            self._table[:] = 0
            skipped = len(meaning.names or ()) - len(meaning.classes)
            for number, values in enumerate(meaning.classes.values()):
                self._table[list(values)] = number + skipped
        if meaning.ignore_index is not None:
            self._table[meaning.ignore_index] = meaning.ignore_index

    def class_numbers(self, values: np.ndarray, name: str) -> np.ndarray:
        """Class numbers of a mask; :meth:`finish` says whether they stand."""
        for value in np.flatnonzero(np.bincount(values.ravel(), minlength=256)).tolist():
            self._first.setdefault(value, name)
        return self._table[values]

    def finish(self, masks: np.ndarray, source: str) -> tuple[np.ndarray, tuple[str, ...]]:
        """The masks of all pictures, and the names of the classes.

        Raises:
            DataError: there is a value that means nothing, or nothing but background.
        """
        found = sorted(set(self._first) - {self.meaning.ignore_index})
        names = self.meaning.names
        if self.meaning.classes is not None:
            self._check_listed(found, source)
            return masks, names or ()
        if (names is None or len(names) == 2) and set(found) <= {0, 255} and 255 in found:
            return np.where(masks == 255, 1, masks).astype(np.uint8), names or ("0", "1")
        if names is None:
            names = tuple(map(str, range(max(found, default=0) + 1)))
            self._check_unnamed(found, source)
        unknown = [value for value in found if value >= len(names)]
        if unknown:
            raise DataError(
                f"{self._first[unknown[0]]} in {source} holds the value {unknown[0]}, but the classes "
                f"{', '.join(names)} have the numbers 0 to {len(names) - 1}{_others(unknown)}. Say what the values "
                f"mean with classes=, or that they have no class with ignore_index=. {_HINT}"
            )
        return masks, names

    def _check_unnamed(self, found: Sequence[int], source: str) -> None:
        if not found:
            raise DataError(
                f"the masks in {source} hold only ignore_index={self.meaning.ignore_index}: no pixel has a class; "
                "check the files and ignore_index="
            )
        if len(found) < 2:
            raise DataError(
                f"the masks in {source} hold only the value {', '.join(map(str, found))}: there is nothing to tell "
                "apart; check the files, or name all classes with class_names="
            )
        missing = sorted(set(range(max(found) + 1)) - set(found))
        if missing or len(found) > _MOST_CLASSES:
            raise DataError(
                f"the masks in {source} hold {len(found)} values, {_listed(found)} ({self._first[found[-1]]} holds the "
                f"last of them), not class numbers 0, 1, 2, ...: say what they mean with class_names= or classes=, or "
                f"that one has no class with ignore_index=. {_HINT}"
            )

    def _check_listed(self, found: Sequence[int], source: str) -> None:
        known = {value for values in (self.meaning.classes or {}).values() for value in values} | {0}
        others = [value for value in found if value not in known]
        if others and not (set(found) & known) - {0}:
            raise DataError(
                f"the masks in {source} hold the values {_listed(found)}, but none of those in "
                f"classes={dict(self.meaning.classes or {})!r}: check these numbers"
            )
        if len(others) > max(_INTERPOLATED, len(known)):
            raise DataError(
                f"{self._first[others[0]]} in {source} holds the value {others[0]}, which belongs to none of the "
                f"classes{_others(others)}. {_HINT}, or list all values of a class, such as range(128, 256)"
            )


def _listed(values: Sequence[int]) -> str:
    return ", ".join(map(str, values)) if len(values) <= 8 else f"{', '.join(map(str, values[:6]))}, ..., {values[-1]}"


def _others(values: Sequence[int]) -> str:
    return "" if len(values) == 1 else f" (in all: {_listed(values)})"


def mask_values(picture: Any) -> np.ndarray:
    """The values of a mask file, of uint8, ``[height, width]``.

    A palette of colours stands for its numbers, one of greys for the greys, whose numbers programs choose as they like;
    grey pictures in RGB are grey.

    Raises:
        BadMask: it has colours, or values beyond 255.
    """
    values = np.asarray(picture)
    if picture.mode == "P":
        colours = np.asarray(picture.convert("RGBA"))[..., :3]
        if (colours[..., :1] == colours).all():
            values = colours[..., 0]
    elif values.ndim == 3:
        grey = values[..., :1] if picture.mode == "LA" else values[..., :3]
        if (grey == grey[..., :1]).all() and picture.mode in ("LA", "RGB", "RGBA"):
            values = grey[..., 0]
    if values.ndim != 2 or values.dtype.kind not in "bui" or values.min() < 0 or values.max() > 255:
        raise BadMask(
            f"a mask needs one class number from 0 to 255 for each pixel, this one has mode {picture.mode} and "
            + ("colours" if values.ndim != 2 else f"values from {values.min()} to {values.max()}")
        )
    return values.astype(np.uint8)


@functools.lru_cache(maxsize=32)
def _weights(length: int, side: int, size: int) -> np.ndarray:
    """How much each of ``size`` pixels takes from each of ``length``, of which ``side`` in the middle are scaled.

    The triangle of antialiased bilinear interpolation, in whole numbers: pixel i is ``|d| / 2 size`` away from new
    pixel j, and the triangle is as wide as the larger pixel.
    """
    new, old = np.arange(size)[:, None], np.arange(length)[None, :]
    distance = size * (2 * old + 1 - length + side) - (2 * new + 1) * side
    return np.maximum(2 * max(size, side) - np.abs(distance), 0).astype(np.float64)


def scale_mask(mask: np.ndarray, size: int, *, crop: bool = True) -> np.ndarray:
    r"""A mask scaled to a square: in every new pixel the class with the largest share.

    .. math:: c_j = \arg\max_c \sum_i w_{ji} [m_i = c]

    with the weights w of antialiased bilinear interpolation. No class is invented. Shares are whole numbers, so they
    are compared exactly, and of equal ones the smaller class wins: in binary masks, what is above 1/2 is 1.

    Args:
        mask: ``[height, width]`` of uint8.
        size: side of the square.
        crop: scale the central square; False: the whole mask, stretched.

    Equivariance:
        exact under quarter turns and reflections, for odd and even sizes.

    >>> scale_mask(np.array([[0, 0, 2, 2], [0, 0, 2, 2], [0, 0, 0, 0], [1, 1, 0, 0]], dtype=np.uint8), 2).tolist()
    [[0, 2], [0, 0]]
    """
    height, width = mask.shape
    if (height, width) == (size, size):
        return mask
    sides = (min(height, width),) * 2 if crop else (height, width)
    rows, columns = _weights(height, sides[0], size), _weights(width, sides[1], size)
    best, scaled = np.full((size, size), -1.0), np.zeros((size, size), dtype=np.uint8)
    for value in _values(mask):
        share = rows @ (mask == value).astype(np.float64) @ columns.T
        larger = share > best
        best[larger], scaled[larger] = share[larger], value
    return scaled


def _values(mask: np.ndarray) -> Iterable[int]:
    return np.flatnonzero(np.bincount(mask.ravel(), minlength=256)).tolist()
