"""``equivision audit``: how does a network behave when its input turns?"""

from pathlib import Path
from typing import Any, Literal

import lightning
import torch
import yaml
from jsonargparse import Namespace
from torch import Tensor

from equivision.audit import audit
from equivision.cli import _runs
from equivision.cli._pictures import read_like_training
from equivision.cli._screen import quiet, say
from equivision.cli._training import TrainingParser, from_data
from equivision.errors import ConfigError
from equivision.tasks import ClassificationTask


def _parser(command: str, arguments: list[str]) -> TrainingParser:
    parser = TrainingParser(
        prog=f"equivision {command}",
        description="Measure how a network behaves when its input turns: a trained one (--ckpt_path), or one with "
        "random weights (--model). Images are test images of --data, by default those of the checkpoint's run, or "
        "the pictures in a folder (--images).",
    )
    add = parser.add_argument
    add("--ckpt_path", type=str | None, default=None, help="Checkpoint of equivision fit.")
    add("--model", type=str | None, default=None, help="Name of a model, to be audited untrained.")
    add("--model_args", type=dict[str, Any], default={}, help="Arguments of that model.")
    add("--group", type=str, default="C4", help="C1, C2, C4, D1, D2 or D4.")
    add("--images", type=str | None, default=None, help="Folder of pictures, without classes, instead of --data.")
    add("--skip-bad", action="store_true", help="Leave out pictures that cannot be read.")
    add("--num_images", type=int, default=64, help="How many images to audit with.")
    add("--variant", type=str | None, default=None, help="Which variant of the test images; by default the first.")
    add("--dtype", type=Literal["float32", "float64"], default="float32", help="Precision of the network.")
    add("--output", type=str | None, default=None, help="Write the report to this .html or .json file.")
    if any(argument.split("=")[0] == "--images" for argument in arguments):
        return parser
    parser.add_subclass_arguments(lightning.LightningDataModule, "data", required=True, fail_untyped=False)
    configuration = _runs.configuration_of(arguments)
    if configuration is not None:
        data = yaml.safe_load(configuration.read_text(encoding="utf-8"))["data"]
        parser.set_defaults({"data": data})
    return parser


def run(command: str, arguments: list[str]) -> int:
    """Audit a network on test images."""
    with quiet():
        parser = _parser(command, arguments)
        options = parser.parse_args(arguments)
        suffix = Path(options.output or "report.html").suffix
        _check(options, suffix)
        if options.images is None:
            module = parser.instantiate_classes(options)["data"]
            images, labels = _images(module, options.variant, options.num_images)
            task = _task(options, module)
        else:
            task = ClassificationTask.load_from_checkpoint(options.ckpt_path)
            pictures = read_like_training(task, Path(options.images), skip_bad=options.skip_bad)
            images, labels = pictures.images[: options.num_images].float() / 255, None
        report = audit(
            task.model.to(getattr(torch, options.dtype)),
            images,
            group=options.group,
            labels=labels,
            name=options.model or task.hparams["model"],
        )
    say(report.table())
    if options.output:
        _ = report.to_html(options.output) if suffix == ".html" else report.to_json(options.output)
        say(f"\nwritten to {options.output}")
    return 0


def _check(options: Namespace, suffix: str) -> None:
    if (options.ckpt_path is None) == (options.model is None):
        raise ConfigError("give either --ckpt_path, for a trained network, or --model, for an untrained one")
    if options.images is not None and (options.ckpt_path is None or options.variant is not None):
        raise ConfigError(
            "--images goes with --ckpt_path, which says how to prepare the pictures, and without --variant"
        )
    if options.num_images < 1:
        raise ConfigError(f"--num_images {options.num_images}: an audit needs at least one image")
    if suffix not in (".html", ".json"):
        raise ConfigError(f"--output {options.output}: give a file that ends in .html or .json")
    if options.output is not None:
        _runs.check_writable(Path(options.output), "--output")


def _task(options: Namespace, module: Any) -> ClassificationTask:
    names = ("in_channels", "num_classes", "image_size")
    from_module = {name: from_data(name)(module) for name in names}
    if options.ckpt_path is None:
        return ClassificationTask(options.model, model_args=dict(options.model_args), **from_module).eval()
    task = ClassificationTask.load_from_checkpoint(options.ckpt_path)
    for name in ("in_channels", "num_classes"):
        if task.hparams[name] != from_module[name]:
            raise ConfigError(
                f"checkpoint {options.ckpt_path} was trained with {name}={task.hparams[name]}, but the data has "
                f"{name}={from_module[name]}: audit it with the data that it was trained with"
            )
    return task


def _images(module: Any, variant: str | None, number: int) -> tuple[Tensor, Tensor]:
    module.prepare_data()
    module.setup("test")
    names, loaders = tuple(getattr(module, "test_names", ())), module.test_dataloader()
    loaders = list(loaders) if isinstance(loaders, list | tuple) else [loaders]
    if variant is not None and variant not in names:
        raise ConfigError(f"--variant {variant} is not one of the test images: choose one of {', '.join(names)}")
    images, labels, found = [], [], 0
    for batch in loaders[names.index(variant) if variant is not None else 0]:
        images.append(batch[0])
        labels.append(batch[1])
        found += len(batch[0])
        if found >= number:
            break
    return torch.cat(images)[:number], torch.cat(labels)[:number]
