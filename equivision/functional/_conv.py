"""Group convolutions on the grid: plane to group, group to group, group to plane, transposed.

Feature maps on a group are ``[batch, channel, group, height, width]``; inside, channel and group are flattened into the
maps of one ordinary convolution with an expanded filter bank. What takes the name of a layer does the same in space, on
``[batch, channel, group, depth, height, width]``. Output lies in memory as the input does: contiguous, or
channels last (:mod:`equivision.functional._layout`).
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from equivision.errors import ConfigError, ShapeError
from equivision.functional._algorithm import takes_fourier
from equivision.functional._checks import (
    Size2,
    check_border,
    check_dtypes,
    check_enlarged,
    check_fields,
    check_output_padding,
    each_axis,
    pair,
    resolve_padding,
)
from equivision.functional._filters import (
    check_slots,
    default_sampling,
    group_filters,
    kernel_taps,
    lift_filters,
    project_filters,
    transposed_filters,
)
from equivision.functional._fourier import fourier_conv2d
from equivision.functional._grid import check_fits, check_grid, check_square
from equivision.functional._layout import FieldLayout, check_group_axis, is_image_channels_last
from equivision.functional._subgroup import from_inner, inner_weight, to_inner
from equivision.groups import PlanarGroup, SpatialGroup
from equivision.kernels import Window

_CONVOLVE: dict[int, Callable[..., Tensor]] = {2: F.conv2d, 3: F.conv3d}


def fitted(
    x: Tensor,
    weight: Tensor,
    *,
    layer: str,
    group: SpatialGroup,
    taken: int,
    stride: int | tuple[int, ...],
    padding: int | tuple[int, ...] | str,
    dilation: int | tuple[int, ...],
    padding_mode: str,
    strict: bool,
    slots: int | None = None,
    taps: tuple[int, ...] | None = None,
) -> tuple[Tensor, Window]:
    """Check that a window fits, and pad for all modes but zeros: the maps and the window that are left.

    Args:
        x: maps, ``[B, channels, H, W]`` or ``[B, channels, D, H, W]``.
        weight: its last axes are the taps.
        layer: who complains.
        taken: channels that the filters take.
        slots: length of the group axis that x has flattened, if any.
        taps: those of the kernel, where the weight does not say.
        group, stride, padding, dilation, padding_mode, strict: those of the layer.
    """
    axes = group.dimension
    kernel_size = taps if taps is not None else tuple(weight.shape[-axes:])
    steps = each_axis(stride, "stride", axes=axes, least=1)
    spread = each_axis(dilation, "dilation", axes=axes, least=1)
    border = resolve_padding(padding, kernel_size, spread)
    if x.shape[1] != taken:
        counted, given = ("channel(s)" if slots is None else "field(s)"), x.shape[1]
        given, taken = given // (slots or 1), taken // (slots or 1)
        raise ShapeError(
            f"{layer}: input has {given} {counted}, the filters take {taken}: build the layer with "
            f"in_channels={given}, or give it {taken} {counted}"
        )
    check_dtypes(x, weight, layer)
    size = tuple(x.shape[-axes:])
    check_fits(layer, size, kernel_size, border, spread)
    if strict:
        check_grid(layer, group, size, kernel_size, steps, border, spread)
    if padding_mode != "zeros" and any(border):
        check_border(layer, size, border, padding_mode)
        last = is_image_channels_last(x)
        x = F.pad(x, [sides for pixels in reversed(border) for sides in (pixels, pixels)], mode=padding_mode)
        x, border = x.contiguous(memory_format=torch.channels_last) if last else x, (0,) * axes
    window: Any = (steps, border, spread)  # in space of three numbers each
    return x, Window(*window)


def convolve(x: Tensor, bank: Tensor, bias: Tensor | None, *, groups: int, **options: Any) -> Tensor:
    """One ordinary convolution with a bank of filters; options as in :func:`fitted`."""
    x, window = fitted(x, bank, taken=bank.shape[1] * groups, **options)
    return _CONVOLVE[x.ndim - 2](x, bank, bias, *window, groups)


def lift_conv2d(
    x: Float[Tensor, "batch in_channels height width"],
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
    sampling: Float[Tensor, "order places numbers"] | None = None,
) -> Float[Tensor, "batch out_channels group out_height out_width"]:
    """Correlate an image with every transformed copy of each kernel.

    ``y[o, h](t) = sum_{c, p} x[c](p) psi[o, c](h^-1 (p - t))``

    Args:
        x: image.
        weight: one kernel for each output field.
        bias: one number for each output field.
        group: C_n or D_n.
        stride, padding, dilation, groups, padding_mode: as in :class:`torch.nn.Conv2d`.
        strict: raise GridError where stride and size cannot be exact.
        table, sampling: :func:`filter_table` and :func:`filter_sampling` of the group and kernel size, to save building
            them, or with other options than the defaults.

    Equivariance: plane to regular representation, ``f(g x) = L_g f(x)``; exact for the elements of the group that move
    the pixel grid onto itself, so for all of C1, C2, C4, D1, D2 and D4; approximate for the others.

    Raises:
        ShapeError: x is not an image, or the number of channels does not fit.
        GridError: stride and size leave the sampled positions off centre.

    Source: Cohen & Welling 2016, eq. 10.
    """
    if x.ndim != 4:
        raise ShapeError(
            f"LiftConv2d: input has shape {tuple(x.shape)}; an image is [batch, channel, height, width]. "
            "Feature maps on the group go through GroupConv2d"
        )
    return lift_to_group(
        x, weight, bias, layer="LiftConv2d", group=group, stride=stride, padding=padding, dilation=dilation,
        groups=groups, padding_mode=padding_mode, strict=strict, table=table, sampling=sampling,
    )  # fmt: skip


def lift_to_group(
    x: Tensor, weight: Tensor, bias: Tensor | None, *, layer: str, group: SpatialGroup, groups: int,
    table: Tensor | None, sampling: Tensor | None = None, **options: Any,
) -> Tensor:  # fmt: skip
    """:func:`lift_conv2d` under the name of another layer."""
    check_fields(bias, weight, weight.shape[0], groups, layer)
    layout = FieldLayout.lifted(x, group.order, groups=groups)
    bank = lift_filters(weight, group, table, sampling=sampling, slots_first=layout.slots_first)
    y = convolve(x, bank, layout.over_group(bias), layer=layer, group=group, groups=groups, **options)
    return layout.unflatten(y)


def group_conv2d(
    x: Float[Tensor, "batch in_channels group height width"],
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
    sampling: Float[Tensor, "order places numbers"] | None = None,
    algorithm: str = "auto",
) -> Float[Tensor, "batch out_channels group out_height out_width"]:
    """Group convolution of a feature map on the group.

    ``y[o](t, h) = sum_{c, h', p} x[c](p, h') psi[o, c](h^-1 h', h^-1 (p - t))``

    Arguments as in :func:`lift_conv2d`; ``weight`` has a group axis.

    Args:
        algorithm: ``"expand"`` runs one ordinary convolution with all transformed copies of the filters;
            ``"fourier"`` block-diagonalises over the group, or over the C4 or D4 inside a larger one, with 2.7 (C4) or
            5.3 (D4) times fewer products;
            ``"auto"`` takes the one that should be faster. The results are equal to rounding.

    Equivariance: regular to regular, ``f(L_g x) = L_g f(x)``; exact and approximate as :func:`lift_conv2d`.

    Raises:
        ShapeError: x is not a feature map on the group, or the number of channels does not fit.
        GridError: stride and size leave the sampled positions off centre.
        ConfigError: the algorithm is not known.

    Source: Cohen & Welling 2016, eq. 11.
    """
    return group_to_group(
        x, weight, bias, layer="GroupConv2d", group=group, stride=stride, padding=padding, dilation=dilation,
        groups=groups, padding_mode=padding_mode, strict=strict, table=table, sampling=sampling, algorithm=algorithm,
    )  # fmt: skip


def group_to_group(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    layer: str,
    group: SpatialGroup,
    groups: int,
    table: Tensor | None,
    algorithm: str = "expand",
    sampling: Tensor | None = None,
    **options: Any,
) -> Tensor:
    """:func:`group_conv2d` under the name of another layer."""
    check_slots(weight, group)
    check_group_axis(x, group, layer)
    check_fields(bias, weight, weight.shape[0], groups, layer)
    layout, order = FieldLayout.of(x, groups=groups), group.order
    sampling = default_sampling(group, weight, sampling)
    maps, window = fitted(
        layout.flatten(x), weight, taken=weight.shape[1] * order * groups, layer=layer, group=group, slots=order,
        taps=kernel_taps(weight, sampling, group.dimension), **options,
    )  # fmt: skip
    if algorithm != "expand" and isinstance(group, PlanarGroup):
        y = _by_fourier(maps, weight, bias, layout, window, algorithm, group, groups, sampling)
        if y is not None:
            return y
    bank = group_filters(weight, group, table, sampling=sampling, slots_first=layout.slots_first)
    return layout.unflatten(_CONVOLVE[group.dimension](maps, bank, layout.over_group(bias), *window, groups))


def _by_fourier(
    maps: Tensor, weight: Tensor, bias: Tensor | None, layout: FieldLayout, window: Window, algorithm: str,
    group: PlanarGroup, groups: int, sampling: Tensor | None,
) -> Tensor | None:  # fmt: skip
    """The result in the Fourier basis; None where the algorithm leaves that to the ordinary convolution."""
    plain = group.is_on_grid and sampling is None
    inner = group if plain else group.grid_part
    if algorithm == "fourier" and inner.order == 1 < group.order:
        raise ConfigError(
            f"algorithm='fourier' works over the elements that map the pixel grid onto itself, of which {group.name} "
            "has none but the identity: choose 'auto' or 'expand'"
        )
    copies = group.order // inner.order
    said: dict[str, Any] = {"last": layout.last, "taps": kernel_taps(weight, sampling), "copies": copies}
    if not takes_fourier(algorithm, maps, weight, inner, window, groups, **said):
        return None
    fields = layout.unflatten(maps)
    if plain:
        return fourier_conv2d(fields, weight, bias, group, window, groups)
    kernels = inner_weight(weight, group, sampling)
    repeated = None if bias is None else bias.repeat_interleave(copies)
    return from_inner(fourier_conv2d(to_inner(fields, group), kernels, repeated, inner, window, groups), group)


def project_conv2d(
    x: Float[Tensor, "batch in_channels group height width"],
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
    sampling: Float[Tensor, "order places numbers"] | None = None,
) -> Float[Tensor, "batch out_channels out_height out_width"]:
    """Convolve a feature map on the group down to maps on the plane.

    ``y[o](t) = sum_{c, h, p} x[c](p, h) psi[o, c](h^-1 (p - t))``

    Arguments as in :func:`lift_conv2d`.

    Equivariance: regular to plane, ``f(L_g x) = g f(x)``; exact and approximate as :func:`lift_conv2d`.

    Raises:
        ShapeError: x is not a feature map on the group, or the number of channels does not fit.
        GridError: stride and size leave the sampled positions off centre.

    Source: Li et al. 2017 (decycle layer).
    """
    return project_from_group(
        x, weight, bias, layer="ProjectConv2d", group=group, stride=stride, padding=padding, dilation=dilation,
        groups=groups, padding_mode=padding_mode, strict=strict, table=table, sampling=sampling,
    )  # fmt: skip


def project_from_group(
    x: Tensor, weight: Tensor, bias: Tensor | None, *, layer: str, group: SpatialGroup, groups: int,
    table: Tensor | None, sampling: Tensor | None = None, **options: Any,
) -> Tensor:  # fmt: skip
    """:func:`project_conv2d` under the name of another layer."""
    check_group_axis(x, group, layer)
    check_fields(bias, weight, weight.shape[0], groups, layer)
    layout = FieldLayout.of(x, groups=groups)
    bank = project_filters(weight, group, table, sampling=sampling, slots_first=layout.slots_first)
    maps = layout.flatten(x)
    return convolve(maps, bank, bias, layer=layer, group=group, groups=groups, slots=group.order, **options)


def group_conv_transpose2d(
    x: Float[Tensor, "batch in_channels group height width"],
    weight: Float[Tensor, "in_channels out_channels_per_group group kh kw"],
    bias: Float[Tensor, " out_channels"] | None = None,
    *,
    group: PlanarGroup,
    stride: Size2 = 1,
    padding: Size2 = 0,
    output_padding: Size2 = 0,
    dilation: Size2 = 1,
    groups: int = 1,
    strict: bool = True,
    table: Int[Tensor, "order entries"] | None = None,
    sampling: Float[Tensor, "order places numbers"] | None = None,
) -> Float[Tensor, "batch out_channels group out_height out_width"]:
    """Transposed group convolution, for upsampling with learned kernels.

    ``y[o](g) = sum_h sum_c x[c](h) psi[c, o](h^-1 g)``. The output has
    ``(n - 1) stride - 2 padding + dilation (k - 1) + 1`` pixels: kernel 3, stride 2, padding 1 takes n to
    2n - 1; kernel 4, stride 2, padding 1 takes n to 2n.

    Equivariance: regular to regular; exact for the elements that move the pixel grid onto itself, approximate for the
        others.

    Raises:
        ShapeError: x is not a feature map on the group.
        GridError: ``output_padding`` is not 0: it adds pixels on one side only.

    Source: the G-CNN segmentation study, eq. 11.
    """
    steps, spread = pair(stride, "stride", least=1), pair(dilation, "dilation", least=1)
    border = pair(padding, "padding")
    extra = pair(output_padding, "output_padding")
    check_output_padding(group, extra, strict=strict)
    if strict:
        check_square(group, stride=steps, padding=border, dilation=spread)
    check_group_axis(x, group, "GroupConvTranspose2d")
    check_fields(bias, weight, weight.shape[1] * groups, groups, "GroupConvTranspose2d")
    layout = FieldLayout.of(x, groups=groups)
    bank = transposed_filters(weight, group, table, sampling=sampling, slots_first=layout.slots_first)
    maps = layout.flatten(x)
    if maps.shape[1] != bank.shape[0]:
        raise ShapeError(f"GroupConvTranspose2d: input has {x.shape[1]} fields, the filters take {weight.shape[0]}")
    check_dtypes(maps, bank, "GroupConvTranspose2d")
    check_enlarged((x.shape[-2], x.shape[-1]), (bank.shape[-2], bank.shape[-1]), steps, border, extra, spread)
    y = F.conv_transpose2d(maps, bank, layout.over_group(bias), steps, border, extra, groups, spread)
    return layout.unflatten(y)
