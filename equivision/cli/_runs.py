"""The folder of a run: ``config.yaml``, ``metrics.csv``, ``tensorboard/``, ``checkpoints/``."""

import itertools
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from equivision.errors import ConfigError, DataError

_HOLDS = ("checkpoints", "metrics.csv", "tensorboard", "config.yaml")


def default_folder(data: Any, model: Any) -> Path:
    """``runs/digits-p4cnn`` for DigitsDataModule and the model p4cnn."""

    def short(given: Any) -> str:
        return str(given if isinstance(given, str) else given["class_path"]).rsplit(".", 1)[-1]

    return Path("runs") / f"{re.sub('DataModule$', '', short(data)).lower()}-{short(model).lower()}"


def check_free(folder: Path) -> None:
    """Check that a folder holds no run; what one leaves that fails before its first epoch ends does not count.

    Raises:
        ConfigError: it holds one.
    """
    found = [name for name in ("checkpoints", "metrics.csv") if (folder / name).exists()]
    if found:
        raise ConfigError(
            f"run_dir={folder} holds a run already ({', '.join(found)}): continue it with --resume, replace it with "
            "--overwrite, or choose another folder with --run_dir"
        )


def clear(folder: Path) -> None:
    """Remove what a run has left, and nothing else."""
    for name in _HOLDS:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def checkpoint_path(given: str | None, folder: Path) -> Path:
    """The file that ``--ckpt_path`` means: ``last``, ``best`` (the default), or a path.

    Raises:
        DataError: the run has no such checkpoint.
    """
    if given not in (None, "best", "last"):
        return Path(str(given))
    path = folder / "checkpoints" / f"{given or 'best'}.ckpt"
    if not path.is_file():
        raise DataError(
            f"run_dir={folder} has no checkpoint {path.name}: train with equivision fit first, or name another run "
            "with --run_dir or a file with --ckpt_path"
        )
    return path


def configuration_of(arguments: Sequence[str]) -> Path | None:
    """The ``config.yaml`` of the run that ``--run_dir`` or ``--ckpt_path`` names, if no data is given otherwise.

    Raises:
        ConfigError: ``--run_dir`` names a folder that holds no run.
    """
    if any(re.match(r"(-c|--config|--data)(=|$)", argument) for argument in arguments):
        return None
    folders = [Path(value) for value in _values(arguments, "--run_dir")]
    missing = next((folder for folder in folders if not (folder / "config.yaml").is_file()), None)
    if missing is not None:
        raise ConfigError(f"run_dir={missing} holds no run (it has no config.yaml): check the path")
    folders += [Path(value).parent.parent for value in _values(arguments, "--ckpt_path")]
    return next((folder / "config.yaml" for folder in folders if (folder / "config.yaml").is_file()), None)


def _values(arguments: Sequence[str], option: str) -> list[str]:
    found = [argument.split("=", 1)[1] for argument in arguments if argument.startswith(f"{option}=")]
    pairs = itertools.pairwise(arguments)
    return found + [value for argument, value in pairs if argument == option]
