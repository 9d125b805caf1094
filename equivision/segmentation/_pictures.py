"""Pictures of masks."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Integer, Shaped, UInt8
from torch import Tensor

from equivision._colours import MASK_COLOURS, lay_over
from equivision._files import replacing
from equivision.data._extras import require
from equivision.errors import ConfigError, ShapeError

Mask = Integer[Tensor, "height width"]


def overlay(
    picture: Shaped[Tensor, "channel height width"],
    mask: Mask,
    *,
    alpha: float = 0.3,
    colours: Sequence[str] = MASK_COLOURS,
) -> UInt8[Tensor, "3 height width"]:
    """A picture with its mask laid over it: each class but the background in its colour, with an outline.

    Args:
        picture: uint8 or floats in [0, 1]; 1 or 3 channels.
        mask: class numbers; 0, the background, is left as it is.
        alpha: how strongly the colour shows, 0 to 1; the outline shows fully.
        colours: ``"#rrggbb"`` for the classes 1, 2, ...; they repeat.

    Equivariance: exact: the overlay of turned picture and mask is the turned overlay.

    Raises:
        ShapeError: picture and mask do not fit, or the picture is neither uint8 nor floats.
        ConfigError: alpha is out of range, there are no colours, or one of them is none.

    >>> overlay(torch.zeros(1, 4, 4), torch.ones(4, 4, dtype=torch.int64), alpha=1.0)[:, 0, 0].tolist()
    [18, 216, 240]
    """
    if picture.ndim != 3 or picture.shape[0] not in (1, 3) or picture.shape[1:] != mask.shape:
        raise ShapeError(
            f"picture is {tuple(picture.shape)}, mask {tuple(mask.shape)}: need [1 or 3, height, width] and [height, "
            "width]"
        )
    if picture.dtype != torch.uint8 and not picture.is_floating_point():
        raise ShapeError(f"picture has dtype {picture.dtype}: give uint8, or floats in [0, 1]")
    if not 0 <= alpha <= 1:
        raise ConfigError(f"alpha={alpha}: give a number from 0 to 1")
    wrong = [one for one in colours if not re.fullmatch("#[0-9a-fA-F]{6}", one)]
    if wrong or not colours:
        raise ConfigError(f"colours={list(colours)}: give at least one, each as '#rrggbb'")
    pixels = picture.float() if picture.dtype == torch.uint8 else 255 * picture.float().clamp(0, 1)
    array = pixels.expand(3, -1, -1).permute(1, 2, 0).cpu().double().numpy().copy()
    lay_over(array, mask.cpu().numpy(), colours=colours, alpha=alpha)
    return torch.from_numpy(array.round().astype("uint8")).permute(2, 0, 1).contiguous()


def overlay_sheet(
    rows: Sequence[Mapping[str, Shaped[Tensor, "_channel _height _width"]]],
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
        ConfigError: there are no rows, or they have other names, or the width is not positive.
        ShapeError: a picture has not 1 or 3 channels.
        MissingExtraError: pillow is not installed.

    >>> picture = torch.rand(3, 20, 20)
    >>> overlay_sheet([{"picture": picture, "turned": picture.rot90(1, (1, 2))}], width=40).size
    (81, 53)
    """
    names = list(rows[0]) if rows else []
    if not names or any(list(row) != names for row in rows):
        raise ConfigError(f"rows={len(rows)} rows of pictures: give at least one, all with the same names")
    if width < 1:
        raise ConfigError(f"width={width}: give at least 1 pixel")
    image, draw = require("PIL.Image", "pillow", "pictures of masks"), require("PIL.ImageDraw", "pillow", "pictures")
    pictures = [[_pillow(image, name, row[name], width) for name in names] for row in rows]
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


def _pillow(image: Any, name: str, picture: Tensor, width: int) -> Any:
    if picture.ndim != 3 or picture.shape[0] not in (1, 3):
        raise ShapeError(f"picture {name!r} has shape {tuple(picture.shape)}: need [1 or 3, height, width]")
    pixels = picture if picture.dtype == torch.uint8 else (255 * picture.clamp(0, 1)).round().to(torch.uint8)
    array = pixels.expand(3, -1, -1).permute(1, 2, 0).contiguous().cpu().numpy()
    height = max(round(width * picture.shape[1] / picture.shape[2]), 1)
    return image.fromarray(array).resize((width, height), image.Resampling.LANCZOS)
