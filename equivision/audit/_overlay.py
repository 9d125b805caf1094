"""Masks laid over the images they belong to."""

import numpy as np
from jaxtyping import Bool, UInt8

from equivision._colours import lay_over, rgb
from equivision.audit._picture import Bytes

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
    lay_over(pixels, classes, unknown=UNKNOWN)
    return pixels.round().astype(np.uint8)


def differences(
    image: UInt8[np.ndarray, "height width channels"], differs: Bool[np.ndarray, "height width"]
) -> UInt8[np.ndarray, "rows columns 3"]:
    """The image in dark grey with the pixels that differ in one loud colour."""
    grey = _colour(image).mean(-1, keepdims=True).repeat(3, axis=-1)
    pixels = _large(0.45 * grey, len(image))
    pixels[_large(differs, len(image))] = rgb(DIFFERENCE_COLOUR)
    return pixels.round().astype(np.uint8)


def _colour(image: Bytes) -> np.ndarray:
    return np.broadcast_to(image, (*image.shape[:2], 3)).astype(float)


def _large(pixels: np.ndarray, height: int) -> np.ndarray:
    factor = max(1, DRAWN // height)
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1)
