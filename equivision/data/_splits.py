"""Fixed splits into train, validation and test."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from equivision.data._images import ImageData
from equivision.data._random import permutation, random_uniform
from equivision.errors import ConfigError


@dataclass(frozen=True)
class Splits:
    """What a data module trains, validates and tests on."""

    train: ImageData
    val: ImageData | None
    test: ImageData | None


def _cut(order: np.ndarray, sizes: Sequence[int], total: int) -> list[np.ndarray]:
    if min(sizes) < 0 or sum(sizes) > total:
        raise ConfigError(
            f"sizes={tuple(sizes)}: need numbers >= 0 with a sum of at most {total}, the images there are"
        )
    ends = list(itertools.accumulate(sizes, initial=0))
    return [order[start:end] for start, end in itertools.pairwise(ends)]


def random_split(data: ImageData, sizes: Sequence[int], *, seed: int = 0) -> list[ImageData]:
    """Disjoint parts of the given sizes, cut one after another from one fixed random order.

    With the pooled 70,000 digits of MNIST and sizes (12000, 50000) this is the split of rotated MNIST.

    Raises:
        ConfigError: a size is negative, or their sum exceeds the number of images.

    >>> from equivision.data import read_digits
    >>> [len(part) for part in random_split(read_digits(), (1000, 500), seed=0)]
    [1000, 500]
    """
    return [data.take(part) for part in _cut(permutation(len(data), "split", seed), sizes, len(data))]


def stratified_split(data: ImageData, sizes: Sequence[int], *, seed: int = 0) -> list[ImageData]:
    """Disjoint parts of the given sizes, each with the classes in the proportions of the whole (to rounding).

    Every class is put in random order and spread evenly over [0, 1); the parts are intervals of that line.

    Raises:
        ConfigError: the data has no labels, a size is negative, or their sum exceeds the number of images.

    >>> from equivision.data import read_digits
    >>> small, rest = stratified_split(read_digits(), (100, 1697), seed=0)
    >>> small.labels.bincount().tolist()
    [10, 10, 10, 10, 10, 10, 10, 10, 10, 10]
    """
    if data.labels is None:
        raise ConfigError(f"{data!r} has no labels: use random_split")
    labels = data.labels.numpy()
    order = permutation(len(data), "stratified split", seed)
    place = np.empty(len(data))
    for label in np.unique(labels):
        members = order[labels[order] == label]
        offset = random_uniform(np.array([label]), "stratified offset", seed)
        place[members] = (np.arange(len(members)) + offset) / len(members)
    return [data.take(part) for part in _cut(np.argsort(place, kind="stable"), sizes, len(data))]


def carve(data: ImageData, *, train_size: int | None = None, val_size: int, test_size: int, seed: int) -> Splits:
    """Split by class proportions, or at random where there are no labels; the rest is trained on, unless ``train_size``
    says how many.

    Test and validation images are the same for every ``train_size``, and the images of a smaller one are among those of
    a larger one.

    Raises:
        ConfigError: nothing is left to train on, or of a class nothing where no ``train_size`` asks for so few.
    """
    if train_size is None and val_size == test_size == 0:
        return Splits(data, None, None)
    size = len(data) - val_size - test_size if train_size is None else train_size
    if size < 1:
        raise ConfigError(
            f"train_size={train_size}, val_size={val_size}, test_size={test_size}: of {len(data)} images {size} "
            "would be trained on; make the others smaller"
        )
    split = random_split if data.labels is None else stratified_split
    test, val, train = split(data, (test_size, val_size, size), seed=seed)
    if train_size is None:
        _check_all_classes(data, train)
    return Splits(train, val if val_size else None, test if test_size else None)


def _check_all_classes(whole: ImageData, train: ImageData) -> None:
    if whole.labels is None or train.labels is None:
        return
    there, left = whole.labels.bincount(), train.labels.bincount(minlength=int(whole.labels.max()) + 1)
    gone = ((there > 0) & (left == 0)).nonzero().flatten().tolist()
    if gone:
        name = whole.class_names[gone[0]] if whole.class_names else str(gone[0])
        raise ConfigError(
            f"of the class {name!r}, with {int(there[gone[0]])} picture(s), none is left to train on: add pictures of "
            "it, or make val_size and test_size smaller"
        )
