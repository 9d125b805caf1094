"""One scene seen by several poor sensors, made of any pictures: questions that know no order, and one that does."""

import math
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from equivision._numbers import check_count
from equivision.data._images import ImageData, as_float
from equivision.data._random import permutation, random_normal, random_uniform
from equivision.errors import ConfigError, DataError

Question = Literal["which", "first"]


def sensor_sets(
    source: ImageData,
    *,
    sensors: int = 5,
    broken: float = 0.4,
    noise: float = 0.3,
    dead: float = 0.2,
    shuffled: bool = True,
    seed: int = 0,
) -> ImageData:
    """Every picture as seen by several poor sensors; the label is that of the picture, so their order means nothing.

    A sensor that works adds noise of its own strength, and a band of its rows or columns is dead. A broken one gives
    noise alone. Set i depends on the seed, the options and its picture, not on the other pictures.

    Args:
        source: labelled pictures with one channel, such as those of :func:`~equivision.data.read_digits`.
        sensors: how many.
        broken: probability of each that it is broken; one always works.
        noise: mean standard deviation of the noise; half to one and a half times as much for a single sensor.
        dead: share of the rows or columns that a sensor does not see.
        shuffled: in random order; otherwise the best one first and the broken ones last.
        seed: of everything.

    Returns:
        Images ``[image, sensor, height, width]``, floats in [0, 1], for networks on sets to take apart with
        ``torch.nn.Unflatten(1, (sensors, 1))``; labels and names of classes are those of the source.

    Raises:
        ConfigError: a number is out of range.
        DataError: the source has no labels, or more than one channel.

    >>> from equivision.data import read_digits
    >>> sensor_sets(read_digits().take(range(8)))
    ImageData([8, 5, 28, 28] float32, 10 classes)
    """
    _check(source, sensors, noise, broken=broken, dead=dead)
    sets = np.empty((len(source), sensors, *source.images.shape[2:]), dtype=np.float32)
    for i, number in enumerate(source.index.tolist()):
        draws = random_uniform(np.arange(sensors), seed, "sensors", "broken", number)
        fails = draws < min(broken, float(draws.max()))
        strength = _strength(sensors, noise, seed, number)
        scene = _picture(source, i) * ~fails[:, None, None]
        order = permutation(sensors, seed, "sensors", "order", number) if shuffled else np.lexsort((strength, fails))
        sets[i] = _views(scene, strength, dead, seed, number)[order]
    return ImageData(torch.from_numpy(sets), source.labels, source.class_names, source.index)


def odd_sensors(
    source: ImageData,
    *,
    question: Question = "which",
    sensors: int = 5,
    noise: float = 0.3,
    dead: float = 0.2,
    seed: int = 0,
) -> ImageData:
    """All sensors see one picture but one, which sees a picture of another class: which one, or is it the first?

    ``"which"`` moves with the sensors: the label is the number of the odd one. ``"first"`` holds the sensors apart: the
    label is 1 if the odd one is the first. Its sets come in pairs that show the same, but for the first sensor and
    another, which are exchanged; the label of one is 1, of the other 0. So whoever does not know the sensors apart is
    right in exactly one half of them.

    Args:
        source: labelled pictures with one channel, of two classes at least.
        question: ``"which"`` or ``"first"``.
        sensors: how many.
        noise, dead: as in :func:`sensor_sets`.
        seed: of everything.

    Returns:
        Images ``[image, sensor, height, width]``, floats in [0, 1], twice as many for ``"first"``.

    Raises:
        ConfigError: a number is out of range, or the question is not known.
        DataError: the source has no labels, one class, or more than one channel.

    >>> from equivision.data import read_digits
    >>> odd_sensors(read_digits().take(range(3)), question="first").labels.tolist()
    [1, 0, 1, 0, 1, 0]
    """
    labels = _check(source, sensors, noise, dead=dead)
    if question not in get_args(Question):
        raise ConfigError(f"question={question!r} is not known: choose 'which' or 'first'")
    if len(labels) and (labels == labels[0]).all():
        raise DataError(f"{source!r}: the odd sensor sees another class, but all pictures have label {int(labels[0])}")
    sets = np.empty((len(source), 2, sensors, *source.images.shape[2:]), dtype=np.float32)
    odd = np.empty(len(source), dtype=np.int64)
    for i, number in enumerate(source.index.tolist()):
        where, which = random_uniform(np.arange(2), seed, "sensors", "odd", number)
        others = (labels != labels[i]).nonzero().flatten()
        scene = np.repeat(_picture(source, i), sensors, axis=0)
        scene[0] = _picture(source, int(others[int(which * len(others))]))[0]
        views = _views(scene, _strength(sensors, noise, seed, number), dead, seed, number)
        odd[i] = int(where * sensors) if question == "which" else 1 + int(where * (sensors - 1))
        sets[i] = views
        sets[i, 1, [0, odd[i]]] = views[[odd[i], 0]]
    if question == "which":
        names = tuple(map(str, range(sensors)))
        return ImageData(torch.from_numpy(sets[:, 1]), torch.from_numpy(odd), names, source.index)
    index = (2 * source.index[:, None] + torch.arange(2)).flatten()
    answers = torch.tensor([1, 0]).repeat(len(source))
    return ImageData(torch.from_numpy(sets).flatten(0, 1), answers, ("another", "first"), index)


def _check(source: ImageData, sensors: int, noise: float, **shares: float) -> Tensor:
    """The labels of the source, if it and the numbers fit."""
    if source.labels is None or source.images.shape[1] != 1:
        raise DataError(f"{source!r}: sensors need labelled pictures with one channel, such as those of read_digits()")
    check_count("sensors", sensors, 2)
    if not (math.isfinite(noise) and noise >= 0):
        raise ConfigError(f"noise={noise}: give a standard deviation of at least 0")
    for name, value in shares.items():
        if not 0 <= value <= 1:
            raise ConfigError(f"{name}={value}: give a number from 0 to 1")
    return source.labels


def _picture(source: ImageData, i: int) -> np.ndarray:
    return as_float(source.images[i]).numpy()


def _strength(sensors: int, noise: float, *keys: int) -> np.ndarray:
    """How strong the noise of each sensor is."""
    return noise * (0.5 + random_uniform(np.arange(sensors), "sensors", "strength", *keys))


def _views(scene: np.ndarray, strength: np.ndarray, dead: float, *keys: int) -> np.ndarray:
    """What the sensors make of what is before each of them, ``[sensor, height, width]``."""
    views = scene.copy()
    draws = random_uniform(np.arange(2 * len(scene)), "sensors", "dead", *keys).reshape(2, -1).T
    for view, (axis, start) in zip(views, draws, strict=True):
        lines = view if axis < 0.5 else view.T  # a view of the same memory: rows, or columns
        width = int(dead * len(lines))
        first = int(start * (len(lines) - width + 1))
        lines[first : first + width] = 0
    return (views + strength[:, None, None] * random_normal(views.shape, "sensors", *keys)).clip(0, 1)
