"""Batch norm over the images of all processes that train together."""

from typing import Any

import torch
from torch import Tensor, distributed


class _Total(torch.autograd.Function):
    """The sum over all processes; the gradient of each is the sum of those of all."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Tensor:
        (gradient,) = grad_outputs
        return _Total.apply(gradient)  # pyright: ignore[reportReturnType]


def several_processes() -> bool:
    """Whether this process trains together with others."""
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


def over_processes(var: Tensor, mean: Tensor, count: float | int) -> tuple[Tensor, Tensor, Tensor]:
    """Variance, mean and count of the numbers of all processes, from those of this one, differentiably.

    Every process must call it, whether it has numbers or not, and all or none of them with a graph: they wait for each
    other, also in the backward pass.
    """
    own = mean.new_tensor([count])
    sums: Tensor = _Total.apply(torch.cat([own * mean, own]))  # pyright: ignore[reportAssignmentType]
    total = sums[-1].clamp_min(1)
    common = sums[:-1] / total
    squares: Tensor = _Total.apply(own * (var + (mean - common) ** 2))  # pyright: ignore[reportAssignmentType]
    return squares / total, common, total
