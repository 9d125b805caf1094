"""Frozen dataclasses to JSON and back."""

import dataclasses
import json
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from equivision.errors import DataError

T = TypeVar("T")


def dumps(value: Any) -> str:
    """A dataclass as JSON text."""
    return json.dumps(dataclasses.asdict(value), indent=1, allow_nan=False)


def loads(kind: type[T], text: str, source: str) -> T:
    """Read back what :func:`dumps` wrote.

    Args:
        kind: the dataclass.
        text: JSON.
        source: where the text comes from, for the message.

    Raises:
        DataError: the text is not JSON, or a field is missing, unknown or of another type.
    """
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{source} is not JSON: {error}; give a report written by to_json") from error
    try:
        return _build(kind, value)
    except (TypeError, KeyError, ValueError) as error:
        raise DataError(
            f"{source} does not hold a {kind.__name__} of this version: {error}; run the audit again"
        ) from error


def _build(kind: Any, value: Any) -> Any:
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        if not isinstance(value, dict) or set(value) != set(hints):
            raise TypeError(f"the fields of {getattr(kind, '__name__', kind)} should be {', '.join(hints)}")
        return kind(**{name: _build(hint, value[name]) for name, hint in hints.items()})  # type: ignore[operator]
    origin, inner = get_origin(kind), get_args(kind)
    if origin is tuple:
        return tuple(_build(inner[0], item) for item in value)
    if origin is UnionType:
        options = [option for option in inner if option is not NoneType]
        return None if value is None else _build(options[0], value)
    if origin is Literal:
        if value not in inner:
            raise TypeError(f"{value!r} is none of {', '.join(map(repr, inner))}")
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise TypeError(f"{value!r} is not of type {kind.__name__}")
    return value
