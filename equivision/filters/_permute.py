"""Exact motion of kernels on the grid of pixels or voxels, as index tables.

A group element that maps the grid onto itself only permutes the taps of a kernel (and the slots of its group axis), so
a whole transformed filter bank is one gather from the learned kernel. Tables are NumPy arrays cached by value.
"""

import math
from functools import lru_cache

import numpy as np

from equivision.errors import GroupMismatchError
from equivision.groups import PlanarGroup, SpatialGroup
from equivision.groups._base import IntArray

Pair = tuple[int, int]
#: Names of the last axes, by their number.
AXES: dict[int, tuple[str, ...]] = {2: ("height", "width"), 3: ("depth", "height", "width")}


def has_quarter_turns(group: PlanarGroup) -> bool:
    """Whether some element exchanges rows and columns, or mixes them."""
    return group.rotations > 2


@lru_cache(maxsize=256)
def exchanged_axes(group: SpatialGroup) -> tuple[tuple[int, ...], ...]:
    """The sets of axes, of two or more, that some elements exchange or mix: what is done along one is done along all.

    >>> from equivision.groups import dihedral, octahedral, point_group
    >>> exchanged_axes(dihedral(2)), exchanged_axes(point_group("422")), exchanged_axes(octahedral())
    ((), ((1, 2),), ((0, 1, 2),))
    """
    every = range(group.dimension)
    if not group.is_on_grid:
        return (tuple(every),)
    orders = [group.grid_move(g)[0] for g in range(group.order)]
    sets = {tuple(sorted({order[axis] for order in orders})) for axis in every}
    return tuple(sorted(axes for axes in sets if len(axes) > 1))


@lru_cache(maxsize=256)
def reversed_axes(group: SpatialGroup) -> tuple[bool, ...]:
    """Whether some element reverses, exchanges or mixes the (row, column) or (slice, row, column) axis.

    Along such an axis everything sampled must be centred; along the others nothing is asked for.
    """
    every = range(group.dimension)
    if not group.is_on_grid:
        return tuple(True for _ in every)
    moves = [group.grid_move(g) for g in range(group.order)]
    return tuple(any(axis in flips or order[axis] != axis for order, flips in moves) for axis in every)


def grid_action(array: np.ndarray, group: SpatialGroup, g: int) -> np.ndarray:
    """Apply element g to the last two axes, or three. In the plane: reverse the rows if it flips, then turn
    counter-clockwise.
    """
    order, flips = group.grid_move(g)
    first = array.ndim - group.dimension
    moved = array.transpose(*range(first), *(first + axis for axis in order))
    return np.flip(moved, tuple(first + axis for axis in flips))


def _check_kernel(group: SpatialGroup, kernel_size: tuple[int, ...]) -> None:
    for axes in exchanged_axes(group):
        if len({kernel_size[axis] for axis in axes}) == 1:
            continue
        if isinstance(group, PlanarGroup):
            raise GroupMismatchError(
                f"kernel_size={kernel_size} is not square, but {group.name} holds quarter turns, which exchange rows "
                "and columns: use a square kernel, or a group without them (C2, D1, D2)"
            )
        raise GroupMismatchError(
            f"kernel_size={kernel_size} differs between axes that {group.name} exchanges: use a cubic kernel, or a "
            "group that keeps the axes apart (222, mm2, mmm)"
        )


@lru_cache(maxsize=512)
def tap_table(group: SpatialGroup, kernel_size: tuple[int, ...]) -> IntArray:
    """Where each tap of a moved kernel is read.

    ``moved.flat[p] = kernel.flat[table[g, p]]`` for ``moved = g . kernel``.

    Shape ``[order, kh * kw]``; for kernels of volumes ``[order, kd * kh * kw]``.
    """
    _check_kernel(group, kernel_size)
    taps = np.arange(math.prod(kernel_size)).reshape(kernel_size)
    if taps.size == 1:  # which stays where it is, whatever the group
        table = np.zeros((group.order, 1), taps.dtype)
    else:
        table = np.stack([grid_action(taps, group, g).reshape(-1) for g in range(group.order)])
    table.setflags(write=False)
    return table


@lru_cache(maxsize=512)
def slot_and_tap_table(group: SpatialGroup, kernel_size: tuple[int, ...]) -> IntArray:
    """The same for kernels with a group axis: ``(g . psi)[h, p] = psi[g^-1 h, g^-1 p]``.

    Shape ``[order, order * taps]``, indexing the flattened ``(slot, tap)`` axes of the kernel.
    """
    taps = tap_table(group, kernel_size)
    slots = group.table[group.inverses][:, :, None]
    table = (slots * taps.shape[1] + taps[:, None, :]).reshape(group.order, -1)
    table.setflags(write=False)
    return table
