"""Separable kernels: one layer, two ways to compute it; what it saves; what makes it equivariant."""

import pytest
import torch
from torch import Tensor

import equivision.nn as evnn
from equivision import functional
from equivision.groups import PlanarGroup, cyclic, dihedral
from equivision.testing import equivariance_error, random_input, randomize_

GROUPS = [cyclic(1), cyclic(2), cyclic(4), dihedral(1), dihedral(2), dihedral(4)]
OPTIONS = (
    {"kernel_size": 3, "padding": 1},
    {"kernel_size": 1},
    {"kernel_size": 4, "padding": 2, "bias": False},
    {"kernel_size": 3, "stride": 2, "padding": 1},
    {"kernel_size": 2, "dilation": 3, "groups": 2},
    {"kernel_size": 3, "padding": 2, "padding_mode": "reflect"},
)


def results(layer: evnn.SeparableGroupConv2d, x: Tensor, algorithm: str) -> list[Tensor]:
    """Output, gradient with respect to the input, and gradients with respect to the parameters."""
    layer.algorithm = algorithm
    x = x.clone().requires_grad_()
    y = layer(x)
    weights = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).reshape(y.shape)
    return [y.detach(), *torch.autograd.grad((y * weights).sum(), [x, *layer.parameters()])]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("variant", ["g", "gc"])
@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_algorithms_agree_forward_and_backward(group: PlanarGroup, variant: str, options: dict) -> None:
    layer = evnn.SeparableGroupConv2d(2, 4, group=group, variant=variant, dtype=torch.float64, **options)
    x = random_input(2, (7, 9), group)
    factored, expanded = (results(randomize_(layer), x, how) for how in ("factored", "expand"))
    assert len(factored) == 2 + 2 + (layer.bias is not None)
    for one, other in zip(factored, expanded, strict=True):
        assert one.abs().max() > 0.01
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("variant", "same"), [("g", "expand"), ("gc", "factored")])
def test_auto_is_one_of_the_two(variant: str, same: str) -> None:
    layer = evnn.SeparableGroupConv2d(3, 5, 3, group="D4", variant=variant)
    x = random_input(3, (9, 9), dihedral(4), dtype=torch.float32)
    with torch.no_grad():
        automatic = layer(x)
        layer.algorithm = same
        assert torch.equal(automatic, layer(x))


@pytest.mark.parametrize("variant", ["g", "gc"])
@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_a_separable_layer_is_a_dense_one_with_a_product_for_a_kernel(group: PlanarGroup, variant: str) -> None:
    separable = evnn.SeparableGroupConv2d(3, 4, 3, group=group, variant=variant, padding=1, dtype=torch.float64)
    dense = evnn.GroupConv2d(3, 4, 3, group=group, padding=1, dtype=torch.float64)
    with torch.no_grad():
        dense.weight.copy_(torch.einsum("ocyx,och->ochyx", separable.spatial.expand(4, 3, 3, 3), separable.pointwise))
        x = random_input(3, (6, 6), group)
        torch.testing.assert_close(separable(x), dense(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("variant", ["g", "gc"])
@pytest.mark.parametrize("group", GROUPS[1:], ids=str)
def test_without_the_permutation_of_the_pointwise_part_equivariance_fails(group: PlanarGroup, variant: str) -> None:
    """The trap of the method: the pointwise weights of output slot h are read at ``h^-1 g``, not at g."""
    layer = randomize_(evnn.SeparableGroupConv2d(3, 4, 3, group=group, variant=variant, algorithm="factored").double())
    x = random_input(3, (7, 7), group)
    with torch.no_grad():
        assert max(map(float, equivariance_error(layer, x, group=group).values())) <= 1e-12
        layer.table.copy_(torch.arange(group.order).expand(group.order, -1))
        errors = equivariance_error(layer, x, group=group)
    assert min(map(float, errors.values())) > 0.1


@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_parameter_counts(group: PlanarGroup, kernel: int) -> None:
    """``C C' (|G| + k^2)`` for g, ``C' (C |G| + k^2)`` for gc; one bias an output field."""
    order, taps, fields, out = group.order, kernel**2, 6, 4
    for bias in (True, False):
        options = {"group": group, "bias": bias}
        g = evnn.SeparableGroupConv2d(fields, out, kernel, variant="g", **options)
        gc = evnn.SeparableGroupConv2d(fields, out, kernel, variant="gc", **options)
        assert sum(p.numel() for p in g.parameters()) == fields * out * (order + taps) + out * bias
        assert sum(p.numel() for p in gc.parameters()) == out * (fields * order + taps) + out * bias


def test_weights_outlive_the_choice_of_an_algorithm() -> None:
    one = evnn.SeparableGroupConv2d(2, 3, 3, group="C4", variant="g", algorithm="factored")
    other = evnn.SeparableGroupConv2d(2, 3, 3, group="C4", variant="g", algorithm="expand")
    assert set(one.state_dict()) == {"spatial", "pointwise", "bias"}
    other.load_state_dict(one.state_dict())
    x = random_input(2, (5, 5), cyclic(4), dtype=torch.float32)
    with torch.no_grad():
        torch.testing.assert_close(one(x), other(x), rtol=1e-5, atol=1e-6)


def test_function_builds_the_tables_that_it_is_not_given() -> None:
    layer = evnn.SeparableGroupConv2d(2, 3, 3, group="D4", variant="gc")
    x = random_input(2, (5, 5), dihedral(4), dtype=torch.float32)
    for algorithm in ("factored", "expand"):
        layer.algorithm = algorithm
        bare = functional.separable_group_conv2d(
            x, layer.spatial, layer.pointwise, layer.bias, group=layer.group, algorithm=algorithm
        )
        assert torch.equal(layer(x), bare)


def test_repr_shows_what_is_special() -> None:
    layer = evnn.SeparableGroupConv2d(2, 3, 3, group="C4", variant="g", algorithm="expand")
    assert repr(layer) == "SeparableGroupConv2d(2, 3, 3, group=cyclic(4), variant='g', algorithm='expand')"
