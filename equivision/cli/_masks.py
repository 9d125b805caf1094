"""``equivision predict`` for networks with one answer a pixel: masks and overlays."""

import argparse
from collections.abc import Sequence
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
        ConfigError: an option is not valid, the folder cannot be written or is that of the pictures, or a picture has a
            size that the network does not take.
        DataError: a picture cannot be read, not one can, or two would have the same mask.
    """
    if options.overlap is not None and options.tile is None:
        raise ConfigError(f"--overlap {options.overlap}: goes with --tile")
    folder: Path = options.output or Path("predictions")
    _check_folder(folder, options.images)
    channels = _channels(task)
    task.symmetrize = options.symmetrize
    written = 0
    for target, path in _targets(folder, options.images).items():
        try:
            picture = read_picture(path, channels=channels, large=options.tile is not None)
        except DataError as error:
            if not options.skip_bad:
                cure = "; read it whole with --tile, and run on tiles" if "decompression bomb" in str(error) else ""
                raise DataError(f"{error}, or leave such pictures out with --skip-bad{cure}") from error
            complain(f"{error}; it is left out", "warning")
            continue
        mask = _mask(task, picture, path, options)
        _save(mask, target)
        _save(overlay(picture, mask), _overlay_of(target))
        written += 1
    if not written:
        raise DataError(f"{options.images} holds no readable picture: check the folder and its files")
    say(f"{written} masks and overlays written to {folder}{legend(task.hparams['class_names'])}")


def legend(class_names: Sequence[str]) -> str:
    """What the values in masks mean, as far as classes have names other than their numbers."""
    named = [f"{i} {name}" for i, name in enumerate(class_names) if name != str(i)]
    return f" (values: {', '.join(named)})" if named else ""


def _check_folder(folder: Path, images: Path) -> None:
    if folder.is_file():
        raise ConfigError(f"--output {folder}: is a file; give a folder")
    if images.resolve() in (folder.resolve(), *folder.resolve().parents):
        raise ConfigError(
            f"--output {folder}: lies in the folder of the pictures, {images}, where masks would replace pictures, or "
            "be taken for some the next time: give another folder"
        )
    check_writable(folder, "--output", is_folder=True)


def _targets(folder: Path, images: Path) -> dict[Path, Path]:
    """The file of each mask, and its picture.

    Raises:
        DataError: there are no pictures, or one file would be written for two.
    """
    found, taken = {}, {}
    for path in list_pictures(images):
        target = folder / path.relative_to(images).with_suffix("")
        target = target.with_name(f"{target.name}.png")
        for file in (target, _overlay_of(target)):
            if file in taken:
                raise DataError(f"{file.name} would be written for {taken[file]} and for {path}: rename one of them")
            taken[file] = path
        found[target] = path
    return found


def _overlay_of(target: Path) -> Path:
    return target.with_name(f"{target.stem}_overlay.png")


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
        picture = image.fromarray(pixels.numpy())
        palette = [0, 0, 0]
        for i in range(255):
            palette += bytes.fromhex(MASK_COLOURS[i % len(MASK_COLOURS)].removeprefix("#"))
        picture.putpalette(palette)
    else:
        picture = image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())
    with replacing(path) as temporary:
        picture.save(temporary, format="PNG")
