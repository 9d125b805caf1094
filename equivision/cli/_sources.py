"""Where audit and export take their network and their images from: a checkpoint, a run, a data module, a folder."""

from pathlib import Path
from typing import Any, NamedTuple

import lightning
import torch
import yaml
from jsonargparse import Namespace
from torch import Tensor

from equivision.cli import _runs
from equivision.cli._parser import TrainingParser, from_data
from equivision.cli._pictures import leave_out_bad, read_like_training
from equivision.errors import ConfigError
from equivision.tasks import SupervisedTask, load_task


class Trained(NamedTuple):
    """A trained network with images, and their classes where they are known."""

    task: SupervisedTask
    images: Tensor
    labels: Tensor | None


def add_sources(parser: TrainingParser, arguments: list[str]) -> None:
    """Add the options that :func:`trained` reads; the data of a run is the default."""
    add = parser.add_argument
    add("--ckpt_path", type=str | None, default=None, help="Checkpoint of equivision fit.")
    text = "Folder of a run: its best checkpoint, where --ckpt_path names no other, and its data."
    add("--run_dir", type=str | None, default=None, help=text)
    add("--images", type=str | None, default=None, help="Folder of pictures, without classes, instead of --data.")
    add("--skip-bad", "--skip_bad", action="store_true", help="Leave out pictures that cannot be read.")
    add("--num_images", type=int, default=64, help="How many images to use.")
    add("--variant", type=str | None, default=None, help="Which variant of the test images; by default the first.")
    if any(argument.split("=")[0] == "--images" for argument in arguments):
        return
    parser.add_subclass_arguments(lightning.LightningDataModule, "data", required=True, fail_untyped=False)
    configuration = _runs.configuration_of(arguments)
    if configuration is not None:
        parser.set_defaults({"data": yaml.safe_load(configuration.read_text(encoding="utf-8"))["data"]})


def check_sources(options: Namespace) -> None:
    """Raise ConfigError for options that do not go together; let ``--skip-bad`` reach the data."""
    if options.images is not None and (checkpoint_of(options) is None or options.variant is not None):
        raise ConfigError(
            "--images goes with --ckpt_path or --run_dir, which says how to prepare the pictures, and without --variant"
        )
    if options.num_images < 1:
        raise ConfigError(f"--num_images {options.num_images}: at least one image is needed")
    if options.skip_bad and options.images is None:
        leave_out_bad(options.data)


def checkpoint_of(options: Namespace) -> Path | None:
    """The checkpoint that ``--ckpt_path`` or ``--run_dir`` names, if any."""
    if options.ckpt_path is not None:
        return Path(options.ckpt_path)
    return None if options.run_dir is None else _runs.checkpoint_path(None, Path(options.run_dir))


def metrics_of(options: Namespace) -> Path | None:
    """The metrics of the run whose checkpoint is named, if they lie where a run leaves them."""
    checkpoint = None if options.onnx is not None else checkpoint_of(options)
    if checkpoint is None or checkpoint.parent.name != "checkpoints":
        return None
    path = checkpoint.parent.parent / "metrics.csv"
    return path if path.is_file() else None


def trained(path: Path, options: Namespace, parser: TrainingParser) -> Trained:
    """The network of a checkpoint, and images prepared for it.

    Raises:
        ConfigError: the data is not what the network was trained on.
    """
    if options.images is not None:
        task = load_task(path)
        pictures = read_like_training(task, Path(options.images), skip_bad=options.skip_bad)
        return Trained(task, pictures.images[: options.num_images].float() / 255, None)
    module = parser.instantiate_classes(options)["data"]
    images, labels = images_of(module, options.variant, options.num_images)
    task = load_task(path)
    for name in ("in_channels", "num_classes"):
        now = from_data(name)(module)
        if task.hparams[name] != now:
            raise ConfigError(
                f"checkpoint {path} was trained with {name}={task.hparams[name]}, but the data has {name}={now}: use "
                "the data that it was trained with"
            )
    return Trained(task, images, labels)


def images_of(module: Any, variant: str | None, number: int) -> tuple[Tensor, Tensor]:
    """The first test images of a data module, with their classes.

    Raises:
        ConfigError: it has no test images, or no such variant.
    """
    if type(module).test_dataloader is lightning.LightningDataModule.test_dataloader:
        raise ConfigError(
            f"{type(module).__name__} has no test images: audit and export are for networks that classify images; "
            "trackers are tried with equivision track"
        )
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
