"""Attention that keeps the symmetry: inside a convolution, or on its input."""

from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, fx, nn

from equivision import functional
from equivision.errors import ConfigError, ShapeError
from equivision.functional._checks import PaddingMode, Size2
from equivision.functional._layout import check_group_axis
from equivision.groups import PlanarGroup
from equivision.nn._base import GroupConvBase, Guarantee, check_count, grid_group, uniform_
from equivision.nn._conv import GroupConv2d, LiftConv2d
from equivision.nn._linear import GroupLinear


class _AttentiveConv(GroupConvBase):
    """What both attentive convolutions share."""

    squeeze: Tensor
    excite: Tensor
    spatial: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size2,
        *,
        group: PlanarGroup | str,
        stride: Size2 = 1,
        padding: Size2 | str = 0,
        dilation: Size2 = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        strict: bool = True,
        attention_size: int = 7,
        reduction: int = 2,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_attention(attention_size, reduction)
        self.attention_size, self.reduction = attention_size, reduction  # the base class asks for shapes
        super().__init__(
            in_channels, out_channels, kernel_size, group=group, stride=stride, padding=padding, dilation=dilation,
            bias=bias, padding_mode=padding_mode, strict=strict, device=device, dtype=dtype,
        )  # fmt: skip

    def _weight_shapes(self) -> dict[str, tuple[int, ...]]:
        slots = (self.group.order,) if self.kernel_on_group else ()
        hidden = hidden_channels(self.in_channels, self.reduction)
        return super()._weight_shapes() | {
            "squeeze": (self.out_channels, hidden, self.in_channels, *slots),
            "excite": (self.out_channels, self.in_channels, hidden, *slots),
            "spatial": (self.out_channels, 2, *slots, self.attention_size, self.attention_size),
        }

    def _tables(self) -> tuple[Tensor, ...]:
        attended = (self.attention_size, self.attention_size)
        sizes = (self.kernel_size, (1, 1), attended) if self.kernel_on_group else (self.kernel_size, attended)
        return tuple(functional.filter_table(self.group, size, slots=self.kernel_on_group) for size in sizes)

    def _draw_weights(self) -> None:
        """Kernels as in other convolutions; gates start near one half each, whatever the number of channels."""
        super()._draw_weights()
        uniform_(self.squeeze, 2 / self.squeeze.shape[2])
        uniform_(self.excite, 1 / self.excite.shape[2])
        uniform_(self.spatial, 1 / (2 * self.attention_size**2))

    def _options(self) -> dict[str, Any]:
        options = super()._options()
        del options["groups"]  # which attention over all channels has not
        return options

    @property
    def attention(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The parameters of the functional twin, without the bias."""
        return self.weight, self.squeeze, self.excite, self.spatial

    def extra_repr(self) -> str:
        parts = [super().extra_repr()]
        parts += [f"attention_size={self.attention_size}"] if self.attention_size != 7 else []
        parts += [f"reduction={self.reduction}"] if self.reduction != 2 else []
        return ", ".join(parts)


class AttentiveLiftConv2d(_AttentiveConv):
    """:class:`LiftConv2d` with attention on its products, before they are summed over the channels.

    Arguments as in :class:`AttentiveGroupConv2d`.

    Shape:
        ``[B, in_channels, H, W]`` to ``[B, out_channels, |G|, H', W']``.

    Equivariance: exact, ``f(g x) = L_g f(x)``.

    Raises:
        ShapeError: the input is not an image.
        GridError: the input size does not fit stride, kernel and padding.
        ConfigError: an argument is out of range.

    Source: Romero et al. 2020.

    >>> import torch
    >>> AttentiveLiftConv2d(3, 4, 3, group="C4")(torch.randn(1, 3, 9, 9)).shape
    torch.Size([1, 4, 4, 7, 7])
    """

    kernel_on_group, input_on_group = False, False
    table_names = ("table", "attention_table")

    def forward(self, x: Float[Tensor, "batch in_channels height width"]) -> Float[Tensor, "batch channel group h w"]:
        """Convolve."""
        return functional.attentive_lift_conv2d(x, *self.attention, self.bias, **self._options())


class AttentiveGroupConv2d(_AttentiveConv):
    """Group convolution whose products are weighed by attention before they are summed.

    Every output field has gates of its own for the input channels, and, for every orientation, for positions:
    ``y[o](t, h) = sum_{c, s} b[o, h, s](t) a[o, h, c, s] z[o, h, c, s](t)``, with the products z of
    :class:`GroupConv2d`, a between 0 and 1 from their mean and maximum over the plane, and b from those of ``a z`` over
    the channels. :func:`equivision.functional.attentive_group_conv2d` has the formulas. The code published with the
    study multiplies by ``1 - a b`` in the place of ``a b``.

    It costs about as many multiplications as two group convolutions, and memory for its products, of which it holds a
    bounded number: see the guide. The gates start near one half each, so that a norm should follow.

    Args:
        in_channels: fields of the input.
        out_channels: fields of the output.
        kernel_size: one number, or (height, width) for groups without quarter turns; even sizes are fine.
        group: C1, C2, C4, D1, D2 or D4, as a group or its name.
        stride, padding, dilation, bias, padding_mode: as in :class:`torch.nn.Conv2d`.
        strict: raise GridError where stride and size cannot be exact.
        attention_size: taps of the attention over positions, an odd number.
        reduction: the attention over channels has ``in_channels // reduction`` hidden numbers, at least one.
        device, dtype: of the parameters.

    Shape:
        ``[B, in_channels, |G|, H, W]`` to ``[B, out_channels, |G|, H', W']``.

    Equivariance: exact, ``f(L_g x) = L_g f(x)``.

    Raises:
        ShapeError: the input is not a feature map on the group.
        GridError: the input size does not fit stride, kernel and padding.
        ConfigError: an argument is out of range.

    Source: Romero et al. 2020.

    >>> import torch
    >>> layer = AttentiveGroupConv2d(10, 10, 3, group="C4", bias=False)
    >>> layer(torch.randn(1, 10, 4, 9, 9)).shape
    torch.Size([1, 10, 4, 7, 7])
    >>> {name: parameter.numel() for name, parameter in layer.named_parameters()}
    {'weight': 3600, 'squeeze': 2000, 'excite': 2000, 'spatial': 3920}
    """

    kernel_on_group, input_on_group = True, True
    table_names = ("table", "slot_table", "attention_table")

    def forward(
        self, x: Float[Tensor, "batch channel group height width"]
    ) -> Float[Tensor, "batch channel2 group h w"]:
        """Convolve."""
        return functional.attentive_group_conv2d(x, *self.attention, self.bias, **self._options())


class _OnInput(nn.Module):
    """What the gates on an input share: a group, whether the input lives on it, and a repr without parts."""

    equivariance: ClassVar[Guarantee] = "exact"

    def __init__(self, group: PlanarGroup | str, *, on_group: bool) -> None:
        super().__init__()
        self.group, self.on_group = grid_group(group), on_group

    def _check(self, x: Tensor, channels: int | None = None) -> None:
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
        self._check(x, self.channels)
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
        self._check(x)
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


def check_attention(attention_size: int, reduction: int) -> None:
    """Raise ConfigError unless both can be."""
    check_odd("attention_size", attention_size)
    check_count("reduction", reduction)
