"""The channels_last memory format gives the same numbers and survives wherever torch lets it."""

import copy

import pytest
import torch

from equivision.testing import assert_channels_last
from tests.contract._layers import REPRESENTATIVES, Case

WITH_PLANE = [case for case in REPRESENTATIVES if case.sizes is not None and case.group.dimension == 2]


@pytest.mark.costly(5)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", WITH_PLANE, ids=str)
def test_channels_last(case: Case, dtype: torch.dtype) -> None:
    for x in case.inputs():
        assert_channels_last(case.layer().to(dtype), x.to(dtype), kept=case.keeps_channels_last)


OURS = [case for case in REPRESENTATIVES if type(case.layer()).__module__.startswith("equivision")]


@pytest.mark.costly(5)
@pytest.mark.parametrize("case", OURS, ids=str)
def test_weights_take_the_format_as_a_whole_network_does(case: Case) -> None:
    layer = case.layer()
    moved = copy.deepcopy(layer).to(memory_format=torch.channels_last)
    for name, value in layer.state_dict().items():
        assert torch.equal(moved.state_dict()[name], value)
    x = case.inputs()[0]
    assert torch.equal(moved(x), layer(x))
