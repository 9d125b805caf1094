"""Operators on group features without a spatial kernel: linear maps and restriction to a subgroup."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from equivision.errors import ShapeError
from equivision.functional._checks import check_dtypes, check_fields
from equivision.functional._filters import group_filters
from equivision.functional._layout import check_group_values
from equivision.groups import SpatialGroup, inclusion
from equivision.kernels import channels_last, is_channels_last


def linear_table(group: SpatialGroup) -> Int[Tensor, "order order"]:
    """Which weight couples slot h to slot g: entry ``[g, h]`` is ``g^-1 h``."""
    return torch.from_numpy(group.table[group.inverses])


def group_linear(
    x: Float[Tensor, "batch in_features group"],
    weight: Float[Tensor, "out_features in_features group"],
    bias: Float[Tensor, " out_features"] | None = None,
    *,
    group: SpatialGroup,
    table: Int[Tensor, "order order"] | None = None,
) -> Float[Tensor, "batch out_features group"]:
    """Linear map of values on the group: ``y[o, g] = sum_{c, h} w[o, c, g^-1 h] x[c, h] + b[o]``.

    Works for any C_n, D_n and point group: no grid is involved.

    Equivariance: exact, regular to regular.

    Raises:
        ShapeError: x is not ``[batch, feature, group]`` with the features and the dtype of the weights, or bias does
            not fit.
    """
    if x.ndim != 3 or x.shape[2] != group.order:
        raise ShapeError(
            f"GroupLinear: input has shape {tuple(x.shape)}; values on {group.name} are [batch, feature, {group.order}]"
        )
    if x.shape[1] != weight.shape[1]:
        raise ShapeError(
            f"GroupLinear: input has {x.shape[1]} field(s), the weights take {weight.shape[1]}: build the layer with "
            f"in_features={x.shape[1]}, or give it {weight.shape[1]} field(s)"
        )
    check_dtypes(x, weight, "GroupLinear")
    check_fields(bias, weight, weight.shape[0], 1, "GroupLinear")
    table = table if table is not None else linear_table(group).to(weight.device)
    bank = group_filters(weight[(..., *(None,) * group.dimension)], group, table).flatten(1)
    y = F.linear(x.flatten(1), bank).unflatten(1, (-1, group.order))
    return y if bias is None else y + bias[:, None]


def restriction_slots(group: SpatialGroup, subgroup: SpatialGroup) -> Int[Tensor, " order"]:
    """Slots of the group in the order (right coset, element of the subgroup): entry ``(j, h)`` is ``h t_j``."""
    embed = inclusion(subgroup, group)
    cosets = embed.image().right_cosets()
    return torch.tensor([group.product(embed(h), coset[0]) for coset in cosets for h in range(subgroup.order)])


def restrict(
    x: Float[Tensor, "batch channel group *space"],
    group: SpatialGroup,
    subgroup: SpatialGroup,
    slots: Int[Tensor, " order"] | None = None,
) -> Float[Tensor, "batch out_channel subgroup *space"]:
    """Read a feature on a group as ``|G| / |H|`` times as many features on a subgroup; nothing is lost.

    Slot ``h`` of copy ``j`` is slot ``h t_j`` of the input, with ``t_j`` the first element of the j-th right coset. The
    copies of channel c are the channels ``c |G/H|, ..., (c + 1) |G/H| - 1``.

    Args:
        x: ``[B, C, G, H, W]``, ``[B, C, G, D, H, W]`` or ``[B, C, G]``.
        group: G.
        subgroup: H.
        slots: :func:`restriction_slots` as a tensor, to save building it.

    Equivariance: exact, for the elements of the subgroup: regular(G) to copies of regular(H).

    Raises:
        ShapeError: the group axis has the wrong length.
        GroupMismatchError: ``subgroup`` is not contained in ``group``.

    Source: Weiler & Cesa 2019, section 2.7 (group restriction).
    """
    check_group_values(x, group, "Restrict")
    order = slots if slots is not None else restriction_slots(group, subgroup).to(x.device)
    copies = x.index_select(2, order).unflatten(2, (-1, subgroup.order)).flatten(1, 2)
    return channels_last(copies) if x.ndim == 5 and is_channels_last(x) else copies


def induction_table(group: SpatialGroup, subgroup: SpatialGroup) -> Int[Tensor, "order suborder"]:
    """Which weight couples slot r of the subgroup to slot s of the group: entry ``[s, r]`` is ``r^-1 s``."""
    inside = list(inclusion(subgroup, group).images)
    return torch.from_numpy(group.table[group.inverses[inside]].T.copy())


def induction_bank(weight: Tensor, table: Tensor) -> Tensor:
    """``[O, C, G] -> [O * G, C * H]``: the matrix of an induction between flattened fields."""
    copies = weight.index_select(2, table.reshape(-1)).unflatten(2, table.shape)  # O C G H
    return copies.transpose(1, 2).flatten(2).flatten(0, 1)


def induce(
    x: Float[Tensor, "batch in_channels suborder *space"],
    weight: Float[Tensor, "out_channels in_channels order"],
    bias: Float[Tensor, " out_channels"] | None = None,
    *,
    group: SpatialGroup,
    subgroup: SpatialGroup,
    table: Int[Tensor, "order suborder"] | None = None,
) -> Float[Tensor, "batch out_channels order *space"]:
    """Go on with a larger group: ``y[o, s] = sum_{c, r} w[o, c, r^-1 s] x[c, r] + b[o]``, r in the subgroup.

    These are all the linear maps without a spatial kernel that are equivariant under the subgroup. What the features
    do not know of the larger group they cannot gain: under its other elements nothing holds.

    Args:
        x: ``[B, C, |H|, H, W]``, ``[B, C, |H|, D, H, W]`` or ``[B, C, |H|]``.
        weight: one number for each pair of fields and element of the group.
        bias: one number for each field.
        group: G.
        subgroup: H.
        table: :func:`induction_table`, to save building it.

    Equivariance: exact, for the elements of the subgroup.

    Raises:
        ShapeError: the group axis or the number of fields is another one, or weight or bias do not fit.
        GroupMismatchError: ``subgroup`` is not contained in ``group``.

    Source: the article on the principles of group-equivariant networks (hierarchical groups).
    """
    if weight.ndim != 3 or weight.shape[2] != group.order:
        raise ShapeError(
            f"Induce: weight has shape {tuple(weight.shape)}; a map to {group.name} needs [out_channels, in_channels, "
            f"{group.order}]"
        )
    if x.ndim not in (3, 5, 6) or x.shape[1:3] != (weight.shape[1], subgroup.order):
        raise ShapeError(
            f"Induce: input has shape {tuple(x.shape)}; needs {weight.shape[1]} field(s) as axis 1 and a group axis of "
            f"{subgroup.order} ({subgroup.name}) as axis 2 of 3, 5 or 6"
        )
    check_dtypes(x, weight, "Induce")
    check_fields(bias, weight, weight.shape[0], 1, "Induce")
    table = table if table is not None else induction_table(group, subgroup).to(weight.device)
    bank = induction_bank(weight, table)
    if x.ndim == 3:
        y = F.linear(x.flatten(1), bank).unflatten(1, (-1, group.order))
        return y if bias is None else y + bias[:, None]
    shift = None if bias is None else bias.repeat_interleave(group.order)
    if x.ndim == 6:
        return F.conv3d(x.flatten(1, 2), bank[..., None, None, None], shift).unflatten(1, (-1, group.order))
    last = is_channels_last(x)
    maps = x.flatten(1, 2).contiguous(memory_format=torch.channels_last) if last else x.flatten(1, 2)
    y = F.conv2d(maps, bank[..., None, None], shift).unflatten(1, (-1, group.order))
    return channels_last(y) if last else y
