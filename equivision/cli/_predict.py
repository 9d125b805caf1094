"""``equivision predict``: a folder of pictures and a checkpoint in; a CSV file out, or a folder of masks."""

import argparse
import csv
from pathlib import Path

import torch
from torch import Tensor

from equivision._files import atomic_write
from equivision.cli import _masks
from equivision.cli._pictures import read_like_training
from equivision.cli._runs import check_writable, checkpoint_path
from equivision.cli._screen import Parser, say
from equivision.data import ImageData
from equivision.errors import ConfigError
from equivision.tasks import ClassificationTask, SegmentationTask, load_task


def _parser(command: str) -> Parser:
    parser = Parser(
        prog=f"equivision {command}",
        description="Classify the pictures in a folder and below, as a CSV file. Model, classes, image size and "
        "channels are those of the checkpoint; pictures are scaled and cropped to that size, their values to [0, 1], "
        "as in training. A network with one answer a pixel runs on pictures in their own size, and writes a folder "
        "with a mask for each, a PNG of class numbers, and the picture with the mask laid over it.",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--ckpt_path", "--ckpt-path", type=Path, help="checkpoint of equivision fit")
    source.add_argument("--run_dir", "--run-dir", type=Path, help="folder of a run, for its best checkpoint")
    parser.add_argument("--images", type=Path, required=True, help="folder of pictures")
    text = "CSV file, predictions.csv by default, or folder for masks, predictions by default"
    parser.add_argument("--output", type=Path, default=None, help=text)
    text = "pictures in one run, 64 by default; of masks, tiles in one run, 4 by default"
    parser.add_argument("--batch_size", "--batch-size", type=int, default=None, help=text)
    text = "for masks: run on overlapping tiles of so many pixels, for pictures larger than memory"
    parser.add_argument("--tile", type=int, default=None, help=text)
    text = "for masks: pixels that neighbouring tiles share, a quarter of the tile by default"
    parser.add_argument("--overlap", type=int, default=None, help=text)
    text = "for masks: average the logits over this group, such as D4, so that masks turn with the picture: exactly by "
    text += "quarter turns, nearly by other angles"
    parser.add_argument("--symmetrize", default=None, help=text)
    parser.add_argument("--device", default="auto", help="cpu, cuda, ... ; by default cuda where there is one")
    parser.add_argument("--skip-bad", "--skip_bad", action="store_true", help="leave out pictures that cannot be read")
    return parser


def run(command: str, arguments: list[str]) -> int:
    """Classify a folder of pictures, or find their masks."""
    options = _parser(command).parse_args(arguments)
    if options.batch_size is not None and options.batch_size < 1:
        raise ConfigError(f"--batch_size {options.batch_size}: a batch needs at least one picture")
    path = options.ckpt_path or checkpoint_path(None, options.run_dir)
    task = load_task(path, map_location=device_of(options.device))
    if isinstance(task, SegmentationTask):
        _masks.write_masks(task, options)
    elif isinstance(task, ClassificationTask):
        _classify(task, options)
    else:
        raise ConfigError(f"checkpoint {path} is that of a tracker: use equivision track")
    return 0


def _classify(task: ClassificationTask, options: argparse.Namespace) -> None:
    for name in ("tile", "overlap", "symmetrize"):
        if getattr(options, name) is not None:
            raise ConfigError(
                f"--{name} {getattr(options, name)}: is for networks with one answer a pixel: leave it out"
            )
    output = options.output or Path("predictions.csv")
    check_writable(output, "--output")
    data = read_like_training(task, options.images, skip_bad=options.skip_bad)
    parts = []
    with torch.inference_mode():
        for images in data.images.split(options.batch_size or 64):
            scaled = images.to(device=task.device, dtype=torch.float32) / 255
            parts.append(task.predict_step(scaled)["probabilities"].cpu())
    _write(output, data, torch.cat(parts), task.hparams["class_names"])
    say(f"{len(data)} pictures classified: {output}")


def device_of(given: str) -> torch.device:
    """The device that ``--device`` means.

    Raises:
        ConfigError: it is not available.
    """
    if given == "auto":
        given = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.empty(0, device=given).device
    except (RuntimeError, AssertionError) as error:  # torch asserts that it was built with CUDA
        raise ConfigError(f"--device {given} is not available here ({str(error).splitlines()[0]}): use cpu") from error


def _write(path: Path, data: ImageData, probabilities: Tensor, class_names: list[str]) -> None:
    """One row a picture: file, class, its probability, and the probability of every class."""
    names = class_names or [str(i) for i in range(probabilities.shape[1])]
    with atomic_write(path, "w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "class", "probability", *(f"p_{name}" for name in names)])
        for picture, row in zip(data.names, probabilities.tolist(), strict=True):
            best = max(range(len(row)), key=row.__getitem__)
            writer.writerow([picture, names[best], *(f"{p:.6f}" for p in (row[best], *row))])
