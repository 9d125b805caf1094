"""``equivision audit``: how does a network behave when its input turns?"""

from pathlib import Path
from typing import Any, Literal

import torch
from jsonargparse import Namespace
from torch import Tensor, nn

from equivision.audit import audit
from equivision.cli import _runs
from equivision.cli._parser import TrainingParser, from_data
from equivision.cli._screen import quiet, say
from equivision.cli._sources import add_sources, check_sources, checkpoint_of, images_of, metrics_of, trained
from equivision.errors import ConfigError
from equivision.export import OnnxModel
from equivision.tasks import ClassificationTask


def _parser(command: str, arguments: list[str]) -> TrainingParser:
    parser = TrainingParser(
        prog=f"equivision {command}",
        description="Measure how a network behaves when its input turns: a trained one (--ckpt_path or --run_dir), "
        "one with random weights (--model), or an exported one (--onnx). Images are test images of --data, by default "
        "those of the run, or the pictures in a folder (--images).",
    )
    add = parser.add_argument
    add("--model", type=str | None, default=None, help="Name of a model, to be audited untrained.")
    add("--model_args", type=dict[str, Any], default={}, help="Arguments of that model.")
    add("--onnx", type=str | None, default=None, help="ONNX file of equivision export; --run_dir names its data.")
    add("--group", type=str, default="C4", help="C1, C2, C4, D1, D2 or D4.")
    add("--dtype", type=Literal["float32", "float64"], default="float32", help="Precision of the network.")
    add("--output", type=str | None, default=None, help="Write the report to this .html or .json file.")
    add_sources(parser, arguments)
    return parser


def run(command: str, arguments: list[str]) -> int:
    """Audit a network on test images."""
    with quiet():
        parser = _parser(command, arguments)
        options = parser.parse_args(arguments)
        suffix = Path(options.output or "report.html").suffix
        _check(options, suffix)
        network, images, labels, name = _network(options, parser)
        metrics = metrics_of(options)
        report = audit(network, images, group=options.group, labels=labels, name=name, metrics=metrics)
    say(report.table())
    if options.output:
        _ = report.to_html(options.output) if suffix == ".html" else report.to_json(options.output)
        say(f"\nwritten to {options.output}")
    return 0


def _check(options: Namespace, suffix: str) -> None:
    given = sum(one is not None for one in (options.ckpt_path, options.model, options.onnx))
    if given > 1 or (given == 0 and options.run_dir is None):
        raise ConfigError(
            "give either --ckpt_path, for a trained network, or --model, for an untrained one, or --onnx, for an "
            "exported one, or --run_dir alone, for the best checkpoint of a run"
        )
    if options.images is not None and (options.onnx or options.model):
        raise ConfigError("--images goes with --ckpt_path or --run_dir alone: give --data for --model and --onnx")
    check_sources(options)
    if options.onnx is not None and options.dtype != "float32":
        raise ConfigError(f"--dtype {options.dtype}: an ONNX file has the precision that it was exported in")
    if suffix not in (".html", ".json"):
        raise ConfigError(f"--output {options.output}: give a file that ends in .html or .json")
    if options.output is not None:
        _runs.check_writable(Path(options.output), "--output")


def _network(options: Namespace, parser: TrainingParser) -> tuple[nn.Module, Tensor, Tensor | None, str]:
    """What is audited, on which images, with their classes, and its name."""
    dtype = getattr(torch, options.dtype)
    if options.onnx is None and options.model is None:
        path = checkpoint_of(options)
        assert path is not None  # noqa: S101 (_check)
        task, images, labels = trained(path, options, parser)
        return task.model.to(dtype), images, labels, task.hparams["model"]
    module = parser.instantiate_classes(options)["data"]
    images, labels = images_of(module, options.variant, options.num_images)
    if options.onnx is not None:
        return OnnxModel(options.onnx), images, labels, Path(options.onnx).name
    from_module = {name: from_data(name)(module) for name in ("in_channels", "num_classes", "image_size")}
    task = ClassificationTask(options.model, model_args=dict(options.model_args), **from_module).eval()
    return task.model.to(dtype), images, labels, options.model
