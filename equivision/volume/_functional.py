"""Group convolutions and pools on voxel grids with explicit weights: what is done in the plane, in space."""

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from equivision.errors import GroupMismatchError, ShapeError
from equivision.functional._checks import Size3
from equivision.functional._conv import group_to_group, lift_to_group, project_from_group
from equivision.functional._pool import pool_space
from equivision.groups import PointGroup, parse_point


def voxel_group(group: PointGroup | str) -> PointGroup:
    """A group or its name, if it maps the voxel grid onto itself.

    Raises:
        GroupMismatchError: it does not, or the name is not understood.
    """
    parsed = parse_point(group)
    if not parsed.is_on_grid:
        raise GroupMismatchError(
            f"group={parsed.name} is {parsed.system}: it holds rotations by 120 degrees about z, which do not map the "
            "voxel grid onto itself. Choose O (432), Oh (m-3m) or another group of the triclinic, monoclinic, "
            "orthorhombic, tetragonal or cubic system, such as 422 or mmm"
        )
    return parsed


def lift_conv3d(
    x: Float[Tensor, "batch in_channels depth height width"],
    weight: Float[Tensor, "out_channels in_channels_per_group kd kh kw"],
    bias: Float[Tensor, " out_channels"] | None = None,
    *,
    group: PointGroup,
    stride: Size3 = 1,
    padding: Size3 | str = 0,
    dilation: Size3 = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    strict: bool = True,
    table: Int[Tensor, "order entries"] | None = None,
) -> Float[Tensor, "batch out_channels group out_depth out_height out_width"]:
    """Correlate a volume with every transformed copy of each kernel.

    ``y[o, h](t) = sum_{c, p} x[c](p) psi[o, c](h^-1 (p - t))``

    Args:
        x: volume.
        weight: one kernel for each output field.
        bias: one number for each output field.
        group: a point group that maps the voxel grid onto itself, such as O or O_h.
        stride, padding, dilation, groups, padding_mode: as in :class:`torch.nn.Conv3d`.
        strict: raise GridError where stride and size cannot be exact.
        table: :func:`equivision.functional.filter_table` of the group and kernel size, to save building it.

    Equivariance: exact, volumes to the regular representation, ``f(g x) = L_g f(x)``.

    Raises:
        ShapeError: x is not a volume, or the number of channels does not fit.
        GridError: stride and size leave the sampled positions off centre.
        GroupMismatchError: the group is not on the voxel grid, or exchanges axes that are treated differently.

    Source: Winkels & Cohen 2018, section 3; Cohen & Welling 2016, eq. 10.
    """
    if x.ndim != 5:
        raise ShapeError(
            f"LiftConv3d: input has shape {tuple(x.shape)}; a volume is [batch, channel, depth, height, width]. "
            "Feature maps on the group go through GroupConv3d"
        )
    return lift_to_group(
        x, weight, bias, layer="LiftConv3d", group=voxel_group(group), stride=stride, padding=padding,
        dilation=dilation, groups=groups, padding_mode=padding_mode, strict=strict, table=table,
    )  # fmt: skip


def group_conv3d(
    x: Float[Tensor, "batch in_channels group depth height width"],
    weight: Float[Tensor, "out_channels in_channels_per_group group kd kh kw"],
    bias: Float[Tensor, " out_channels"] | None = None,
    *,
    group: PointGroup,
    stride: Size3 = 1,
    padding: Size3 | str = 0,
    dilation: Size3 = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    strict: bool = True,
    table: Int[Tensor, "order entries"] | None = None,
) -> Float[Tensor, "batch out_channels group out_depth out_height out_width"]:
    """Group convolution of a feature map on the group.

    ``y[o](t, h) = sum_{c, h', p} x[c](p, h') psi[o, c](h^-1 h', h^-1 (p - t))``

    Arguments as in :func:`lift_conv3d`; ``weight`` has a group axis. It runs as one ordinary convolution of C |G| maps
    with all transformed copies of the filters.

    Equivariance: exact, regular to regular, ``f(L_g x) = L_g f(x)``.

    Raises:
        ShapeError: x is not a feature map on the group, or the number of channels does not fit.
        GridError: stride and size leave the sampled positions off centre.
        GroupMismatchError: the group is not on the voxel grid, or exchanges axes that are treated differently.

    Source: Winkels & Cohen 2018, section 3; Cohen & Welling 2016, eq. 11.
    """
    return group_to_group(
        x, weight, bias, layer="GroupConv3d", group=voxel_group(group), stride=stride, padding=padding,
        dilation=dilation, groups=groups, padding_mode=padding_mode, strict=strict, table=table,
    )  # fmt: skip


def project_conv3d(
    x: Float[Tensor, "batch in_channels group depth height width"],
    weight: Float[Tensor, "out_channels in_channels_per_group kd kh kw"],
    bias: Float[Tensor, " out_channels"] | None = None,
    *,
    group: PointGroup,
    stride: Size3 = 1,
    padding: Size3 | str = 0,
    dilation: Size3 = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    strict: bool = True,
    table: Int[Tensor, "order entries"] | None = None,
) -> Float[Tensor, "batch out_channels out_depth out_height out_width"]:
    """Convolve a feature map on the group down to volumes.

    ``y[o](t) = sum_{c, h, p} x[c](p, h) psi[o, c](h^-1 (p - t))``

    Arguments as in :func:`lift_conv3d`.

    Equivariance: exact, regular to volumes, ``f(L_g x) = g f(x)``.

    Raises:
        ShapeError: x is not a feature map on the group, or the number of channels does not fit.
        GridError: stride and size leave the sampled positions off centre.
        GroupMismatchError: the group is not on the voxel grid, or exchanges axes that are treated differently.

    Source: Li et al. 2017 (decycle layer), in space.
    """
    return project_from_group(
        x, weight, bias, layer="ProjectConv3d", group=voxel_group(group), stride=stride, padding=padding,
        dilation=dilation, groups=groups, padding_mode=padding_mode, strict=strict, table=table,
    )  # fmt: skip


def max_pool3d(
    x: Float[Tensor, "batch channel *rest"],
    kernel_size: Size3,
    *,
    group: PointGroup,
    stride: Size3 | None = None,
    padding: Size3 = 0,
    strict: bool = True,
) -> Float[Tensor, "batch channel *out"]:
    """Spatial max pooling of volumes ``[B, C, D, H, W]`` or maps on a group ``[B, C, G, D, H, W]``, where centred.

    Equivariance: exact where ``(n + 2 padding - kernel_size) mod stride == 0`` along every axis that the group reverses
    or exchanges.

    Raises:
        GridError: the windows are not centred on the volume.
    """
    return pool_space(
        x, "MaxPool3d", F.max_pool3d, voxel_group(group), kernel_size, stride, padding, strict
    )  # fmt: skip


def avg_pool3d(
    x: Float[Tensor, "batch channel *rest"],
    kernel_size: Size3,
    *,
    group: PointGroup,
    stride: Size3 | None = None,
    padding: Size3 = 0,
    strict: bool = True,
) -> Float[Tensor, "batch channel *out"]:
    """Spatial mean pooling; as :func:`max_pool3d`."""
    return pool_space(
        x, "AvgPool3d", F.avg_pool3d, voxel_group(group), kernel_size, stride, padding, strict
    )  # fmt: skip
