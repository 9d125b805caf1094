"""Why filters become redundant: the two claims of Lengyel & van Gemert 2021, section 3.2, step by step.

The first layer is one fixed filter ``psi`` that some element k of the group maps to itself or to its negative,
``k psi = s psi``. Then the feature maps obey ``x[hk] = s x[h]``, so the gradients of the filters of layer 2 obey
``dL/dpsi[gk] = s dL/dpsi[g]``.
"""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from equivision.functional import group_conv2d, lift_conv2d
from equivision.groups import PlanarGroup, cyclic, dihedral

STEPS = 60
TOLERANCE = 1e-6
SYMMETRIC = [[1.0, 2.0, 1.0], [2.0, -5.0, 2.0], [1.0, 2.0, 1.0]]
EDGE = [[1.0, 2.0, 1.0], [0.0, 0.0, 0.0], [-1.0, -2.0, -1.0]]
GENERIC = [[1.0, -2.0, 0.5], [0.3, 1.2, -0.7], [2.0, 0.1, -1.1]]
Activation = Callable[[Tensor], Tensor]


def linear(x: Tensor) -> Tensor:
    return x


def train(
    kernel: list[list[float]],
    group: PlanarGroup,
    *,
    optimizer: type[torch.optim.Optimizer] = torch.optim.SGD,
    activation: Activation = linear,
    equal: bool = True,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Gradient and value of the filters ``[out, in, G, k, k]`` of layer 2 at every step of a small classifier."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    first = torch.nn.functional.normalize(torch.tensor(kernel, dtype=torch.float64), dim=(0, 1))[None, None]
    order = group.order
    slots = 1 if equal else order
    second = (0.3 * draw(4, 1, slots, 3, 3)).expand(-1, -1, order, -1, -1).clone().requires_grad_()
    third = (0.1 * draw(4, 4, slots, 3, 3)).expand(-1, -1, order, -1, -1).clone().requires_grad_()
    head = draw(3, 4 * order).requires_grad_()
    steps = optimizer([second, third, head], lr=1e-2)
    images, labels = draw(12, 1, 9, 9), torch.arange(12) % 3
    for _ in range(STEPS):
        x = activation(lift_conv2d(images, first, group=group))
        x = activation(group_conv2d(x, second, group=group))
        x = group_conv2d(x, third, group=group).mean((-1, -2)).flatten(1)
        loss = cross_entropy(x @ head.T, labels)
        steps.zero_grad()
        loss.backward()
        assert second.grad is not None
        gradient = second.grad.clone()
        steps.step()
        yield gradient, second.detach().clone()


def right(group: PlanarGroup, k: int) -> list[int]:
    """The slots gk for all g."""
    return [group.product(g, k) for g in range(group.order)]


def relative(difference: Tensor, scale: Tensor) -> float:
    return float(difference.abs().max() / scale.abs().max())


GROUPS = [cyclic(2), cyclic(4), dihedral(1), dihedral(2), dihedral(4)]
BOTH = pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam])


@BOTH
@pytest.mark.parametrize("activation", [linear, torch.relu])
@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_after_a_symmetric_filter_the_filters_stay_the_same(
    group: PlanarGroup, activation: Activation, optimizer: type[torch.optim.Optimizer]
) -> None:
    """Claim (i). It does not need linear activations."""
    start = None
    for gradient, weight in train(SYMMETRIC, group, optimizer=optimizer, activation=activation):
        assert relative(gradient - gradient[:, :, :1], gradient) <= TOLERANCE
        assert relative(weight - weight[:, :, :1], weight) <= TOLERANCE
        start = weight if start is None else start
    assert start is not None
    assert relative(weight - start, start) > 1e-2  # they have learned something


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_after_a_symmetric_filter_gradients_are_equal_whatever_the_start(group: PlanarGroup) -> None:
    for gradient, _ in train(SYMMETRIC, group, equal=False):
        assert relative(gradient - gradient[:, :, :1], gradient) <= TOLERANCE


EDGES = [
    (cyclic(2), 1), (cyclic(4), 2), (dihedral(1), 1), (dihedral(2), 1), (dihedral(2), 2), (dihedral(4), 2),
    (dihedral(4), 4),
]  # fmt: skip


@BOTH
@pytest.mark.parametrize(("group", "k"), EDGES, ids=lambda value: getattr(value, "name", str(value)))
def test_after_an_edge_filter_gradients_are_opposite(
    group: PlanarGroup, k: int, optimizer: type[torch.optim.Optimizer]
) -> None:
    """Claim (ii): k, the half turn or the reflection, reverses the edge. The sum of the two filters never changes."""
    total = None
    for gradient, weight in train(EDGE, group, optimizer=optimizer, equal=False):
        assert relative(gradient[:, :, right(group, k)] + gradient, gradient) <= TOLERANCE
        now = weight[:, :, right(group, k)] + weight
        total = now if total is None else total
        assert relative(now - total, total) <= TOLERANCE


def test_the_second_claim_needs_linear_activations() -> None:
    group = cyclic(4)
    worst = [
        relative(gradient[:, :, right(group, 2)] + gradient, gradient)
        for gradient, _ in train(EDGE, group, activation=torch.relu)
    ]
    assert min(worst) > 1e-2


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_after_a_generic_filter_neither_holds(group: PlanarGroup) -> None:
    """The control: the same network and the same start."""
    for gradient, _ in train(GENERIC, group):
        assert relative(gradient - gradient[:, :, :1], gradient) > 1e-2
        for k in range(1, group.order):
            assert relative(gradient[:, :, right(group, k)] + gradient, gradient) > 1e-2
