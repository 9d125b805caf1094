"""Models by name."""

import inspect
from collections.abc import Callable
from typing import Any

from torch import nn

from equivision.errors import ConfigError

_MODELS: dict[str, Callable[..., nn.Module]] = {}


def register(factory: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
    """Decorator: make a model factory known under its function name.

    Raises:
        ConfigError: the name is taken.
    """
    name = factory.__name__
    if name in _MODELS:
        raise ConfigError(f"a model named {name!r} is registered already: choose another name")
    _MODELS[name] = factory
    return factory


def list_models() -> list[str]:
    """Names of all registered models, sorted.

    >>> "p4cnn" in list_models()
    True
    """
    return sorted(_MODELS)


def create_model(name: str, **arguments: Any) -> nn.Module:
    """Build a registered model.

    Args:
        name: one of :func:`list_models`.
        **arguments: keyword arguments of the model, among them ``group``, ``width``, ``in_channels`` and
            ``num_classes``; what is not given keeps the model's default.

    Raises:
        ConfigError: the name or an argument is not known.

    >>> sum(p.numel() for p in create_model("p4cnn").parameters())
    24810
    """
    if name not in _MODELS:
        raise ConfigError(f"model {name!r} is not known: choose one of {', '.join(list_models())}")
    known = inspect.signature(_MODELS[name]).parameters
    unknown = sorted(set(arguments) - set(known))
    if unknown:
        raise ConfigError(f"model {name!r} has no argument {unknown[0]!r}: it takes {', '.join(known)}")
    return _MODELS[name](**arguments)
