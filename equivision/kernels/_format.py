"""Memory format of what a convolution returns."""

import torch
from torch import Tensor


def empty_like_format(x: Tensor, channels: int, size: tuple[int, int]) -> Tensor:
    """An empty feature map ``[B, channels, G, *size]``, channels last where x is, else contiguous."""
    images, order = x.shape[0], x.shape[2]
    last = False
    if x.stride(1) == order * x.stride(2) or x.shape[1] == 1:
        maps = x.flatten(1, 2)
        last = maps.is_contiguous(memory_format=torch.channels_last) and not maps.is_contiguous()
    form = torch.channels_last if last else torch.contiguous_format
    shape = (images, channels * order, *size)
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=form).unflatten(1, (-1, order))
