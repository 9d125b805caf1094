"""Smooth random deformations of any images."""

import dataclasses
import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from equivision.data._images import ImageData, as_float
from equivision.data._random import random_uniform
from equivision.errors import ConfigError

_WAVES = 12


def deformed(data: ImageData, *, amplitude: float = 2.0, length: float = 16.0, seed: int = 0) -> ImageData:
    """Images whose pixels are moved by smooth random displacements, another one for each image.

    A displacement is a sum of waves in random directions, of lengths between ``length`` and twice that. Images are read
    bilinearly, masks at the nearest pixel; outside lie zeros, in masks what the data says is not known. What happens to
    an image depends on the seed and on its index only.

    Args:
        data: images of any kind; labels stay.
        amplitude: root mean square of the displacement along either axis, in pixels.
        length: of the shortest waves, in pixels. Where ``amplitude`` is more than a sixth of it, folds appear.
        seed: of the displacements.

    Raises:
        ConfigError: an amplitude below 0, or a length that is not positive.

    >>> from equivision.data import chiral_shapes
    >>> deformed(chiral_shapes(10), amplitude=1.5)
    ImageData([10, 1, 32, 32] float32, 2 classes)
    """
    if not 0 <= amplitude < math.inf:
        raise ConfigError(f"amplitude={amplitude!r}: give a number of pixels, at least 0")
    if not 0 < length < math.inf:
        raise ConfigError(f"length={length!r}: give a positive number of pixels")
    grid = _places(data.index.numpy(), (data.images.shape[-2], data.images.shape[-1]), amplitude, length, seed)
    images = F.grid_sample(as_float(data.images), grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    masks = data.masks
    if masks is not None:
        outside = data.ignore_index or 0
        shifted = (masks.float() - outside)[:, None]  # so that what lies outside is 0
        moved = F.grid_sample(shifted, grid, mode="nearest", padding_mode="zeros", align_corners=False)
        masks = (moved[:, 0] + outside).round().to(torch.uint8)
    return dataclasses.replace(data, images=images, masks=masks)


def _places(index: np.ndarray, size: tuple[int, int], amplitude: float, length: float, seed: int) -> Tensor:
    """Where each pixel is read, as ``grid_sample`` counts, ``[image, row, column, (x, y)]``."""

    def draw(name: str) -> np.ndarray:
        return np.stack([random_uniform(index, seed, "deformed", name, wave) for wave in range(_WAVES)])

    angle, phase, turn = (2 * math.pi * draw(name) for name in ("angle", "phase", "turn"))
    number = 2 * math.pi / (length * (1 + draw("length")))
    rows, columns = (np.arange(n) - (n - 1) / 2 for n in size)
    along = np.cos(angle)[..., None, None] * columns - np.sin(angle)[..., None, None] * rows[:, None]
    waves = np.cos(number[..., None, None] * along + phase[..., None, None])  # wave, image, row, column
    moves = [
        amplitude * 2 * np.einsum("wb,wbij->bij", part, waves) / math.sqrt(_WAVES)
        for part in (np.cos(turn), np.sin(turn))
    ]
    places = [(line + move) * 2 / n for line, move, n in zip((columns, rows[:, None]), moves, size[::-1], strict=True)]
    return torch.from_numpy(np.stack(np.broadcast_arrays(*places), -1).astype(np.float32))
