"""A group convolution off the pixel grid as one over the largest group inside that is on it.

Its fields are ``|G| / |H|`` times as many, one for each right coset ``H t_j``: the kernel to slot ``h t_j`` is that to
slot ``t_j``, moved exactly by h. Only the kernels to the ``t_j`` have to be interpolated, and what is fast for H is
fast for G.
"""

from functools import lru_cache

import torch
from torch import Tensor

from equivision.functional._filters import sampled_rows
from equivision.functional._linear import restrict, restriction_slots
from equivision.groups import PlanarGroup
from equivision.kernels import channels_last, is_channels_last


@lru_cache(maxsize=256)
def grid_part(group: PlanarGroup) -> PlanarGroup:
    """The largest of C1, C2, C4, D1, D2 and D4 inside a group."""
    rotations = next(n for n in (4, 2, 1) if group.rotations % n == 0)
    return PlanarGroup(rotations, group.reflections)


@lru_cache(maxsize=256)
def _slots(group: PlanarGroup) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Slots in the order (coset, element of H); where each slot went; the slots of the ``t_j``."""
    inner = grid_part(group)
    order = restriction_slots(group, inner)
    return tuple(order.tolist()), tuple(order.argsort().tolist()), tuple(order[:: inner.order].tolist())


def inner_weight(weight: Tensor, group: PlanarGroup, sampling: Tensor | None) -> Tensor:
    """``[O, C, G, ...] -> [O * J, C * J, H, kh, kw]``: the kernels over H of a group convolution over G."""
    order, _, first = _slots(group)
    inner = grid_part(group)
    table = torch.from_numpy(group.table[group.inverses][list(first)][:, list(order)]).to(weight.device)
    if sampling is not None:
        sampling = sampling.index_select(0, torch.tensor(first, device=sampling.device))
    copies = sampled_rows(weight.flatten(3), table, sampling)  # O C J (I H) K
    size = round(copies.shape[-1] ** 0.5)
    copies = copies.unflatten(3, (-1, inner.order)).transpose(1, 2)  # O J C I H K
    return copies.flatten(2, 3).flatten(0, 1).unflatten(-1, (size, size))


def to_inner(x: Tensor, group: PlanarGroup) -> Tensor:
    """``[B, C, G, H, W] -> [B, C * J, H, H, W]``: slots as fields over H."""
    slots = torch.tensor(_slots(group)[0], device=x.device)
    return restrict(x, group, grid_part(group), slots)


def from_inner(y: Tensor, group: PlanarGroup) -> Tensor:
    """The inverse of :func:`to_inner`."""
    last = is_channels_last(y)
    joined = y.unflatten(1, (-1, group.order // y.shape[2])).flatten(2, 3)
    joined = joined.index_select(2, torch.tensor(_slots(group)[1], device=y.device))
    return channels_last(joined) if last else joined
