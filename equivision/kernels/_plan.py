"""Group convolution as block products: the tables of the orbit-Fourier algorithm.

A tap ``x = h p`` of a group convolution is written through the slot h that reads it, so that every slot reads its own
rotated copy of one *oriented tap* p:

    u[p, h](y) = f[h](y + h p)        V[p, t] = psi[t, t p]        out[g](y) = sum_{p, h} V[p, g^-1 h] u[p, h](y)

which is a convolution over the group alone, at every pixel. In a real Fourier basis of the group it falls into blocks:

    U_ij = sum_h basis[(i, j), h] u[h]        M_jk = sum_t mix[(k, j), t] V[t]        O_ik = sum_j U_ij M_jk
    out[g] = sum_{i, k} basis[(i, k), g] O_ik

One-dimensional irreps give 1 x 1 blocks, the two-dimensional irrep of D4 a 2 x 2 block, that of C4 (complex type) one
row of a 2 x 2 block. C4 takes 6 products instead of 16, D4 12 instead of 64.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from equivision.errors import GroupMismatchError
from equivision.filters import tap_table
from equivision.filters._permute import Pair
from equivision.groups import PlanarGroup
from equivision.groups._base import IntArray
from equivision.reps import irreps
from equivision.reps._base import FloatArray


class Window(NamedTuple):
    """Stride, padding and dilation of a convolution, as (rows, columns)."""

    stride: Pair
    padding: Pair
    dilation: Pair

    def out_size(self, size: Pair, kernel_size: Pair) -> Pair:
        """Rows and columns of the output."""
        rows, columns = (
            (n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in zip(size, kernel_size, *self, strict=True)
        )
        return rows, columns


class Block(NamedTuple):
    """One block of the product.

    Attributes:
        rows: values of i.
        inner: values of j, over which the product sums.
        outer: values of k.
        basis: first row of ``basis`` that belongs to (i, j), and to (i, k): i counts slowest.
        mix: first row of ``mix`` that belongs to (k, j): k counts slowest.
    """

    rows: int
    inner: int
    outer: int
    basis: int
    mix: int


@dataclass(frozen=True, eq=False)
class OrbitPlan:
    """All tables for one group and kernel size.

    Attributes:
        blocks: the products.
        basis: orthogonal up to scale, entries 0, 1 and -1, ``[order, order]``.
        mix: Fourier transform of the weights with all scales, ``[products, order]``.
        taps: index of ``h p`` for tap p and slot h, ``[taps, order]``.
        weights: index of ``(t, t p)`` in the flattened (slot, tap) axes of the kernel, ``[taps, order]``.
        adjoint: the same for the kernel of the adjoint convolution: index of ``(t^-1, -p)``, ``[taps, order]``.
    """

    blocks: tuple[Block, ...]
    basis: FloatArray
    mix: FloatArray
    taps: IntArray
    weights: IntArray
    adjoint: IntArray


def _blocks(group: PlanarGroup) -> tuple[tuple[Block, ...], FloatArray, FloatArray]:
    blocks: list[Block] = []
    basis: list[FloatArray] = []
    mix: list[FloatArray] = []
    for rho in irreps(group):
        scale = rho.multiplicity / group.order
        start = Block(rho.size if rho.type == "real" else 1, rho.size, rho.size, len(basis), len(mix))
        blocks.append(start)
        entries = np.round(rho.matrices)  # [g, i, j]; on the pixel grid they are 0, 1 and -1
        if not np.allclose(entries, rho.matrices):
            raise GroupMismatchError(f"{group.name} is not a group of the pixel grid: choose C1, C2, C4, D1, D2 or D4")
        if rho.type == "real":
            basis += [entries[:, i, j] for i in range(rho.size) for j in range(rho.size)]
            mix += [scale * entries[:, k, j] for k in range(rho.size) for j in range(rho.size)]
        else:
            # U = a + b R with the quarter turn R: the first column (a, b) says all, and M = V(rho) in that basis
            a, b = entries[:, 0, 0], entries[:, 1, 0]
            basis += [a, b]
            mix += [2 * scale * row for row in (a, b, -b, a)]
    return tuple(blocks), np.stack(basis), np.stack(mix)


@lru_cache(maxsize=128)
def orbit_plan(group: PlanarGroup, kernel_size: Pair) -> OrbitPlan:
    """The tables of a group of the pixel grid and a kernel size.

    Raises:
        GroupMismatchError: the group is off the grid, or the kernel is not square under quarter turns.
    """
    blocks, basis, mix = _blocks(group)
    moved = tap_table(group, kernel_size)  # [g, p] -> index of g^-1 p
    count = moved.shape[1]
    taps = moved[group.inverses].T
    slots = np.arange(group.order)
    opposite = np.arange(count)[::-1, None]
    adjoint = group.inverses * count + opposite
    weights = slots * count + taps
    return OrbitPlan(blocks, basis, mix, *(np.ascontiguousarray(t, np.int64) for t in (taps, weights, adjoint)))
