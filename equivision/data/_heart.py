"""Made slices through the wall of a beating heart, with the orientation of its fibres."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from equivision._numbers import check_count
from equivision.data._random import random_uniform
from equivision.errors import ConfigError

_WAVES = 6


@dataclass(frozen=True, eq=False)
class FibreSlices:
    """Slices of a beating heart: what is measured, and what is true.

    A fibre is a line without a head. At angle a, counter-clockwise from the x axis, it is ``(cos 2a, sin 2a)``: a field
    of frequency 2, ``E2`` of SO(2), with components along the axes of the world.

    Attributes:
        images: brightness, with noise, ``[slice, time, 1, row, column]``.
        measured: lines with noise, inside the wall and outside, ``[slice, time, 2, row, column]``.
        lines: the true ones, of length 1 in the wall and 0 elsewhere, ``[slice, time, 2, row, column]``.
        wall: where there is muscle, ``[slice, time, row, column]``.
        centres: row and column of the middle of the chamber, in pixels, ``[slice, 2]``.
    """

    images: Float[Tensor, "slice time 1 row column"]
    measured: Float[Tensor, "slice time 2 row column"]
    lines: Float[Tensor, "slice time 2 row column"]
    wall: Bool[Tensor, "slice time row column"]
    centres: Float[Tensor, "slice 2"]

    def __len__(self) -> int:
        return len(self.images)


def fibre_slices(count: int, *, times: int = 8, size: int = 48, noise: float = 1.0, seed: int = 0) -> FibreSlices:
    """Slices across a left ventricle, a ring of muscle that contracts and widens once.

    The ring keeps its area, as muscle does: while the chamber gets smaller its wall gets thicker. Fibres run around the
    chamber; from the inner surface to the outer one they turn by 80 to 140 degrees, through the direction of the
    circumference, with a smooth disarray of some degrees. In a heart most of that turn leads out of the slice; here it
    lies in it. Slice i depends on the seed, the sizes and i, not on ``count``.

    Args:
        count: number of slices.
        times: of one beat, evenly spaced; the first is the widest.
        size: pixels along a side.
        noise: standard deviation of the noise in both components of a line; a fourth of it in the brightness.
        seed: of everything.

    Raises:
        ConfigError: a number is out of range.

    >>> slices = fibre_slices(2, times=3)
    >>> slices.measured.shape, bool(slices.wall.any())
    (torch.Size([2, 3, 2, 48, 48]), True)
    """
    for name, value, least in (("count", count, 1), ("times", times, 1), ("size", size, 16)):
        check_count(name, value, least)
    if not 0 <= noise < math.inf:
        raise ConfigError(f"noise={noise!r}: give a number of at least 0")
    slices = [_slice(i, times, size, noise, seed) for i in range(count)]
    images, measured, lines, wall, centres = (torch.from_numpy(np.stack(part)) for part in zip(*slices, strict=True))
    return FibreSlices(images.float(), measured.float(), lines.float(), wall, centres)


def _slice(number: int, times: int, size: int, noise: float, seed: int) -> tuple[np.ndarray, ...]:
    draws = random_uniform(np.arange(8 + 3 * _WAVES), seed, "fibres", number)
    centre = (size - 1) / 2 + 0.06 * size * (2 * draws[:2] - 1)
    widest, thickness = size * (0.2 + 0.05 * draws[2]), size * (0.1 + 0.04 * draws[3])
    inner_angle, outer_angle = np.deg2rad(40 + 30 * draws[4:6])
    up, right = centre[0] - np.arange(size)[:, None], np.arange(size) - centre[1]
    radius, around = np.hypot(up, right), np.arctan2(up, right) + math.pi / 2
    disarray = _disarray(draws[8:].reshape(3, _WAVES), size)
    area = (widest + thickness) ** 2 - widest**2
    images, measured, lines, walls = [], [], [], []
    for time in range(times):
        inner = widest * (1 - (0.25 + 0.15 * draws[6]) * math.sin(math.pi * time / times) ** 2)
        depth = (radius**2 - inner**2) / area  # 0 at the inner surface, 1 at the outer one
        wall = (depth >= 0) & (depth <= 1)
        angle = around + inner_angle - (inner_angle + outer_angle) * depth.clip(0, 1) + disarray
        line = wall * np.stack([np.cos(2 * angle), np.sin(2 * angle)])
        normal = _normal(3 * size * size, seed, number, time).reshape(3, size, size)
        images.append(0.3 + 0.4 * wall + 0.25 * noise * normal[:1])
        measured.append(line + noise * normal[1:])
        lines.append(line)
        walls.append(wall)
    return np.stack(images), np.stack(measured), np.stack(lines), np.stack(walls), centre


def _disarray(draws: np.ndarray, size: int) -> np.ndarray:
    """A smooth random angle of about 8 degrees."""
    direction, phase, length = 2 * math.pi * draws[0], 2 * math.pi * draws[1], size * (0.3 + 0.3 * draws[2])
    line = np.arange(size)
    along = np.cos(direction)[:, None, None] * line + np.sin(direction)[:, None, None] * line[:, None]
    waves = np.cos(2 * math.pi * along / length[:, None, None] + phase[:, None, None])
    return np.deg2rad(8) * waves.sum(0) * math.sqrt(2 / _WAVES)


def _normal(count: int, *keys: int) -> np.ndarray:
    """Numbers of a standard normal distribution (Box and Muller)."""
    first, second = (random_uniform(np.arange(count), "normal", part, *keys) for part in (0, 1))
    return np.sqrt(-2 * np.log(1 - first)) * np.cos(2 * math.pi * second)
