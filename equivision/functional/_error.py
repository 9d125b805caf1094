"""The one definition of the equivariance error."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from equivision.functional._action import act
from equivision.groups import SpatialGroup, spatial


def relative_error(actual: Tensor, expected: Tensor) -> Tensor:
    """``||actual - expected|| / ||expected||`` over all entries, as a 0-d tensor; 0 when both are zero."""
    difference = torch.linalg.vector_norm((actual - expected).flatten())
    scale = torch.linalg.vector_norm(expected.flatten())
    return torch.where(difference == 0, torch.zeros_like(difference), difference / scale)


def equivariance_error(
    function: Callable[[Tensor], Tensor],
    x: Tensor,
    *,
    group: SpatialGroup | str,
    elements: Iterable[int] | None = None,
    act_in: Callable[[Tensor, int], Tensor] | None = None,
    act_out: Callable[[Tensor, int], Tensor] | None = None,
) -> dict[int, Tensor]:
    """How far a function is from equivariant: ``||f(g x) - g f(x)|| / ||g f(x)||`` for every element g.

    Args:
        function: maps a tensor to a tensor; any ``nn.Module`` will do.
        x: an input batch.
        group: the group that acts, or its name.
        elements: the elements to try; all but the identity by default (the identity alone for C_1).
        act_in: action on the input, ``(x, g) -> x``; :func:`act` by default.
        act_out: action on the output; :func:`act` by default, for which 2-d outputs are invariants.

    Returns:
        One differentiable 0-d tensor for each element.
    """
    group = spatial(group)
    move_in = act_in if act_in is not None else lambda tensor, g: act(tensor, g, group)
    move_out = act_out if act_out is not None else lambda tensor, g: act(tensor, g, group)
    tried = list(elements) if elements is not None else list(range(1, group.order)) or [group.identity]
    output = function(x)
    return {g: relative_error(function(move_in(x, g)), move_out(output, g)) for g in tried}
