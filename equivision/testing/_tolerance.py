"""Comparison to the table of tolerances."""

import torch
from torch import Tensor

from equivision.errors import ConfigError
from equivision.functional import relative_error
from equivision.functional._tolerance import TOLERANCE as TOLERANCE


def tolerance_of(dtype: torch.dtype) -> float:
    """The entry of :data:`TOLERANCE` for a dtype.

    >>> tolerance_of(torch.float64)
    1e-12

    Raises:
        ConfigError: the table has no such entry.
    """
    if dtype not in TOLERANCE:
        known = ", ".join(str(known).removeprefix("torch.") for known in TOLERANCE)
        raise ConfigError(f"dtype={dtype} has no tolerance: use a tensor of one of {known}, or give tolerance=")
    return TOLERANCE[dtype]


def assert_close(actual: Tensor, expected: Tensor, limit: float, what: str) -> None:
    """Raise AssertionError unless shapes agree and the relative error is at most ``limit``."""
    __tracebackhide__ = True
    if actual.shape != expected.shape:
        raise AssertionError(f"{what}: shape {tuple(actual.shape)}, expected {tuple(expected.shape)}")
    error = float(relative_error(actual.double(), expected.double()))
    if not error <= limit:
        raise AssertionError(f"{what}: relative error {error:.2e} is above {limit:g}")
