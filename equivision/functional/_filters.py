"""From one learned kernel to the bank of its transformed copies.

Shape legend: O output fields, C input fields (a group of them for ``groups > 1``), G order of the group, K = kh * kw
taps. ``O * G`` maps are numbered field by field, with all slots of a field side by side; with ``slots_first``, slot by
slot, as feature maps that lie channels last in memory have them, and the bank lies channels last, too.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from equivision.errors import ShapeError
from equivision.filters import slot_and_tap_table, tap_table
from equivision.groups import PlanarGroup


def filter_table(group: PlanarGroup, kernel_size: tuple[int, int], *, slots: bool) -> Int[Tensor, "order entries"]:
    """Index table that the filter banks gather by; modules keep it as a buffer so that it is built once.

    Args:
        group: the group whose elements move the kernel.
        kernel_size: taps (kh, kw).
        slots: whether the kernel has a group axis (group to group) or none (plane to group, group to plane).
    """
    table = slot_and_tap_table(group, kernel_size) if slots else tap_table(group, kernel_size)
    return torch.from_numpy(table.copy())


def _moved_copies(weight: Tensor, table: Tensor) -> Tensor:
    """``[A, B, entries] -> [A, B, G, entries]``: every group element's permutation of the last axis."""
    order, entries = table.shape
    return weight.index_select(2, table.reshape(-1)).unflatten(2, (order, entries))


def _moved_copies_last(weight: Tensor, table: Tensor) -> Tensor:
    """``[A, B, entries] -> [A, *table.shape, B]``: the same with B innermost, for banks that lie channels last."""
    return weight.transpose(1, 2).index_select(1, table.reshape(-1)).unflatten(1, table.shape)


def lift_filters(
    weight: Float[Tensor, "out_channels in_channels kh kw"],
    group: PlanarGroup,
    table: Int[Tensor, "order taps"] | None = None,
    *,
    slots_first: bool = False,
) -> Float[Tensor, "out_maps in_channels kh kw"]:
    """Bank of a lifting convolution: ``W[o, h, c, p] = psi[o, c, h^-1 p]``, flattened to ``[O * G, C, kh, kw]``.

    Source: Cohen & Welling 2016, eq. 10.
    """
    kh, kw = weight.shape[-2:]
    table = table if table is not None else filter_table(group, (kh, kw), slots=False).to(weight.device)
    if slots_first:
        copies = _moved_copies_last(weight.flatten(2), table)  # O G K C
        return copies.transpose(0, 1).reshape(-1, kh, kw, weight.shape[1]).permute(0, 3, 1, 2)
    copies = _moved_copies(weight.flatten(2), table)  # O C G K
    return copies.transpose(1, 2).reshape(-1, weight.shape[1], kh, kw)


def group_filters(
    weight: Float[Tensor, "out_channels in_channels group kh kw"],
    group: PlanarGroup,
    table: Int[Tensor, "order entries"] | None = None,
    *,
    slots_first: bool = False,
) -> Float[Tensor, "out_maps in_maps kh kw"]:
    """Bank of a group convolution: ``W[o, h, c, h', p] = psi[o, c, h^-1 h', h^-1 p]``, as ``[O * G, C * G, kh, kw]``.

    Source: Cohen & Welling 2016, eq. 11.
    """
    check_slots(weight, group)
    kh, kw = weight.shape[-2:]
    table = table if table is not None else filter_table(group, (kh, kw), slots=True).to(weight.device)
    maps = weight.shape[1] * group.order
    if slots_first:
        copies = _moved_copies_last(weight.flatten(2), table.unflatten(1, (group.order, -1)).transpose(1, 2))
        return copies.transpose(0, 1).reshape(-1, kh, kw, maps).permute(0, 3, 1, 2)  # from O G K G C
    copies = _moved_copies(weight.flatten(2), table)  # O C G (G K)
    return copies.transpose(1, 2).reshape(-1, maps, kh, kw)


def project_filters(
    weight: Float[Tensor, "out_channels in_channels kh kw"],
    group: PlanarGroup,
    table: Int[Tensor, "order taps"] | None = None,
    *,
    slots_first: bool = False,
) -> Float[Tensor, "out_channels in_maps kh kw"]:
    """Bank of a projecting convolution: ``W[o, c, h, p] = psi[o, c, h^-1 p]``, flattened to ``[O, C * G, kh, kw]``.

    One kernel for all slots: equivariance leaves no more freedom. Source: Li et al. 2017 (decycle layer).
    """
    kh, kw = weight.shape[-2:]
    table = table if table is not None else filter_table(group, (kh, kw), slots=False).to(weight.device)
    if slots_first:
        copies = _moved_copies_last(weight.flatten(2), table.t())  # O K G C
        return copies.reshape(weight.shape[0], kh, kw, -1).permute(0, 3, 1, 2)
    return _moved_copies(weight.flatten(2), table).reshape(weight.shape[0], -1, kh, kw)


def transposed_filters(
    weight: Float[Tensor, "in_channels out_channels group kh kw"],
    group: PlanarGroup,
    table: Int[Tensor, "order entries"] | None = None,
    *,
    slots_first: bool = False,
) -> Float[Tensor, "in_maps out_maps kh kw"]:
    """Bank of a transposed group convolution, ``[C * G, O * G, kh, kw]``, in the layout of ``conv_transpose2d``.

    ``B[c, h, o, s, p] = psi[c, o, h^-1 s, h^-1 p]``: the group-convolution bank with input and output exchanged.
    """
    return group_filters(weight, group, table, slots_first=slots_first)


def check_slots(weight: Tensor, group: PlanarGroup) -> None:
    if weight.ndim != 5 or weight.shape[2] != group.order:
        raise ShapeError(
            f"weight has shape {tuple(weight.shape)}; a kernel on {group.name} needs "
            f"[out_channels, in_channels, {group.order}, kh, kw]"
        )
