"""``equivision fit``, ``validate`` and ``test``: the task follows the data, classification or tracking."""

from pathlib import Path
from typing import Any

from equivision.cli import _runs
from equivision.cli._parser import TRACKING_MODULES
from equivision.cli._screen import quiet
from equivision.cli._training import TrainingCLI
from equivision.errors import ConfigError
from equivision.tasks import TrackingTask


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
        (TrackingCLI if _tracks(command, arguments) else TrainingCLI)(command, arguments)
    return 0


def _tracks(command: str, arguments: list[str]) -> bool:
    """Whether the data is for trackers: that of the options, of the configuration, or of the run."""
    named = [value for option in ("--data", "--data.class_path") for value in _runs.values_of(arguments, option)]
    if not named:
        files = [Path(value) for option in ("-c", "--config") for value in _runs.values_of(arguments, option)]
        goes_on = command != "fit" or "--resume" in arguments
        run = _runs.configuration_of(arguments) if goes_on and not files else None
        found = [_runs.read_configuration(path) for path in (*files, *([run] if run else [])) if path.is_file()]
        data = [one["data"] for one in found if one.get("data")]
        named = [str(one.get("class_path", "") if isinstance(one, dict) else one) for one in data]
    return any(value.rsplit(".", 1)[-1] in (*TRACKING_MODULES, "TrackingDataModule") for value in named)
