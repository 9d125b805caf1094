"""Checks of what the convolutions are given: sizes, dtypes, windows."""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal, TypeVar, cast

import torch
from torch import Tensor

from equivision.errors import ConfigError, GridError, ShapeError
from equivision.filters import reversed_axes
from equivision.filters._permute import AXES
from equivision.groups import PlanarGroup

Size2 = int | tuple[int, int]
Size3 = int | tuple[int, int, int]
Numbers = TypeVar("Numbers", bound=tuple[int, ...])
PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]
_SEVERAL = {2: "a pair", 3: "three"}
PADDING_MODES: tuple[str, ...] = ("zeros", "reflect", "replicate", "circular")


def each_axis(value: int | tuple[int, ...], name: str, *, axes: int, least: int = 0) -> tuple[int, ...]:
    """One number for all axes, or one each, (height, width) or (depth, height, width).

    Raises:
        ConfigError: it is neither, or less than ``least``.
    """
    numbers = (value,) * axes if isinstance(value, int) else value
    if isinstance(numbers, (tuple, list)) and len(numbers) == axes and all(isinstance(v, int) for v in numbers):
        if min(numbers) < least:
            raise ConfigError(f"{name}={value}: give whole numbers of at least {least}")
        return tuple(numbers)
    raise ConfigError(f"{name}={value!r}: give a whole number, or {_SEVERAL[axes]} of them ({', '.join(AXES[axes])})")


def pair(value: Size2, name: str = "size", *, least: int = 0) -> tuple[int, int]:
    """:func:`each_axis` for the plane."""
    rows, columns = each_axis(value, name, axes=2, least=least)
    return rows, columns


def is_autocast(x: Tensor) -> bool:
    """Whether autocast is on for the device of x."""
    return torch.amp.is_autocast_available(x.device.type) and torch.is_autocast_enabled(x.device.type)


def without_autocast(x: Tensor) -> AbstractContextManager[object]:
    """For what is small and must not be rounded."""
    return torch.autocast(x.device.type, enabled=False) if is_autocast(x) else nullcontext()


def check_floating(x: Tensor, layer: str) -> None:
    """Raise ShapeError for whole numbers, such as the bytes of a picture, on which weights cannot act."""
    if not x.dtype.is_floating_point:
        raise ShapeError(
            f"{layer}: input has dtype {x.dtype}; needs a floating-point dtype. "
            "For the bytes of a picture: x.float() / 255"
        )


def check_dtypes(x: Tensor, weight: Tensor, layer: str) -> None:
    """Raise ShapeError when input and weights differ in dtype, unless autocast makes them equal."""
    if x.dtype == weight.dtype:
        return
    check_floating(x, layer)
    if not is_autocast(x):
        raise ShapeError(
            f"{layer}: input has dtype {x.dtype}, the weights {weight.dtype}: convert one of them, as in "
            f"x.to({weight.dtype}) or layer.to({x.dtype})"
        )


def check_fields(bias: Tensor | None, weight: Tensor, fields: int, groups: int, layer: str) -> None:
    """Raise ShapeError where groups does not divide the output fields, or bias is not one number for each of them."""
    if groups < 1 or fields % groups:
        raise ShapeError(
            f"{layer}: groups={groups} does not divide the {fields} output field(s) of the weight: give one that does"
        )
    if bias is None:
        return
    if bias.shape != (fields,):
        raise ShapeError(
            f"{layer}: bias has shape {tuple(bias.shape)}; it needs one number for each output field, ({fields},)"
        )
    if bias.dtype != weight.dtype and not is_autocast(bias):
        raise ShapeError(
            f"{layer}: bias has dtype {bias.dtype}, the weights {weight.dtype}: convert it, as in "
            f"bias.to({weight.dtype})"
        )


def resolve_padding(padding: int | tuple[int, ...] | str, kernel_size: Numbers, dilation: Numbers) -> Numbers:
    """Padding as one number for each axis.

    ``"same"`` needs an odd extent, because only then the two sides get the same number of pixels.

    Raises:
        GridError: ``"same"`` with an even extent.
        ConfigError: another word.
    """
    if not isinstance(padding, str):
        return cast("Numbers", each_axis(padding, "padding", axes=len(kernel_size)))
    if padding == "valid":
        return cast("Numbers", tuple(0 for _ in kernel_size))
    if padding != "same":
        several = _SEVERAL[len(kernel_size)]
        raise ConfigError(f"padding={padding!r} is not known: give a number, {several}, 'same' or 'valid'")
    extents = tuple(d * (k - 1) for k, d in zip(kernel_size, dilation, strict=True))
    if any(extent % 2 for extent in extents):
        raise GridError(
            f"padding='same' with kernel_size={kernel_size}, dilation={dilation} pads one side more than the other, "
            "which breaks the symmetry: use an odd kernel, or give the padding as a number"
        )
    return cast("Numbers", tuple(extent // 2 for extent in extents))


def check_border(layer: str, size: tuple[int, ...], border: tuple[int, ...], padding_mode: str) -> None:
    """Raise ShapeError when the image is too small to be continued by itself."""
    spare = {"reflect": 1, "circular": 0}.get(padding_mode)
    if spare is not None and any(n < b + spare for n, b in zip(size, border, strict=True)):
        needed, given = (" x ".join(map(str, each)) for each in ([b + spare for b in border], size))
        raise ShapeError(
            f"{layer}: padding={border} with padding_mode={padding_mode!r} needs at least {needed} pixels, the input "
            f"has {given}: use less padding, or padding_mode='zeros' or 'replicate'"
        )


def check_output_padding(group: PlanarGroup, output_padding: tuple[int, int], *, strict: bool) -> None:
    """Raise GridError when a transposed convolution would add pixels on one side of an axis that the group reverses."""
    if strict and any(e and moved for e, moved in zip(output_padding, reversed_axes(group), strict=True)):
        raise GridError(
            f"GroupConvTranspose2d: output_padding={output_padding} adds pixels on one side only, which is not exact "
            f"under {group.name}. Use kernel_size=4, stride=2, padding=1 to double the size, or strict=False"
        )


def check_enlarged(
    size: tuple[int, int], kernel_size: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int],
    output_padding: tuple[int, int], dilation: tuple[int, int],
) -> None:  # fmt: skip
    """Raise ShapeError when a transposed convolution cuts everything away."""
    columns = zip(size, stride, padding, dilation, kernel_size, output_padding, strict=True)
    out = [(n - 1) * s - 2 * p + d * (k - 1) + 1 + e for n, s, p, d, k, e in columns]
    if min(out) < 1 and min(size) > 0:
        raise ShapeError(
            f"GroupConvTranspose2d: an input of {size[0]} x {size[1]} pixels with padding={padding} gives an output of "
            f"{out[0]} x {out[1]}: use less padding, a larger kernel or a larger input"
        )
