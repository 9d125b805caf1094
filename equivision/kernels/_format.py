"""Memory format of what a convolution returns."""

import torch
from torch import Tensor


def empty_like_format(x: Tensor, channels: int, size: tuple[int, int]) -> Tensor:
    """An empty feature map ``[B, channels, G, *size]``, channels last where x is, else contiguous."""
    images, order = x.shape[0], x.shape[2]
    form = torch.channels_last if _is_last(x) else torch.contiguous_format
    shape = (images, channels * order, *size)
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=form).unflatten(1, (-1, order))


def _is_last(x: Tensor) -> bool:
    """Whether fields and slots are the innermost axes of ``x [B, C, G, H, W]``, which may be a part of more fields."""
    least = 1
    for axis in (2, 1, 4, 3):
        if x.shape[axis] > 1:
            if x.stride(axis) < least:
                return False
            least = x.stride(axis) * x.shape[axis]
    return not x.is_contiguous()
