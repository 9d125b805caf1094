"""``equivision export``: a trained network as a file that runs elsewhere."""

from pathlib import Path
from typing import Literal

from equivision.cli import _runs
from equivision.cli._parser import TrainingParser
from equivision.cli._screen import quiet, say
from equivision.cli._sources import add_sources, check_sources, checkpoint_of, trained
from equivision.errors import ConfigError
from equivision.export import OPSET, export
from equivision.export._export import format_of


def _parser(command: str, arguments: list[str]) -> TrainingParser:
    parser = TrainingParser(
        prog=f"equivision {command}",
        description="Write a trained network (--ckpt_path or --run_dir) as an ONNX file, or as a program of "
        "torch.export. The file gives the logits of images scaled to [0, 1]. It is compared with the network on test "
        "images of --data, by default those of the run, or on the pictures in a folder (--images); if the outputs "
        "differ, no file is left.",
    )
    add = parser.add_argument
    add("--output", type=str, default="model.onnx", help="The file: .onnx, or .pt2 for torch.export.")
    add("--format", type=Literal["onnx", "torch"] | None, default=None, help="Where the suffix does not say it.")
    add("--opset", type=int, default=OPSET, help="Version of ONNX's operators.")
    text = "How many images the file takes at once; by default any number."
    add("--batch_size", type=int | None, default=None, help=text)
    add_sources(parser, arguments)
    return parser


def run(command: str, arguments: list[str]) -> int:
    """Export a trained network."""
    with quiet():
        parser = _parser(command, arguments)
        options = parser.parse_args(arguments)
        check_sources(options)
        path, output = checkpoint_of(options), Path(options.output)
        if path is None:
            raise ConfigError("give --run_dir, for the best checkpoint of a run, or --ckpt_path")
        if options.batch_size is not None and options.batch_size < 1:
            raise ConfigError(f"--batch_size {options.batch_size}: must be at least 1")
        format_of(output, options.format)
        _runs.check_writable(output, "--output")
        task, images, _ = trained(path, options, parser)
        size = options.batch_size
        example = images[:1] if size is None else images[:1].expand(size, *images.shape[1:])
        result = export(
            task.model, output, example=example, format=options.format, dynamic_batch=size is None, opset=options.opset,
            check=images,
        )  # fmt: skip
    count = "any number of" if size is None else str(size)
    kind = f"ONNX, opset {result.opset}" if result.format == "onnx" else "torch.export"
    shape = " x ".join(map(str, images.shape[1:]))
    say(f"{result.path}: {kind}, takes {count} images of {shape}")
    say(
        f"compared with {path} on {result.num_images} images: largest relative error {result.max_error:.1e} (at most "
        f"{result.tolerance:.0e}), all predicted classes equal"
    )
    return 0
