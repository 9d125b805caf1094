"""The kernels that satisfy the constraint on sampled points, found the slow way: as a null space."""

import numpy as np
from numpy.typing import NDArray

from equivision.reps import Representation


def constraint_residual(
    kernel: NDArray[np.float64],
    moved: NDArray[np.float64],
    in_matrix: NDArray[np.float64],
    out_matrix: NDArray[np.float64],
) -> float:
    """Largest entry of ``K(g p) - out(g) K(p) in(g)^T``, for kernels ``[out, in, points]`` at p and at g p."""
    return float(np.abs(moved - np.einsum("oa,abp,ib->oip", out_matrix, kernel, in_matrix)).max())


def grid_kernels(in_rep: Representation, out_rep: Representation, size: int) -> int:
    """How many kernels on a square of taps satisfy the constraint, for a group that maps the grid onto itself."""
    group = in_rep.group
    taps = np.eye(size * size).reshape(-1, size, size)
    total = np.zeros((in_rep.size * out_rep.size * size * size,) * 2)
    for g in range(group.order):
        flips, turns = group.split(g)[0], group.quarter_turns(g)  # pyright: ignore[reportAttributeAccessIssue]
        moved = np.rot90(np.flip(taps, 1) if flips else taps, turns, (1, 2)).reshape(size * size, -1).T
        total += np.kron(np.kron(out_rep.matrix(g), in_rep.matrix(g)), moved)
    return round(float(np.trace(total)) / group.order)  # the rank of the projection on what the group leaves alone
