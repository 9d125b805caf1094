"""Assertions about equivariance, for the tests of any layer or network."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from equivision.errors import ConfigError
from equivision.functional import act, equivariance_error, relative_error
from equivision.groups import SpatialGroup, spatial
from equivision.testing._tolerance import tolerance_of

Action = Callable[[Tensor, int], Tensor]


def sample_elements(group: SpatialGroup, num: int | None = None, *, seed: int = 0) -> list[int]:
    """Elements to test with: all but the identity, or ``num`` of them drawn without repetition.

    Never the identity alone, which every function passes; for C_1, which has nothing else, the list is empty.

    >>> from equivision.groups import cyclic
    >>> sample_elements(cyclic(4))
    [1, 2, 3]

    Raises:
        ConfigError: ``num`` is less than 1.
    """
    if num is not None and num < 1:
        raise ConfigError(f"num={num}: ask for at least one element")
    others = list(range(1, group.order))
    if num is None or num >= len(others):
        return others
    order = torch.randperm(len(others), generator=torch.Generator().manual_seed(seed))
    return sorted(others[i] for i in order[:num].tolist())


def _report(worst: dict[int, float], group: SpatialGroup, limit: float, what: str) -> None:
    __tracebackhide__ = True
    wrong = {g: error for g, error in worst.items() if not error <= limit}
    if wrong:
        lines = ", ".join(f"{group.element_name(g)}: {error:.2e}" for g, error in wrong.items())
        raise AssertionError(f"{what} under {group.name}: relative error above {limit:g} for {lines}")


def _check_proves_something(x: Tensor, output: Tensor, moved: list[Tensor]) -> None:
    """Raise AssertionError when a function would pass for a reason that has nothing to do with symmetry."""
    __tracebackhide__ = True
    if not torch.isfinite(output).all():
        raise AssertionError("the output holds values that are not finite")
    if output.numel() > 1 and bool((output == output.flatten()[0]).all()):
        raise AssertionError(
            "the output is constant, which is equivariant without proving anything: use random weights and inputs"
        )
    if output.ndim > 0 and len(output) > 1 and bool((output == output[:1]).all()):
        raise AssertionError(
            "the output is the same for every input of the batch, which is equivariant without proving anything"
        )
    if moved and all(torch.equal(x, other) for other in moved):
        raise AssertionError(
            "no element moves the input, so nothing is tested: use a random input with spatial axes or a group axis"
        )


def assert_equivariant(
    function: Callable[[Tensor], Tensor],
    x: Tensor,
    *,
    group: SpatialGroup | str,
    elements: Iterable[int] | None = None,
    act_in: Action | None = None,
    act_out: Action | None = None,
    tolerance: float | None = None,
) -> None:
    """Assert that ``f(g x) = g f(x)`` for every element, to the tolerance of the dtype of x.

    Also asserts that the input moves, and that the output is finite, not constant, and not the same for every input of
    the batch: an output that ignores its input is equivariant for free.

    Args:
        function: layer, network or function.
        x: an input batch, best random and float64.
        group: the group, or its name.
        elements: elements to try; all but the identity by default.
        act_in: action on the input; the reference action by default.
        act_out: action on the output; the reference action by default.
        tolerance: largest relative error; :data:`TOLERANCE` of the dtype by default.

    Raises:
        AssertionError: with the error for each element.
        ConfigError: the dtype of x has no tolerance.

    >>> assert_equivariant(torch.relu, torch.randn(2, 3, 5, 5), group="D4")
    """
    __tracebackhide__ = True
    group = spatial(group)
    limit = tolerance_of(x.dtype) if tolerance is None else tolerance
    tried = list(elements) if elements is not None else sample_elements(group)
    move_in = act_in if act_in is not None else lambda tensor, g: act(tensor, g, group)
    with torch.no_grad():
        errors = equivariance_error(function, x, group=group, elements=tried or None, act_in=move_in, act_out=act_out)
        others = [g for g in tried if g != group.identity]
        _check_proves_something(x, function(x), [move_in(x, g) for g in others])
    _report({g: float(error) for g, error in errors.items()}, group, limit, "not equivariant")


def assert_equivariant_gradients(
    function: Callable[[Tensor], Tensor],
    x: Tensor,
    *,
    group: SpatialGroup | str,
    elements: Iterable[int] | None = None,
    act_in: Action | None = None,
    act_out: Action | None = None,
    tolerance: float | None = None,
) -> None:
    """Assert that gradients move with the input, and that those of parameters do not depend on its orientation.

    For a random v and every g: ``d<g v, f(g x)>/d(g x) = g d<v, f(x)>/dx``, and the gradients with respect to
    the parameters of f are the same on both sides. Actions must be orthogonal, as all of ours are.

    Args:
        function: layer, network or function.
        x: an input batch, best random and float64.
        group, elements, act_in, act_out, tolerance: as in :func:`assert_equivariant`.

    Raises:
        AssertionError: with the error for each element.
        ConfigError: the dtype of x has no tolerance.

    >>> from equivision.groups import dihedral
    >>> assert_equivariant_gradients(torch.relu, torch.randn(2, 3, 5, 5), group=dihedral(4))
    """
    __tracebackhide__ = True
    group = spatial(group)
    limit = tolerance_of(x.dtype) if tolerance is None else tolerance
    move_in = act_in if act_in is not None else lambda tensor, g: act(tensor, g, group)
    move_out = act_out if act_out is not None else lambda tensor, g: act(tensor, g, group)
    module = function if isinstance(function, nn.Module) else nn.Module()
    parameters = [p for p in module.parameters() if p.requires_grad]

    def gradients(g: int) -> tuple[Tensor, Tensor]:
        moved = move_in(x.detach(), g).requires_grad_()
        output = function(moved)
        generator = torch.Generator().manual_seed(1729)  # not the seed that x may come from
        v = torch.randn(output_shape, generator=generator, dtype=torch.float64).to(output)
        loss = (output * move_out(v, g)).sum()
        grads = torch.autograd.grad(loss, [moved, *parameters], allow_unused=True, materialize_grads=True)
        return grads[0], torch.cat([grad.flatten() for grad in (*grads[1:], loss.new_zeros(1))])

    output_shape = function(x).shape
    of_input, of_parameters = gradients(group.identity)
    errors = {}
    for g in list(elements) if elements is not None else sample_elements(group):
        moved, same = gradients(g)
        errors[g] = max(float(relative_error(moved, move_in(of_input, g))), float(relative_error(same, of_parameters)))
    _report(errors, group, limit, "gradients not equivariant")
