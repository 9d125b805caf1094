"""Colours on photographs, and masks laid over them."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Integer

#: Told apart by most colour-blind people: Okabe and Ito, Color universal design, 2008; and white.
COLOURS = ("#F0E442", "#56B4E9", "#E69F00", "#CC79A7", "#009E73", "#D55E00", "#0072B2", "#FFFFFF")
#: Of the classes 1, 2, ... in masks, bright on cells and skin; used again from the first when there are more.
MASK_COLOURS = ("#12d8f0", "#ff8a1f", "#9be15d", "#ffe224", "#ff6fd0", "#8fa6ff", "#ffffff", "#c98b4b")


def rgb(colour: str) -> Float[np.ndarray, " 3"]:
    """``"#rrggbb"`` as three numbers from 0 to 255."""
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], dtype=float)


def lay_over(
    pixels: Float[np.ndarray, "height width 3"],
    classes: Integer[np.ndarray, "height width"],
    *,
    colours: Sequence[str] = MASK_COLOURS,
    alpha: float = 0.3,
    unknown: int | None = None,
) -> None:
    """Tint every class but 0 and ``unknown`` in its colour and outline it, in place; pixels are 0 to 255."""
    edge = _edges(classes)
    for value in np.unique(classes):
        if value in (0, unknown):
            continue
        colour, inside = rgb(colours[(int(value) - 1) % len(colours)]), classes == value
        pixels[inside] = (1 - alpha) * pixels[inside] + alpha * colour
        pixels[inside & edge] = colour


def _edges(classes: Integer[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    """The pixels beside one of another class."""
    edge = np.zeros(classes.shape, dtype=bool)
    rows, columns = classes[1:] != classes[:-1], classes[:, 1:] != classes[:, :-1]
    edge[1:] |= rows
    edge[:-1] |= rows
    edge[:, 1:] |= columns
    edge[:, :-1] |= columns
    return edge
