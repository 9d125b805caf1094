"""torch.export with a dynamic batch: the same output at other batch sizes."""

import pytest

from equivision.testing import assert_exports
from tests.contract._layers import TRACED, Case


@pytest.mark.costly(4)
@pytest.mark.parametrize("case", TRACED, ids=str)
def test_export(case: Case) -> None:
    assert_exports(case.layer(), case.inputs()[0])
