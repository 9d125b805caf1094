"""state_dict holds parameters and running statistics only, the same in train and eval."""

import pytest

import equivision.nn as evnn
from equivision.testing import assert_state_dict
from tests.contract._layers import GROUPS, REPRESENTATIVES, Case


@pytest.mark.costly(5)
@pytest.mark.parametrize("case", REPRESENTATIVES, ids=str)
def test_state_dict(case: Case) -> None:
    assert_state_dict(case.make, case.inputs()[0])


def test_weights_are_not_expanded() -> None:
    for group in GROUPS:
        assert evnn.LiftConv2d(2, 4, 3, group=group).weight.shape == (4, 2, 3, 3)
        assert evnn.ProjectConv2d(2, 4, 3, group=group).weight.shape == (4, 2, 3, 3)
        assert evnn.GroupConv2d(2, 4, 3, group=group).weight.shape == (4, 2, group.order, 3, 3)
        assert evnn.GroupConvTranspose2d(2, 4, 3, group=group).weight.shape == (2, 4, group.order, 3, 3)
        assert evnn.GroupLinear(2, 4, group=group).weight.shape == (4, 2, group.order)
