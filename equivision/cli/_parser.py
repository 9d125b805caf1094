"""The parser of commands that take data, and what a task takes from it."""

import difflib
import inspect
import re
from collections.abc import Callable
from typing import Any, NoReturn

from equivision import data as _data
from equivision.cli._screen import parser_message
from equivision.data._extras import require
from equivision.errors import ConfigError

require("jsonargparse", "jsonargparse", "the command line", extra="train")
require("tensorboard", "tensorboard", "the command line", extra="train")

from lightning.pytorch.cli import LightningArgumentParser  # noqa: E402

#: The data modules, known to the parser by their short names once they are imported.
DATA_MODULES = (
    *("DigitsDataModule", "MNISTDataModule", "ScaleMNISTDataModule", "STL10DataModule"),
    *("ParquetDataModule", "ImageFolderDataModule", "HubDataModule"),
)
TRACKING_MODULES = ("SyntheticTrackingDataModule", "SequenceFolderDataModule")
MASK_MODULES = ("MaskFolderDataModule", "MaskParquetDataModule", "PH2DataModule")
_MODULES = (*DATA_MODULES, *MASK_MODULES, *TRACKING_MODULES)
for _name in _MODULES:
    getattr(_data, _name)

#: What a classification task takes from its data.
FROM_DATA = ("in_channels", "num_classes", "image_size", "class_names")


class TrainingParser(LightningArgumentParser):
    """Parser whose errors are :class:`ConfigError`, on one line.

    Attributes:
        modules: the data modules that the command takes.
        instead: what may be given in place of data.
    """

    modules = _MODULES
    instead = ", or a recipe with --config; to measure a run, name it with --run_dir"

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise instead of writing the usage and leaving."""
        known = f"choose one of {', '.join(self.modules)}, or give the import path of your own class"
        if "arguments are required" in message and "data" in message:
            message = f"no data is given: {known}, as in --data DigitsDataModule{self.instead}"
        elif "Expected a dot import path string" in message and '"data"' in message:
            message = f"--data: {message.rsplit('Given value:', 1)[-1].strip()} is not known: {known}"
        raise ConfigError(parser_message(message) + self._near(message)) from ex

    def _near(self, message: str) -> str:
        """Options whose names are near one that is not known."""
        wrong = re.search(r"Option '(\w+)' is not accepted|unrecognized arguments: (--[\w.]+)", message)
        if wrong is None:
            return ""
        if wrong[2]:
            known = [option for option in self._option_string_actions if option.startswith("--")]
        else:
            kinds = [getattr(_data, name) for name in self.modules]
            known = [name for kind in kinds for part in kind.__mro__ for name in _parameters(part)]
        near = difflib.get_close_matches(wrong[1] or wrong[2], sorted(set(known)), 3)
        listed = ", ".join(near if wrong[2] else (f"--data.{name}" for name in near))
        return f"; did you mean {listed}?" if near else ""


def _parameters(kind: type) -> list[str]:
    """What the constructor of a class takes by name."""
    if "__init__" not in vars(kind) or not kind.__module__.startswith("equivision."):
        return []
    return [name for name in inspect.signature(kind).parameters if name not in ("self", "options")]


def from_data(name: str) -> Callable[[Any], Any]:
    """A function that reads an attribute of a data module.

    Raises:
        ConfigError: (the function) there is no such attribute.
    """

    def read(module: Any) -> Any:
        if name not in vars(module) and not hasattr(type(module), name):
            raise ConfigError(
                f"{type(module).__name__} has no attribute {name}: a data module for classification says "
                f"{', '.join(FROM_DATA)}"
            )
        value = getattr(module, name)
        return list(value) if isinstance(value, tuple) else value

    return read
