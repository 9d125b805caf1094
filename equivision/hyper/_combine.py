"""The equi-combiner: from what a generator says of four turned copies of an image to parameters that turn with it.

Pieces carry a first axis of 4: piece i is what the generator gives for the image turned by i quarter turns,
counter-clockwise. Shape legend: ... any axes, K taps, P = ceil(K / 2), Q = ceil(d * d / 4) for a feature map of size d.
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from equivision._numbers import check_count
from equivision.errors import ShapeError


def combine_kernels(pieces: Float[Tensor, "4 ... P P"], taps: int) -> Float[Tensor, "... K K"]:
    """Kernels that turn with the image: a piece in each corner, for odd sizes with the middle rows and columns shared.

    ``w(x) = sum_i g^-i E(N(g^i x))``, where E puts a piece at the top left of a kernel of 2 P taps. For odd K the two
    middle rows are replaced by their mean, and then the two middle columns.

    Equivariance: ``w(g x) = g w(x)`` for quarter turns, to rounding.

    Raises:
        ConfigError: taps is less than 1.
        ShapeError: there are not four square pieces of that size.

    Source: HE-CNN, section 4.2. Both the pieces and their places turn clockwise, as in its formula; its prose turns the
    pieces the other way, which is exact for no direction.
    """
    check_count("taps", taps)
    size = -(-taps // 2)
    _check_pieces(pieces, (size, size), f"taps={taps}")
    top_left, top_right, bottom_right, bottom_left = (torch.rot90(pieces[i], -i, (-2, -1)) for i in range(4))
    top = torch.cat([top_left, top_right], dim=-1)
    bottom = torch.cat([bottom_left, bottom_right], dim=-1)
    kernels = torch.cat([top, bottom], dim=-2)
    if taps % 2 == 0:
        return kernels
    return _merge_middle(_merge_middle(kernels, -2), -1)


def _check_pieces(pieces: Tensor, last: tuple[int, ...], why: str) -> None:
    if pieces.ndim <= len(last) or pieces.shape[0] != 4 or pieces.shape[-len(last) :] != last:
        needed = ", ".join(map(str, last))
        raise ShapeError(f"pieces has shape {tuple(pieces.shape)}: {why} needs [4, ..., {needed}], one for each turn")


def _merge_middle(kernels: Tensor, axis: int) -> Tensor:
    """The two middle entries along an axis of even length replaced by their mean."""
    half = kernels.shape[axis] // 2
    before, first, second, after = kernels.split([half - 1, 1, 1, half - 1], dim=axis)
    return torch.cat([before, (first + second) / 2, after], dim=axis)


def column_index(size: int) -> Int[Tensor, " positions"]:
    """Which of the columns of four pieces each position of a feature map takes, in the first linear layer after it.

    A quarter turn, counter-clockwise, moves position ``row * size + column`` to ``(size - 1 - column) * size + row``.
    Positions that it moves into each other are a cycle, of length 4, or 1 in the centre of an odd size. Column q of
    piece i is number ``i * Q + q``; the centre, whose cycle is the last, takes the mean of the four, number ``4 * Q``.

    Raises:
        ConfigError: size is less than 1.

    Source: HE-CNN, eq. 3 and proposition 2, with rows and columns in the order that flattening has.
    """
    check_count("size", size)
    cycles = -(-size * size // 4)
    index = np.full(size * size, -1)
    starts = [row * size + column for row in range(size // 2) for column in range((size + 1) // 2)]
    for cycle, moved in enumerate(starts):
        for piece in (0, 3, 2, 1):  # along the cycle (i, j, k, l): W_i = c0, W_j = c3, W_k = c2, W_l = c1
            index[moved] = piece * cycles + cycle
            row, column = divmod(moved, size)
            moved = (size - 1 - column) * size + row
    if size % 2:
        index[size * size // 2] = 4 * cycles
    return torch.from_numpy(index)


def combine_columns(
    pieces: Float[Tensor, "4 ... Q"], index: Int[Tensor, " positions"]
) -> Float[Tensor, "... positions"]:
    """Weights of a linear layer on flattened feature maps whose columns move as the map turns, so that it is invariant.

    Args:
        pieces: a column for each cycle.
        index: :func:`column_index` of the size of the map.

    Equivariance: the columns of ``W(g x)`` are those of ``W(x)`` moved as g moves a feature map, so that
    ``W(g x) flat(g y) = W(x) flat(y)``.

    Raises:
        ShapeError: there are not four pieces with a column for each cycle.

    Source: HE-CNN, eq. 3. In the centre of an odd size all four columns meet; they are averaged.
    """
    _check_pieces(pieces, (-(-len(index) // 4),), f"a map of {len(index)} positions")
    columns = torch.cat([*pieces.unbind(0), pieces[..., -1:].mean(dim=0)], dim=-1)
    return columns.index_select(-1, index)


def average_kernels(pieces: Float[Tensor, "4 ... K K"]) -> Float[Tensor, "... K K"]:
    """The mean of four whole kernels, each turned back: the naive combiner, which needs four times as many numbers.

    Equivariance: ``w(g x) = g w(x)`` for quarter turns, to rounding.

    Raises:
        ShapeError: there are not four square kernels.

    Source: HE-CNN, appendix B.2.
    """
    _check_pieces(pieces, (pieces.shape[-1],) * 2, "the mean of turned kernels")
    return torch.stack([torch.rot90(pieces[i], -i, (-2, -1)) for i in range(4)]).mean(dim=0)
