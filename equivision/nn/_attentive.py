"""Group convolutions with attention inside."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from equivision import functional
from equivision._numbers import check_count
from equivision.functional._checks import PaddingMode, Size2
from equivision.groups import PlanarGroup
from equivision.nn._attention import check_odd, hidden_channels
from equivision.nn._base import GroupConvBase, uniform_


class _AttentiveConv(GroupConvBase):
    """What both attentive convolutions share."""

    any_angle = False

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
        check_odd("attention_size", attention_size)
        check_count("reduction", reduction)
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
