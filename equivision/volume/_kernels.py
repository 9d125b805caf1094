"""Kernels between irreps of SO(3) and O(3): profiles along the radius times spherical harmonics."""

from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from equivision.filters._rings import Profile, highest_of, profiles_at
from equivision.filters._steerable import KernelPlan, independent
from equivision.functional._steerable import fields_of
from equivision.reps import Representation
from equivision.volume._irreps import SphericalIrrep
from equivision.volume._wigner import HIGHEST, coupling, spherical_harmonics

FloatArray = NDArray[np.float64]


class Path(NamedTuple):
    """One kernel between two irreps.

    Attributes:
        ring: number of its profile.
        degree: of its spherical harmonics.
        scale: what it is multiplied by.
    """

    ring: int
    degree: int
    scale: float


def voxels(size: int) -> FloatArray:
    """Coordinates (x, y, z) of the taps of a cube from its centre, ``[size^3, 3]``, in the order of a flat kernel.

    The axes of a kernel are depth, height, width: x runs along the width, y against the height, z against the depth.
    """
    along = np.arange(size, dtype=np.float64) - (size - 1) / 2
    depth, height, width = np.meshgrid(along, along, along, indexing="ij")
    return np.stack([width, -height, -depth], axis=-1).reshape(-1, 3)


def kernels_at(
    into: SphericalIrrep, out: SphericalIrrep, paths: tuple[Path, ...], points: FloatArray, size: int, profile: Profile
) -> FloatArray:
    """Every path's kernel ``R(|p|) sum_m C^{out, in, l}_{. . m} Y_l^m(p)`` at points: ``[paths, out, in, points]``."""
    rings = profiles_at(np.linalg.norm(points, axis=1), size, profile)
    directions = torch.from_numpy(points)
    found = np.zeros((len(paths), out.size, into.size, len(points)))
    for i, path in enumerate(paths):
        harmonics = spherical_harmonics(path.degree, directions).numpy()
        angular = np.einsum("oim,pm->oip", coupling(out.degree, into.degree, path.degree).numpy(), harmonics)
        found[i] = path.scale * rings[path.ring] * angular
    return found


@lru_cache(maxsize=1024)
def paths_between(
    into: SphericalIrrep, out: SphericalIrrep, size: int, profile: Profile, cutoff: float
) -> tuple[Path, ...]:
    """Independent kernels on a cube of taps, low degrees first; the squares of each add up to the size of ``out``."""
    degrees = range(abs(into.degree - out.degree), min(into.degree + out.degree, HIGHEST) + 1)
    if into.group.reflections:
        degrees = [degree for degree in degrees if degree % 2 == (into.odd != out.odd)]
    rings = enumerate(highest_of(size, cutoff))
    names = [Path(ring, degree, 1.0) for degree, (ring, highest) in product(degrees, rings) if degree <= highest]
    sampled = kernels_at(into, out, tuple(names), voxels(size), size, profile)
    chosen = independent([one.reshape(-1) for one in sampled])
    return tuple(names[n]._replace(scale=float(np.sqrt(out.size) / np.linalg.norm(sampled[n]))) for n in chosen)


def spherical_plans(
    in_rep: Representation, out_rep: Representation, size: int, profile: Profile, cutoff: float
) -> list[list[KernelPlan]]:
    """A row of plans for every type of the output, with one for every type of the input, on a cube of taps."""
    return plans_at(in_rep, out_rep, voxels(size), size, profile, cutoff)


def plans_at(
    in_rep: Representation, out_rep: Representation, points: FloatArray, size: int, profile: Profile, cutoff: float
) -> list[list[KernelPlan]]:
    """The plans of :func:`spherical_plans`, whose kernels are read at any other points."""

    def plan(into: SphericalIrrep, out: SphericalIrrep) -> KernelPlan:
        paths = paths_between(into, out, size, profile, float(cutoff))
        return KernelPlan(len(paths), kernels_at(into, out, paths, points, size, profile))

    return [[plan(into, out) for into, _ in fields_of(in_rep).types] for out, _ in fields_of(out_rep).types]  # pyright: ignore[reportArgumentType]
