"""Pictures prepared for a trained network."""

import warnings
from pathlib import Path
from typing import Any, Literal

from equivision.cli._screen import complain
from equivision.data import ImageData, read_pictures
from equivision.errors import ConfigError, DataError
from equivision.tasks import SupervisedTask

_LISTED = 10


def leave_out_bad(data: Any) -> None:
    """Let ``--skip-bad`` reach the parsed options of a data module, in place.

    Raises:
        ConfigError: the module has no such option.
    """
    options = data.get("init_args") or {}
    if "skip_bad" not in options:
        raise ConfigError(f"--skip-bad: {data['class_path']} has no option skip_bad: leave --skip-bad out")
    options["skip_bad"] = True


def read_like_training(task: SupervisedTask, folder: Path, *, skip_bad: bool) -> ImageData:
    """The pictures of a folder and below, with the size and the number of channels that the network was trained on.

    Args:
        task: as it comes from its checkpoint.
        folder: of the pictures.
        skip_bad: leave out those that cannot be read, with a warning.

    Raises:
        ConfigError: the network was not trained on images of one size with 1 or 3 channels.
        DataError: the folder is missing or empty, or pictures cannot be read; all are named. Or training images were
            not square, and pictures have another size.
    """
    size, channels = task.hparams["image_size"], task.hparams["in_channels"]
    if size is None or channels not in (1, 3):
        raise ConfigError(
            f"the network was trained on images of size {size} with {channels} channel(s), but pictures in a folder "
            "are prepared in one size with 1 or 3 channels only: call predict_step of the task in Python instead"
        )
    height, width = size
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="skipped ")  # what was skipped is said below
        kind: Literal[1, 3] = 1 if channels == 1 else 3
        data = read_pictures(folder, image_size=height if height == width else None, channels=kind, skip_bad=True)
    if data.images.shape[2:] != (height, width):
        found = "x".join(map(str, data.images.shape[2:]))
        raise DataError(
            f"the pictures in {folder} are {found} pixels, the network was trained on {height}x{width}: only square "
            "pictures are scaled for it; scale these"
        )
    if not data.skipped:
        return data
    bad = [f"{one.name} ({one.reason})" for one in data.skipped]
    listed = ", ".join(bad[:_LISTED]) + (f" and {len(bad) - _LISTED} more" if len(bad) > _LISTED else "")
    text = f"{len(bad)} of {len(bad) + len(data)} pictures in {folder} cannot be read: {listed}"
    if not skip_bad:
        raise DataError(f"{text}. Replace or remove them, or leave them out with --skip-bad")
    complain(f"{text}; they are left out", "warning")
    return data
