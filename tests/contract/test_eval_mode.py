"""In eval mode nothing stale is kept, and examples do not see each other."""

import pytest

from equivision.testing import assert_backward_twice, assert_batch_independent
from tests.contract._layers import REPRESENTATIVES, Case


@pytest.mark.costly(5)
@pytest.mark.parametrize("case", REPRESENTATIVES, ids=str)
def test_backward_twice(case: Case) -> None:
    assert_backward_twice(case.layer(), case.inputs()[0])


@pytest.mark.costly(5)
@pytest.mark.parametrize("case", REPRESENTATIVES, ids=str)
def test_batch_independence(case: Case) -> None:
    for x in case.inputs():
        assert_batch_independent(case.layer(), x)
