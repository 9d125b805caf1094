"""``equivision predict``: a folder of pictures and a checkpoint in, a CSV file out."""

import csv
from pathlib import Path

import torch
from torch import Tensor

from equivision._files import atomic_write
from equivision.cli._pictures import read_like_training
from equivision.cli._runs import check_writable, checkpoint_path
from equivision.cli._screen import Parser, say
from equivision.data import ImageData
from equivision.errors import ConfigError
from equivision.tasks import ClassificationTask


def _parser(command: str) -> Parser:
    parser = Parser(
        prog=f"equivision {command}",
        description="Classify the pictures in a folder and below. Model, classes, image size and channels are those of "
        "the checkpoint; pictures are scaled and cropped to that size, their values to [0, 1], as in training.",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--ckpt_path", "--ckpt-path", type=Path, help="checkpoint of equivision fit")
    source.add_argument("--run_dir", "--run-dir", type=Path, help="folder of a run, for its best checkpoint")
    parser.add_argument("--images", type=Path, required=True, help="folder of pictures")
    parser.add_argument(
        "--output", type=Path, default=Path("predictions.csv"), help="CSV file, predictions.csv by default"
    )
    parser.add_argument("--batch_size", "--batch-size", type=int, default=64, help="pictures in one run, 64 by default")
    parser.add_argument("--device", default="auto", help="cpu, cuda, ... ; by default cuda where there is one")
    parser.add_argument("--skip-bad", "--skip_bad", action="store_true", help="leave out pictures that cannot be read")
    return parser


def run(command: str, arguments: list[str]) -> int:
    """Classify a folder of pictures."""
    options = _parser(command).parse_args(arguments)
    if options.batch_size < 1:
        raise ConfigError(f"--batch_size {options.batch_size}: a batch needs at least one picture")
    check_writable(options.output, "--output")
    path = options.ckpt_path or checkpoint_path(None, options.run_dir)
    device = device_of(options.device)
    task = ClassificationTask.load_from_checkpoint(path, map_location=device)
    data = read_like_training(task, options.images, skip_bad=options.skip_bad)
    parts = []
    with torch.inference_mode():
        for images in data.images.split(options.batch_size):
            scaled = images.to(device=device, dtype=torch.float32) / 255
            parts.append(task.predict_step(scaled)["probabilities"].cpu())
    _write(options.output, data, torch.cat(parts), task.hparams["class_names"])
    say(f"{len(data)} pictures classified: {options.output}")
    return 0


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
