"""Between feature maps on a group and the maps of one ordinary convolution, in both memory layouts."""

from typing import NamedTuple

import torch
from torch import Tensor

from equivision.errors import ShapeError
from equivision.filters._permute import AXES
from equivision.groups import Group, SpatialGroup
from equivision.kernels import channels_last, is_channels_last


class FieldLayout(NamedTuple):
    """How the fields and slots of a feature map are numbered as channels.

    Args:
        order: slots of a field.
        last: whether the feature map is to lie channels last in memory.
        slots_first: whether its channels are numbered slot by slot, as in memory that is channels last; otherwise
            field by field, as in contiguous memory and as ``groups`` of channels need it.
    """

    order: int
    last: bool = False
    slots_first: bool = False

    @classmethod
    def of(cls, x: Tensor, *, groups: int = 1) -> "FieldLayout":
        """That of a feature map ``[B, C, G, H, W]``; one in space, ``[B, C, G, D, H, W]``, is contiguous."""
        last = x.ndim == 5 and is_channels_last(x)
        return cls(x.shape[2], last, last and groups == 1)

    @classmethod
    def lifted(cls, x: Tensor, order: int, *, groups: int = 1) -> "FieldLayout":
        """That of the feature map to which an image ``[B, C, H, W]`` or a volume is lifted."""
        last = is_image_channels_last(x)
        return cls(order, last, last and groups == 1)

    def flatten(self, x: Tensor) -> Tensor:
        """``[B, C, G, H, W] -> [B, C * G, H, W]``: a view, unless channels last are to be numbered field by field."""
        if self.slots_first:
            return x.transpose(1, 2).flatten(1, 2)
        if self.last:
            return x.permute(0, 3, 4, 1, 2).flatten(3).permute(0, 3, 1, 2)
        return x.flatten(1, 2)

    def unflatten(self, maps: Tensor) -> Tensor:
        """``[B, C * G, H, W] -> [B, C, G, H, W]``, in the layout; the inverse of :meth:`flatten`."""
        if self.slots_first:
            # what torch has returned contiguous, as it may for one image or a 1x1 kernel, goes back to the layout
            maps = maps.contiguous(memory_format=torch.channels_last)
            return maps.unflatten(1, (self.order, -1)).transpose(1, 2)
        x = maps.unflatten(1, (-1, self.order))
        return channels_last(x) if self.last else x

    def over_group(self, bias: Tensor | None) -> Tensor | None:
        """One number for each field as one for each channel."""
        if bias is None:
            return None
        spread = bias.expand(self.order, -1) if self.slots_first else bias.unsqueeze(1).expand(-1, self.order)
        return spread.reshape(-1)


def is_image_channels_last(x: Tensor) -> bool:
    """Whether ``x [B, C, H, W]`` lies channels last; with one channel, strides tell what the caller asked for."""
    several = x.ndim == 4 and x.shape[2] * x.shape[3] > 1
    return several and x.stride(1) == 1 and x.is_contiguous(memory_format=torch.channels_last)


def check_group_values(x: Tensor, group: Group, layer: str) -> None:
    """Raise ShapeError unless axis 2 is the group, with or without the axes of the plane or of space behind it."""
    if x.ndim not in (3, 5, 6) or x.shape[2] != group.order:
        raise ShapeError(
            f"{layer}: input has shape {tuple(x.shape)}; needs a group axis of {group.order} ({group.name}) as axis 2 "
            "of 3, 5 or 6"
        )


def check_group_axis(x: Tensor, group: SpatialGroup, layer: str) -> None:
    """Raise ShapeError unless x is a feature map on the group."""
    if x.ndim != 3 + group.dimension or x.shape[2] != group.order:
        entry = f"{'Images' if group.dimension == 2 else 'Volumes'} enter a network through LiftConv{group.dimension}d"
        raise ShapeError(
            f"{layer}: input has shape {tuple(x.shape)}; a feature map on {group.name} is [batch, channel, "
            f"{group.order}, {', '.join(AXES[group.dimension])}]. {entry}"
        )
