"""Building the network of a task, and trying it before anything is trained."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from equivision._modes import evaluation_mode
from equivision.errors import ConfigError
from equivision.models import create_model


def check_plain(value: Any, name: str) -> None:
    """Check that a value can stand in a checkpoint that is read without running code.

    Raises:
        ConfigError: it is neither a number, a string, None, nor a list or dict of those.
    """
    if isinstance(value, Mapping):
        for key, item in value.items():
            check_plain(item, f"{name}[{key!r}]")
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            check_plain(item, f"{name}[{i}]")
    elif value is not None and not isinstance(value, bool | int | float | str):
        raise ConfigError(
            f"{name}={value!r} is a {type(value).__name__}: give plain values only (numbers, strings, lists; a group "
            "by its name, such as 'D4'), so that checkpoints need no code to load"
        )


def model_arguments(group: str | None, width: int | None, model_args: Mapping[str, Any] | None) -> dict[str, Any]:
    """The arguments of a model by name, from the options of a task: those that are given.

    Raises:
        ConfigError: an option contradicts ``model_args``, or a value is not plain.
    """
    further = dict(model_args or {})
    given = {name: value for name, value in {"group": group, "width": width}.items() if value is not None}
    for name, value in given.items():
        if further.get(name, value) != value:
            raise ConfigError(
                f"{name}={value!r} contradicts model_args[{name!r}]={further[name]!r}: give {name} only once"
            )
    arguments = {name: value for name, value in {**given, **further}.items() if value is not None}
    check_plain(arguments, "model_args")
    return arguments


def build_model(model: str | nn.Module, arguments: Mapping[str, Any], **from_data: int) -> nn.Module:
    """The network of a task.

    Args:
        model: its name, or the network itself.
        arguments: of a model by name.
        **from_data: those that the images decide, such as ``in_channels``.

    Raises:
        ConfigError: the arguments do not fit the model, or contradict the data.
    """
    if isinstance(model, nn.Module):
        if arguments:
            raise ConfigError(
                f"{', '.join(arguments)} given together with a network ({type(model).__name__}): these arguments are "
                "for models by name; build the network with them instead"
            )
        return model
    for name, value in from_data.items():
        if arguments.get(name, value) != value:
            raise ConfigError(
                f"model_args[{name!r}]={arguments[name]}, but the data has {name}={value}: leave it out of model_args"
            )
    try:
        return create_model(model, **{**arguments, **from_data})
    except TypeError as error:
        given = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        raise ConfigError(f"model {model!r} cannot be built with {given}: {error}") from error


def _try(model: nn.Module, in_channels: int, image_size: Sequence[int]) -> Tensor:
    like = next(model.parameters(), torch.zeros(()))
    with evaluation_mode(model):
        return model(torch.zeros(2, in_channels, *image_size, device=like.device, dtype=like.dtype))


def _works(model: nn.Module, in_channels: int, image_size: Sequence[int]) -> bool:
    try:
        _try(model, in_channels, image_size)
    except (RuntimeError, ValueError):
        return False
    return True


def check_model(
    model: nn.Module, name: str, in_channels: int, image_size: Sequence[int], num_classes: int, *, dense: bool = False
) -> None:
    """Run two empty images through the network.

    Args:
        model: the network.
        name: what it is called.
        in_channels: channels of the images.
        image_size: their height and width.
        num_classes: how many logits there must be.
        dense: whether they are those of every pixel.

    Raises:
        ConfigError: it does not take images of that size, or does not give one logit for each class.
    """
    height, width = image_size
    try:
        output = _try(model, in_channels, image_size)
    except (RuntimeError, ValueError) as error:  # ValueError: ours
        near = sorted(range(-24, 25), key=lambda d: (abs(d), d))
        sizes = ((height + d, width + d) for d in near if min(height, width) + d > 0)
        working = [f"{h}x{w}" for h, w in sizes if _works(model, in_channels, (h, w))][:3]
        cure = (
            f"sizes near it that work: {', '.join(working)}"
            if working
            else "no size near it works; choose another model"
        )
        raise ConfigError(
            f"model {name!r} does not take images of {height}x{width} with {in_channels} channel(s): {cure}. The "
            f"layer that failed says: {str(error).splitlines()[0]}"
        ) from error
    space = (height, width) if dense else ()
    maps = (1, 2) if dense and num_classes == 2 else (num_classes,)
    shapes = [(2, logits, *space) for logits in maps]
    if not isinstance(output, Tensor) or tuple(output.shape) not in shapes:
        got = list(output.shape) if isinstance(output, Tensor) else type(output).__name__
        of_every_pixel = " of every pixel; choose 'unet' or 'segnet'" if dense else ""
        raise ConfigError(
            f"model {name!r} gives {got} for 2 images, but {num_classes} classes need "
            f"{' or '.join(str(list(shape)) for shape in shapes)}: one logit a class{of_every_pixel}"
        )
