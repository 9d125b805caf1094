"""Group convolutions as modules: parameters, and one call of :mod:`equivision.functional`."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from equivision import functional
from equivision.filters._sample import Interpolation, Mask
from equivision.functional._algorithm import Algorithm, check_algorithm
from equivision.functional._checks import PaddingMode, Size2, check_output_padding
from equivision.groups import PlanarGroup
from equivision.nn._base import GroupConvBase, grid_pair


class LiftConv2d(GroupConvBase):
    """From an image to a feature map on the group: every kernel is applied in all its orientations.

    ``y[o, h](t) = sum_{c, p} x[c](p) psi[o, c](h^-1 (p - t))``

    Args:
        in_channels: channels of the image.
        out_channels: fields, each with one map for every group element.
        kernel_size: one number, or (height, width) for groups without quarter turns; even sizes are fine.
        group: C_n or D_n, as a group or its name, such as ``"D4"`` or ``"C16"``.
        stride, padding, dilation, groups, bias, padding_mode: as in :class:`torch.nn.Conv2d`.
        strict: raise GridError where stride and size cannot be exact.
        interpolation, mask, renormalize: how kernels move by angles off the grid, as in
            :func:`equivision.filters.sampling_matrices`; by default bilinearly, with a smooth mask. On the grid nothing
            is interpolated, and no mask is the default.
        device, dtype: of the parameters.

    Shape:
        ``[B, in_channels, H, W]`` to ``[B, out_channels, |G|, H', W']``.

    Equivariance: ``f(g x) = L_g f(x)``; exact for the elements that move the pixel grid onto itself, so for all of
    C1, C2, C4, D1, D2 and D4; approximate for the others of larger groups.

    Raises:
        GridError: the input size does not fit stride, kernel and padding.
        GroupMismatchError: rows and columns are treated differently under a group with more than half turns.
        ConfigError: an argument is out of range.

    Source: Cohen & Welling 2016, eq. 10.

    >>> import torch
    >>> LiftConv2d(3, 16, 3, group="D4", padding=1)(torch.randn(1, 3, 9, 9)).shape
    torch.Size([1, 16, 8, 9, 9])
    """

    kernel_on_group, input_on_group = False, False

    def forward(self, x: Float[Tensor, "batch in_channels height width"]) -> Float[Tensor, "batch channel group h w"]:
        """Convolve."""
        return functional.lift_conv2d(x, self.weight, self.bias, **self._options())


class GroupConv2d(GroupConvBase):
    """Convolution of a feature map on the group.

    ``y[o](t, h) = sum_{c, h', p} x[c](p, h') psi[o, c](h^-1 h', h^-1 (p - t))``

    Args:
        in_channels: fields of the input.
        out_channels: fields of the output.
        kernel_size: one number, or (height, width) for groups without quarter turns; even sizes are fine.
        group: C_n or D_n, as a group or its name, such as ``"D4"`` or ``"C16"``.
        stride, padding, dilation, groups, bias, padding_mode: as in :class:`torch.nn.Conv2d`.
        strict: raise GridError where stride and size cannot be exact.
        algorithm: ``"expand"``, ``"fourier"`` or ``"auto"``, as in :func:`equivision.functional.group_conv2d`: the same
            parameters and, to rounding, the same results at another speed.
        interpolation, mask, renormalize: how kernels move by angles off the grid, as in
            :func:`equivision.filters.sampling_matrices`; by default bilinearly, with a smooth mask. On the grid nothing
            is interpolated, and no mask is the default.
        device, dtype: of the parameters.

    Shape:
        ``[B, in_channels, |G|, H, W]`` to ``[B, out_channels, |G|, H', W']``.

    Equivariance: ``f(L_g x) = L_g f(x)``; exact for the elements that move the pixel grid onto itself, so for all of
    C1, C2, C4, D1, D2 and D4; approximate for the others of larger groups.

    Raises:
        ShapeError: the input is not a feature map on the group.
        GridError: the input size does not fit stride, kernel and padding.
        ConfigError: an argument is out of range.

    Source: Cohen & Welling 2016, eq. 11.

    >>> import torch
    >>> GroupConv2d(2, 4, 3, group="C4")(torch.randn(1, 2, 4, 9, 9)).shape
    torch.Size([1, 4, 4, 7, 7])
    """

    kernel_on_group, input_on_group = True, True

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
        algorithm: Algorithm = "auto",
        interpolation: Interpolation = "bilinear",
        mask: Mask | None = None,
        renormalize: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_algorithm(algorithm)
        super().__init__(
            in_channels, out_channels, kernel_size, group=group, stride=stride, padding=padding, dilation=dilation,
            groups=groups, bias=bias, padding_mode=padding_mode, strict=strict, interpolation=interpolation, mask=mask,
            renormalize=renormalize, device=device, dtype=dtype,
        )  # fmt: skip
        self.algorithm = algorithm

    def forward(
        self, x: Float[Tensor, "batch channel group height width"]
    ) -> Float[Tensor, "batch channel2 group h w"]:
        """Convolve."""
        return functional.group_conv2d(x, self.weight, self.bias, **self._options(), algorithm=self.algorithm)

    def extra_repr(self) -> str:
        extra = f", algorithm={self.algorithm!r}" if self.algorithm != "auto" else ""
        return super().extra_repr() + extra


class ProjectConv2d(GroupConvBase):
    """From a feature map on the group back to maps on the plane that turn with the input.

    ``y[o](t) = sum_{c, h, p} x[c](p, h) psi[o, c](h^-1 (p - t))``

    Arguments as in :class:`LiftConv2d`.

    Shape:
        ``[B, in_channels, |G|, H, W]`` to ``[B, out_channels, H', W']``.

    Equivariance: ``f(L_g x) = g f(x)``; exact for the elements that move the pixel grid onto itself, so for all of
    C1, C2, C4, D1, D2 and D4; approximate for the others of larger groups.

    Raises:
        ShapeError: the input is not a feature map on the group.
        GridError: the input size does not fit stride, kernel and padding.

    Source: Li et al. 2017 (decycle layer).

    >>> import torch
    >>> ProjectConv2d(2, 1, 1, group="C4")(torch.randn(1, 2, 4, 9, 9)).shape
    torch.Size([1, 1, 9, 9])
    """

    kernel_on_group, input_on_group = False, True

    def forward(self, x: Float[Tensor, "batch channel group height width"]) -> Float[Tensor, "batch out_channels h w"]:
        """Convolve."""
        return functional.project_conv2d(x, self.weight, self.bias, **self._options())


class GroupConvTranspose2d(GroupConvBase):
    """Transposed group convolution: learned upsampling. ``y[o](g) = sum_h sum_c x[c](h) psi[c, o](h^-1 g)``.

    Kernel 4, stride 2, padding 1 doubles the size; kernel 3, stride 2, padding 1 takes n to 2n - 1.

    Args:
        in_channels: fields of the input.
        out_channels: fields of the output.
        kernel_size: taps.
        group: C_n or D_n, as a group or its name, such as ``"D4"`` or ``"C16"``.
        output_padding: pixels added on one side; must be 0 unless ``strict=False``.
        stride, padding, dilation, groups, bias: as in :class:`torch.nn.ConvTranspose2d`.
        strict: raise GridError for what cannot be exact.
        interpolation, mask, renormalize: as in :class:`GroupConv2d`.
        device, dtype: of the parameters.

    Shape:
        ``[B, in_channels, |G|, H, W]`` to ``[B, out_channels, |G|, H', W']``.

    Equivariance: regular to regular; exact for the elements that move the pixel grid onto itself, so for all of C1, C2,
    C4, D1, D2 and D4; approximate for the others of larger groups.

    Raises:
        ShapeError: the input is not a feature map on the group.
        GridError: ``output_padding`` is not 0.

    Source: the G-CNN segmentation study, eq. 11.

    >>> import torch
    >>> GroupConvTranspose2d(2, 1, 4, group="C4", stride=2, padding=1)(torch.randn(1, 2, 4, 5, 5)).shape
    torch.Size([1, 1, 4, 10, 10])
    """

    kernel_on_group, input_on_group, transposed = True, True, True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size2,
        *,
        group: PlanarGroup | str,
        stride: Size2 = 1,
        padding: Size2 = 0,
        output_padding: Size2 = 0,
        dilation: Size2 = 1,
        groups: int = 1,
        bias: bool = True,
        strict: bool = True,
        interpolation: Interpolation = "bilinear",
        mask: Mask | None = None,
        renormalize: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, group=group, stride=stride, padding=padding, dilation=dilation,
            groups=groups, bias=bias, strict=strict, interpolation=interpolation, mask=mask, renormalize=renormalize,
            device=device, dtype=dtype,
        )  # fmt: skip
        self.output_padding = grid_pair("output_padding", output_padding, self.group, least=0)
        check_output_padding(self.group, self.output_padding, strict=strict)

    @property
    def fan_in(self) -> float:
        """Mean number of products summed in one output value: a stride spreads the kernel over its square."""
        return super().fan_in / math.prod(self.stride)

    def forward(
        self, x: Float[Tensor, "batch channel group height width"]
    ) -> Float[Tensor, "batch channel2 group h w"]:
        """Convolve."""
        return functional.group_conv_transpose2d(
            x, self.weight, self.bias, **self._options(), output_padding=self.output_padding
        )

    def extra_repr(self) -> str:
        extra = f", output_padding={self.output_padding}" if self.output_padding != (0, 0) else ""
        return super().extra_repr() + extra
