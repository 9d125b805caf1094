"""Assertions about equivariance, for the tests of any layer or network."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from equivision.errors import ConfigError
from equivision.functional import equivariance_error
from equivision.groups import PlanarGroup
from equivision.testing._tolerance import TOLERANCE


def sample_elements(group: PlanarGroup, num: int | None = None, *, seed: int = 0) -> list[int]:
    """Elements to test with: all but the identity, or ``num`` of them drawn without repetition.

    Never the identity alone, which every function passes; for C_1, which has nothing else, the list is empty.

    >>> from equivision.groups import cyclic
    >>> sample_elements(cyclic(4))
    [1, 2, 3]
    """
    others = list(range(1, group.order))
    if num is None or num >= len(others):
        return others
    if num < 1:
        raise ConfigError(f"num={num}: ask for at least one element")
    order = torch.randperm(len(others), generator=torch.Generator().manual_seed(seed))
    return sorted(others[i] for i in order[:num].tolist())


def assert_equivariant(
    function: Callable[[Tensor], Tensor],
    x: Tensor,
    *,
    group: PlanarGroup,
    elements: Iterable[int] | None = None,
    act_in: Callable[[Tensor, int], Tensor] | None = None,
    act_out: Callable[[Tensor, int], Tensor] | None = None,
    tolerance: float | None = None,
) -> None:
    """Assert that ``f(g x) = g f(x)`` for every element, to the tolerance of the dtype of x.

    Also asserts that the output is finite, not constant, and not the same for every input of the batch, because an
    output that ignores its input is equivariant for free.

    Args:
        function: layer, network or function.
        x: an input batch, best random and float64.
        group: the group.
        elements: elements to try; all but the identity by default.
        act_in: action on the input; the reference action by default.
        act_out: action on the output; the reference action by default.
        tolerance: largest relative error; :data:`TOLERANCE` of the dtype by default.

    Raises:
        AssertionError: with the error for each element.
    """
    __tracebackhide__ = True
    with torch.no_grad():
        output = function(x)
        errors = equivariance_error(function, x, group=group, elements=elements, act_in=act_in, act_out=act_out)
    if not torch.isfinite(output).all():
        raise AssertionError("the output holds values that are not finite")
    if output.numel() > 1 and float((output - output.flatten()[0]).abs().max()) == 0:
        raise AssertionError(
            "the output is constant, which is equivariant without proving anything: use random weights and inputs"
        )
    if len(output) > 1 and bool((output == output[:1]).all()):
        raise AssertionError(
            "the output is the same for every input of the batch, which is equivariant without proving anything"
        )
    limit = TOLERANCE[x.dtype] if tolerance is None else tolerance
    worst = {g: float(e) for g, e in errors.items() if not float(e) <= limit}
    if worst:
        lines = ", ".join(f"{group.element_name(g)}: {e:.2e}" for g, e in worst.items())
        raise AssertionError(f"not equivariant under {group.name}: relative error above {limit:g} for {lines}")
