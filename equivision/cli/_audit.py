"""``equivision audit``: how does a network behave when its input turns?"""

from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from jsonargparse import Namespace
from torch import Tensor, nn

from equivision.audit import audit
from equivision.audit._moves import claimed_group
from equivision.cli import _runs
from equivision.cli._parser import TrainingParser, from_data
from equivision.cli._screen import quiet, say
from equivision.cli._sources import add_sources, check_sources, checkpoint_of, images_of, metrics_of, trained
from equivision.data import SegmentationDataModule
from equivision.errors import ConfigError
from equivision.export import OnnxModel
from equivision.tasks import ClassificationTask, SegmentationTask


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
    text = "C1, C2, C4, D1, D2 or D4; by default the largest that layers of the network name, or C4."
    add("--group", type=str | None, default=None, help=text)
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
        found = _network(options, parser)
        group = options.group or claimed_group(found.network)
        report = audit(
            found.network, found.images, group=group, name=found.name, metrics=metrics_of(options),
            **found.truth,
        )  # fmt: skip
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


class _Audited(NamedTuple):
    """What is audited, on which images, and its name."""

    network: nn.Module
    images: Tensor
    target: Tensor | None
    ignore_index: int | None
    name: str

    @property
    def truth(self) -> dict[str, Any]:
        """Classes of the images, or masks."""
        if self.target is None or self.target.ndim == 1:
            return {"labels": self.target}
        return {"masks": self.target, "ignore_index": self.ignore_index}


def _network(options: Namespace, parser: TrainingParser) -> _Audited:
    dtype = getattr(torch, options.dtype)
    if options.onnx is None and options.model is None:
        path = checkpoint_of(options)
        assert path is not None  # noqa: S101 (_check)
        task, images, target = trained(path, options, parser)
        hparams = task.hparams
        return _Audited(task.model.to(dtype), images, target, hparams.get("ignore_index"), hparams["model"])
    module = parser.instantiate_classes(options)["data"]
    images, target = images_of(module, options.variant, options.num_images)
    ignore_index = getattr(module, "ignore_index", None)
    if options.onnx is not None:
        return _Audited(OnnxModel(options.onnx), images, target, ignore_index, Path(options.onnx).name)
    from_module = {name: from_data(name)(module) for name in ("in_channels", "num_classes", "image_size")}
    kind = SegmentationTask if isinstance(module, SegmentationDataModule) else ClassificationTask
    task = kind(options.model, model_args=dict(options.model_args), **from_module).eval()
    return _Audited(task.model.to(dtype), images, target, ignore_index, options.model)
