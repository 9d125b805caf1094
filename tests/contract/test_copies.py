"""pickle, deepcopy and saved weights bring back the same layer."""

import pytest

from equivision.testing import assert_copies
from tests.contract._layers import REPRESENTATIVES, Case


@pytest.mark.costly(5)
@pytest.mark.parametrize("case", REPRESENTATIVES, ids=str)
def test_copies(case: Case) -> None:
    assert_copies(case.layer(), case.inputs()[0])
