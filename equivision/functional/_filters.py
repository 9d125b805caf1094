"""From one learned kernel to the bank of its transformed copies.

Shape legend: O output fields, C input fields (a group of them for ``groups > 1``), G order of the group, K = kh * kw
taps. ``O * G`` maps are numbered field by field, with all slots of a field side by side; with ``slots_first``, slot by
slot, as feature maps that lie channels last in memory have them, and the bank lies channels last, too. Weights are
taps, ``kh kw``, or the coefficients of functions, ``[F, 1]``; banks are taps in either case, ``*size``. For a group of
space both have three axes of taps, ``kd kh kw``.
"""

import math
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from equivision.errors import ConfigError, ShapeError
from equivision.filters import sampling_matrices, slot_and_tap_table, tap_table
from equivision.filters._sample import MODES, Interpolation, Mask
from equivision.groups import PlanarGroup, SpatialGroup


def filter_table(group: SpatialGroup, kernel_size: tuple[int, ...], *, slots: bool) -> Int[Tensor, "order entries"]:
    """Index table that the filter banks gather by; modules keep it as a buffer so that it is built once.

    Args:
        group: the group whose elements move the kernel.
        kernel_size: taps (kh, kw), or (kd, kh, kw).
        slots: whether the kernel has a group axis (group to group) or none (plane to group, group to plane).

    Off the grid it is the table of the slots alone, as for kernels of one tap: :func:`filter_sampling` moves the taps.
    """
    kernel_size = kernel_size if group.is_on_grid else tuple(1 for _ in kernel_size)
    table = slot_and_tap_table(group, kernel_size) if slots else tap_table(group, kernel_size)
    return torch.from_numpy(table.copy())


def filter_sampling(
    group: PlanarGroup,
    kernel_size: tuple[int, int],
    *,
    interpolation: Interpolation = "bilinear",
    mask: Mask | None = None,
    renormalize: bool = False,
) -> Float[Tensor, "order places numbers"] | None:
    """Sampling matrices of the filter banks of a group off the grid, or with a mask; None where a table does.

    Args:
        group: the group whose elements move the kernel.
        kernel_size: taps (kh, kw); rows and columns must be as many.
        interpolation, mask, renormalize: as in :func:`equivision.filters.sampling_matrices`; by default kernels are
            masked smoothly off the grid, and not on it, nor where they are made of harmonics. A kernel of one tap has
            nothing to mask or to move.

    Raises:
        ConfigError: an option is not known, or the kernel is not square.
    """
    if interpolation not in MODES:
        raise ConfigError(f"interpolation={interpolation!r} is not known: choose one of {', '.join(MODES)}")
    smooth = interpolation in ("bspline", "steerable")
    chosen = mask if mask is not None else "none" if group.is_on_grid or interpolation == "steerable" else "smooth"
    options: dict[str, Any] = {"mode": interpolation, "mask": chosen, "renormalize": renormalize}
    sampling_matrices(group, 1, **options)  # says what is wrong with them
    if kernel_size == (1, 1) or (group.is_on_grid and chosen == "none" and not smooth):
        return None
    if kernel_size[0] != kernel_size[1]:
        raise ConfigError(f"kernel_size={kernel_size}: a kernel with a mask, or off the grid, must be square")
    return torch.from_numpy(sampling_matrices(group, kernel_size[0], **options).copy())


def kernel_taps(weight: Tensor, sampling: Tensor | None, dimension: int = 2) -> tuple[int, ...]:
    """Taps of a kernel; where matrices sample it, the last two axes of its weights are ``[numbers, 1]`` or taps."""
    if sampling is None:
        return tuple(weight.shape[-dimension:])
    return math.isqrt(sampling.shape[1]), math.isqrt(sampling.shape[1])


def _sampled(kernels: Tensor, sampling: Tensor) -> Tensor:
    """``[A, B, G, S, Q] -> [A, B, G, S, K]``: the kernels of each group element moved by its matrix."""
    return torch.einsum("abgsq,gpq->abgsp", kernels, sampling.to(kernels.dtype))


def sampled_slots(kernels: Tensor, slots: Tensor, sampling: Tensor | None) -> Tensor:
    """``[A, B, G, Q] -> [A, B, G, G, K]``: kernels with a group axis moved by each element, ``slots[h, s] = h^-1 s``.

    ``sampling [G, K, Q]`` moves what a kernel is made of, taps or coefficients of functions; None moves nothing. Rows
    of both tables for some elements h only give the kernels moved by these.
    """
    copies = kernels.index_select(2, slots.reshape(-1)).unflatten(2, slots.shape)
    return copies if sampling is None else _sampled(copies, sampling)


def _bank(copies: Tensor, kernel_size: tuple[int, ...], *, slots_first: bool) -> Tensor:
    """``[O, C, G, S, K] -> [O * G, C * S, kh, kw]``; slot by slot, and then channels last in memory, if asked for."""
    maps = copies.shape[1] * copies.shape[3]
    if slots_first:
        return copies.permute(2, 0, 4, 3, 1).reshape(-1, *kernel_size, maps).permute(0, 3, 1, 2)  # from G O K S C
    return copies.transpose(1, 2).reshape(-1, maps, *kernel_size)


def default_sampling(group: SpatialGroup, weight: Tensor, given: Tensor | None) -> Tensor | None:
    """What is given; off the grid the default, for functions that are called by themselves."""
    if given is not None or group.is_on_grid or not isinstance(group, PlanarGroup):
        return given
    if weight.shape[-2:] == (1, 1):  # one tap has nothing to move
        return None
    found = filter_sampling(group, (weight.shape[-2], weight.shape[-1]))
    return None if found is None else found.to(weight.device)


def _moved_copies(weight: Tensor, table: Tensor, axis: int) -> Tensor:
    """``[A, B, entries]`` with a new axis 1 or 2: every group element's permutation of the entries."""
    first, second = weight.shape[:2]
    elements, entries = table.shape
    # sizes by hand: broadcast_shapes takes as long as the gather; which is far faster than index_select along the last
    shape = (first, elements, second, entries) if axis == 1 else (first, second, elements, entries)
    moves = table.unsqueeze(1) if axis == 1 else table
    return weight.unsqueeze(axis).expand(shape).gather(3, moves.expand(shape))


def _moved_copies_last(weight: Tensor, table: Tensor) -> Tensor:
    """``[A, B, entries] -> [A, *table.shape, B]``: the same with B innermost, for banks that lie channels last."""
    return weight.transpose(1, 2).index_select(1, table.reshape(-1)).unflatten(1, table.shape)


def lift_filters(
    weight: Float[Tensor, "out_channels in_channels *taps"],
    group: SpatialGroup,
    table: Int[Tensor, "order entries"] | None = None,
    *,
    sampling: Float[Tensor, "order places numbers"] | None = None,
    slots_first: bool = False,
) -> Float[Tensor, "out_maps in_channels *size"]:
    """Bank of a lifting convolution: ``W[o, h, c, p] = psi[o, c, h^-1 p]``, flattened to ``[O * G, C, kh, kw]``.

    Source: Cohen & Welling 2016, eq. 10.
    """
    sampling = default_sampling(group, weight, sampling)
    taps = kernel_taps(weight, sampling, group.dimension)
    if sampling is not None:
        kernels = weight.flatten(2)[:, :, None, None].expand(-1, -1, group.order, 1, -1)
        copies = _sampled(kernels, sampling)  # O C G 1 K
        return _bank(copies, taps, slots_first=slots_first)
    table = table if table is not None else filter_table(group, taps, slots=False).to(weight.device)
    if slots_first:
        copies = _moved_copies_last(weight.flatten(2), table)  # O G K C
        return copies.transpose(0, 1).reshape(-1, *taps, weight.shape[1]).movedim(-1, 1)
    return _moved_copies(weight.flatten(2), table, 1).reshape(-1, weight.shape[1], *taps)  # from O G C K


def group_filters(
    weight: Float[Tensor, "out_channels in_channels group *taps"],
    group: SpatialGroup,
    table: Int[Tensor, "order entries"] | None = None,
    *,
    sampling: Float[Tensor, "order places numbers"] | None = None,
    slots_first: bool = False,
) -> Float[Tensor, "out_maps in_maps *size"]:
    """Bank of a group convolution: ``W[o, h, c, h', p] = psi[o, c, h^-1 h', h^-1 p]``, as ``[O * G, C * G, kh, kw]``.

    Source: Cohen & Welling 2016, eq. 11.
    """
    check_slots(weight, group)
    sampling = default_sampling(group, weight, sampling)
    taps = kernel_taps(weight, sampling, group.dimension)
    size = taps if sampling is None else (1, 1)
    table = table if table is not None else filter_table(group, size, slots=True).to(weight.device)
    if sampling is not None:
        return _bank(sampled_slots(weight.flatten(3), table, sampling), taps, slots_first=slots_first)
    maps = weight.shape[1] * group.order
    if slots_first:
        copies = _moved_copies_last(weight.flatten(2), table.unflatten(1, (group.order, -1)).transpose(1, 2))
        return copies.transpose(0, 1).reshape(-1, *taps, maps).movedim(-1, 1)  # from O G K G C
    return _moved_copies(weight.flatten(2), table, 1).reshape(-1, maps, *taps)  # from O G C (G K)


def project_filters(
    weight: Float[Tensor, "out_channels in_channels *taps"],
    group: SpatialGroup,
    table: Int[Tensor, "order entries"] | None = None,
    *,
    sampling: Float[Tensor, "order places numbers"] | None = None,
    slots_first: bool = False,
) -> Float[Tensor, "out_channels in_maps *size"]:
    """Bank of a projecting convolution: ``W[o, c, h, p] = psi[o, c, h^-1 p]``, flattened to ``[O, C * G, kh, kw]``.

    One kernel for all slots: equivariance leaves no more freedom. Source: Li et al. 2017 (decycle layer).
    """
    sampling = default_sampling(group, weight, sampling)
    taps = kernel_taps(weight, sampling, group.dimension)
    if sampling is not None:
        kernels = weight.flatten(2)[:, :, None, None].expand(-1, -1, group.order, 1, -1)
        copies = _sampled(kernels, sampling).transpose(2, 3)  # O C 1 G K
        return _bank(copies, taps, slots_first=slots_first)
    table = table if table is not None else filter_table(group, taps, slots=False).to(weight.device)
    if slots_first:
        copies = _moved_copies_last(weight.flatten(2), table.t())  # O K G C
        return copies.reshape(weight.shape[0], *taps, -1).movedim(-1, 1)
    return _moved_copies(weight.flatten(2), table, 2).reshape(weight.shape[0], -1, *taps)  # from O C G K


def transposed_filters(
    weight: Float[Tensor, "in_channels out_channels group kh kw"],
    group: SpatialGroup,
    table: Int[Tensor, "order entries"] | None = None,
    *,
    sampling: Float[Tensor, "order places numbers"] | None = None,
    slots_first: bool = False,
) -> Float[Tensor, "in_maps out_maps rows columns"]:
    """Bank of a transposed group convolution, ``[C * G, O * G, kh, kw]``, in the layout of ``conv_transpose2d``.

    ``B[c, h, o, s, p] = psi[c, o, h^-1 s, h^-1 p]``: the group-convolution bank with input and output exchanged.
    """
    return group_filters(weight, group, table, sampling=sampling, slots_first=slots_first)


def check_slots(weight: Tensor, group: SpatialGroup) -> None:
    if weight.ndim != 3 + group.dimension or weight.shape[2] != group.order:
        taps = "kh, kw" if group.dimension == 2 else "kd, kh, kw"
        raise ShapeError(
            f"weight has shape {tuple(weight.shape)}; a kernel on {group.name} needs "
            f"[out_channels, in_channels, {group.order}, {taps}]"
        )
