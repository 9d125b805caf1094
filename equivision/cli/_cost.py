"""``equivision cost``: parameters, multiplications and activation memory of a network, layer by layer."""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from torch import nn

from equivision.analysis import cost
from equivision.cli._runs import check_writable, checkpoint_path
from equivision.cli._screen import Parser, say
from equivision.errors import ConfigError
from equivision.models import create_model


def _parser(command: str) -> Parser:
    parser = Parser(
        prog=f"equivision {command}",
        description="Count parameters, multiplications (MACs, of convolutions and matrix products) and the memory of "
        "all layer outputs for one forward pass. Nothing is computed. Give the name of a model, or a trained network.",
    )
    add = parser.add_argument
    add("model", nargs="?", help="name of a model (equivision models)")
    add("--group", help="group of that model, such as D4; by default its own")
    add("--width", type=int, help="width of that model; by default its own")
    add("--model_args", "--model-args", type=_table, default={}, help="its further arguments, as JSON")
    add("--ckpt_path", "--ckpt-path", type=Path, help="checkpoint of equivision fit, instead of a model")
    add("--run_dir", "--run-dir", type=Path, help="folder of a run, for its best checkpoint")
    add(
        *("--input_size", "--input-size"),
        type=int,
        nargs="+",
        metavar="N",
        help="shape of one input, as in 1 28 28; by default, of a trained network, that of its images",
    )
    add("--batch_size", "--batch-size", type=int, default=1, help="inputs at once, 1 by default")
    add("--output", type=Path, help="write the figures to this .json file too")
    return parser


def _table(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(text)  # argparse words it
    return value


_table.__name__ = "JSON table"


def run(command: str, arguments: list[str]) -> int:
    """Show what a network costs."""
    options = _parser(command).parse_args(arguments)
    _check(options)
    model, size = _named(options) if options.model is not None else _trained(options)
    report = cost(model, size, batch_size=options.batch_size)
    say(str(report))
    if options.output:
        options.output.write_text(json.dumps(report.to_dict(), indent=1) + "\n", encoding="utf-8")
        say(f"\nwritten to {options.output}")
    return 0


def _check(options: Namespace) -> None:
    if sum(given is not None for given in (options.model, options.ckpt_path, options.run_dir)) != 1:
        raise ConfigError(
            "give one of these: the name of a model, or --ckpt_path or --run_dir for a trained network, as in "
            "equivision cost p4cnn --input_size 1 28 28"
        )
    if options.model is not None and options.input_size is None:
        raise ConfigError(f"model {options.model} needs --input_size: the shape of one input, such as 1 28 28")
    if options.model is None and (options.group or options.width or options.model_args):
        raise ConfigError("--group, --width and --model_args go with the name of a model: a checkpoint has its own")
    if options.output is not None:
        if options.output.suffix != ".json":
            raise ConfigError(f"--output {options.output}: give a file that ends in .json")
        check_writable(options.output, "--output")
        options.output.parent.mkdir(parents=True, exist_ok=True)


def _named(options: Namespace) -> tuple[nn.Module, tuple[int, ...]]:
    """A model by name; its channels are those of the input."""
    size = tuple(options.input_size)
    given = {"group": options.group, "width": options.width, "in_channels": size[0]}
    chosen = {name: value for name, value in given.items() if value is not None}
    return create_model(options.model, **chosen | options.model_args), size


def _trained(options: Namespace) -> tuple[nn.Module, tuple[int, ...]]:
    """The network of a checkpoint, and the size of the images that it was trained on."""
    from equivision.tasks import load_task

    path = options.ckpt_path or checkpoint_path(None, options.run_dir)
    task = load_task(path)
    if options.input_size is not None:
        return task.model, tuple(options.input_size)
    image_size = task.hparams["image_size"]
    if image_size is None:
        raise ConfigError(f"checkpoint {path} does not say how large its images are: give --input_size")
    return task.model, (task.hparams["in_channels"], *image_size)
