"""Pictures of masks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int, Shaped, UInt8
from torch import Tensor
from torch.nn import functional as F

from equivision._colours import COLOURS
from equivision._files import replacing
from equivision.data._extras import require
from equivision.errors import ConfigError, ShapeError

Mask = Int[Tensor, "height width"]


def overlay(
    picture: Shaped[Tensor, "channel height width"],
    mask: Mask,
    *,
    alpha: float = 0.35,
    colours: Sequence[str] = COLOURS,
) -> UInt8[Tensor, "3 height width"]:
    """A picture with its mask laid over it: each class but the background in its colour, with an outline.

    Args:
        picture: uint8 or floats in [0, 1]; 1 or 3 channels.
        mask: class numbers; 0, the background, is left as it is.
        alpha: how strongly the colour shows, 0 to 1; the outline shows fully.
        colours: ``"#rrggbb"`` for the classes 1, 2, ...; they repeat.

    Equivariance: exact: the overlay of turned picture and mask is the turned overlay.

    Raises:
        ShapeError: picture and mask do not fit.
        ConfigError: alpha is out of range, or a colour is none.

    >>> overlay(torch.zeros(1, 4, 4), torch.ones(4, 4, dtype=torch.int64), alpha=1.0)[:, 0, 0].tolist()
    [240, 228, 66]
    """
    if picture.ndim != 3 or picture.shape[0] not in (1, 3) or picture.shape[1:] != mask.shape:
        raise ShapeError(
            f"picture is {tuple(picture.shape)}, mask {tuple(mask.shape)}: need [1 or 3, height, width] and [height, "
            "width]"
        )
    if not 0 <= alpha <= 1:
        raise ConfigError(f"alpha={alpha}: give a number from 0 to 1")
    floats = picture.float() / 255 if picture.dtype == torch.uint8 else picture.float().clamp(0, 1)
    table = torch.tensor([(0.0, 0.0, 0.0), *map(_rgb, colours)], device=picture.device)
    wrapped = torch.where(mask > 0, (mask - 1) % len(colours) + 1, 0)
    colour = table[wrapped].permute(2, 0, 1)
    strength = torch.where(mask > 0, alpha, 0.0)
    strength = torch.where((mask > 0) & _outline(mask), 1.0, strength)
    mixed = floats.expand(3, -1, -1) * (1 - strength) + colour * strength
    return (255 * mixed).round().to(torch.uint8)


def _outline(mask: Mask) -> Tensor:
    """Pixels with one of another class beside them, among the eight around."""
    classes = mask.float()[None, None]
    padded = F.pad(classes, (1, 1, 1, 1), "replicate")
    return (F.max_pool2d(padded, 3, 1) != -F.max_pool2d(-padded, 3, 1))[0, 0]


def _rgb(colour: str) -> tuple[float, float, float]:
    digits = colour.removeprefix("#")
    try:
        red, green, blue = bytes.fromhex(digits)
    except ValueError as error:
        raise ConfigError(f"colour {colour!r} is none: give it as '#rrggbb'") from error
    return red / 255, green / 255, blue / 255


def overlay_sheet(
    rows: Sequence[Mapping[str, Shaped[Tensor, "channel height width"]]],
    path: str | Path | None = None,
    *,
    width: int = 160,
) -> Any:
    """Pictures in a table, one row after another, with the names of the columns above them.

    Args:
        rows: for each row its pictures by name, such as the picture and its overlays; the same names in all rows.
        path: file to write, too.
        width: of one picture on the sheet, in pixels.

    Returns:
        The sheet, a ``PIL.Image.Image``.

    Raises:
        ConfigError: there are no rows, or they have other names.
        MissingExtraError: pillow is not installed.

    >>> picture = torch.rand(3, 20, 20)
    >>> overlay_sheet([{"picture": picture, "turned": picture.rot90(1, (1, 2))}], width=40).size
    (81, 53)
    """
    names = list(rows[0]) if rows else []
    if not names or any(list(row) != names for row in rows):
        raise ConfigError(f"rows={len(rows)} rows of pictures: give at least one, all with the same names")
    image, draw = require("PIL.Image", "pillow", "pictures of masks"), require("PIL.ImageDraw", "pillow", "pictures")
    pictures = [[_pillow(image, row[name], width) for name in names] for row in rows]
    heights = [max(one.height for one in row) for row in pictures]
    top = 13
    sheet = image.new("RGB", (len(names) * (width + 1) - 1, top + sum(heights) + len(rows) - 1), "white")
    for column, name in enumerate(names):
        draw.Draw(sheet).text((column * (width + 1) + 2, 1), name, fill="black")
    y = top
    for row, height in zip(pictures, heights, strict=True):
        for column, one in enumerate(row):
            sheet.paste(one, (column * (width + 1), y))
        y += height + 1
    if path is not None:
        with replacing(path) as temporary:
            sheet.save(temporary, format="PNG")
    return sheet


def _pillow(image: Any, picture: Tensor, width: int) -> Any:
    pixels = picture if picture.dtype == torch.uint8 else (255 * picture.clamp(0, 1)).round().to(torch.uint8)
    array = pixels.expand(3, -1, -1).permute(1, 2, 0).contiguous().cpu().numpy()
    height = round(width * picture.shape[1] / picture.shape[2])
    return image.fromarray(array).resize((width, height), image.Resampling.LANCZOS)
