"""The channels_last memory format gives the same numbers and survives wherever torch lets it."""

import pytest
import torch

from equivision.testing import assert_channels_last
from tests.contract._layers import REPRESENTATIVES, Case

WITH_SPACE = [case for case in REPRESENTATIVES if case.sizes is not None]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", WITH_SPACE, ids=str)
def test_channels_last(case: Case, dtype: torch.dtype) -> None:
    for x in case.inputs():
        assert_channels_last(case.layer().to(dtype), x.to(dtype), kept=case.keeps_channels_last)
