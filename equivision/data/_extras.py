"""Optional packages, imported when they are needed."""

import importlib
from typing import Any

from equivision.errors import MissingExtraError


def require(module: str, package: str, purpose: str, extra: str = "data") -> Any:
    """Import a module of an optional package.

    Raises:
        MissingExtraError: the package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.split(".")[0] != module.split(".")[0]:
            raise  # the package is there; something it needs itself is not
        raise MissingExtraError(package, extra, purpose) from error
