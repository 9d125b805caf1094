"""Masks laid over the images they belong to."""

import numpy as np
from jaxtyping import Bool, UInt8

from equivision.audit._picture import Bytes

#: Colours of the classes 1, 2, ..., used again from the first when there are more; class 0, the background, has none.
CLASS_COLOURS = ("#12d8f0", "#ff8a1f", "#9be15d", "#ffe224", "#ff6fd0", "#8fa6ff", "#ffffff", "#c98b4b")
#: Where masks differ.
DIFFERENCE_COLOUR = "#ff2e2e"
#: Value of a pixel whose class is not known.
UNKNOWN = 255
#: Pictures are enlarged by a whole factor to about this many pixels, so that outlines stay thin.
DRAWN = 128


def overlay(
    image: UInt8[np.ndarray, "height width channels"], mask: UInt8[np.ndarray, "height width"]
) -> UInt8[np.ndarray, "rows columns 3"]:
    """The image with every class but 0 tinted in its colour and outlined in it."""
    pixels, classes = _large(_colour(image), len(image)), _large(mask, len(image))
    edge = _edges(classes)
    for value in np.unique(classes):
        if value in (0, UNKNOWN):
            continue
        colour, inside = _rgb(CLASS_COLOURS[(int(value) - 1) % len(CLASS_COLOURS)]), classes == value
        pixels[inside] = 0.7 * pixels[inside] + 0.3 * colour
        pixels[inside & edge] = colour
    return pixels.round().astype(np.uint8)


def differences(
    image: UInt8[np.ndarray, "height width channels"], differs: Bool[np.ndarray, "height width"]
) -> UInt8[np.ndarray, "rows columns 3"]:
    """The image in dark grey with the pixels that differ in one loud colour."""
    grey = _colour(image).mean(-1, keepdims=True).repeat(3, axis=-1)
    pixels = _large(0.45 * grey, len(image))
    pixels[_large(differs, len(image))] = _rgb(DIFFERENCE_COLOUR)
    return pixels.round().astype(np.uint8)


def _colour(image: Bytes) -> np.ndarray:
    return np.broadcast_to(image, (*image.shape[:2], 3)).astype(float)


def _large(pixels: np.ndarray, height: int) -> np.ndarray:
    factor = max(1, DRAWN // height)
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1)


def _edges(classes: Bytes) -> Bool[np.ndarray, "rows columns"]:
    """The pixels beside one of another class."""
    edge = np.zeros(classes.shape, dtype=bool)
    rows, columns = classes[1:] != classes[:-1], classes[:, 1:] != classes[:, :-1]
    edge[1:] |= rows
    edge[:-1] |= rows
    edge[:, 1:] |= columns
    edge[:, :-1] |= columns
    return edge


def _rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], dtype=float)
