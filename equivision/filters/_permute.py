"""Exact motion of kernels on the pixel grid, as index tables.

A group element that maps the grid onto itself only permutes the taps of a kernel (and the slots of its group axis), so
a whole transformed filter bank is one gather from the learned kernel. Tables are NumPy arrays cached by value.
"""

from functools import lru_cache

import numpy as np

from equivision.errors import GroupMismatchError
from equivision.groups import PlanarGroup
from equivision.groups._base import IntArray

Pair = tuple[int, int]


def has_quarter_turns(group: PlanarGroup) -> bool:
    """Whether some element exchanges rows and columns, or mixes them."""
    return group.rotations > 2


def reversed_axes(group: PlanarGroup) -> tuple[bool, bool]:
    """Whether some element reverses, exchanges or mixes the (row, column) axis.

    Along such an axis everything sampled must be centred; along the others nothing is asked for.
    """
    if group.rotations > 2:
        return True, True
    turns = [(group.split(g)[0], group.quarter_turns(g)) for g in range(group.order)]
    rows = any(k % 2 or (k == 2) != (f == 1) for f, k in turns)
    columns = any(k in (1, 2, 3) for _, k in turns)
    return rows, columns


def grid_action(array: np.ndarray, group: PlanarGroup, g: int) -> np.ndarray:
    """Apply element g to the last two axes: reverse the rows if it flips, then turn counter-clockwise."""
    flips, _ = group.split(g)
    moved = np.flip(array, axis=-2) if flips else array
    return np.rot90(moved, group.quarter_turns(g), axes=(-2, -1))


def _check_kernel(group: PlanarGroup, kernel_size: Pair) -> None:
    if kernel_size[0] != kernel_size[1] and has_quarter_turns(group):
        raise GroupMismatchError(
            f"kernel_size={kernel_size} is not square, but {group.name} holds quarter turns, which exchange rows and "
            "columns: use a square kernel, or a group without them (C2, D1, D2)"
        )


@lru_cache(maxsize=512)
def tap_table(group: PlanarGroup, kernel_size: Pair) -> IntArray:
    """Where each tap of a moved kernel is read.

    ``moved.flat[p] = kernel.flat[table[g, p]]`` for ``moved = g . kernel``.

    Shape ``[order, kh * kw]``.
    """
    _check_kernel(group, kernel_size)
    taps = np.arange(kernel_size[0] * kernel_size[1]).reshape(kernel_size)
    if taps.size == 1:  # which stays where it is, whatever the group
        table = np.zeros((group.order, 1), taps.dtype)
    else:
        table = np.stack([grid_action(taps, group, g).reshape(-1) for g in range(group.order)])
    table.setflags(write=False)
    return table


@lru_cache(maxsize=512)
def slot_and_tap_table(group: PlanarGroup, kernel_size: Pair) -> IntArray:
    """The same for kernels with a group axis: ``(g . psi)[h, p] = psi[g^-1 h, g^-1 p]``.

    Shape ``[order, order * kh * kw]``, indexing the flattened ``(slot, tap)`` axes of the kernel.
    """
    taps = tap_table(group, kernel_size)
    slots = group.table[group.inverses][:, :, None]
    table = (slots * taps.shape[1] + taps[:, None, :]).reshape(group.order, -1)
    table.setflags(write=False)
    return table
