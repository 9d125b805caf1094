"""``equivision predict`` for networks with one answer a pixel: masks and overlays."""

import argparse
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from equivision._colours import MASK_COLOURS
from equivision._files import replacing
from equivision.cli._runs import check_writable
from equivision.cli._screen import complain, say
from equivision.data import list_pictures, read_picture
from equivision.data._extras import require
from equivision.errors import ConfigError, DataError, EquivisionError
from equivision.segmentation import classes_of, overlay, predict_tiled
from equivision.tasks import SegmentationTask


def write_masks(task: SegmentationTask, options: argparse.Namespace) -> None:
    """Write ``<name>.png``, class numbers with colours for viewers, and ``<name>_overlay.png`` for every picture.

    Raises:
        ConfigError: an option is not valid, the folder cannot be written, or a picture has a size that the network does
            not take.
        DataError: a picture cannot be read.
    """
    if options.overlap is not None and options.tile is None:
        raise ConfigError(f"--overlap {options.overlap}: goes with --tile")
    folder: Path = options.output or Path("masks")
    if folder.is_file():
        raise ConfigError(f"--output {folder}: is a file; give a folder")
    check_writable(folder, "--output", is_folder=True)
    task.symmetrize = options.symmetrize
    written = 0
    for path in list_pictures(options.images):
        try:
            picture = read_picture(path, channels=_channels(task))
        except DataError as error:
            if not options.skip_bad:
                raise DataError(f"{error}, or leave such pictures out with --skip-bad") from error
            complain(f"{error}; it is left out", "warning")
            continue
        target = folder / path.relative_to(options.images).with_suffix("")
        mask = _mask(task, picture, path, options)
        _save(mask, target.with_name(f"{target.name}.png"))
        _save(overlay(picture, mask), target.with_name(f"{target.name}_overlay.png"))
        written += 1
    names = ", ".join(f"{i} {name}" for i, name in enumerate(task.hparams["class_names"]))
    say(f"{written} masks and overlays written to {folder}{f' (values: {names})' if names else ''}")


def _channels(task: SegmentationTask) -> Literal[1, 3]:
    channels = task.hparams["in_channels"]
    if channels not in (1, 3):
        raise ConfigError(
            f"the network was trained on images with {channels} channels, but pictures have 1 or 3: call predict_step "
            "of the task in Python instead"
        )
    return channels


def _mask(task: SegmentationTask, picture: Tensor, path: Path, options: argparse.Namespace) -> Tensor:
    height, width = picture.shape[1:]
    tile, some = options.tile, options.batch_size or 4
    try:
        if tile is None:
            with torch.inference_mode():
                logits = task(picture[None].to(task.device, torch.float32) / 255)
        else:
            overlap = tile // 4 if options.overlap is None else options.overlap
            logits = predict_tiled(task, picture, tile=tile, overlap=overlap, batch_size=some)[None]
    except EquivisionError as error:
        cure = "" if tile is not None else f"; or run on tiles of a size that it takes, as in --tile {_legal(task)}"
        raise ConfigError(f"{path} ({width}x{height}): {error}{cure}") from error
    if not torch.isfinite(logits).all():
        raise DataError(f"{path}: the network gives logits that are not finite: use another checkpoint")
    return classes_of(logits)[0].to(device="cpu", dtype=torch.uint8)


def _legal(task: SegmentationTask) -> int:
    """A size that the network takes: that which it was trained on."""
    size = task.hparams["image_size"]
    return 256 if size is None else min(size)


def _save(pixels: Tensor, path: Path) -> None:
    """Write ``[height, width]`` class numbers with a palette, or ``[3, height, width]`` colours."""
    image: Any = require("PIL.Image", "pillow", "writing masks")
    if pixels.ndim == 2:
        picture = image.fromarray(pixels.numpy(), mode="P")
        palette = [0, 0, 0]
        for i in range(255):
            palette += bytes.fromhex(MASK_COLOURS[i % len(MASK_COLOURS)].removeprefix("#"))
        picture.putpalette(palette)
    else:
        picture = image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())
    with replacing(path) as temporary:
        picture.save(temporary, format="PNG")
