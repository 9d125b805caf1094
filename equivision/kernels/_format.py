"""How a feature map on a group lies in memory.

Two layouts are known: contiguous, ``B C G H W``, and channels last, ``B H W G C``. In both, the maps of all fields and
slots are those of one ordinary convolution, whose channels are numbered field by field in the first, slot by slot in
the second. Slot by slot is what lets torch's batch norm see the fields as its innermost axis, too.
"""

from torch import Tensor

from equivision.errors import ShapeError


def is_channels_last(x: Tensor) -> bool:
    """Whether a feature map lies in memory as ``B H W G C``, without gaps within an image.

    Args:
        x: ``[B, C, G, H, W]``.

    Raises:
        ShapeError: x has not five axes.

    >>> import torch
    >>> is_channels_last(channels_last(torch.randn(2, 3, 8, 5, 5)))
    True
    """
    _check_axes(x)
    step = 1
    for axis in (1, 2, 4, 3):
        if x.shape[axis] > 1 and x.stride(axis) != step:
            return False
        step *= x.shape[axis]
    return not x.is_contiguous()


def channels_last(x: Tensor) -> Tensor:
    """The same feature map with memory in the order ``B H W G C``; a copy unless it lies so already.

    Layers give feature maps channels last where they get them, and :class:`~equivision.nn.LiftConv2d` makes them
    from images in ``torch.channels_last``.

    Args:
        x: ``[B, C, G, H, W]``.

    Equivariance: exact; the numbers are the same.

    Raises:
        ShapeError: x has not five axes.

    >>> import torch
    >>> x = torch.randn(2, 3, 8, 5, 5)
    >>> torch.equal(channels_last(x), x)
    True
    """
    _check_axes(x)
    return x.permute(0, 3, 4, 2, 1).contiguous().permute(0, 4, 3, 1, 2)


def _check_axes(x: Tensor) -> None:
    if x.ndim != 5:
        raise ShapeError(
            f"x has shape {tuple(x.shape)}: a feature map on a group is [batch, channel, group, height, width]. Images "
            "are laid out by x.to(memory_format=torch.channels_last)"
        )


def empty_like_format(x: Tensor, channels: int, size: tuple[int, int]) -> Tensor:
    """An empty feature map ``[B, channels, G, *size]``, channels last where x is, else contiguous."""
    images, order = x.shape[0], x.shape[2]
    if _is_last(x):
        return x.new_empty((images, *size, order, channels)).permute(0, 4, 3, 1, 2)
    return x.new_empty((images, channels, order, *size))


def _is_last(x: Tensor) -> bool:
    """Whether fields and slots are the innermost axes of ``x [B, C, G, H, W]``, which may be a part of more fields."""
    least = 1
    for axis in (1, 2, 4, 3):
        if x.shape[axis] > 1:
            if x.stride(axis) < least:
                return False
            least = x.stride(axis) * x.shape[axis]
    return not x.is_contiguous()
