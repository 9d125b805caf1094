"""``equivision fit``, ``validate`` and ``test``: the task follows the data."""

import importlib
from pathlib import Path
from typing import Any

from lightning.pytorch.cli import LightningArgumentParser

from equivision import data
from equivision.cli import _runs
from equivision.cli._parser import FROM_DATA
from equivision.cli._screen import quiet
from equivision.cli._training import TrainingCLI
from equivision.errors import ConfigError
from equivision.tasks import SegmentationTask, TrackingTask


class SegmentationCLI(TrainingCLI):
    """The command line of networks with one answer a pixel."""

    task_class = SegmentationTask
    follows = (*FROM_DATA, "ignore_index")
    monitor = ("val/iou", "max")

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the option that averages over a group."""
        super().add_arguments_to_parser(parser)
        if self._command != "fit":
            text = "Average the logits over this group, such as D4, so that they turn with the image: "
            text += "exactly by quarter turns, nearly by other angles."
            parser.add_argument("--symmetrize", type=str | None, default=None, help=text)

    def instantiate_classes(self) -> None:
        """Build everything, and let the option reach the task."""
        super().instantiate_classes()
        if self._command != "fit":
            self.model.symmetrize = self.config[self._command].symmetrize


class TrackingCLI(TrainingCLI):
    """The command line of trackers."""

    task_class = TrackingTask
    follows = ()
    monitor = ("val/loss", "min")

    def _describe_data(self) -> str:
        """How many sequences and pairs there are."""
        train, val = self.datamodule.split
        counts = f"{len(train):,} train" + (f", {len(val):,} val" if val else "")
        return f"{counts} sequences, {self.datamodule.pairs_per_epoch:,} pairs an epoch"

    def _next(self) -> str:
        """What to do after training."""
        return f"equivision track --run_dir {self.run_dir} --sequences FOLDER"

    def test(self, model: Any, datamodule: Any, ckpt_path: Any = None) -> None:
        """Trackers are tested on sequences.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(f"a tracker is tested on sequences: {self._next()}")


def run(command: str, arguments: list[str]) -> int:
    """Run one of the three subcommands."""
    with quiet():
        _cli_for(command, arguments)(command, arguments)
    return 0


def _cli_for(command: str, arguments: list[str]) -> type[TrainingCLI]:
    """The command line for the data: that of the options, of the configuration, or of the run."""
    for name in _data_names(command, arguments):
        module = _data_class(name)
        if issubclass(module, data.TrackingDataModule):
            return TrackingCLI
        if issubclass(module, data.SegmentationDataModule):
            return SegmentationCLI
    return TrainingCLI


def _data_names(command: str, arguments: list[str]) -> list[str]:
    named = [value for option in ("--data", "--data.class_path") for value in _runs.values_of(arguments, option)]
    if named:
        return named
    files = [Path(value) for option in ("-c", "--config") for value in _runs.values_of(arguments, option)]
    goes_on = command != "fit" or "--resume" in arguments
    run = _runs.configuration_of(arguments) if goes_on and not files else None
    found = [_runs.read_configuration(path) for path in (*files, *([run] if run else [])) if path.is_file()]
    named = [one["data"] for one in found if one.get("data")]
    return [str(one.get("class_path", "") if isinstance(one, dict) else one) for one in named]


def _data_class(name: str) -> type:
    """The class that a short name or an import path stands for; ``object``, where the parser will complain."""
    package, _, short = name.rpartition(".")
    try:
        found = getattr(importlib.import_module(package) if package else data, short, object)
    except (ImportError, ValueError):
        return object
    return found if isinstance(found, type) else object
