"""Separable group convolutions as a module."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from equivision import functional
from equivision.errors import ConfigError
from equivision.filters._sample import Interpolation, Mask
from equivision.functional._algorithm import check_algorithm
from equivision.functional._checks import PaddingMode, Size2
from equivision.functional._separable import SEPARABLE_ALGORITHMS, SeparableAlgorithm
from equivision.groups import PlanarGroup
from equivision.nn._base import GroupConvBase, uniform_

Separation = Literal["g", "gc"]


class SeparableGroupConv2d(GroupConvBase):
    """Group convolution with a kernel that is a spatial part times a part over the group.

    ``variant="g"``: ``psi[o, c](h, p) = spatial[o, c](p) pointwise[o, c](h)``, with
    ``C C' (|G| + k^2)`` weights; ``variant="gc"`` has one spatial kernel for all input fields,
    ``psi[o, c](h, p) = spatial[o](p) pointwise[o, c](h)``, with ``C' (C |G| + k^2)`` weights, of the ``C C' |G| k^2``
    of :class:`GroupConv2d`. The parameters are ``spatial``, ``pointwise`` and ``bias``.

    Args:
        in_channels: fields of the input.
        out_channels: fields of the output.
        kernel_size: one number, or (height, width) for groups without quarter turns; even sizes are fine.
        group: C_n or D_n, as a group or its name, such as ``"D4"`` or ``"C16"``.
        variant: ``"g"`` or ``"gc"``.
        stride, padding, dilation, groups, bias, padding_mode: as in :class:`torch.nn.Conv2d`.
        strict: raise GridError where stride and size cannot be exact.
        algorithm: ``"factored"`` (pointwise part, then spatial part), ``"expand"`` (one dense convolution) or
            ``"auto"``, as in :func:`equivision.functional.separable_group_conv2d`; the results are equal to rounding.
        interpolation, mask, renormalize: how the spatial part moves by angles off the grid, as in :class:`GroupConv2d`.
        device, dtype: of the parameters.

    Shape:
        ``[B, in_channels, |G|, H, W]`` to ``[B, out_channels, |G|, H', W']``.

    Equivariance: ``f(L_g x) = L_g f(x)``; exact for the elements that move the pixel grid onto itself, so for all of
    C1, C2, C4, D1, D2 and D4; approximate for the others of larger groups.

    Raises:
        ShapeError: the input is not a feature map on the group.
        GridError: the input size does not fit stride, kernel and padding.
        ConfigError: an argument is out of range.

    Source: Lengyel & van Gemert 2021, eqs. 4 to 14.

    >>> import torch
    >>> layer = SeparableGroupConv2d(2, 4, 3, group="C4", variant="gc")
    >>> layer(torch.randn(1, 2, 4, 9, 9)).shape
    torch.Size([1, 4, 4, 7, 7])
    >>> sum(p.numel() for p in layer.parameters())  # 4 (2 x 4 + 9) weights and 4 biases
    72
    """

    kernel_on_group, input_on_group = True, True
    table_names = ("table", "tap_table", "dense_table")
    spatial: Tensor
    pointwise: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size2,
        *,
        group: PlanarGroup | str,
        variant: Separation = "gc",
        stride: Size2 = 1,
        padding: Size2 | str = 0,
        dilation: Size2 = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        strict: bool = True,
        algorithm: SeparableAlgorithm = "auto",
        interpolation: Interpolation = "bilinear",
        mask: Mask | None = None,
        renormalize: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        if variant not in ("g", "gc"):
            raise ConfigError(f"variant={variant!r} is not known: choose 'g' or 'gc'")
        check_algorithm(algorithm, SEPARABLE_ALGORITHMS)
        self.variant = variant  # before the base class, which asks for the shapes of the weights
        super().__init__(
            in_channels, out_channels, kernel_size, group=group, stride=stride, padding=padding, dilation=dilation,
            groups=groups, bias=bias, padding_mode=padding_mode, strict=strict, interpolation=interpolation, mask=mask,
            renormalize=renormalize, device=device, dtype=dtype,
        )  # fmt: skip
        self.algorithm = algorithm

    def _weight_shapes(self) -> dict[str, tuple[int, ...]]:
        per_group = self.in_channels // self.groups
        seen = per_group if self.variant == "g" else 1
        return {
            "spatial": (self.out_channels, seen, *self._numbers()),
            "pointwise": (self.out_channels, per_group, self.group.order),
        }

    def _tables(self) -> tuple[Tensor, ...]:
        size = (1, 1) if self._sampling() is not None else self.kernel_size
        options = ((True, (1, 1)), (False, size), (True, size))
        return tuple(functional.filter_table(self.group, size, slots=slots) for slots, size in options)

    def _draw_weights(self) -> None:
        """The pointwise step keeps the variance of the maps, the spatial step doubles it for the ReLU."""
        summed = self.group.order * (1 if self.variant == "g" else self.in_channels // self.groups)
        uniform_(self.pointwise, 1 / summed)
        uniform_(self.spatial, 2 / (self.spatial.shape[1] * self._taps()))

    def forward(
        self, x: Float[Tensor, "batch channel group height width"]
    ) -> Float[Tensor, "batch channel2 group h w"]:
        """Convolve."""
        return functional.separable_group_conv2d(
            x, self.spatial, self.pointwise, self.bias, **self._options(), algorithm=self.algorithm
        )

    def extra_repr(self) -> str:
        extra = f", algorithm={self.algorithm!r}" if self.algorithm != "auto" else ""
        return f"{super().extra_repr()}, variant={self.variant!r}{extra}"
