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
    return bool(group.exchanged_axes)


def reversed_axes(group: SpatialGroup) -> tuple[bool, ...]:
    """Whether some element reverses, exchanges or mixes the (row, column) or (slice, row, column) axis.

    Along such an axis everything sampled must be centred; along the others nothing is asked for.
    """
    return group.reversed_axes


def grid_action(array: np.ndarray, group: SpatialGroup, g: int) -> np.ndarray:
    """Apply element g to the last two axes, or three. In the plane: reverse the rows if it flips, then turn
    counter-clockwise.
    """
    order, flips = group.grid_move(g)
    first = array.ndim - group.dimension
    moved = array.transpose(*range(first), *(first + axis for axis in order))
    return np.flip(moved, tuple(first + axis for axis in flips))


def _check_kernel(group: SpatialGroup, kernel_size: tuple[int, ...]) -> None:
    for axes in group.exchanged_axes:
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
