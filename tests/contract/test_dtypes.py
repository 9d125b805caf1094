"""float32, bfloat16 and autocast give what float64 gives, and stay equivariant."""

import pytest
import torch

from equivision.testing import assert_dtypes, assert_equivariant
from tests.contract._layers import REPRESENTATIVES, Case


@pytest.mark.costly(5)
@pytest.mark.parametrize("case", REPRESENTATIVES, ids=str)
def test_dtypes(case: Case) -> None:
    for x in case.inputs():
        assert_dtypes(case.layer(), x)


@pytest.mark.costly(5)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("case", REPRESENTATIVES, ids=str)
def test_equivariance(case: Case, dtype: torch.dtype) -> None:
    layer = case.layer().to(dtype)
    for x in case.inputs():
        assert_equivariant(layer, x.to(dtype), group=case.group, act_in=case.act_in, act_out=case.act_out)


@pytest.mark.costly(5)
@pytest.mark.parametrize("case", REPRESENTATIVES, ids=str)
def test_parameters_are_float32_unless_asked_otherwise(case: Case) -> None:
    layer = case.make()
    assert all(parameter.dtype == torch.float32 for parameter in layer.parameters())
    assert all(parameter.dtype == torch.float64 for parameter in case.layer().parameters())
