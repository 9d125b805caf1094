"""Random weights and inputs: a fresh layer has zeros and ones in places where they hide mistakes."""

import math
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equivision.groups import SpatialGroup

Module = TypeVar("Module", bound=nn.Module)


@torch.no_grad()
def randomize_(module: Module, seed: int = 0) -> Module:
    """Fill all parameters and running statistics with random numbers, in place; biases and norms are not spared.

    Weights keep the size of activations about the same, running variances lie between 0.5 and 1.5. The global random
    state is neither used nor changed.

    Args:
        module: any module.
        seed: of the numbers.

    Returns:
        The module.

    >>> bool(randomize_(nn.BatchNorm2d(3)).running_mean.abs().min() > 0)
    True
    """
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        fan_in = parameter[0].numel() if parameter.ndim > 1 else 1
        noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.copy_(noise / math.sqrt(max(fan_in, 1)))
    for name, buffer in module.named_buffers():
        uniform = torch.rand(buffer.shape, generator=generator, dtype=torch.float64)
        if name.endswith("running_var"):
            buffer.copy_(0.5 + uniform)
        elif name.endswith("running_mean"):
            buffer.copy_(uniform - 0.5)
    return module


def random_input(
    channels: int,
    size: tuple[int, ...],
    group: SpatialGroup | None = None,
    *,
    batch: int = 2,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
) -> Float[Tensor, "batch channel *rest"]:
    """White noise: images, volumes, or feature maps on a group.

    Args:
        channels: channels or fields.
        size: (height, width) or (depth, height, width).
        group: None for images ``[B, C, H, W]`` and volumes; a group for feature maps ``[B, C, |G|, H, W]``.
        batch: number of examples.
        dtype: of the result.
        seed: of the numbers; the global random state is not used.

    >>> random_input(3, (5, 5)).shape
    torch.Size([2, 3, 5, 5])
    """
    slots = () if group is None else (group.order,)
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((batch, channels, *slots, *size), generator=generator, dtype=torch.float64).to(dtype)
