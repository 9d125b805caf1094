"""Checkpoints: written atomically, and read without running anything that they hold."""

import pickle
import re
import warnings
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from equivision._files import atomic_write
from equivision.errors import DataError

# The entries that every checkpoint of `equivision fit` has.
_ENTRIES = ("state_dict", "hyper_parameters", "epoch", "global_step", "pytorch-lightning_version")


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint of ``equivision fit`` into memory, on the CPU.

    Only tensors and plain values are read (``weights_only=True`` of :func:`torch.load`); a file that holds anything
    else is refused before any of it is run.

    Raises:
        DataError: there is no such file, it is damaged, holds code, or is something else than such a checkpoint.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(
            f"there is no checkpoint {path}: check the path; runs keep theirs as <run_dir>/checkpoints/last.ckpt"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about forms of pickle that torch does not write
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except (PermissionError, MemoryError):
        raise
    except Exception as error:  # torch raises many kinds for damaged files; they mean the same here
        raise DataError(_why(path, error)) from error
    missing = [entry for entry in _ENTRIES if not isinstance(checkpoint, dict) or entry not in checkpoint]
    if missing:
        raise DataError(
            f"{path} is no checkpoint of equivision fit (it has no {missing[0]!r}): give a .ckpt file from the folder "
            "checkpoints of a run"
        )
    hparams = checkpoint["hyper_parameters"]
    if not isinstance(hparams, dict) or not isinstance(checkpoint["state_dict"], dict):
        raise DataError(
            f"{path} is no checkpoint of equivision fit: its hyper_parameters or its state_dict is no table"
        )
    if not isinstance(hparams.get("model"), str | None) or _names_a_class(hparams):
        raise DataError(
            f"checkpoint {path} is refused: its hyper_parameters name a class to build, which checkpoints of "
            "equivision fit never do"
        )
    return checkpoint


def _names_a_class(value: Any) -> bool:
    """Whether a value holds what the parser of the command line would import and call."""
    if isinstance(value, dict):
        return any("class_path" in str(key) or _names_a_class(item) for key, item in value.items())
    return isinstance(value, list | tuple) and any(map(_names_a_class, value))


def _other(path: Path) -> str:
    """Another checkpoint of the run."""
    beside = [one for one in ("last.ckpt", "best.ckpt") if one != path.name and (path.parent / one).is_file()]
    return f"{path.parent / beside[0]}" if beside else "another one of the run"


def _why(path: Path, error: Exception) -> str:
    named = re.search(r"GLOBAL ([\w.]+)", str(error))
    if isinstance(error, pickle.UnpicklingError) and named:
        return (
            f"checkpoint {path} is refused: besides tensors and plain values it holds {named[1]}, which could run code "
            "when loaded. Nothing of it was run. Do not use the file if you do not know who made it; if you do, ask "
            "for one that was written by equivision fit"
        )
    return (
        f"checkpoint {path} cannot be read, it is damaged or cut short ({path.stat().st_size:,} bytes), or no "
        f"checkpoint: copy it again, or use {_other(path)}"
    )


class SafeCheckpointIO(TorchCheckpointIO):
    """Lightning plugin that writes checkpoints atomically and reads them with :func:`read_checkpoint`.

    Lightning's own writer goes through a temporary file in the system's folder for such files. Where that lies on
    another disk than the checkpoint, the last step is a copy, and a process that is killed during it leaves half a
    checkpoint.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:
        """Write a checkpoint; until it is complete, an older file of this name stays as it is."""
        del storage_options
        with atomic_write(path) as file:
            torch.save(checkpoint, file)

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint; see :func:`read_checkpoint`, which allows no exception for ``weights_only=False``."""
        del map_location, weights_only
        return read_checkpoint(path)
