"""Square crops around a target, at subpixel positions and any scale."""

import math

import torch
from jaxtyping import Float, Float64, Int, Shaped
from torch import Tensor

from equivision.data._images import as_float
from equivision.errors import ConfigError, ShapeError


def context_side(width: float, height: float) -> float:
    """Side of the square that shows a target with its context: sqrt((w + p) (h + p)), with p = (w + h) / 2.

    A square target takes half of it. From Bertinetto et al., Fully-convolutional Siamese networks for object tracking,
    2016, section 2.3.

    >>> context_side(20.0, 20.0)
    40.0
    """
    context = (width + height) / 2
    return math.sqrt((width + context) * (height + context))


def crop_and_resize(
    image: Shaped[Tensor, "channel height width"],
    centre: tuple[float, float],
    side: float,
    size: int,
    fill: float | Float[Tensor, " channel"] | None = None,
) -> Float[Tensor, "channel size size"]:
    r"""A square of the image, resampled to ``size`` times ``size`` pixels.

    .. math:: y_j = \sum_i \Lambda\big((i + 1/2 - p_j) / s\big) x_i \big/ \sum_i \Lambda\big((i + 1/2 - p_j) / s\big),
        \quad p_j = c - d/2 + (j + 1/2)\, d / n

    along x and along y, with centre c, side d, size n, and the triangle :math:`\Lambda(t) = \max(0, 1 - |t|)`. It is as
    wide as a pixel of the image or of the crop, whichever is larger (:math:`s = \max(1, d/n)`): bilinear
    interpolation where the crop enlarges, its antialiased form where it shrinks. Nothing is rounded to pixels.

    Args:
        image: bytes, or floats.
        centre: (x, y) of the square in pixels of the image, which covers [0, width] x [0, height].
        side: of the square, in pixels of the image.
        size: of the result.
        fill: colour of all that lies outside the image, in the units of the result; None: the mean of the image.

    Returns:
        Floats: bytes are divided by 255, floats keep their type and their units.

    Equivariance:
        exact under quarter turns and reflections of the image together with the centre.

    Raises:
        ShapeError: the image does not have three axes, or holds other numbers.
        ConfigError: the square or the size is not positive, or the centre is not finite.

    >>> image = torch.arange(12.0).reshape(1, 3, 4)
    >>> crop_and_resize(image, (2.0, 2.0), 2.0, 2).tolist()  # four pixels as they are
    [[[5.0, 6.0], [9.0, 10.0]]]
    >>> crop_and_resize(image, (0.0, 0.5), 2.0, 2, fill=-1.0)[0, 0].tolist()  # half a pixel up, left half outside
    [-1.0, -0.5]
    """
    if image.ndim != 3 or not image.numel() or not (image.is_floating_point() or image.dtype == torch.uint8):
        raise ShapeError(
            f"image has shape {tuple(image.shape)} and type {image.dtype}: crop_and_resize needs bytes or floats, "
            "[channel, height, width]"
        )
    if not (math.isfinite(side) and side > 0 and size > 0 and all(map(math.isfinite, centre))):
        raise ConfigError(
            f"centre={tuple(centre)}, side={side}, size={size}: the centre must be finite, side and size positive"
        )
    dtype = image.dtype if image.is_floating_point() else torch.float32
    if fill is None:
        colour = image.mean((1, 2), dtype=torch.float32) / 255 if image.dtype == torch.uint8 else image.mean((1, 2))
    else:
        colour = torch.as_tensor(fill, dtype=dtype, device=image.device).expand(image.shape[0])
    colour = colour[:, None, None]
    columns, across = _taps(centre[0], side, size)
    rows, down = _taps(centre[1], side, size)
    (left, right), (top, bottom) = _inside(columns, image.shape[2]), _inside(rows, image.shape[1])
    patch = as_float(image[:, top:bottom, left:right]) - colour
    patch = torch.nn.functional.pad(patch, (1, 1, 1, 1))  # all that lies outside
    columns, rows = (columns - left + 1).clamp(0, right - left + 1), (rows - top + 1).clamp(0, bottom - top + 1)
    lines = patch.new_zeros(patch.shape[0], size, patch.shape[2])
    for at, weight in zip(rows, down.to(patch), strict=True):
        lines += patch[:, at] * weight[:, None]
    crop = colour.to(patch).expand(-1, size, size).clone()
    for at, weight in zip(columns, across.to(patch), strict=True):
        crop += lines[:, :, at] * weight
    return crop


def _taps(centre: float, side: float, size: int) -> tuple[Int[Tensor, "tap size"], Float64[Tensor, "tap size"]]:
    """For every pixel of the crop, along one axis, the pixels of the image it is made of, and their weights."""
    scale = side / size
    reach = max(scale, 1.0)
    at = centre - side / 2 + (torch.arange(size, dtype=torch.float64) + 0.5) * scale
    pixels = (at - reach - 0.5).ceil() + torch.arange(math.floor(2 * reach) + 1)[:, None]
    weights = (1 - (pixels + 0.5 - at).abs() / reach).clamp_min(0)
    return pixels.long(), weights / weights.sum(0)


def _inside(pixels: Int[Tensor, "tap size"], length: int) -> tuple[int, int]:
    """The part of an axis that is needed: the first pixel, and the one after the last."""
    first = min(max(int(pixels[0, 0]), 0), length)
    return first, min(max(int(pixels[-1, -1]) + 1, first), length)
