"""Deformable convolutions over a group: taps move to where the picture wants them, and turn with it.

Offsets are ``[batch, tap, 2, height, width]``: how far each tap has moved at each output position, in pixels, to the
right and up. Shape legend: T taps of the kernel, C input fields, G order of the group.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from equivision.errors import GroupMismatchError, ShapeError
from equivision.filters import tap_table
from equivision.functional._checks import Size2, check_fields, without_autocast
from equivision.functional._conv import convolve, fitted
from equivision.functional._filters import check_slots, group_filters, lift_filters
from equivision.functional._layout import FieldLayout, check_group_axis
from equivision.groups import PlanarGroup
from equivision.kernels import Window

_HALF = (torch.float16, torch.bfloat16)


def offset_tables(group: PlanarGroup, kernel_size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """What moves the kernels that predict offsets; modules keep both as buffers.

    Returns:
        Where a pair (tap that moves, tap that is read) of the moved kernel is read, ``[order, T * T]``; and the
        matrices of the elements, ``[order, 2, 2]``.
    """
    taps = torch.from_numpy(tap_table(group, kernel_size).copy())
    pairs = taps[:, :, None] * taps.shape[1] + taps[:, None, :]
    matrices = torch.stack([torch.from_numpy(group.matrix(g)) for g in range(group.order)])
    return pairs.flatten(1), matrices.round()  # 0, 1 and -1 on the pixel grid


def offset_filters(
    weight: Float[Tensor, "coordinates in_channels kh kw"],
    group: PlanarGroup,
    *,
    slots: bool,
    slots_first: bool = False,
    tables: tuple[Int[Tensor, "order pairs"], Float[Tensor, "order 2 2"]] | None = None,
) -> Float[Tensor, "coordinates in_maps kh kw"]:
    """Filters that predict offsets which turn with the picture: ``K[g j](g u) = R_g K[j](u)`` for taps j.

    From a map on the plane that is the mean of a free kernel over the group, ``K = 1/|G| sum_h h . psi``. From a map on
    the group every slot has its own, ``K[slot h] = h . psi``. In both ``(h . psi)[j](u) = R_h psi[h^-1 j](h^-1 u)``.

    Args:
        weight: psi; two numbers (to the right, up) for each tap, tap by tap.
        group: C1, C2, C4, D1, D2 or D4.
        slots: whether the input is a map on the group.
        slots_first: whether the maps of the input are numbered slot by slot.
        tables: :func:`offset_tables` of the group and kernel size, to save building them.

    Raises:
        ShapeError: the weight has not two numbers for each tap.

    >>> from equivision.groups import cyclic
    >>> filters = offset_filters(torch.randn(2 * 9, 4, 3, 3), cyclic(4), slots=True)
    >>> filters.shape
    torch.Size([18, 16, 3, 3])
    """
    kernel_size = (weight.shape[-2], weight.shape[-1])
    if weight.ndim != 4 or weight.shape[0] != 2 * kernel_size[0] * kernel_size[1]:
        raise ShapeError(
            f"weight has shape {tuple(weight.shape)}; a kernel that predicts offsets needs [2 * kh * kw, in_channels, "
            "kh, kw], two numbers for each tap"
        )
    pairs, matrices = offset_tables(group, kernel_size) if tables is None else tables
    taps = weight.shape[0] // 2
    with without_autocast(weight):
        read = weight.reshape(taps, 2, -1, taps).permute(1, 2, 0, 3).flatten(2)  # 2 C (T T)
        read = read.index_select(2, pairs.to(weight.device).reshape(-1)).unflatten(2, (len(pairs), taps, taps))
        moved = torch.einsum("gwv,vcgju->jwgcu", matrices.to(weight), read)  # T 2 G C T
        if slots:
            moved = moved if slots_first else moved.transpose(2, 3)
            return moved.flatten(2, 3).flatten(0, 1).unflatten(-1, kernel_size)
        return moved.mean(2).flatten(0, 1).unflatten(-1, kernel_size)


def mean_bias(bias: Tensor, tables: tuple[Tensor, Tensor]) -> Tensor:
    """The mean over the group of vectors at the taps: ``b[g j] = R_g b[j]``."""
    pairs, matrices = tables
    taps = len(bias) // 2
    with without_autocast(bias):
        moved = bias.view(taps, 2)[pairs[:, ::taps].to(bias.device) // taps]  # G T 2
        return torch.einsum("gwv,gjv->gjw", matrices.to(bias), moved).mean(0).flatten()


def tap_offsets(
    x: Float[Tensor, "batch in_channels *group height width"],
    weight: Float[Tensor, "coordinates in_channels kh kw"],
    bias: Float[Tensor, " coordinates"] | None = None,
    *,
    group: PlanarGroup,
    stride: Size2 = 1,
    padding: Size2 | str = 0,
    dilation: Size2 = 1,
    padding_mode: str = "zeros",
    strict: bool = True,
    tables: tuple[Int[Tensor, "order pairs"], Float[Tensor, "order 2 2"]] | None = None,
) -> Float[Tensor, "batch taps 2 out_height out_width"]:
    """Predict offsets for a deformable convolution by a convolution whose kernels are constrained.

    Args:
        x: image, or feature map on the group.
        weight: free kernels, of which :func:`offset_filters` makes constrained ones.
        bias: a free vector for each tap; its mean over the group is taken.
        group, stride, padding, dilation, padding_mode, strict: those of the deformable convolution.
        tables: as in :func:`offset_filters`.

    Returns:
        How far each tap moves, to the right and up, in pixels.

    Equivariance: taps are exchanged, positions moved and vectors turned, ``D[g j](g p; L_g x) = R_g D[j](p; x)``;
        exact.

    Raises:
        ShapeError: x is no image or feature map with that many channels, or weights do not fit.
        GridError: stride and size leave the sampled positions off centre.

    >>> from equivision.groups import dihedral
    >>> tap_offsets(torch.randn(1, 3, 7, 7), torch.randn(18, 3, 3, 3), group=dihedral(4), padding=1).shape
    torch.Size([1, 9, 2, 7, 7])
    """
    layer, slots = "tap_offsets", x.ndim == 5
    if x.ndim not in (4, 5):
        raise ShapeError(
            f"{layer}: input has shape {tuple(x.shape)}; needs an image, [batch, channel, height, width], or a feature "
            "map on the group, [batch, channel, group, height, width]"
        )
    tables = offset_tables(group, (weight.shape[-2], weight.shape[-1])) if tables is None else tables
    check_fields(bias, weight, weight.shape[0], 1, layer)
    layout = None
    if slots:
        check_group_axis(x, group, layer)
        layout = FieldLayout.of(x)
    first = layout is not None and layout.slots_first
    bank = offset_filters(weight, group, slots=slots, slots_first=first, tables=tables)
    maps = x if layout is None else layout.flatten(x)
    y = convolve(
        maps, bank, None if bias is None else mean_bias(bias, tables), groups=1, layer=layer, group=group,
        stride=stride, padding=padding, dilation=dilation, padding_mode=padding_mode, strict=strict,
        slots=group.order if slots else None,
    )  # fmt: skip
    return y.unflatten(1, (-1, 2))


def tap_places(kernel_size: tuple[int, int], dilation: tuple[int, int], like: Tensor) -> Float[Tensor, "taps 2 1 1"]:
    """Where the taps are before they move, from the centre of the kernel, to the right and up."""
    rows, columns = (
        step * (torch.arange(k, device=like.device, dtype=like.dtype) - (k - 1) / 2)
        for k, step in zip(kernel_size, dilation, strict=True)
    )
    right, down = columns.expand(len(rows), -1), rows[:, None].expand(-1, len(columns))
    return torch.stack([right, -down], -1).flatten(0, 1)[:, :, None, None]


def sample_at(
    x: Tensor, places: Tensor, kernel_size: tuple[int, int], window: Window
) -> Float[Tensor, "batch channels tap_rows tap_columns"]:
    """Read maps between their pixels, bilinearly, with zeros outside.

    Args:
        x: maps.
        places: of every tap at every position of the window, from its centre, to the right and up, ``[B, T, 2, H',
            W']``.
        kernel_size: taps of a side.
        window: which has these positions.

    Returns:
        The value at the tap (i, j) of the position (r, c) stands at ``(kh r + i, kw c + j)``: a convolution with a
        stride of one kernel is what is left to do. Only calls of torch on tensors, so that this can be traced.
    """
    counted = torch.ones_like(places[:, :1, 0])
    grid = []
    for axis, coordinate, sign in ((-1, 0, 1), (-2, 1, -1)):
        side, step, border = x.shape[axis], window.stride[axis], window.padding[axis]
        reach = window.dilation[axis] * (kernel_size[axis] - 1) / 2
        centre = step * (counted.cumsum(axis) - 1) + (reach - border - (side - 1) / 2)  # from the middle of the map
        grid.append((centre + sign * places[:, :, coordinate]) * (2 / side))
    at = torch.stack(grid, -1).unflatten(1, kernel_size)  # B kh kw H' W' 2
    at = at.permute(0, 3, 1, 4, 2, 5).flatten(3, 4).flatten(1, 2)
    # pixel centres lie at odd multiples of half a pixel from the middle: align_corners=False, and symmetric
    return F.grid_sample(x, at, mode="bilinear", padding_mode="zeros", align_corners=False)


def _check_group(group: PlanarGroup, layer: str) -> None:
    if not group.is_on_grid:
        raise GroupMismatchError(
            f"{layer}: group={group.name} holds rotations by {360 / group.rotations:g} degrees, which do not exchange "
            "taps: use C1, C2, C4, D1, D2 or D4"
        )


def _deformed(
    maps: Tensor, offset: Tensor, bank: Tensor, bias: Tensor | None, window: Window, groups: int, layer: str
) -> Tensor:
    """Read the maps where the taps have moved to, then convolve with a stride of one kernel."""
    kernel_size = (bank.shape[-2], bank.shape[-1])
    size = window.out_size((maps.shape[-2], maps.shape[-1]), kernel_size)
    needed = (maps.shape[0], kernel_size[0] * kernel_size[1], 2, *size)
    if offset.shape != needed:
        raise ShapeError(
            f"{layer}: offset has shape {tuple(offset.shape)}; needs [batch, taps, 2, out_height, out_width], {needed}"
        )
    wide = torch.float32 if maps.dtype in _HALF else maps.dtype  # half precision cannot tell pixels apart
    with without_autocast(maps):
        places = offset.to(wide) + tap_places(kernel_size, window.dilation, offset.to(wide))
        sampled = sample_at(maps.to(wide), places, kernel_size, window).to(maps.dtype)
    return F.conv2d(sampled, bank, bias, stride=kernel_size, groups=groups)


def deformable_lift_conv2d(
    x: Float[Tensor, "batch in_channels height width"],
    offset: Float[Tensor, "batch taps 2 out_height out_width"],
    weight: Float[Tensor, "out_channels in_channels_per_group kh kw"],
    bias: Float[Tensor, " out_channels"] | None = None,
    *,
    group: PlanarGroup,
    stride: Size2 = 1,
    padding: Size2 | str = 0,
    dilation: Size2 = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    strict: bool = True,
    table: Int[Tensor, "order entries"] | None = None,
) -> Float[Tensor, "batch out_channels group out_height out_width"]:
    """Correlate an image with every transformed copy of each kernel, at taps that have moved.

    ``y[o, h](t) = sum_{c, j} x[c](t + q_j + D_j(t)) psi[o, c](h^-1 q_j)``: the taps q_j move by the offsets D_j, the
    same for all elements h; between pixels x is read bilinearly, outside it is 0.

    Args:
        x: image.
        offset: D, how far each tap moves to the right and up, in pixels; :func:`tap_offsets` predicts them.
        weight, bias, group, stride, padding, dilation, groups, padding_mode, strict, table: as in :func:`lift_conv2d`;
            C1, C2, C4, D1, D2 and D4 only.

    Equivariance: ``f(g x) = L_g f(x)``, exact, if the offsets move along, ``D[g j](g t; g x) = R_g D[j](t; x)``, as
        those of :func:`tap_offsets` do. Any other offsets break it.

    Raises:
        ShapeError: x is not an image, or offsets, weights or channels do not fit.
        GridError: stride and size leave the sampled positions off centre.

    Source: Dai et al. 2017 (deformable convolution); the condition on the offsets follows from the article on the
        principles of group-equivariant networks.
    """
    layer = "DeformableLiftConv2d"
    if x.ndim != 4:
        raise ShapeError(
            f"{layer}: input has shape {tuple(x.shape)}; an image is [batch, channel, height, width]. Feature maps on "
            "the group go through DeformableGroupConv2d"
        )
    check_fields(bias, weight, weight.shape[0], groups, layer)
    _check_group(group, layer)
    layout = FieldLayout.lifted(x, group.order, groups=groups)
    maps, window = fitted(
        x, weight, taken=weight.shape[1] * groups, layer=layer, group=group, stride=stride, padding=padding,
        dilation=dilation, padding_mode=padding_mode, strict=strict,
    )  # fmt: skip
    bank = lift_filters(weight, group, table, slots_first=layout.slots_first)
    return layout.unflatten(_deformed(maps, offset, bank, layout.over_group(bias), window, groups, layer))


def deformable_group_conv2d(
    x: Float[Tensor, "batch in_channels group height width"],
    offset: Float[Tensor, "batch taps 2 out_height out_width"],
    weight: Float[Tensor, "out_channels in_channels_per_group group kh kw"],
    bias: Float[Tensor, " out_channels"] | None = None,
    *,
    group: PlanarGroup,
    stride: Size2 = 1,
    padding: Size2 | str = 0,
    dilation: Size2 = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    strict: bool = True,
    table: Int[Tensor, "order entries"] | None = None,
) -> Float[Tensor, "batch out_channels group out_height out_width"]:
    """Group convolution of a feature map on the group, at taps that have moved.

    ``y[o](t, h) = sum_{c, h', j} x[c](t + q_j + D_j(t), h') psi[o, c](h^-1 h', h^-1 q_j)``. All slots of input and
    output share the offsets of a position.

    Arguments as in :func:`deformable_lift_conv2d`; ``weight`` has a group axis.

    Equivariance: regular to regular, ``f(L_g x) = L_g f(x)``, exact, if the offsets move along, as those of
        :func:`tap_offsets` do.

    Raises:
        ShapeError: x is not a feature map on the group, or offsets, weights or channels do not fit.
        GridError: stride and size leave the sampled positions off centre.

    Source: as :func:`deformable_lift_conv2d`; the same condition on the offsets carries over to maps on the group.
    """
    layer = "DeformableGroupConv2d"
    check_slots(weight, group)
    check_group_axis(x, group, layer)
    check_fields(bias, weight, weight.shape[0], groups, layer)
    _check_group(group, layer)
    layout = FieldLayout.of(x, groups=groups)
    maps, window = fitted(
        layout.flatten(x), weight, taken=weight.shape[1] * group.order * groups, layer=layer, group=group,
        stride=stride, padding=padding, dilation=dilation, padding_mode=padding_mode, strict=strict, slots=group.order,
    )  # fmt: skip
    bank = group_filters(weight, group, table, slots_first=layout.slots_first)
    return layout.unflatten(_deformed(maps, offset, bank, layout.over_group(bias), window, groups, layer))
