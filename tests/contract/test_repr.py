"""The repr of a layer is the expression that builds it."""

import pytest

from equivision.testing import assert_repr
from tests.contract._layers import CASES, NAMES, Case


@pytest.mark.costly(7)
@pytest.mark.parametrize("case", [case for case in CASES if case.repr_builds], ids=str)
def test_repr(case: Case) -> None:
    assert_repr(case.make(), NAMES)
