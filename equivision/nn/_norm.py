"""Batch norm that keeps the memory layout of group features."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equivision.kernels import channels_last, is_channels_last
from equivision.nn._base import Guarantee


class BatchNorm3d(nn.BatchNorm3d):
    """Batch norm over fields: torch's own, which also leaves feature maps channels last where they are so.

    :class:`torch.nn.BatchNorm3d` takes the group axis for a depth, so it shares its statistics, scale and shift among
    all slots of a field and is equivariant as it stands. But it knows no memory layout in which fields and slots are
    the innermost axes: its output is contiguous, and the next convolution starts from there. This class shows it
    the slots behind the pixels, where torch's fast code for channels last applies. Same arguments, parameters, buffers
    and numbers; each loads the other's ``state_dict``.

    It also takes feature maps on a group of space, which have one axis more than torch's class knows.

    Shape:
        ``[B, C, G, H, W]`` or ``[B, C, G, D, H, W]`` to the same, or anything else that ``torch.nn.BatchNorm3d`` takes.

    Equivariance: exact, regular to regular.

    >>> BatchNorm3d(2)(torch.randn(4, 2, 8, 5, 5)).shape
    torch.Size([4, 2, 8, 5, 5])
    """

    equivariance: ClassVar[Guarantee] = "exact"

    def forward(self, input: Float[Tensor, "batch channel group *space"]) -> Tensor:
        """Normalise every field."""
        if input.ndim == 6:
            return super().forward(input.flatten(2, 3)).unflatten(2, input.shape[2:4])
        if input.ndim != 5 or not is_channels_last(input):
            return super().forward(input)
        if torch.compiler.is_compiling() and input.shape[0] == 1:
            # torch's tracer mistakes the layout of one image, and its gradients would be wrong (torch 2.13)
            return super().forward(input.contiguous())
        output = super().forward(input.permute(0, 1, 3, 4, 2)).permute(0, 1, 4, 2, 3)
        if output.requires_grad and not torch.compiler.is_compiling():
            output.register_hook(_laid_out)
        return output


def _laid_out(gradient: Tensor | None) -> Tensor | None:
    """A gradient, channels last: a contiguous one, as of a mean, would slow down all layers before this one."""
    return None if gradient is None else channels_last(gradient)
