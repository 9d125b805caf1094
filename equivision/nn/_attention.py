"""Attention on the input of a convolution, which keeps the symmetry."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, fx, nn

from equivision._numbers import check_count
from equivision.errors import ConfigError, ShapeError
from equivision.functional._checks import check_dtypes
from equivision.functional._layout import check_group_axis
from equivision.groups import PlanarGroup
from equivision.nn._base import Guarantee, grid_group
from equivision.nn._conv import GroupConv2d, LiftConv2d
from equivision.nn._linear import GroupLinear


class _OnInput(nn.Module):
    """What the gates on an input share: a group, whether the input lives on it, and a repr without parts."""

    equivariance: ClassVar[Guarantee] = "exact"

    def __init__(self, group: PlanarGroup | str, *, on_group: bool) -> None:
        super().__init__()
        self.group, self.on_group = grid_group(group), on_group

    def _check(self, x: Tensor, channels: int | None = None, weight: Tensor | None = None) -> None:
        """Raise ShapeError unless the input is what the layer takes; what ``equivision.freeze`` traces has no shape."""
        if isinstance(x, fx.Proxy):
            return
        name = type(self).__name__
        if self.on_group:
            check_group_axis(x, self.group, name)
        elif x.ndim != 4:
            raise ShapeError(
                f"{name}: input has shape {tuple(x.shape)}; an image is [batch, channel, height, width]. For feature "
                "maps on the group build the layer with on_group=True"
            )
        if channels is not None and x.shape[1] != channels:
            raise ShapeError(
                f"{name}: input has {x.shape[1]} channel(s), the weights take {channels}: build the layer with "
                f"channels={x.shape[1]}"
            )
        if weight is not None:
            check_dtypes(x, weight, name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"

    def extra_repr(self) -> str:
        return f"group={self.group!r}" + ("" if self.on_group else ", on_group=False")


class ChannelAttention2d(_OnInput):
    """Weigh the fields of a feature map by what they contain: ``x sigmoid(M(mean x) + M(max x))``.

    Mean and maximum go over the plane; M is two linear layers on the group with a ReLU between them. Before a group
    convolution it is, with :class:`SpatialAttention2d`, the cheap form (f) of :class:`AttentiveGroupConv2d`, with the
    same gates for all output fields.

    Args:
        channels: fields of the input.
        group: C1, C2, C4, D1, D2 or D4, as a group or its name.
        reduction: M has ``channels // reduction`` hidden fields, at least one.
        on_group: False for images ``[B, channels, H, W]``, whose channels do not move.
        device, dtype: of the parameters.

    Shape:
        ``[B, channels, |G|, H, W]`` to the same.

    Equivariance: exact, ``f(L_g x) = L_g f(x)``.

    Raises:
        ShapeError: the input is not a feature map on the group, or has other channels.
        ConfigError: an argument is out of range.

    Source: Romero et al. 2020, after Woo et al. 2018.

    >>> import torch
    >>> ChannelAttention2d(10, group="C4")(torch.randn(2, 10, 4, 5, 5)).shape
    torch.Size([2, 10, 4, 5, 5])
    """

    def __init__(
        self,
        channels: int,
        *,
        group: PlanarGroup | str,
        reduction: int = 2,
        on_group: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(group, on_group=on_group)
        check_count("channels", channels)
        check_count("reduction", reduction)
        self.channels, self.reduction = channels, reduction
        hidden = hidden_channels(channels, reduction)
        self.squeeze, self.excite = (
            GroupLinear(a, b, group=self.group, bias=False, device=device, dtype=dtype) if on_group
            else nn.Linear(a, b, bias=False, device=device, dtype=dtype)
            for a, b in ((channels, hidden), (hidden, channels))
        )  # fmt: skip

    def forward(self, x: Float[Tensor, "batch channel *rest"]) -> Float[Tensor, "batch channel *rest"]:
        """Weigh."""
        self._check(x, self.channels, self.squeeze.weight)
        score = self._score(x.mean((-2, -1))) + self._score(x.amax((-2, -1)))
        return x * torch.sigmoid(score).unsqueeze(-1).unsqueeze(-1)

    def _score(self, pooled: Tensor) -> Tensor:
        return self.excite(torch.relu(self.squeeze(pooled)))

    def extra_repr(self) -> str:
        parts = [f"{self.channels}, {super().extra_repr()}"]
        return ", ".join(parts + ([f"reduction={self.reduction}"] if self.reduction != 2 else []))


class SpatialAttention2d(_OnInput):
    """Weigh the positions of a feature map, and its slots, by what they contain: ``x sigmoid(k * (mean x, max x))``.

    Mean and maximum go over the fields; k is a group convolution to one field. On images k is a lifting convolution, of
    whose slots the maximum is taken. Before a group convolution it is, after :class:`ChannelAttention2d`, the cheap
    form (f) of :class:`AttentiveGroupConv2d`.

    Args:
        kernel_size: taps of k, an odd number.
        group: C1, C2, C4, D1, D2 or D4, as a group or its name.
        dilation: distance between taps.
        on_group: False for images ``[B, C, H, W]``.
        device, dtype: of the parameters.

    Shape:
        ``[B, C, |G|, H, W]`` to the same, for any number of fields.

    Equivariance: exact, ``f(L_g x) = L_g f(x)``.

    Raises:
        ShapeError: the input is not a feature map on the group.
        ConfigError: an argument is out of range.

    Source: Romero et al. 2020, after Woo et al. 2018.

    >>> import torch
    >>> SpatialAttention2d(7, group="D4")(torch.randn(2, 3, 8, 9, 9)).shape
    torch.Size([2, 3, 8, 9, 9])
    """

    def __init__(
        self,
        kernel_size: int = 7,
        *,
        group: PlanarGroup | str,
        dilation: int = 1,
        on_group: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(group, on_group=on_group)
        check_odd("kernel_size", kernel_size)
        check_count("dilation", dilation)
        self.kernel_size, self.dilation = kernel_size, dilation
        kind = GroupConv2d if on_group else LiftConv2d
        self.conv = kind(
            2, 1, kernel_size, group=self.group, padding="same", dilation=dilation, bias=False, device=device,
            dtype=dtype,
        )  # fmt: skip

    def forward(self, x: Float[Tensor, "batch channel *rest"]) -> Float[Tensor, "batch channel *rest"]:
        """Weigh."""
        self._check(x, weight=self.conv.weight)
        score = self.conv(torch.stack((x.mean(1), x.amax(1)), 1))
        return x * torch.sigmoid(score if self.on_group else score.amax(2))

    def extra_repr(self) -> str:
        parts = [f"{self.kernel_size}, {super().extra_repr()}"]
        return ", ".join(parts + ([f"dilation={self.dilation}"] if self.dilation != 1 else []))


class CoAttention2d(_OnInput):
    """Weigh the slots of a feature map, position by position, all fields alike: ``x sigmoid(k * x)``.

    k is a 1x1 group convolution to one field, so that the gates of all orientations are found together. On images it is
    a lifting convolution, of whose slots the maximum is taken. It is the co-attentive predecessor of
    :class:`AttentiveGroupConv2d`.

    Args:
        channels: fields of the input.
        group: C1, C2, C4, D1, D2 or D4, as a group or its name.
        on_group: False for images ``[B, channels, H, W]``.
        device, dtype: of the parameters.

    Shape:
        ``[B, channels, |G|, H, W]`` to the same.

    Equivariance: exact, ``f(L_g x) = L_g f(x)``.

    Raises:
        ShapeError: the input is not a feature map on the group, or has other channels.
        ConfigError: an argument is out of range.

    Source: Romero & Hoogendoorn 2020, with a sigmoid in the place of the softmax over rotations, as in the comparison
    of Romero et al. 2020.

    >>> import torch
    >>> CoAttention2d(3, group="D4")(torch.randn(2, 3, 8, 9, 9)).shape
    torch.Size([2, 3, 8, 9, 9])
    """

    def __init__(
        self,
        channels: int,
        *,
        group: PlanarGroup | str,
        on_group: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(group, on_group=on_group)
        check_count("channels", channels)
        self.channels = channels
        kind = GroupConv2d if on_group else LiftConv2d
        self.conv = kind(channels, 1, 1, group=self.group, bias=False, device=device, dtype=dtype)

    def forward(self, x: Float[Tensor, "batch channel *rest"]) -> Float[Tensor, "batch channel *rest"]:
        """Weigh."""
        self._check(x, self.channels)
        score = self.conv(x)
        return x * torch.sigmoid(score if self.on_group else score.amax(2))

    def extra_repr(self) -> str:
        return f"{self.channels}, {super().extra_repr()}"


def hidden_channels(channels: int, reduction: int) -> int:
    """Hidden numbers of an attention over channels."""
    return max(channels // reduction, 1)


def check_odd(name: str, value: int) -> None:
    """Raise ConfigError unless the value is an odd number."""
    check_count(name, value)
    if value % 2 == 0:
        raise ConfigError(f"{name}={value}: give an odd number, so that the map of attention is centred on its input")
