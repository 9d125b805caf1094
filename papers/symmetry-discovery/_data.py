"""Data whose symmetry is known, what the right answers are, and one set of pictures whose symmetry is not known."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.nn.functional import avg_pool2d

from equivision.data import (
    ImageData,
    data_folder,
    find_parquet,
    oriented_shapes,
    pool,
    read_digits,
    read_parquet,
    sensor_sets,
)
from equivision.discovery import PLANE


@dataclass(frozen=True)
class Question:
    """Some data and what is known about it.

    Attributes:
        name: of the data.
        truth: its symmetry in words.
        make: the data, from a seed.
        right: the answers that are right; none where nobody knows.
        train_size: images that every network is trained on.
        options: of ``discover``.
    """

    name: str
    truth: str
    make: Callable[[int], ImageData]
    right: tuple[str, ...]
    train_size: int
    options: dict[str, Any]


def smaller(data: ImageData, factor: int) -> ImageData:
    """Means over squares of pixels: nothing that matters here is smaller."""
    images = data.images.float() / (255 if data.images.dtype == torch.uint8 else 1)
    return replace(data, images=avg_pool2d(images, factor))


def only(data: ImageData, classes: list[int]) -> ImageData:
    """The images of some classes, which are numbered anew."""
    labels = torch.full((len(data.class_names),), -1)
    labels[classes] = torch.arange(len(classes))
    kept = data.take((labels[data.labels] >= 0).nonzero().flatten())
    return replace(kept, labels=labels[kept.labels], class_names=tuple(data.class_names[one] for one in classes))


def digits(seed: int) -> ImageData:
    """Upright digits of 14 x 14 pixels, in another order for every seed."""
    data = smaller(read_digits(), 2)
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))
    return data.take(order)


def mirrored_digits(seed: int) -> ImageData:
    """Half of the digits are seen in a mirror, left for right."""
    data = digits(seed)
    flips = torch.rand(len(data), generator=torch.Generator().manual_seed(seed + 1000)) < 0.5
    return replace(data, images=torch.where(flips[:, None, None, None], data.images.flip(-1), data.images))


def sixes_and_nines(seed: int) -> ImageData:
    """Half a turn makes one class of the other."""
    return only(digits(seed), [6, 9])


def sensors(seed: int) -> ImageData:
    """Four poor sensors see one digit, in any order."""
    return smaller(sensor_sets(read_digits(), sensors=4, seed=seed), 2)


def first_sensor(seed: int) -> ImageData:
    """Four sensors see four digits, and the class is what the first one sees."""
    first, *others = (digits(4 * seed + i) for i in range(4))
    return replace(first, images=torch.cat([first.images, *(one.images for one in others)], 1))


def blood_cells(seed: int) -> ImageData:
    """White blood cells of 30 x 30 pixels and their classes, but for the class of which there is one cell only."""
    folder = data_folder("wbc")
    parts = [read_parquet(find_parquet(folder, split), label_column="label") for split in ("train", "val", "test")]
    data = pool(pool(parts[0], parts[1]), parts[2])
    return smaller(only(data, [i for i in range(len(data.class_names)) if int((data.labels == i).sum()) > 1]), 4)


PLANAR: dict[str, Any] = {"candidates": PLANE, "parameters": 10_000}
SENSORS: dict[str, Any] = {"candidates": ("C1", "S2xS2", "S1xS3", "S4"), "parameters": 10_000}
FOUR = ("hook", "step", "flag", "spiral")
QUESTIONS = {
    one.name: one
    for one in (
        Question(
            "shapes-C4", "quarter turns keep the class, a mirror changes it",
            lambda seed: oriented_shapes(800, group="C4", within="D4", seed=seed), ("C4",), 120, PLANAR,
        ),
        Question(
            "shapes-D4", "quarter turns and mirrors keep the class",
            lambda seed: oriented_shapes(800, group="D4", within="D4", kinds=FOUR, noise=0.2, seed=seed), ("D4",), 60,
            PLANAR,
        ),
        Question("digits-upright", "none", digits, ("C1",), 300, PLANAR),
        Question("digits-mirrored", "left and right", mirrored_digits, ("D1 left-right",), 200, PLANAR),
        Question(
            "6-against-9", "not half a turn", sixes_and_nines, ("C1", "D1 left-right", "D1 up-down"), 40, PLANAR
        ),
        Question("sensors-alike", "any order of the four sensors", sensors, ("S4",), 300, SENSORS),
        Question(
            "sensors-first", "not the first sensor for another", first_sensor, ("C1", "S1xS3"), 300, SENSORS
        ),
        Question(
            "blood-cells", "not known", blood_cells, (), 210, {**PLANAR, "candidates": (*PLANE, "learned")}
        ),
    )
}  # fmt: skip
