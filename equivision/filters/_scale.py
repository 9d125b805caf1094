"""Functions on the taps of a kernel that can be drawn at any scale: Hermite-Gaussian and log-polar bases.

A basis holds functions psi of the plane. At scale s it gives ``s^-2 psi(p / s)``, so that a picture enlarged by a
factor and filtered at a scale enlarged by the same factor gives the same values at the enlarged places.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from equivision.errors import ConfigError
from equivision.filters._taps import coordinates
from equivision.groups import PlanarGroup, trivial

FloatArray = NDArray[np.float64]
_TIE = 1e-9
#: What a discrete Gaussian may leave out on both sides.
_TAIL = 1e-9


def ascending_scales(scales: Sequence[float]) -> tuple[float, ...]:
    """Scales as a tuple.

    Raises:
        ConfigError: there are none, or they are not positive, finite and ascending.
    """
    try:
        found = () if isinstance(scales, str) else tuple(float(s) for s in scales)
    except (TypeError, ValueError):
        found = ()
    if not found or not found[0] > 0 or found[-1] == math.inf or not all(a < b for a, b in itertools.pairwise(found)):
        raise ConfigError(f"scales={scales!r}: give positive numbers in ascending order, such as (1.0, 1.4, 2.0)")
    return found


def scale_windows(kernel_size: int, scales: Sequence[float]) -> tuple[int, ...]:
    """Taps of a side that a kernel has at each scale: all of them at the largest, in proportion at the others.

    Args:
        kernel_size: taps of a side at the largest scale, odd.
        scales: ascending.

    Raises:
        ConfigError: the size is even or less than 1, or the scales are not ascending.

    >>> scale_windows(13, (1.5, 2.6, 4.5))
    (5, 7, 13)
    """
    scales = ascending_scales(scales)
    if isinstance(kernel_size, bool) or not isinstance(kernel_size, int) or kernel_size < 1 or kernel_size % 2 == 0:
        raise ConfigError(f"kernel_size={kernel_size!r}: give an odd whole number, so that all scales share a centre")
    half = (kernel_size - 1) / 2
    return tuple(2 * int(half * s / scales[-1] + _TIE) + 1 for s in scales)


@dataclass(frozen=True)
class ScaleBasis:
    """Functions of the plane that can be drawn at any scale; a subclass says in ``values`` which.

    Values of equal bases are equal: they are frozen, hashable, and can be pickled.

    Attributes:
        points: a tap is the mean over ``points x points`` places in its pixel; 1 takes the middle of the pixel, which
            does for smooth functions.
    """

    points: ClassVar[int] = 1

    def values(self, x: FloatArray, y: FloatArray, reach: float) -> FloatArray:
        """The functions at places that are already divided by the scale, ``[functions, taps]``.

        Args:
            x: to the right, ``[taps]``.
            y: up, ``[taps]``.
            reach: distance from the centre to the middle of an edge of the window, divided by the scale as well; the
                same for all scales.
        """
        raise NotImplementedError

    def sample(self, kernel_size: int, scales: Sequence[float], group: PlanarGroup | None = None) -> FloatArray:
        """The functions on the taps of a kernel at every scale, moved by every element of a group.

        Args:
            kernel_size: taps of a side at the largest scale, odd. Smaller scales have windows in proportion
                (:func:`scale_windows`), and 0 around them.
            scales: ascending, in pixels.
            group: C_n or D_n, any n; None: nothing moves.

        Returns:
            ``[functions, slots, kernel_size, kernel_size]``, float64, read-only, computed once for equal arguments.
            Slot ``s * order + g`` holds ``scale^-2 psi(g^-1 p / scale)`` of scale number s. Each function has norm 1 at
            the smallest scale, unmoved; one that vanishes there, as on a window of one tap, at the largest.

        Equivariance: nothing is interpolated; what quarter turns do is exact to 1e-12.

        Raises:
            ConfigError: the size is even or less than 1, or the scales are not ascending.
        """
        return _sample(self, kernel_size, ascending_scales(scales), trivial() if group is None else group)


@lru_cache(maxsize=64)
def _sample(basis: ScaleBasis, kernel_size: int, scales: tuple[float, ...], group: PlanarGroup) -> FloatArray:
    x, y = coordinates(kernel_size)
    reach = (kernel_size - 1) / 2 / scales[-1]
    drawn: list[FloatArray] = []
    for scale, window in zip(scales, scale_windows(kernel_size, scales), strict=True):
        inside = np.maximum(np.abs(x), np.abs(y)) <= (window - 1) / 2 + _TIE
        values = (_moved(basis, kernel_size, scale, reach, group, g) for g in range(group.order))
        drawn += [one * inside / scale**2 for one in values]
    functions = np.stack(drawn, axis=1)
    smallest, largest = (np.linalg.norm(functions[:, s], axis=-1) for s in (0, -group.order))
    norms = np.where(smallest > _TIE * largest, smallest, largest)
    functions = functions / np.maximum(norms, np.finfo(np.float64).tiny)[:, None, None]
    functions = functions.reshape(*functions.shape[:2], kernel_size, kernel_size)
    functions.setflags(write=False)
    return functions


def _moved(basis: ScaleBasis, size: int, scale: float, reach: float, group: PlanarGroup, g: int) -> FloatArray:
    """The functions at a scale, moved by an element: the turns that the grid has move taps, the rest of the angle is
    drawn.
    """
    flips, steps = group.split(g)
    exact = group.grid_part.rotations
    turns, rest = divmod(steps, group.rotations // exact)
    (a, b), (c, d) = group.matrix(group.element(flips, rest)).T / scale
    x, y = coordinates(size)
    places = ((x + dx, y + dy) for dx, dy in _places(basis))
    values = np.mean([basis.values(a * u + b * v, c * u + d * v, reach) for u, v in places], axis=0)
    images = values.reshape(-1, size, size)
    return np.rot90(images, turns * 4 // exact, axes=(-2, -1)).reshape(len(images), -1)


def _places(basis: ScaleBasis) -> Iterator[tuple[float, float]]:
    """Places in a pixel, from its middle."""
    along = (np.arange(basis.points) - (basis.points - 1) / 2) / basis.points
    return itertools.product(along.tolist(), repeat=2)


@dataclass(frozen=True)
class HermiteBasis(ScaleBasis):
    """Hermite polynomials times Gaussians: ``He_i(x/w) He_j(y/w) exp(-(x^2 + y^2) / 2 w^2) / w^2``, ``i + j <= order``.

    He are the probabilists' polynomials. One width w = 1 is type A of the paper; several widths, 1 and smaller ones,
    are type B.

    Attributes:
        order: the largest degree of a polynomial.
        widths: w, of the Gaussians relative to the scale.
        num_functions: how many functions there are, the first ones; None: all,
            ``len(widths) * (order + 1) * (order + 2) / 2``.

    Raises:
        ConfigError: an argument is out of range.

    Source: Sosnovik, Szmaja & Smeulders 2020, section 4 and appendix.

    >>> HermiteBasis(order=2).sample(7, (1.0, 1.5)).shape
    (6, 2, 7, 7)
    >>> HermiteBasis.type_b(49, mult=1.5).sample(13, (1.5, 2.6, 4.5)).shape
    (49, 3, 13, 13)
    """

    order: int = 4
    widths: tuple[float, ...] = (1.0,)
    num_functions: int | None = None

    def __post_init__(self) -> None:
        if isinstance(self.order, bool) or not isinstance(self.order, int) or self.order < 0:
            raise ConfigError(f"order={self.order!r}: give a whole number of at least 0")
        widths = tuple(self.widths)
        if not widths or not all(0 < w < math.inf for w in widths):
            raise ConfigError(f"widths={self.widths!r}: give positive numbers, such as (1.0, 0.7)")
        object.__setattr__(self, "widths", widths)
        most, chosen = len(widths) * len(self._orders()), self.num_functions
        if chosen is not None and (isinstance(chosen, bool) or not isinstance(chosen, int) or not 1 <= chosen <= most):
            raise ConfigError(
                f"num_functions={chosen!r}: give a whole number from 1 to {most}, the functions there are"
            )

    @classmethod
    def type_b(cls, num_functions: int, *, mult: float = 1.5, order: int = 4) -> "HermiteBasis":
        """As many widths ``mult^0, mult^-1, mult^-2, ...`` as that many functions need.

        Raises:
            ConfigError: mult is not more than 1, or an argument is out of range.
        """
        if not 1 < mult < math.inf:
            raise ConfigError(f"mult={mult!r}: give a number of more than 1, by which each width is less than the last")
        num_widths = max(1, -(-num_functions // len(cls(order)._orders())))
        return cls(order, tuple(mult**-n for n in range(num_widths)), num_functions)

    def _orders(self) -> list[tuple[int, int]]:
        return [(i, j) for i in range(self.order + 1) for j in range(self.order + 1 - i)]

    def values(self, x: FloatArray, y: FloatArray, reach: float) -> FloatArray:
        """The functions, those of the largest width first."""
        found = [
            _hermite(i, x / w) * _hermite(j, y / w) * np.exp(-(x**2 + y**2) / (2 * w**2)) / w**2
            for w in self.widths
            for i, j in self._orders()
        ]
        return np.stack(found[: self.num_functions])


def _hermite(degree: int, x: FloatArray) -> FloatArray:
    """The probabilists' Hermite polynomial of a degree."""
    return np.asarray(np.polynomial.hermite_e.hermeval(x, [0.0] * degree + [1.0]), np.float64)


@dataclass(frozen=True)
class LogPolarBasis(ScaleBasis):
    """Waves of log r in sectors: ``r^-1 exp(-d(phi, phi_j)^2 / 2 sigma^2) cos(k log r)``, and sines.

    Enlarging by s shifts the logarithm of the radius: the coefficients of cosine and sine turn by ``k log s``, in which
    sense the functions are steered by scale as circular harmonics are by rotation. d is the distance of two angles
    modulo half a turn, as in the released code: kernels are even. They live on a ring, the same at every scale: inside
    of it the waves are finer than pixels, and at the centre there is neither angle nor logarithm. Taps are means over
    their pixels. (With the values at the middle of the pixels, down to the centre, as in the released code, the error
    of a 41 x 41 kernel under an enlargement by sqrt 2 is .70, against .04 here.)

    Attributes:
        num_angles: sectors, spread evenly over half a turn.
        sigma: width of a sector in radians.
        frequencies: k. The default is half a wave, one and two from a radius of 1 to one of 6.
        hole: inner radius of the ring, as a share of the outer one.

    Raises:
        ConfigError: an argument is out of range.

    Source: Ghosh & Gupta 2019, eqs. 4-7.

    >>> LogPolarBasis().sample(13, (5.0, 7.0, 9.0, 11.0, 13.0)).shape
    (48, 5, 13, 13)
    """

    num_angles: int = 8
    sigma: float = math.pi / 16
    frequencies: tuple[float, ...] = (1.75, 3.5, 7.0)
    hole: float = 0.2
    points: ClassVar[int] = 4

    def __post_init__(self) -> None:
        if isinstance(self.num_angles, bool) or not isinstance(self.num_angles, int) or self.num_angles < 1:
            raise ConfigError(f"num_angles={self.num_angles!r}: give a whole number of at least 1")
        if not 0 < self.sigma < math.inf:
            raise ConfigError(f"sigma={self.sigma!r}: give a positive number of radians")
        frequencies = tuple(self.frequencies)
        if not frequencies or not all(0 < k < math.inf for k in frequencies):
            raise ConfigError(f"frequencies={self.frequencies!r}: give positive numbers, such as (1.75, 3.5)")
        if not 0 < self.hole < 1:
            raise ConfigError(f"hole={self.hole!r}: give a share of the radius, between 0 and 1")
        object.__setattr__(self, "frequencies", frequencies)

    def values(self, x: FloatArray, y: FloatArray, reach: float) -> FloatArray:
        """Cosines and sines of every frequency in every sector."""
        radius, phi = np.hypot(x, y), np.arctan2(y, x)
        inside = (radius >= self.hole * reach) & (radius <= reach + _TIE)
        radius = np.where(inside, radius, 1.0)
        found: list[FloatArray] = []
        for j, k in itertools.product(range(self.num_angles), self.frequencies):
            distance = (phi - j * math.pi / self.num_angles + math.pi / 2) % math.pi - math.pi / 2
            sector = np.exp(-(distance**2) / (2 * self.sigma**2)) * inside / radius
            found += [sector * np.cos(k * np.log(radius)), sector * np.sin(k * np.log(radius))]
        return np.stack(found)


def discrete_gaussian(variance: float) -> FloatArray:
    """The Gaussian of the integers, ``exp(-t) I_n(t)``: blurring by t1 and then t2 is blurring by t1 + t2, exactly.

    Args:
        variance: t, in pixels squared; 0 gives the single tap 1.

    Returns:
        An odd number of taps with the sum 1, float64, as many as hold all but a billionth of it.

    Raises:
        ConfigError: the variance is negative or not finite.

    Source: Lindeberg 1990; Worrall & Welling 2019, eq. 14.

    >>> discrete_gaussian(0.0).tolist()
    [1.0]
    """
    if not 0 <= variance < math.inf:
        raise ConfigError(f"variance={variance!r}: give a number of at least 0")
    reach = int(8 * math.sqrt(variance) + 8)
    angles = 2 * np.pi * np.arange(8 * reach) / (8 * reach)
    # the Fourier coefficients of exp(t (cos a - 1)); the mean over equal steps gives them to rounding
    envelope = np.exp(variance * (np.cos(angles) - 1))
    half = np.array([np.mean(envelope * np.cos(n * angles)) for n in range(reach)])
    outside = 1 - (half[0] + 2 * np.cumsum(half[1:]))
    radius = 0 if variance == 0 else 1 + int(np.argmax(outside < _TAIL))
    taps = np.concatenate([half[radius:0:-1], half[: radius + 1]])
    return taps / taps.sum()
