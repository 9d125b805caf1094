"""A group convolution off the pixel grid as one over the largest group inside that is on it.

Its fields are ``|G| / |H|`` times as many, one for each right coset ``H t_j``: the kernel to slot ``h t_j`` is that to
slot ``t_j``, moved exactly by h. Only the kernels to the ``t_j`` have to be interpolated, and what is fast for H is
fast for G.
"""

import math
from functools import lru_cache

import torch
from torch import Tensor

from equivision.functional._filters import sampled_rows
from equivision.functional._linear import restrict, restriction_slots
from equivision.groups import PlanarGroup
from equivision.kernels import channels_last, is_channels_last


def grid_part(group: PlanarGroup) -> PlanarGroup:
    """The largest of C1, C2, C4, D1, D2 and D4 inside a group."""
    return PlanarGroup(math.gcd(4, group.rotations), group.reflections)


@lru_cache(maxsize=256)
def _slots(group: PlanarGroup) -> dict[str, tuple[int, ...]]:
    """Slots in the ``order`` (coset, element of H), the way ``back``, the ``t_j``, and ``t_j^-1 s`` as a flat table."""
    inner = grid_part(group)
    order = restriction_slots(group, inner)
    first = order[:: inner.order]
    table = torch.from_numpy(group.table[group.inverses])[first][:, order]
    found = {"order": order, "back": order.argsort(), "first": first, "table": table.flatten()}
    return {name: tuple(slots.tolist()) for name, slots in found.items()}


@torch.compiler.assume_constant_result
def _numbers(group: PlanarGroup, name: str) -> tuple[int, ...]:
    """One of them, which is the same for every call."""
    return _slots(group)[name]


def _tensor(group: PlanarGroup, name: str, like: Tensor) -> Tensor:
    return torch.tensor(_numbers(group, name), device=like.device)


def inner_weight(weight: Tensor, group: PlanarGroup, sampling: Tensor | None) -> Tensor:
    """``[O, C, G, ...] -> [O * J, C * J, H, kh, kw]``: the kernels over H of a group convolution over G."""
    inner, table = grid_part(group), _tensor(group, "table", weight).unflatten(0, (-1, group.order))
    if sampling is not None:
        sampling = sampling.index_select(0, _tensor(group, "first", sampling))
    copies = sampled_rows(weight.flatten(3), table, sampling)  # O C J (I H) K
    size = round(copies.shape[-1] ** 0.5)
    copies = copies.unflatten(3, (-1, inner.order)).transpose(1, 2)  # O J C I H K
    return copies.flatten(2, 3).flatten(0, 1).unflatten(-1, (size, size))


def to_inner(x: Tensor, group: PlanarGroup) -> Tensor:
    """``[B, C, G, H, W] -> [B, C * J, H, H, W]``: slots as fields over H."""
    return restrict(x, group, grid_part(group), _tensor(group, "order", x))


def from_inner(y: Tensor, group: PlanarGroup) -> Tensor:
    """The inverse of :func:`to_inner`."""
    last = is_channels_last(y)
    joined = y.unflatten(1, (-1, group.order // y.shape[2])).flatten(2, 3)
    joined = joined.index_select(2, _tensor(group, "back", y))
    return channels_last(joined) if last else joined
