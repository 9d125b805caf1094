"""Cycle, isotonic and decycle layers of Li et al. (2017), against lifting, group and projecting convolutions.

Here maps are numbered slot by slot and filters turn clockwise; slot i is our element ``r^-i``.
"""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from equivision import functional
from equivision.groups import cyclic

C4 = cyclic(4)
KERNELS = [1, 2, 3, 4]


def clockwise(filters: Tensor, times: int) -> Tensor:
    """Filters turned, tap by tap: what was at (row, column) goes to (column, last - row)."""
    for _ in range(times):
        size = filters.shape[-1]
        turned = torch.empty_like(filters)
        for row in range(size):
            for column in range(size):
                turned[..., column, size - 1 - row] = filters[..., row, column]
        filters = turned
    return filters


def cycle(image: Tensor, w: Tensor) -> Tensor:
    """``[B, C, H, W] -> [B, 4 * O, H, W]``: the filters in four directions."""
    return torch.cat([F.conv2d(image, clockwise(w, i)) for i in range(4)], 1)


def isotonic(maps: Tensor, w: Tensor, *, turn: int = 1) -> Tensor:
    """``[B, 4 * C, ...] -> [B, 4 * O, ...]`` with w ``[4, O, C, k, k]``: rows of a cyclic matrix, turned."""
    parts = maps.chunk(4, 1)
    rows = [
        torch.stack([F.conv2d(parts[j], clockwise(w[(j - i) % 4], turn * i)) for j in range(4)]).sum(0)
        for i in range(4)
    ]
    return torch.cat(rows, 1)


def decycle(maps: Tensor, w: Tensor) -> Tensor:
    """``[B, 4 * C, ...] -> [B, O, ...]``: one filter for all slots, turned."""
    return torch.stack([F.conv2d(part, clockwise(w, j)) for j, part in enumerate(maps.chunk(4, 1))]).sum(0)


def ours(maps: Tensor) -> Tensor:
    """Maps slot by slot as a feature map on C4."""
    return maps.unflatten(1, (4, -1)).transpose(1, 2)[:, :, [0, 3, 2, 1]]


def random(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


def close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize("k", KERNELS)
def test_cycle_is_lifting(k: int, size: int) -> None:
    image, w = random(2, 3, size, size), random(2, 3, k, k)
    close(functional.lift_conv2d(image, w, group=C4), ours(cycle(image, w)))


@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize("k", KERNELS)
def test_isotonic_is_group_convolution(k: int, size: int) -> None:
    maps, w = random(2, 4 * 3, size, size), random(4, 2, 3, k, k)
    psi = w[[0, 3, 2, 1]].permute(1, 2, 0, 3, 4)
    close(functional.group_conv2d(ours(maps), psi, group=C4), ours(isotonic(maps, w)))


@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize("k", KERNELS)
def test_decycle_is_projection(k: int, size: int) -> None:
    maps, w = random(2, 4 * 3, size, size), random(2, 3, k, k)
    close(functional.project_conv2d(ours(maps), w, group=C4), decycle(maps, w))


def test_a_chain_of_them_turns_with_its_input() -> None:
    """The oracle itself; with the rows of the cyclic matrix not turned, it does not."""
    first, later, last = random(2, 1, 3, 3), random(4, 3, 2, 3, 3), random(2, 3, 2, 2)

    def chain(image: Tensor, turn: int = 1) -> Tensor:
        return decycle(torch.relu(isotonic(torch.relu(cycle(image, first)), later, turn=turn)), last)

    image = random(1, 1, 9, 9)
    for times in range(1, 4):
        turned = image.rot90(times, (-2, -1))
        close(chain(turned), chain(image).rot90(times, (-2, -1)))
        assert float((chain(turned, 0) - chain(image, 0).rot90(times, (-2, -1))).abs().max()) > 1
