"""Group convolutions on voxel grids as modules: parameters, and one call of the functional twin."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from equivision.functional._checks import PaddingMode, Size3
from equivision.groups import PointGroup
from equivision.nn._base import GroupConvBase
from equivision.volume._functional import group_conv3d, lift_conv3d, project_conv3d, voxel_group


class VolumeConvBase(GroupConvBase):
    """What the convolutions of volumes share: the arguments, of which none interpolates, and the groups of space."""

    any_angle = False
    group: PointGroup
    kernel_size: tuple[int, int, int]
    stride: tuple[int, int, int]
    padding: tuple[int, int, int]
    dilation: tuple[int, int, int]

    # narrows what the base class takes: groups of space, one number or three, and none of the options of kernels that
    # are interpolated, which would be taken and change nothing
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size3,
        *,
        group: PointGroup | str,
        stride: Size3 = 1,
        padding: Size3 | str = 0,
        dilation: Size3 = 1,
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

    @classmethod
    def acting(cls, group: Any) -> PointGroup:
        """The group that acts, of a group or its name."""
        return voxel_group(group)

    def _sampling(self) -> None:
        return None


class LiftConv3d(VolumeConvBase):
    """From a volume to a feature map on the group: every kernel is applied in all its orientations.

    ``y[o, h](t) = sum_{c, p} x[c](p) psi[o, c](h^-1 (p - t))``

    Args:
        in_channels: channels of the volume.
        out_channels: fields, each with one map for every group element.
        kernel_size: one number; (depth, height, width) where the group does not exchange the axes. Even sizes are fine.
        group: a point group that maps the voxel grid onto itself, as a group or its name: ``"O"``, ``"Oh"``, or a
            Hermann-Mauguin symbol such as ``"422"`` or ``"mmm"``.
        stride, padding, dilation, groups, bias, padding_mode: as in :class:`torch.nn.Conv3d`.
        strict: raise GridError where stride and size cannot be exact.
        device, dtype: of the parameters.

    Shape:
        ``[B, in_channels, D, H, W]`` to ``[B, out_channels, |G|, D', H', W']``.

    Equivariance: exact, ``f(g x) = L_g f(x)``.

    Raises:
        GridError: the input size does not fit stride, kernel and padding.
        GroupMismatchError: the group is not on the voxel grid, or exchanges axes that are treated differently.
        ConfigError: an argument is out of range.

    Source: Winkels & Cohen 2018, section 3.

    >>> LiftConv3d(1, 4, 3, group="O", padding=1)(torch.randn(1, 1, 5, 5, 5)).shape
    torch.Size([1, 4, 24, 5, 5, 5])
    """

    kernel_on_group, input_on_group = False, False

    def forward(self, x: Float[Tensor, "batch in_channels depth height width"]) -> Float[Tensor, "b c group d h w"]:
        """Convolve."""
        return lift_conv3d(x, self.weight, self.bias, **self._options())


class GroupConv3d(VolumeConvBase):
    """Convolution of a feature map on the group.

    ``y[o](t, h) = sum_{c, h', p} x[c](p, h') psi[o, c](h^-1 h', h^-1 (p - t))``

    Arguments as in :class:`LiftConv3d`, with fields in the place of channels.

    Shape:
        ``[B, in_channels, |G|, D, H, W]`` to ``[B, out_channels, |G|, D', H', W']``.

    Equivariance: exact, ``f(L_g x) = L_g f(x)``.

    Raises:
        ShapeError: the input is not a feature map on the group.
        GridError: the input size does not fit stride, kernel and padding.
        GroupMismatchError: the group is not on the voxel grid, or exchanges axes that are treated differently.
        ConfigError: an argument is out of range.

    Source: Winkels & Cohen 2018, section 3.

    >>> GroupConv3d(2, 3, 3, group="222")(torch.randn(1, 2, 4, 5, 5, 5)).shape
    torch.Size([1, 3, 4, 3, 3, 3])
    """

    kernel_on_group, input_on_group = True, True

    def forward(
        self, x: Float[Tensor, "batch in_channels group depth height width"]
    ) -> Float[Tensor, "batch out_channels group d h w"]:
        """Convolve."""
        return group_conv3d(x, self.weight, self.bias, **self._options())


class ProjectConv3d(VolumeConvBase):
    """From a feature map on the group back to volumes that turn with the input.

    ``y[o](t) = sum_{c, h, p} x[c](p, h) psi[o, c](h^-1 (p - t))``

    Arguments as in :class:`LiftConv3d`, with fields in the place of input channels.

    Shape:
        ``[B, in_channels, |G|, D, H, W]`` to ``[B, out_channels, D', H', W']``.

    Equivariance: exact, ``f(L_g x) = g f(x)``.

    Raises:
        ShapeError: the input is not a feature map on the group.
        GridError: the input size does not fit stride, kernel and padding.
        GroupMismatchError: the group is not on the voxel grid, or exchanges axes that are treated differently.

    Source: Li et al. 2017 (decycle layer), in space.

    >>> ProjectConv3d(2, 1, 1, group="mmm")(torch.randn(1, 2, 8, 5, 6, 7)).shape
    torch.Size([1, 1, 5, 6, 7])
    """

    kernel_on_group, input_on_group = False, True

    def forward(
        self, x: Float[Tensor, "batch in_channels group depth height width"]
    ) -> Float[Tensor, "batch out_channels d h w"]:
        """Convolve."""
        return project_conv3d(x, self.weight, self.bias, **self._options())
