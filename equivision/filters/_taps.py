"""Where the taps of a kernel are."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def coordinates(size: int) -> tuple[FloatArray, FloatArray]:
    """X to the right and y up, of every tap of a square kernel, about its centre, ``[size * size]`` each."""
    along = np.arange(size, dtype=np.float64) - (size - 1) / 2
    y, x = np.broadcast_arrays(-along[:, None], along[None, :])
    return x.reshape(-1), y.reshape(-1)
