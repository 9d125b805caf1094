"""The equi-combiner, slowly: one piece, one element, one position at a time."""

import torch
from torch import Tensor


def kernels(pieces: Tensor, taps: int, *, turn: int = -1, place: int = -1) -> Tensor:
    """``sum_i`` of piece i, in one corner, turned; by ``turn * i`` in itself and moved by ``place * i`` corners.

    Both are -1, clockwise, in the formula. Source: HE-CNN, section 4.2.
    """
    half = pieces.shape[-1]
    total = torch.zeros(*pieces.shape[1:-2], 2 * half, 2 * half, dtype=pieces.dtype)
    for i in range(4):
        corner = torch.zeros_like(total)
        corner[..., :half, :half] = torch.rot90(pieces[i], (turn - place) * i, (-2, -1))
        total = total + torch.rot90(corner, place * i, (-2, -1))
    if taps % 2 == 0:
        return total
    rows = torch.stack([total[..., : half + 1, :].index_select(-2, torch.tensor([half - 1, half])).mean(-2)], -2)
    total = torch.cat([total[..., : half - 1, :], rows, total[..., half + 1 :, :]], -2)
    columns = total[..., half - 1 : half + 1].mean(-1, keepdim=True)
    return torch.cat([total[..., : half - 1], columns, total[..., half + 1 :]], -1)


def cycles(size: int) -> list[list[int]]:
    """Positions that a quarter turn moves into each other, ``i -> j -> k -> l``, found by turning a map of numbers."""
    numbers = torch.arange(size * size).reshape(size, size)
    turned = torch.rot90(numbers, 1, (0, 1)).flatten().tolist()
    target = {source: place for place, source in enumerate(turned)}
    found: list[list[int]] = []
    for first in range(size * size):
        cycle = [first]
        while (following := target[cycle[-1]]) != first:
            cycle.append(following)
        if min(cycle) == first:
            found.append(cycle)
    return found
