"""A group convolution off the pixel grid as one over the largest group inside that is on it.

Its fields are ``|G| / |H|`` times as many, one for each right coset ``H t_j``: the kernel to slot ``h t_j`` is that to
slot ``t_j``, moved exactly by h. Only the kernels to the ``t_j`` have to be interpolated, and what is fast for H is
fast for G.
"""

import math

import torch
from torch import Tensor

from equivision.functional._filters import sampled_slots
from equivision.functional._linear import restrict
from equivision.groups import PlanarGroup
from equivision.kernels import channels_last, is_channels_last


def _order(group: PlanarGroup, device: torch.device) -> Tensor:
    """Slots in the order (coset ``H t_j``, element of H), ``[J * H]``; ``t_j`` is the rotation by j steps."""
    n, turns = group.rotations, group.grid_part.rotations
    flips = torch.arange(2 if group.reflections else 1, device=device).view(1, -1, 1)
    quarter = torch.arange(0, n, n // turns, device=device)
    step = torch.arange(n // turns, device=device).view(-1, 1, 1)
    return (flips * n + (quarter + (1 - 2 * flips) * step) % n).flatten()


def _table(group: PlanarGroup, device: torch.device) -> Tensor:
    """``t_j^-1 s`` for every j and every slot s in their new order, ``[J, G]``."""
    n, order = group.rotations, _order(group, device)
    step = torch.arange(n // group.grid_part.rotations, device=device)[:, None]
    return order // n * n + (order % n - step) % n


def inner_weight(weight: Tensor, group: PlanarGroup, sampling: Tensor | None) -> Tensor:
    """``[O, C, G, ...] -> [O * J, C * J, H, kh, kw]``: the kernels over H of a group convolution over G."""
    inner, table = group.grid_part, _table(group, weight.device)
    if sampling is not None:
        sampling = sampling[: len(table)]  # of the rotations t_j, which come first
    copies = sampled_slots(weight.flatten(3), table, sampling)  # O C J (I H) K
    size = math.isqrt(copies.shape[-1])
    copies = copies.unflatten(3, (-1, inner.order)).transpose(1, 2)  # O J C I H K
    return copies.flatten(2, 3).flatten(0, 1).unflatten(-1, (size, size))


def to_inner(x: Tensor, group: PlanarGroup) -> Tensor:
    """``[B, C, G, H, W] -> [B, C * J, H, H, W]``: slots as fields over H."""
    return restrict(x, group, group.grid_part, _order(group, x.device))


def from_inner(y: Tensor, group: PlanarGroup) -> Tensor:
    """The inverse of :func:`to_inner`."""
    last = is_channels_last(y)
    joined = y.unflatten(1, (-1, group.order // y.shape[2])).flatten(2, 3)
    joined = joined.index_select(2, _order(group, y.device).argsort())
    return channels_last(joined) if last else joined
