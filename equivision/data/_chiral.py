"""Made shapes that are not their own mirror images, and the mirror images of any data."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float32

from equivision._numbers import check_count
from equivision.data._images import ImageData
from equivision.data._random import random_bits, random_uniform
from equivision.errors import ConfigError, DataError

KINDS = ("hook", "step", "flag", "spiral")
HANDS = ("right", "left")
_REACH = 1.25  # no corner of a shape is farther from its centre, in half lengths


def chiral_shapes(count: int, *, size: int = 32, kinds: Sequence[str] = KINDS, seed: int = 0) -> ImageData:
    """White shapes without texture, each right- or left-handed, at any angle, size and place.

    There are four kinds: a stroke with a foot, a step of three strokes, a flag, a spiral. A left-handed shape is the
    mirror image of a right-handed one. So the label is kept by turns and changed by reflections: it lies in no part of
    the picture, and not in how much is white, only in how the parts lie to each other. Image i depends on the seed, the
    size, the kinds and i, not on ``count``.

    Args:
        count: number of images.
        size: pixels along a side.
        kinds: some of ``"hook"``, ``"step"``, ``"flag"`` and ``"spiral"``.
        seed: of everything.

    Returns:
        Images ``[count, 1, size, size]``, floats in [0, 1]; labels 0, right, and 1, left; the kinds as names.

    Raises:
        ConfigError: a number is out of range, or a kind is not known.

    >>> chiral_shapes(10)
    ImageData([10, 1, 32, 32] float32, 2 classes)
    """
    for name, value, least in (("count", count, 0), ("size", size, 16)):
        check_count(name, value, least)
    if isinstance(kinds, str) or not isinstance(kinds, Sequence) or not kinds or set(kinds) - set(KINDS):
        raise ConfigError(f"kinds={kinds!r}: give a list of some of {', '.join(map(repr, KINDS))}")
    index = np.arange(count)

    def draw(name: str, low: float | int, high: float | int) -> np.ndarray:
        return low + (high - low) * random_uniform(index, seed, "chiral", name)

    left = (random_bits(index, seed, "chiral", "hand") >> np.uint64(63)).astype(np.int64)
    chosen = [kinds[int(number)] for number in draw("kind", 0, len(kinds))]
    angle, part = draw("angle", 0, 2 * math.pi), draw("part", 0, 1)
    half, thick = draw("half", 0.18, 0.31) * size, draw("thick", 0.1, 0.15)
    free = size / 2 - 1 - (_REACH + thick) * half
    x, y = draw("x", -1, 1) * free, draw("y", -1, 1) * free
    images = np.empty((count, 1, size, size), dtype=np.float32)
    for i, kind in enumerate(chosen):
        points = outline(kind, float(part[i])) * (-1 if left[i] else 1, 1)
        turn = np.array([[math.cos(angle[i]), -math.sin(angle[i])], [math.sin(angle[i]), math.cos(angle[i])]])
        images[i, 0] = paint(half[i] * points @ turn.T + (x[i], y[i]), thick[i] * half[i], size)
    return ImageData(torch.from_numpy(images), torch.from_numpy(left), HANDS, torch.from_numpy(index), tuple(chosen))


def mirrored(data: ImageData, partners: Sequence[int]) -> ImageData:
    """The mirror images (columns reversed) of labelled images, with the labels that these have.

    The variant ``reflected`` keeps labels, which is wrong where a mirror image is something else.

    Args:
        data: labelled images.
        partners: the class of the mirror image of each class; ``(1, 0)`` for right and left.

    Raises:
        DataError: there are no labels.
        ConfigError: partners is not one class for each class, or twice mirrored is not the class itself.

    >>> data = chiral_shapes(10)
    >>> (mirrored(data, (1, 0)).labels + data.labels).tolist()
    [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
    """
    if data.labels is None:
        raise DataError(f"{data!r} has no labels: mirrored() is for labelled images")
    classes = list(range(len(data.class_names)))
    if sorted(partners) != classes or [partners[one] for one in partners] != classes:
        raise ConfigError(
            f"partners={partners!r}: give the class of the mirror image of each of the {len(classes)} classes; the "
            "mirror image of that is the class itself, as in (1, 0) or (0, 2, 1)"
        )
    masks = None if data.masks is None else data.masks.flip(-1)
    labels = torch.tensor(partners, dtype=data.labels.dtype)[data.labels]
    return dataclasses.replace(data, images=data.images.flip(-1), labels=labels, masks=masks)


def outline(kind: str, part: float) -> np.ndarray:
    """Corners ``[point, (x, y)]`` of the stroke of a right-handed shape about the origin; part, 0 to 1, varies it."""
    foot = 0.5 + 0.25 * part
    if kind == "hook":
        return np.array([(0, -1), (0, 1), (foot, 1)])
    if kind == "step":
        return np.array([(-foot, -1), (0, -1), (0, 1), (foot, 1)])
    if kind == "flag":
        return np.array([(0, -1), (0, 1), (foot, 1), (foot, 0.3), (0, 0.3)])
    along = np.linspace(0, 1, 33)
    turned = 2 * math.pi * (1.1 + 0.5 * part) * along
    return (0.15 + along)[:, None] * np.stack([np.sin(turned), np.cos(turned)], axis=1)


def paint(points: np.ndarray, radius: float, size: int) -> Float32[np.ndarray, "size size"]:
    """A round stroke, 1 inside and soft at the edge, through points (x to the right, y upwards, from the middle)."""
    line = np.arange(size) - (size - 1) / 2
    pixels = np.stack(np.broadcast_arrays(line, -line[:, None]), axis=-1)[:, :, None]  # row, column, segment, (x, y)
    start, step = points[:-1], np.diff(points, axis=0)
    along = ((pixels - start) * step).sum(-1) / (step**2).sum(-1)
    nearest = start + along.clip(0, 1)[..., None] * step
    distance = np.sqrt(((pixels - nearest) ** 2).sum(-1)).min(-1)
    return (radius + 0.5 - distance).clip(0, 1).astype(np.float32)
