"""Gradients agree with finite differences and move with the input."""

import pytest

from equivision.testing import assert_equivariant_gradients, assert_gradcheck
from tests.contract._layers import REPRESENTATIVES, Case


@pytest.mark.costly(5)
@pytest.mark.parametrize("case", REPRESENTATIVES, ids=str)
def test_gradcheck(case: Case) -> None:
    assert_gradcheck(case.layer(), case.inputs()[0])


@pytest.mark.costly(5)
@pytest.mark.parametrize("case", REPRESENTATIVES, ids=str)
def test_gradients_are_equivariant(case: Case) -> None:
    layer, x = case.layer(), case.inputs()[-1]
    assert_equivariant_gradients(layer, x, group=case.group, act_in=case.act_in, act_out=case.act_out)


def test_every_parameter_of_every_layer_gets_a_gradient() -> None:
    for case in REPRESENTATIVES:
        layer = case.layer()
        layer(case.inputs()[0]).square().sum().backward() if list(layer.parameters()) else None
        idle = [name for name, parameter in layer.named_parameters() if not parameter.grad.abs().sum() > 0]
        assert not idle, f"{case}: {idle}"
