"""A kernel at three scales, and how the response to a blob moves along the scales when the blob grows."""

import math

import numpy as np
from _svg import ELEMENT_COLOURS, INK, LINE, MUTED, Drawing

from equivision.filters import HermiteBasis, scale_windows

LEVELS = 20  # values are rounded, so that every machine draws the same
CELL, TOP = 15.0, 62.0
BLOBS, SCALES = (2.0, 2.0 * math.sqrt(2), 4.0), tuple(2.0 ** (0.5 + i / 2) for i in range(5))


def _rounded(values: np.ndarray) -> np.ndarray:
    return np.rint(values * LEVELS) / LEVELS


def _kernels(drawing: Drawing) -> None:
    windows = scale_windows(9, (1.0, 1.4, 1.8))
    functions = HermiteBasis(2).sample(9, (1.0, 1.4, 1.8))
    weights = np.array([0.0, 1.0, 0.5, -0.6, 0.8, -0.5])
    left = 28.0
    for s, (window, scale) in enumerate(zip(windows, (1.0, 1.4, 1.8), strict=True)):
        border = (9 - window) // 2
        kernel = np.tensordot(weights, functions[:, s], 1)[border : border + window, border : border + window]
        values = _rounded((kernel / np.abs(kernel).max() + 1) / 2)
        top = TOP + (9 - window) * CELL / 2
        drawing.pixels((left, top), values, CELL, ELEMENT_COLOURS[4])
        middle = left + window * CELL / 2
        drawing.text((middle, TOP + 9 * CELL + 24), f"scale {scale:g}", size=14, fill=MUTED)
        left += window * CELL + 24


def _response(sigma: float) -> np.ndarray:
    """The largest value of the second derivative of a blob, at every scale."""
    line = np.arange(81.0) - 40
    blob = np.exp(-(line[:, None] ** 2 + line**2) / (2 * sigma**2))
    drawn = HermiteBasis().sample(81, SCALES)[2]  # He_0(x) He_2(y)
    return np.abs((drawn * blob).sum(axis=(1, 2)))


def scale_shift() -> Drawing:
    """Kernels on the left, responses on the right."""
    drawing = Drawing(780, 262, "One kernel at three scales; a larger blob answers at a larger scale")
    drawing.text((190, 34), "one kernel at three scales", size=14, bold=True)
    _kernels(drawing)
    answers = [_response(sigma) for sigma in BLOBS]
    largest = max(float(answer.max()) for answer in answers)
    for i, (sigma, answer) in enumerate(zip(BLOBS, answers, strict=True)):
        left, bottom = 436.0 + 114 * i, TOP + 9 * CELL
        drawing.text((left + 42, 34), f"blob of {sigma:.1f}", size=13, bold=True)
        for k, height in enumerate(_rounded(answer / largest)):
            colour = ELEMENT_COLOURS[1] if k == int(answer.argmax()) else ELEMENT_COLOURS[3]
            drawing.rect((left + 17 * k, bottom - 120 * float(height)), (14, 120 * float(height)), fill=colour)
            drawing.text((left + 17 * k + 7, bottom + 20), f"{SCALES[k]:.1f}", size=9, fill=MUTED)
        drawing.line((left - 4, bottom), (left + 88, bottom), stroke=LINE)
    drawing.text((592, TOP + 9 * CELL + 44), "response at each scale, in pixels", size=13, fill=INK)
    return drawing
