"""Checks of numbers that users give, each named in the error."""

import math
from numbers import Integral, Real

from equivision.errors import ConfigError


def check_count(name: str, value: int, least: int = 1) -> None:
    """Raise ConfigError unless the value is a whole number of at least 1, or of another least one."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise ConfigError(f"{name}={value!r}: give a whole number of at least {least}")


def check_positive(name: str, value: float | int) -> None:
    """Raise ConfigError unless the value is a finite number above 0."""
    if not isinstance(value, Real) or isinstance(value, bool) or not 0 < value < math.inf:
        raise ConfigError(f"{name}={value!r}: give a positive number")


def check_part(name: str, value: float | int, meaning: str, *, zero: bool = True) -> None:
    """Raise ConfigError unless the value is a number from 0 to 1; ``meaning`` says what to give."""
    if not isinstance(value, Real) or not 0 <= value <= 1 or (value == 0 and not zero):
        raise ConfigError(f"{name}={value!r}: give {meaning}")
