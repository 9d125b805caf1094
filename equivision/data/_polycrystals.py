"""Made polycrystals: volumes of grains, each with the orientation of its crystal."""

import math
from dataclasses import dataclass
from numbers import Real

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from equivision._numbers import check_count
from equivision.data._random import random_normal, random_uniform
from equivision.errors import ConfigError, ShapeError
from equivision.functional import act
from equivision.groups import PointGroup, octahedral, parse_point
from equivision.volume._crystals import check_grains


@dataclass(frozen=True, eq=False)
class Polycrystals:
    """Samples that are made of grains.

    An orientation takes directions (x, y, z) in the crystal to directions in the sample, whose axes are those of
    :class:`~equivision.groups.PointGroup`. It is known up to the rotations of the point group: g and g h are the same
    crystal.

    Attributes:
        grains: number of the grain at every voxel, ``[sample, depth, height, width]``; samples repeat periodically.
        orientations: rotation matrices, float64, ``[sample, grain, 3, 3]``.
        point_group: crystal class of all grains.

    Raises:
        ShapeError: grains are not numbers of orientations.
    """

    grains: Int[Tensor, "sample depth height width"]
    orientations: Float[Tensor, "sample grain 3 3"]
    point_group: PointGroup

    def __post_init__(self) -> None:
        check_grains(self.grains, self.orientations)

    def __len__(self) -> int:
        return len(self.grains)

    def weights(self) -> Float[Tensor, "sample grain"]:
        """The share of every grain in the volume of its sample."""
        flat = self.grains.flatten(1)
        counts = torch.zeros(self.orientations.shape[:2], dtype=self.orientations.dtype, device=flat.device)
        return counts.scatter_add(1, flat, torch.ones_like(flat, dtype=counts.dtype)) / flat.shape[1]

    def voxels(self, values: Float[Tensor, "sample grain channels"]) -> Float[Tensor, "sample channels d h w"]:
        """Values of grains at all their voxels.

        Raises:
            ShapeError: there is not one for each grain.
        """
        if values.ndim != 3 or values.shape[:2] != self.orientations.shape[:2]:
            raise ShapeError(
                f"values have shape {tuple(values.shape)}: needs [{len(self)}, {self.orientations.shape[1]}, channels]"
            )
        chosen = self.grains.flatten(1)[..., None].expand(-1, -1, values.shape[2])
        return values.gather(1, chosen).mT.unflatten(2, self.grains.shape[1:])

    def renamed(self, seed: int = 0) -> "Polycrystals":
        """The same samples, every orientation replaced by one that the point group makes equivalent, at random."""
        count, grains = self.orientations.shape[:2]
        rotations = _rotations_of(self.point_group)
        draws = random_uniform(np.arange(count * grains), seed, "polycrystals", "equivalents")
        chosen = rotations[(draws * len(rotations)).astype(int)].reshape(count, grains, 3, 3)
        again = self.orientations @ torch.from_numpy(chosen).to(self.orientations)
        return Polycrystals(self.grains, again, self.point_group)

    def turned(self, g: int) -> "Polycrystals":
        """The same samples, turned by element g of :func:`equivision.groups.octahedral`, one of 24 rotations.

        Raises:
            GroupMismatchError: there is no such element.
        """
        group = octahedral()
        moved = act(self.grains[:, None], g, group)[:, 0]
        turn = torch.from_numpy(group.matrix(g)).to(self.orientations)
        return Polycrystals(moved, turn @ self.orientations, self.point_group)


def polycrystals(
    count: int,
    *,
    point_group: PointGroup | str = "432",
    size: int = 12,
    grains: int = 30,
    spread: float = 12.0,
    seed: int = 0,
) -> Polycrystals:
    """Polycrystals with textures of all strengths.

    Grains are the Voronoi cells of random points, under periodic distances. Every sample has two preferred
    orientations, drawn from all. A share of its grains, itself drawn evenly from 0 to 1, lies at random; each of the
    others lies near a preferred one. In some samples both kinds of grains are mixed, in others each has a region of its
    own: the orientation distribution is the same, but not how far neighbours are apart. Which of the equivalent
    orientations is given is random, as in a measurement. Sample i depends on the seed, the sizes and i, not on
    ``count``.

    Args:
        count: number of samples.
        point_group: crystal class, or its Hermann-Mauguin symbol.
        size: voxels along a side.
        grains: of a sample.
        spread: of the orientations about a preferred one: standard deviation of the three components of the rotation
            between them, in degrees.
        seed: of everything.

    Raises:
        ConfigError: a number is out of range.
        GroupMismatchError: there is no such crystal class.

    >>> samples = polycrystals(2, point_group="622", size=8, grains=10)
    >>> samples.grains.shape, samples.orientations.shape
    (torch.Size([2, 8, 8, 8]), torch.Size([2, 10, 3, 3]))
    """
    for name, value, least in (("count", count, 0), ("size", size, 2), ("grains", grains, 1)):
        check_count(name, value, least)
    if not isinstance(spread, Real) or not 0 <= spread < math.inf:
        raise ConfigError(f"spread={spread!r}: give an angle in degrees of at least 0")
    cells = np.zeros((count, size, size, size), dtype=np.int64)
    orientations = np.zeros((count, grains, 3, 3))
    for i in range(count):
        centres = random_uniform(np.arange(3 * grains), seed, "polycrystals", "centres", i).reshape(-1, 3)
        cells[i] = nearest(centres, size)
        orientations[i] = _textured(centres, spread, seed, i)
    made = Polycrystals(torch.from_numpy(cells), torch.from_numpy(orientations), parse_point(point_group))
    return made.renamed(seed)


def nearest(centres: np.ndarray, size: int) -> np.ndarray:
    """The number of the nearest centre at every voxel of a cube of side 1 that repeats, ``[size, size, size]``."""
    along = (np.arange(size) + 0.5) / size
    away = np.abs(centres[:, :, None] - along)
    squares = np.minimum(away, 1 - away) ** 2  # grain, axis, place
    total = squares[:, 0, :, None, None] + squares[:, 1, None, :, None] + squares[:, 2, None, None, :]
    return total.argmin(0)


def rotations_from(draws: np.ndarray) -> np.ndarray:
    """Rotations that are spread evenly, from numbers spread evenly over [0, 1): ``[..., 3]`` to ``[..., 3, 3]``.

    Source: Shoemake 1992 (uniform random rotations).
    """
    first, second, third = np.moveaxis(draws, -1, 0)
    low, high = np.sqrt(1 - first), np.sqrt(first)
    angles = 2 * math.pi * second, 2 * math.pi * third
    parts = (low * np.sin(angles[0]), low * np.cos(angles[0]), high * np.sin(angles[1]), high * np.cos(angles[1]))
    return _matrices(np.stack(parts, axis=-1))


def _matrices(quaternions: np.ndarray) -> np.ndarray:
    """Rotation matrices of quaternions (w, x, y, z) of length 1."""
    w, vector = quaternions[..., :1, None], quaternions[..., 1:]
    x, y, z = np.moveaxis(vector, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*x.shape, 3, 3)
    return np.eye(3) + 2 * w * cross + 2 * cross @ cross


def _textured(centres: np.ndarray, spread: float, seed: int, number: int) -> np.ndarray:
    """Orientations of the grains of one sample, ``[grain, 3, 3]``."""
    keys = (seed, "polycrystals", "texture", number)
    grains = len(centres)
    preferred = rotations_from(random_uniform(np.arange(6), "preferred", *keys).reshape(2, 3))
    at_random = rotations_from(random_uniform(np.arange(3 * grains), "random", *keys).reshape(grains, 3))
    share, mixing = random_uniform(np.arange(2), "shares", *keys)
    draws = random_uniform(np.arange(3 * grains), "grains", *keys).reshape(3, grains)
    side = np.where(draws[0] < mixing, draws[1] < 0.5, centres[:, 0] < 0.5).astype(int)
    tilt = math.radians(spread) * random_normal((grains, 3), "tilt", *keys)
    angle = np.linalg.norm(tilt, axis=1, keepdims=True)
    axis = tilt / np.maximum(angle, 1e-12)
    near = _matrices(np.concatenate([np.cos(angle / 2), np.sin(angle / 2) * axis], axis=1)) @ preferred[side]
    return np.where((draws[2] < share)[:, None, None], at_random, near)


def _rotations_of(group: PointGroup) -> np.ndarray:
    return group.matrices[[group.is_rotation(g) for g in range(group.order)]]
