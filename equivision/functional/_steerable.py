"""Steerable convolution: feature maps of any representation, kernels from a basis that satisfies the constraint.

Feature maps are ``[batch, channels, height, width]``; their channels are the fields of a representation, one after the
other. Shape legend: O and I fields of one type, s their sizes, F functions of the plane, K taps.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any, NamedTuple, overload

import torch
from jaxtyping import Float
from torch import Tensor

from equivision.errors import ShapeError
from equivision.filters import RegularPlan, kernel_plan
from equivision.filters._rings import Profile
from equivision.filters._steerable import Plan
from equivision.functional._checks import Size2, without_autocast
from equivision.functional._conv import convolve, group_to_group
from equivision.functional._fields import check_channels
from equivision.functional._filters import sampled_slots
from equivision.functional._layout import is_image_channels_last
from equivision.groups import (
    OrthogonalGroup,
    PlanarGroup,
    PlaneGroup,
    PointGroup,
    SpaceOrthogonalGroup,
    SpatialGroup,
    full_octahedral,
    octahedral,
)
from equivision.reps import Representation

#: What a plan is on a device: its arrays in their order, without the number of weights.
Tables = tuple[Tensor, ...]


class Fields(NamedTuple):
    """The fields of a representation, sorted by type.

    Attributes:
        types: every type and how many fields have it, in the order in which they first stand.
        order: where every channel is once fields are sorted by type; None where they are.
    """

    types: tuple[tuple[Representation, int], ...]
    order: tuple[int, ...] | None


@lru_cache(maxsize=256)
def fields_of(rep: Representation) -> Fields:
    """The fields of a direct sum, or the one field that anything else is."""
    starts = list(accumulate((field.size for field in rep.fields), initial=0))
    channels: dict[Representation, list[int]] = {}
    for field, start in zip(rep.fields, starts, strict=False):
        channels.setdefault(field, []).extend(range(start, start + field.size))
    place = {channel: i for i, channel in enumerate(channel for found in channels.values() for channel in found)}
    order = tuple(place[channel] for channel in range(rep.size))
    types = tuple((field, len(found) // field.size) for field, found in channels.items())
    return Fields(types, None if order == tuple(range(rep.size)) else order)


class Part(NamedTuple):
    """The filters from the fields of one type to those of another.

    Attributes:
        fields: how many of the output, how many of the input.
        kernels: number of weights for each pair of fields.
        fan_in: number of weights whose kernels add up in one output field, with the other types of the input.
        regular: whether the plan is a :class:`~equivision.filters.RegularPlan`.
    """

    fields: tuple[int, int]
    kernels: int
    fan_in: int
    regular: bool

    @property
    def weights(self) -> int:
        """Number of weights."""
        return self.fields[0] * self.fields[1] * self.kernels


class FilterLayout(NamedTuple):
    """What the weights of a steerable convolution are, in whole numbers.

    Attributes:
        parts: one for each pair of types, those of the first type of the output first.
        columns: number of types of the input.
        taps: of the kernels, along every axis.
        sorts: whether channels of the output, of the input, do not stand sorted by type.
    """

    parts: tuple[Part, ...]
    columns: int
    taps: tuple[int, ...]
    sorts: tuple[bool, bool]

    @property
    def is_regular(self) -> bool:
        """Whether there are regular fields only, so that it is a group convolution."""
        return len(self.parts) == 1 and self.parts[0].regular

    @property
    def sizes(self) -> list[int]:
        """Number of weights of every part."""
        return [part.weights for part in self.parts]


def plane_plans(
    in_rep: Representation, out_rep: Representation, kernel_size: int, profile: Profile, cutoff: float
) -> list[list[Plan]]:
    """A row of plans for every type of the output, with one for every type of the input."""
    return [
        [kernel_plan(into, out, kernel_size, profile, cutoff) for into, _ in fields_of(in_rep).types]
        for out, _ in fields_of(out_rep).types
    ]


def layout_of(
    in_rep: Representation, out_rep: Representation, plans: Sequence[Sequence[Plan]], taps: tuple[int, ...]
) -> FilterLayout:
    """The layout of weights by their plans, a row for every type of the output, one for every type of the input."""
    into, out = fields_of(in_rep), fields_of(out_rep)
    counts = [count for _, count in into.types]
    parts = []
    for (_, rows), row in zip(out.types, plans, strict=True):
        fan_in = sum(count * plan.size for count, plan in zip(counts, row, strict=True))
        parts += [
            Part((rows, count), plan.size, fan_in, isinstance(plan, RegularPlan))
            for count, plan in zip(counts, row, strict=True)
        ]
    return FilterLayout(tuple(parts), len(counts), taps, (out.order is not None, into.order is not None))


def tables_of(in_rep: Representation, out_rep: Representation, plans: Sequence[Sequence[Plan]]) -> list[Tables]:
    """The arrays of all plans as tensors, in float64 or as whole numbers; last, where sorted channels go."""
    tables = [tuple(torch.from_numpy(array.copy()) for array in plan[1:]) for row in plans for plan in row]
    orders = (fields_of(out_rep).order or (), fields_of(in_rep).order or ())
    return [*tables, tuple(torch.tensor(order, dtype=torch.int64) for order in orders)]


def steerable_filters(
    weight: Float[Tensor, " weights"],
    in_rep: Representation,
    out_rep: Representation,
    kernel_size: int,
    *,
    profile: Profile = "gaussian",
    cutoff: float = 3.0,
) -> Float[Tensor, "out_channels in_channels kernel_size kernel_size"]:
    """The filters of a steerable convolution: sums of the kernels of :func:`equivision.filters.kernel_basis`.

    Args:
        weight: coefficients: for each type of the output, for each type of the input, ``[O, I, kernels]``, flattened.
        in_rep, out_rep, kernel_size, profile, cutoff: as in :func:`equivision.filters.kernel_basis`.

    Raises:
        ShapeError: the number of weights is another one.

    Source: Weiler & Cesa 2019, section 2.3.

    >>> from equivision.reps import parse
    >>> rho = parse("2 regular", "C8")
    >>> steerable_filters(torch.randn(2 * 2 * 64), rho, rho, 3).shape
    torch.Size([16, 16, 3, 3])
    """
    plans = plane_plans(in_rep, out_rep, kernel_size, profile, cutoff)
    layout = layout_of(in_rep, out_rep, plans, (kernel_size, kernel_size))
    if weight.shape != (sum(layout.sizes),):
        raise ShapeError(
            f"weight has shape {tuple(weight.shape)}: these representations need {sum(layout.sizes)} weights"
        )
    tables = [tuple(one.to(weight.device) for one in table) for table in tables_of(in_rep, out_rep, plans)]
    return expand_filters(weight, layout, tables)


def expand_filters(weight: Tensor, layout: FilterLayout, tables: Sequence[Tables]) -> Tensor:
    """The filters, from tables that modules keep so that they are made once."""
    with without_autocast(weight):
        filters = [
            _filters(piece.view(*part.fields, part.kernels), part, table)
            for piece, part, table in zip(weight.split(layout.sizes), layout.parts, tables, strict=False)
        ]
        rows = [_joined(filters[i : i + layout.columns], 1) for i in range(0, len(filters), layout.columns)]
        bank = _joined(rows, 0)
        for axis, sorts in enumerate(layout.sorts):
            bank = bank.index_select(axis, tables[-1][axis]) if sorts else bank
        return bank.unflatten(-1, layout.taps)


def _joined(tensors: list[Tensor], axis: int) -> Tensor:
    return torch.cat(tensors, axis) if len(tensors) > 1 else tensors[0]


def _filters(weight: Float[Tensor, "O I kernels"], part: Part, tables: Tables) -> Float[Tensor, "Os Is K"]:
    """The filters between the fields of two types."""
    if part.regular:
        slots, moved = tables
        copies = sampled_slots(weight.unflatten(2, (len(slots), -1)), slots, moved)
        return copies.transpose(1, 2).flatten(2, 3).flatten(0, 1)
    (basis,) = tables
    kernels = weight.flatten(0, 1) @ basis.flatten(1).to(weight.dtype)
    kernels = kernels.view(*part.fields, *basis.shape[1:])
    return kernels.transpose(1, 2).flatten(2, 3).flatten(0, 1)


@overload
def on_grid(group: PlaneGroup) -> PlanarGroup: ...
@overload
def on_grid(group: SpaceOrthogonalGroup) -> PointGroup: ...
def on_grid(group: PlaneGroup | SpaceOrthogonalGroup) -> SpatialGroup:
    """A finite group whose sliding windows must be centred where the given group's must."""
    if isinstance(group, SpaceOrthogonalGroup):
        return full_octahedral() if group.reflections else octahedral()
    return group.finite(4) if isinstance(group, OrthogonalGroup) else group


def steerable_conv2d(
    x: Float[Tensor, "batch in_channels height width"],
    filters: Float[Tensor, "out_channels taken kh kw"],
    bias: Float[Tensor, " out_channels"] | None = None,
    *,
    group: PlanarGroup | OrthogonalGroup,
    stride: Size2 = 1,
    padding: Size2 | str = 0,
    dilation: Size2 = 1,
    padding_mode: str = "zeros",
    strict: bool = True,
) -> Float[Tensor, "batch out_channels h w"]:
    """An ordinary convolution with the filters of :func:`steerable_filters`, checked to keep its symmetry.

    Equivariance: ``f(g x) = g f(x)``, where g moves the plane and acts on the channels by the representation: exact for
    elements that map the pixel grid onto itself, approximate for others.

    Args:
        x: feature map of the representation ``in_rep``.
        filters: of a basis that satisfies the constraint.
        bias: one number for each channel, which no element may move.
        group: the group that is represented.
        stride, padding, dilation, padding_mode: as in :func:`torch.nn.functional.conv2d` and :class:`torch.nn.Conv2d`.
        strict: raise GridError where stride and size cannot be exact.

    Raises:
        ShapeError: x has another number of channels than the filters take.
        GridError: the size does not fit stride, kernel and padding.
    """
    check_channels(x, filters.shape[1], "SteerableConv2d")
    return convolve(
        x, filters, bias, groups=1, layer="SteerableConv2d", group=on_grid(group), stride=stride, padding=padding,
        dilation=dilation, padding_mode=padding_mode, strict=strict,
    )  # fmt: skip


def regular_conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    layout: FilterLayout,
    *,
    group: PlaneGroup,
    tables: Tables,
    algorithm: str,
    **options: Any,
) -> Tensor:
    """:func:`steerable_conv2d` between regular fields, as the group convolution that it is."""
    assert isinstance(group, PlanarGroup)  # noqa: S101 (SO(2) and O(2) have no regular fields)
    check_channels(x, layout.parts[0].fields[1] * group.order, "SteerableConv2d")
    slots, moved = tables
    kernels = weight.view(*layout.parts[0].fields, group.order, -1, 1)
    y = group_to_group(
        x.unflatten(1, (-1, group.order)), kernels, bias, layer="SteerableConv2d", group=group, groups=1, table=slots,
        sampling=moved, algorithm=algorithm, **options,
    ).flatten(1, 2)  # fmt: skip
    return y.contiguous(memory_format=torch.channels_last) if is_image_channels_last(x) else y
