"""Group convolutions whose kernel is a product of a spatial and a pointwise part."""

from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from equivision.errors import ShapeError
from equivision.functional._algorithm import check_algorithm
from equivision.functional._checks import Size2, check_fields
from equivision.functional._conv import convolve, group_to_group
from equivision.functional._filters import group_filters, lift_filters
from equivision.functional._layout import FieldLayout, check_group_axis
from equivision.groups import PlanarGroup

SeparableAlgorithm = Literal["auto", "factored", "expand"]
SEPARABLE_ALGORITHMS: tuple[str, ...] = ("auto", "factored", "expand")
_LAYER = "SeparableGroupConv2d"
_POINTWISE: dict[str, Any] = {"stride": 1, "padding": 0, "dilation": 1, "padding_mode": "zeros", "strict": False}


def separable_group_conv2d(
    x: Float[Tensor, "batch in_channels group height width"],
    spatial: Float[Tensor, "out_channels spatial_in kh kw"],
    pointwise: Float[Tensor, "out_channels in_channels_per_group group"],
    bias: Float[Tensor, " out_channels"] | None = None,
    *,
    group: PlanarGroup,
    stride: Size2 = 1,
    padding: Size2 | str = 0,
    dilation: Size2 = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    strict: bool = True,
    table: Int[Tensor, "order slots"] | None = None,
    tap_table: Int[Tensor, "order taps"] | None = None,
    dense_table: Int[Tensor, "order entries"] | None = None,
    sampling: Float[Tensor, "order places numbers"] | None = None,
    algorithm: str = "auto",
) -> Float[Tensor, "batch out_channels group out_height out_width"]:
    """Group convolution with the kernel ``psi[o, c](h, p) = spatial[o, c](p) pointwise[o, c](h)``.

    With one spatial kernel for all input fields, ``spatial`` is ``[out_channels, 1, kh, kw]`` (the gc variant); with
    one for each, ``[out_channels, in_channels_per_group, kh, kw]`` (the g variant).

    Args:
        x: feature map on the group.
        spatial: kernels on the plane.
        pointwise: kernels on the group.
        bias: one number for each output field.
        group: C_n or D_n, any n.
        stride, padding, dilation, groups, padding_mode: as in :class:`torch.nn.Conv2d`.
        strict: raise GridError where stride and size cannot be exact.
        table, tap_table, dense_table: :func:`filter_table` with slots and size (1, 1), without slots and with the size
            of the spatial kernel, and with slots and that size, to save building them.
        sampling: :func:`filter_sampling` of the group and the size of the spatial kernel.
        algorithm: ``"factored"`` applies the pointwise part first, then the spatial part; ``"expand"`` multiplies them
            and runs a dense group convolution; ``"auto"`` is factored for gc and expanded for g, whose factored form
            has ``in_channels * out_channels * |G|`` maps between the steps and was 10 to 60 times slower on a CPU.

    Equivariance: regular to regular: ``f(L_g x) = L_g f(x)``; exact for the elements that move the pixel grid onto
        itself, approximate for the others.

    Raises:
        ShapeError: x is not a feature map on the group, or the numbers of channels do not fit.
        GridError: stride and size leave the sampled positions off centre.
        ConfigError: the algorithm is not known.

    Source: Lengyel & van Gemert 2021, eqs. 4 to 9 (g) and 10 to 14 (gc).
    """
    check_algorithm(algorithm, SEPARABLE_ALGORITHMS)
    _check_parts(spatial, pointwise, group)
    check_fields(bias, spatial, spatial.shape[0], groups, _LAYER)
    window = {
        "group": group, "stride": stride, "padding": padding, "dilation": dilation, "padding_mode": padding_mode,
        "strict": strict,
    }  # fmt: skip
    shared = spatial.shape[1] == 1
    if algorithm == "expand" or (algorithm == "auto" and not shared):
        weight = spatial.unsqueeze(2) * pointwise[..., None, None]
        return group_to_group(
            x, weight, bias, layer=_LAYER, **window, groups=groups, sampling=sampling, algorithm="auto",
            table=dense_table if sampling is None else table,
        )  # fmt: skip
    check_group_axis(x, group, _LAYER)
    layout = FieldLayout.of(x)
    if not shared:  # each field has filters of its own, so maps are numbered field by field
        layout = layout._replace(slots_first=False)
    mix = _mix_shared if shared else _mix
    mixed = mix(x, pointwise, group, groups, table, layout)
    y = convolve(
        mixed, lift_filters(spatial, group, tap_table, sampling=sampling, slots_first=layout.slots_first),
        layout.over_group(bias), layer=_LAYER, **window, groups=spatial.shape[0] * group.order, slots=group.order,
    )  # fmt: skip
    return layout.unflatten(y)


def _mix_shared(
    x: Tensor, pointwise: Tensor, group: PlanarGroup, groups: int, table: Tensor | None, layout: FieldLayout
) -> Tensor:
    """``Z[o, h] = sum_c sum_g w[o, c, h^-1 g] X[c, g]``: one map for every output map."""
    mixed = group_to_group(
        x, pointwise[..., None, None], None, layer=_LAYER, group=group, groups=groups, table=table, algorithm="auto",
        **_POINTWISE,
    )  # fmt: skip
    return layout.flatten(mixed)


def _mix(
    x: Tensor, pointwise: Tensor, group: PlanarGroup, groups: int, table: Tensor | None, layout: FieldLayout
) -> Tensor:
    """``Z[o, h, c] = sum_g w[o, c, h^-1 g] X[c, g]``: one map for every pair of output map and input field."""
    (out, per_group, order), size = pointwise.shape, x.shape[-2:]
    bank = group_filters(pointwise[..., None, None], group, table)
    # [O, G, C, G] with O and C inside each of the groups -> every input field has its own O * G filters
    bank = bank.reshape(groups, out // groups * order, per_group, order).transpose(1, 2).reshape(-1, order, 1, 1)
    split = convolve(
        layout.flatten(x), bank, None, layer=_LAYER, group=group, groups=groups * per_group, slots=order, **_POINTWISE
    )
    split = split.reshape(-1, groups, per_group, out // groups * order, *size).transpose(2, 3)
    split = split.reshape(-1, out * order * per_group, *size)
    return split.contiguous(memory_format=torch.channels_last) if layout.last else split


def _check_parts(spatial: Tensor, pointwise: Tensor, group: PlanarGroup) -> None:
    fits = (
        spatial.ndim == 4
        and pointwise.ndim == 3
        and pointwise.shape[2] == group.order
        and spatial.shape[0] == pointwise.shape[0]
        and spatial.shape[1] in (1, pointwise.shape[1])
    )
    if not fits:
        raise ShapeError(
            f"spatial has shape {tuple(spatial.shape)} and pointwise {tuple(pointwise.shape)}; a separable kernel on "
            f"{group.name} needs [out_channels, 1 or in_channels, kh, kw] and "
            f"[out_channels, in_channels, {group.order}]"
        )
