"""The folder of a run: ``config.yaml``, ``metrics.csv``, ``tensorboard/``, ``checkpoints/``."""

import errno
import itertools
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from equivision.errors import ConfigError, DataError

_HOLDS = ("checkpoints", "metrics.csv", "tensorboard", "config.yaml")
#: What a run writes, and what one leaves that is killed while it writes.
_WRITTEN = (
    *(
        "checkpoints/last.ckpt",
        "checkpoints/best.ckpt",
        "metrics.csv",
        "config.yaml",
        "tensorboard/events.out.tfevents*",
    ),
    *("checkpoints/.last.ckpt.tmp", "checkpoints/.best.ckpt.tmp", ".metrics.csv.tmp", ".config.yaml.tmp"),
)
#: Options that do not change what is trained.
_FREE = ("data.init_args.num_workers", "data.init_args.predict_folder")


def default_folder(data: Any, model: Any) -> Path:
    """``runs/digits-p4cnn`` for DigitsDataModule and the model p4cnn."""

    def short(given: Any) -> str:
        return str(given if isinstance(given, str) else given["class_path"]).rsplit(".", 1)[-1]

    return Path("runs") / f"{re.sub('DataModule$', '', short(data)).lower()}-{short(model).lower()}"


def check_free(folder: Path) -> None:
    """Check that a folder holds nothing with the name of what a run writes; empty folders do not count.

    Raises:
        ConfigError: it does.
    """
    found = [name for name in _HOLDS if (folder / name).is_file() or any((folder / name).glob("*"))]
    if found:
        raise ConfigError(
            f"run_dir={folder} holds a run already ({', '.join(found)}): continue it with --resume, replace it with "
            "--overwrite, or choose another folder with --run_dir"
        )


def clear(folder: Path) -> None:
    """Remove the files that a run has written, and nothing else."""
    for pattern in _WRITTEN:
        for path in folder.glob(pattern):
            if path.is_file():
                path.unlink()
    for name in ("checkpoints", "tensorboard"):
        if (folder / name).is_dir() and not any((folder / name).iterdir()):
            (folder / name).rmdir()


def check_writable(path: Path, option: str, *, is_folder: bool = False) -> None:
    """Try whether a file (or files in a folder) can be written, and leave nothing behind.

    Raises:
        ConfigError: it cannot.
    """
    folder = path if is_folder else path.parent
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        if not is_folder and path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        kind = "folder" if is_folder else "file"
        raise ConfigError(
            f"{option} {path}: cannot be written ({error.strerror}); give a {kind} that can be written"
        ) from error
    finally:
        for one in made:
            if one.is_dir():
                one.rmdir()


def check_same(folder: Path, now: Mapping[str, Any]) -> None:
    """Compare the options of model and data with those that a run was started with.

    Args:
        folder: of the run.
        now: the options that it is to go on with.

    Raises:
        ConfigError: one differs that decides what is trained.
    """
    path = folder / "config.yaml"
    if not path.is_file():
        return
    then = read_configuration(path)
    for part in ("model", "data"):
        old, new = _flat(then.get(part), part), _flat(now.get(part), part)
        for name in (name for name in old if name in new and name not in _FREE and old[name] != new[name]):
            option = name.replace("data.init_args.", "data.").removesuffix(".class_path")
            raise ConfigError(
                f"--{option} {new[name]}: the run in {folder} was trained with {option}={old[name]}, and goes on with "
                f"that only; resume with 'equivision fit --run_dir {folder} --resume', which takes the options of the "
                "run, or start a new run with another --run_dir"
            )


def read_configuration(path: Path) -> dict[str, Any]:
    """The ``config.yaml`` of a run.

    Raises:
        DataError: it is damaged.
    """
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({str(error).splitlines()[0]}): restore it, or remove it") from error
    if not isinstance(found, dict):
        raise DataError(f"{path} is no configuration of equivision fit: restore it, or remove it")
    return found


def _flat(value: Any, name: str) -> dict[str, Any]:
    """Nested tables as one, with names such as ``data.init_args.seed``."""
    if not isinstance(value, Mapping) or not value:
        return {name: value or None if isinstance(value, Mapping) else value}
    return {key: item for part, inner in value.items() for key, item in _flat(inner, f"{name}.{part}").items()}


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
    folders = [Path(value) for value in values_of(arguments, "--run_dir")]
    missing = next((folder for folder in folders if not (folder / "config.yaml").is_file()), None)
    if missing is not None:
        raise ConfigError(f"run_dir={missing} holds no run (it has no config.yaml): check the path")
    folders += [Path(value).parent.parent for value in values_of(arguments, "--ckpt_path")]
    return next((folder / "config.yaml" for folder in folders if (folder / "config.yaml").is_file()), None)


def values_of(arguments: Sequence[str], option: str) -> list[str]:
    """All values that an option is given."""
    found = [argument.split("=", 1)[1] for argument in arguments if argument.startswith(f"{option}=")]
    pairs = itertools.pairwise(arguments)
    return found + [value for argument, value in pairs if argument == option]
