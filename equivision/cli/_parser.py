"""The parser of commands that take data, and what a task takes from it."""

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
DATA_MODULES = ("DigitsDataModule", "MNISTDataModule", "ParquetDataModule", "ImageFolderDataModule", "HubDataModule")
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
        raise ConfigError(parser_message(message)) from ex


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
