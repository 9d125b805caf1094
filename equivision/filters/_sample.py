"""Motion of kernels by any angle, as sampling matrices.

An angle is split into quarter turns, which are exact, and a rest of at most 45 degrees, which is interpolated. The C4
or D4 that a group contains therefore moves the transformed kernels exactly, in every mode.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from equivision._numbers import check_count
from equivision.errors import ConfigError
from equivision.filters._permute import grid_action
from equivision.filters._rings import cubic_spline
from equivision.filters._steerable import moved_functions
from equivision.filters._taps import coordinates
from equivision.groups import PlanarGroup, dihedral

FloatArray = NDArray[np.float64]
Interpolation = Literal["nearest", "bilinear", "bicubic", "fourier", "bspline", "steerable"]
Mask = Literal["none", "disk", "smooth"]
MASKS: tuple[str, ...] = ("none", "disk", "smooth")
#: Coordinates closer than this are the same; what lies between two pixels is shared.
_TIE = 1e-9
#: Width of the edge of a smooth mask, in pixels.
_EDGE = 0.25


def sampling_matrices(
    group: PlanarGroup,
    kernel_size: int,
    *,
    mode: Interpolation = "bilinear",
    mask: Mask = "none",
    renormalize: bool = False,
) -> FloatArray:
    """How a square kernel is moved by every element of a group: ``moved = matrices[g] @ kernel.reshape(-1)``.

    Args:
        group: C_n or D_n, any n.
        kernel_size: taps of a side, odd or even.
        mode: ``"nearest"`` (what lies between two pixels is their mean), ``"bilinear"``, ``"bicubic"`` (Keys' kernel
            with a = -0.75, as in torch), ``"fourier"`` (three shears, each a translation of rows or columns by their
            Fourier transform; nothing is blurred, but what turns out of the kernel is cut off); ``"bspline"`` (the
            numbers are those of cubic B-splines at the taps, so that every kernel is smooth, the unmoved one too);
            ``"steerable"`` (the numbers are those of circular harmonics on Gaussian rings, as in
            :func:`kernel_basis`, fewer than taps: what turns is not interpolated at all).
        mask: what the kernel is multiplied by before it moves, so that less of it turns out of the corners: nothing, a
            ``"disk"`` of radius ``(kernel_size - 1) / 2``, or a ``"smooth"`` one with its edge at ``kernel_size / 2``.
        renormalize: multiply each matrix by a number, so that random kernels keep their mean square. Interpolation
            makes kernels smaller: at 45 degrees, bilinearly, by a third, so that orientations off the grid are weaker.

    Returns:
        ``[order, kernel_size**2, kernel_size**2]``, float64, read-only, computed once for equal arguments; of
        ``"steerable"``, ``[order, kernel_size**2, functions]``.

    Equivariance: for k in the largest of C1, C2, C4, D1, D2, D4 that the group contains, ``matrices[k g]`` is the exact
    motion by k after ``matrices[g]``, to 1e-12. For other elements it is approximate.

    Raises:
        ConfigError: the mode or the mask is not known, the size is not a positive whole number, or a mask or
            renormalisation is asked for steerable kernels, which need neither.

    Source: Larkin, Oldfield & Klemm 1997 (three shears); Keys 1981 (bicubic); Bekkers 2020
    (B-splines); Weiler, Hamprecht & Storath 2018 (steerable); the study of classification with Pn
    networks, section 3 (nearest).

    >>> from equivision.groups import cyclic
    >>> eighth = sampling_matrices(cyclic(8), 3, mode="nearest")[1]
    >>> (eighth @ np.arange(9.0)).reshape(3, 3).astype(int).tolist()  # the ring of eight moves on by one
    [[1, 2, 5], [0, 4, 8], [3, 6, 7]]
    """
    if mode not in MODES:
        raise ConfigError(f"mode={mode!r} is not known: choose one of {', '.join(MODES)}")
    if mask not in MASKS:
        raise ConfigError(f"mask={mask!r} is not known: choose one of {', '.join(MASKS)}")
    check_count("kernel_size", kernel_size)
    if mode == "steerable":
        if mask != "none" or renormalize:
            raise ConfigError(
                f"mask={mask!r}, renormalize={renormalize}: steerable kernels keep their norm as they turn; leave both "
                "out"
            )
        return moved_functions(group, kernel_size)
    return _matrices(group, kernel_size, mode, mask, renormalize)


@lru_cache(maxsize=256)
def _matrices(group: PlanarGroup, size: int, mode: str, mask: str, renormalize: bool) -> FloatArray:
    masked = np.diag(_mask(size, mask))
    matrices = np.stack([_moved(group, g, size, mode) @ masked for g in range(group.order)])
    if renormalize:
        matrices *= np.linalg.norm(masked) / np.linalg.norm(matrices, axis=(1, 2), keepdims=True)
    matrices.setflags(write=False)
    return matrices


def _moved(group: PlanarGroup, g: int, size: int, mode: str) -> FloatArray:
    """The flip, then the rest of the angle, then the quarter turns."""
    flips, steps = group.split(g)
    turns, rest = divmod(8 * steps + group.rotations, 2 * group.rotations)  # rest in eighths of a turn / n, from -45 on
    angle = np.pi / 4 * (rest / group.rotations - 1)
    matrix = _half_way(size, mode) if rest == 0 else _rotated(size, angle, mode)
    exact = [_exact(size, flips, 0), _exact(size, 0, turns % 4)]
    return exact[1] @ matrix @ exact[0]


def _half_way(size: int, mode: str) -> FloatArray:
    """Rotation by -45 degrees: the mean of two ways, of which one is the other's mirror image."""
    quarter = np.pi / 4
    return (_rotated(size, -quarter, mode) + _exact(size, 0, 3) @ _rotated(size, quarter, mode)) / 2


@lru_cache(maxsize=64)
def _exact(size: int, flips: int, turns: int) -> FloatArray:
    """The matrix of an element of D4."""
    group = dihedral(4)
    images = np.eye(size**2).reshape(-1, size, size)
    return grid_action(images, group, group.element(flips, turns)).reshape(size**2, -1).T


@lru_cache(maxsize=256)
def _rotated(size: int, angle: float, mode: str) -> FloatArray:
    """Rotation by an angle, counter-clockwise, in radians."""
    return np.eye(size**2) if angle == 0 and mode != "bspline" else _MODES[mode](size, angle)


def _mask(size: int, mask: str) -> FloatArray:
    x, y = coordinates(size)
    radius = np.hypot(x, y)
    if mask == "none":
        return np.ones_like(radius)
    if mask == "disk":
        return (radius <= max((size - 1) / 2, radius.min()) + _TIE).astype(np.float64)  # of 2x2 taps none is within
    return 1 / (1 + np.exp((radius - size / 2) / _EDGE))


def _interpolated(size: int, angle: float, weight: Callable[[FloatArray], FloatArray]) -> FloatArray:
    """Every tap reads where it comes from, its neighbours weighted along x and along y; zero outside."""
    x, y = coordinates(size)
    cosine, sine = np.cos(angle), np.sin(angle)
    from_x, from_y = cosine * x + sine * y, cosine * y - sine * x
    return weight(from_x[:, None] - x) * weight(from_y[:, None] - y)


def _nearest(distance: FloatArray) -> FloatArray:
    far = np.abs(distance) - 0.5
    return np.where(np.abs(far) <= _TIE, 0.5, far < 0).astype(np.float64)


def _linear(distance: FloatArray) -> FloatArray:
    return np.maximum(0, 1 - np.abs(distance))


def _cubic(distance: FloatArray) -> FloatArray:
    """Keys' kernel with a = -0.75."""
    a, d = -0.75, np.abs(distance)
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * (d**3 - 5 * d**2 + 8 * d - 4)
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


def _fourier(size: int, angle: float) -> FloatArray:
    """Three shears on a periodic canvas of more than twice the size and the same parity, cut to the kernel again."""
    canvas = 2 * size + (size if size % 2 else 2)
    canvas += (canvas - size) % 2
    border = (canvas - size) // 2
    images = np.zeros((size**2, canvas, canvas))
    images[:, border : border + size, border : border + size] = np.eye(size**2).reshape(-1, size, size)
    across, up = -np.tan(angle / 2), np.sin(angle)
    for axis, slope in ((-1, across), (-2, up), (-1, across)):
        images = _sheared(images, axis, slope)
    return images[:, border : border + size, border : border + size].reshape(size**2, -1).T


def _sheared(images: FloatArray, axis: int, slope: float) -> FloatArray:
    """Move each row right by ``slope y``, or each column up by ``slope x``."""
    size = images.shape[-1]
    along = np.arange(size) - (size - 1) / 2
    frequency = np.fft.rfftfreq(size)
    # y points up and rows count downwards: both shifts are ``-slope`` times the other index
    shift = -slope * along
    phase = np.exp(-2j * np.pi * frequency[None, :] * shift[:, None])
    if size % 2 == 0:
        phase[:, -1] = 0  # at half the sampling rate a translation is not defined
    phase = phase if axis == -1 else phase.T
    return np.fft.irfft(np.fft.rfft(images, axis=axis) * phase, n=size, axis=axis)


_MODES: dict[str, Callable[[int, float], FloatArray]] = {
    "nearest": lambda size, angle: _interpolated(size, angle, _nearest),
    "bilinear": lambda size, angle: _interpolated(size, angle, _linear),
    "bicubic": lambda size, angle: _interpolated(size, angle, _cubic),
    "fourier": _fourier,
    "bspline": lambda size, angle: _interpolated(size, angle, cubic_spline),
}
MODES = (*_MODES, "steerable")
