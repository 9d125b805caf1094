"""Deformable convolutions over a group, as modules: a convolution predicts where the taps of another one are read."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equivision import functional
from equivision.errors import ConfigError
from equivision.functional._checks import PaddingMode, Size2
from equivision.functional._deformable import offset_tables
from equivision.groups import PlanarGroup
from equivision.nn._base import GroupConvBase


class _DeformableConv(GroupConvBase):
    """What both deformable convolutions share."""

    any_angle = False
    table_names = ("table", "pairs", "matrices")

    offset_weight: Tensor
    offset_bias: Tensor
    pairs: Tensor
    matrices: Tensor

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
        groups: int = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        strict: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, group=group, stride=stride, padding=padding, dilation=dilation,
            groups=groups, bias=bias, padding_mode=padding_mode, strict=strict, device=device, dtype=dtype,
        )  # fmt: skip
        if self.kernel_size == (1, 1) and self.group.rotations > 1 and not self.input_on_group:
            raise ConfigError(
                f"kernel_size=1: one tap that sees one pixel cannot tell directions apart, so that no offset turns "
                f"with the picture under {self.group.name}: use kernel_size=2 or more, or LiftConv2d"
            )

    def _weight_shapes(self) -> dict[str, tuple[int, ...]]:
        coordinates = 2 * self.kernel_size[0] * self.kernel_size[1]
        return super()._weight_shapes() | {
            "offset_weight": (coordinates, self.in_channels, *self.kernel_size),
            "offset_bias": (coordinates,),
        }

    def _tables(self) -> tuple[Tensor, ...]:
        return (*super()._tables(), *offset_tables(self.group, self.kernel_size))

    def _draw_weights(self) -> None:
        """Kernels as in other convolutions; no tap moves at first."""
        super()._draw_weights()
        nn.init.zeros_(self.offset_weight)
        nn.init.zeros_(self.offset_bias)

    def _options(self) -> dict[str, Any]:
        return {name: value for name, value in super()._options().items() if name not in ("pairs", "matrices")}

    def offsets(self, x: Float[Tensor, "batch channel *group height width"]) -> Float[Tensor, "batch taps 2 h w"]:
        """How far each tap moves at each position, to the right and up, in pixels."""
        names = ("group", "stride", "padding", "dilation", "padding_mode", "strict")
        options = {name: getattr(self, name) for name in names}
        tables = self.pairs, self.matrices
        return functional.tap_offsets(x, self.offset_weight, self.offset_bias, tables=tables, **options)


class DeformableLiftConv2d(_DeformableConv):
    """From an image to a feature map on the group, by kernels whose taps move with what they see.

    ``y[o, h](t) = sum_{c, j} x[c](t + q_j + D_j(t)) psi[o, c](h^-1 q_j)``. A second convolution predicts the offsets
    D_j of the taps q_j from the image; its kernels are constrained, ``K[g j](g u) = R_g K[j](u)``, so that in a turned
    image the taps move by the turned offsets. At first it is zero, and this is :class:`LiftConv2d`. ``offsets(x)``
    gives D.

    Args:
        in_channels: channels of the image.
        out_channels: fields, each with one map for every group element.
        kernel_size: one number, or (height, width) for groups without quarter turns; of both convolutions.
        group: C1, C2, C4, D1, D2 or D4, or its name. Over C1 nothing is constrained: the usual deformable convolution.
        stride, padding, dilation, groups, bias, padding_mode: as in :class:`torch.nn.Conv2d`. Taps that leave the
            padded image read 0.
        strict: raise GridError where stride and size cannot be exact.
        device, dtype: of the parameters.

    Shape:
        ``[B, in_channels, H, W]`` to ``[B, out_channels, |G|, H', W']``.

    Equivariance: ``f(g x) = L_g f(x)``, exact. The image is read bilinearly, which has a kink where a tap lies on a
        pixel: there, and so in the first step of training, the gradient of the offsets is one of two, as everywhere
        with bilinear sampling.

    Raises:
        GridError: the input size does not fit stride, kernel and padding.
        GroupMismatchError: the group does not map the pixel grid onto itself, or exchanges rows and columns that are
            treated differently.
        ConfigError: an argument is out of range.

    Source: Dai et al. 2017 (deformable convolution); the article on the principles of group-equivariant networks (the
        condition on the offsets).

    >>> DeformableLiftConv2d(3, 16, 3, group="D4", padding=1)(torch.randn(1, 3, 9, 9)).shape
    torch.Size([1, 16, 8, 9, 9])
    """

    kernel_on_group, input_on_group = False, False

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch channel2 group h w"]:
        """Move the taps and convolve."""
        return functional.deformable_lift_conv2d(x, self.offsets(x), self.weight, self.bias, **self._options())


class DeformableGroupConv2d(_DeformableConv):
    """Convolution of a feature map on the group, by kernels whose taps move with what they see.

    ``y[o](t, h) = sum_{c, h', j} x[c](t + q_j + D_j(t), h') psi[o, c](h^-1 h', h^-1 q_j)``. All slots of input and
    output share the offsets of a position. They are predicted from all slots of the input, by kernels with
    ``K[g j, g h'](g u) = R_g K[j, h'](u)``; at first they are zero, and this is :class:`GroupConv2d`.

    Args:
        in_channels: fields of the input.
        out_channels: fields of the output.
        kernel_size, group, stride, padding, dilation, groups, bias, padding_mode, strict, device, dtype: as in
            :class:`DeformableLiftConv2d`.

    Shape:
        ``[B, in_channels, |G|, H, W]`` to ``[B, out_channels, |G|, H', W']``.

    Equivariance: ``f(L_g x) = L_g f(x)``, exact, with the remark of :class:`DeformableLiftConv2d`.

    Raises:
        ShapeError: the input is not a feature map on the group.
        GridError: the input size does not fit stride, kernel and padding.
        GroupMismatchError: the group does not map the pixel grid onto itself, or exchanges rows and columns that are
            treated differently.
        ConfigError: an argument is out of range.

    Source: as :class:`DeformableLiftConv2d`.

    >>> DeformableGroupConv2d(2, 4, 3, group="C4")(torch.randn(1, 2, 4, 9, 9)).shape
    torch.Size([1, 4, 4, 7, 7])
    """

    kernel_on_group, input_on_group = True, True

    def forward(
        self, x: Float[Tensor, "batch channel group height width"]
    ) -> Float[Tensor, "batch channel2 group h w"]:
        """Move the taps and convolve."""
        return functional.deformable_group_conv2d(x, self.offsets(x), self.weight, self.bias, **self._options())
