"""Orbits of the taps of a kernel, for kernels that are themselves invariant under a point group. NumPy only."""

from functools import lru_cache

import numpy as np

from equivision.errors import ConfigError, GroupMismatchError
from equivision.filters._permute import Pair, tap_table
from equivision.filters._taps import FloatArray
from equivision.groups import PlanarGroup


def check_point_group(group: PlanarGroup) -> None:
    """Raise GroupMismatchError unless the group maps some lattice of the plane onto itself."""
    if group.rotations not in (1, 2, 3, 4, 6):
        raise GroupMismatchError(
            f"group={group.name} holds rotations by {360 / group.rotations:g} degrees, which no lattice has: choose "
            "one of the ten point groups C1, C2, C3, C4, C6, D1, D2, D3, D4, D6; or SteerableConv2d between trivial "
            "representations, which takes any group"
        )


@lru_cache(maxsize=256)
def orbit_basis(group: PlanarGroup, kernel_size: Pair) -> FloatArray:
    """The kernels that are 1 on one orbit of taps and 0 on the others, from the centre outwards.

    C1, C2, C4, D1, D2 and D4 permute the taps. C3, C6, D3 and D6 permute the points of a triangular lattice, spaced as
    the taps are, of which as many are taken along its first axis as there are taps; between them a kernel is linear on
    every triangle. So it is a function of the plane that is exactly invariant, read at the taps.

    Shape:
        ``[orbits, kh * kw]``. The number of orbits of a square kernel with k = 3, 5, 7 taps is 3, 7, 13 under C4;
        3, 6, 10 under D4; 5, 13, 25 under C2; 6, 15, 28 under D1; 4, 9, 16 under D2.

    Raises:
        GroupMismatchError: the group is no point group of a lattice, or exchanges rows and columns, and the kernel is
            not square.
        ConfigError: C3, C6, D3 and D6 with a kernel of an even number of taps.

    >>> from equivision.groups import dihedral
    >>> orbit_basis(dihedral(4), (3, 3)).astype(int).tolist()
    [[0, 0, 0, 0, 1, 0, 0, 0, 0], [0, 1, 0, 1, 0, 1, 0, 1, 0], [1, 0, 1, 0, 0, 0, 1, 0, 1]]
    """
    check_point_group(group)
    table = tap_table(group.grid_part, kernel_size)  # raises where a kernel is not square
    taps = _taps(kernel_size)
    if group.is_on_grid:
        first = table.min(axis=0)
        orbits = sorted(set(first.tolist()), key=lambda tap: (round(float(np.hypot(*taps[tap])), 9), tap))
        basis = (first == np.array(orbits)[:, None]).astype(np.float64)
    else:
        basis = _triangular(group, kernel_size, taps)
    basis.setflags(write=False)
    return basis


def _taps(kernel_size: Pair) -> FloatArray:
    """Where the taps lie, ``[tap, (x, y)]``, y upwards, from the centre of the kernel."""
    rows, columns = (np.arange(k) - (k - 1) / 2 for k in kernel_size)
    return np.stack(np.broadcast_arrays(columns, -rows[:, None]), axis=-1).reshape(-1, 2)


def _triangular(group: PlanarGroup, kernel_size: Pair, taps: FloatArray) -> FloatArray:
    """Orbits of lattice points, spread over the taps."""
    if kernel_size[0] != kernel_size[1] or kernel_size[0] % 2 == 0:
        raise ConfigError(
            f"kernel_size={kernel_size}: the triangular lattice of {group.name} has a point in the centre, so that "
            "kernels must be square and odd: use 3, 5, 7, ..."
        )
    reach = kernel_size[0] // 2
    steps = range(-reach, reach + 1)
    points = np.array([(a + b / 2, b * np.sqrt(0.75)) for a in steps for b in steps if abs(a + b) <= reach])
    moved = np.stack([points @ group.matrix(g).T for g in range(group.order)])
    first = np.linalg.norm(moved[:, :, None] - points, axis=-1).argmin(axis=2).min(axis=0)
    normals = np.deg2rad(30 + 60 * np.arange(6))
    across = (taps[:, None] - points) @ np.stack([np.cos(normals), np.sin(normals)]) / np.sqrt(0.75)
    spread = (1 - across.max(axis=-1)).clip(min=0)  # [tap, point]: 1 at the point, 0 at its six neighbours
    spread[spread < 1e-12] = 0
    orbits = sorted(set(first.tolist()), key=lambda point: (round(float(np.hypot(*points[point])), 9), point))
    return np.stack([spread[:, first == orbit].sum(axis=1) for orbit in orbits])
