"""Functions on the taps of a square kernel: profiles along the radius times circular harmonics."""

from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from equivision.filters._taps import coordinates

FloatArray = NDArray[np.float64]
Profile = Literal["gaussian", "bspline", "pixels"]
PROFILES: tuple[str, ...] = ("gaussian", "bspline", "pixels")
#: Width of a Gaussian ring, of the outermost one and of the one at the centre, which is a single tap, in pixels.
_WIDTH, _OUTER_WIDTH, _CENTRE_WIDTH = 0.6, 0.4, 0.005
_TIE = 1e-9


class Rings(NamedTuple):
    """Rings of a kernel.

    Attributes:
        phi: angle of every tap, counter-clockwise from the x axis, ``[taps]``.
        profiles: value of every ring at every tap, ``[rings, taps]``.
        turning: the same for what turns: 0 at the centre, where there is no angle.
        highest: the largest frequency of every ring.
    """

    phi: FloatArray
    profiles: FloatArray
    turning: FloatArray
    highest: tuple[int, ...]

    def profile(self, q: int, frequency: int) -> FloatArray:
        """Ring q at every tap, for what turns with a frequency."""
        return (self.turning if frequency else self.profiles)[q]

    def function(self, q: int, frequency: int, odd: int) -> FloatArray:
        """Ring q times a cosine of the angle, or a sine where ``odd``, ``[taps]``."""
        return self.profile(q, frequency) * (np.sin if odd else np.cos)(frequency * self.phi)

    def moved(self, angle: float, *, flips: bool) -> "Rings":
        """The rings whose functions are these, flipped first and then turned: ``f(g^-1 p)``."""
        phi = self.phi - angle
        return self._replace(phi=-phi if flips else phi)


def functions_of(ring: Rings) -> list[tuple[int, int, int]]:
    """Ring, frequency and parity of every function on the rings; low frequencies first."""
    found = [(q, m, odd) for q, top in enumerate(ring.highest) for m in range(top + 1) for odd in range(1 + (m > 0))]
    return sorted(found, key=lambda name: name[1])


@lru_cache(maxsize=256)
def rings(size: int, profile: Profile, cutoff: float) -> Rings:
    """The rings of a kernel with ``size`` taps a side: one for each pixel of the radius, or for each radius of a tap.

    Args:
        size: taps of a side, odd or even.
        profile: as in :func:`equivision.filters.kernel_basis`.
        cutoff: the largest frequency of a ring for each pixel of its radius; ``"pixels"`` takes all there are.
    """
    x, y = coordinates(size)
    radius, phi = np.hypot(x, y), np.arctan2(y, x)
    if profile == "pixels":
        radii = np.unique(radius.round(9))
        profiles = (np.abs(radius - radii[:, None]) < 1e-6).astype(np.float64)
        highest = tuple(int(n) if r else 0 for r, n in zip(radii, profiles.sum(axis=1), strict=True))
    else:
        profiles = profiles_at(radius, size, profile)
        highest = highest_of(size, cutoff)
    return Rings(phi, profiles, np.where(radius > _TIE, profiles, 0.0), highest)


def profiles_at(radius: FloatArray, size: int, profile: Profile) -> FloatArray:
    """The rings of a kernel with ``size`` taps a side, ``"gaussian"`` or ``"bspline"``, at radii: ``[rings, n]``."""
    radii = _radii(size)
    return _gaussian(radius, radii) if profile == "gaussian" else cubic_spline(radius - radii[:, None])


def highest_of(size: int, cutoff: float) -> tuple[int, ...]:
    """The largest frequency of every ring."""
    return tuple(int(cutoff * r + _TIE) for r in _radii(size))


def _radii(size: int) -> FloatArray:
    return np.arange((size + 1) // 2, dtype=np.float64) + (0.0 if size % 2 else 0.5)


def _gaussian(radius: FloatArray, radii: FloatArray) -> FloatArray:
    widths = np.full_like(radii, _WIDTH)
    widths[-1] = _OUTER_WIDTH if len(radii) > 1 else _WIDTH
    widths[radii == 0] = _CENTRE_WIDTH
    return np.exp(-(((radius - radii[:, None]) / widths[:, None]) ** 2) / 2)


def cubic_spline(distance: FloatArray) -> FloatArray:
    """The cardinal cubic B-spline."""
    d = np.abs(distance)
    near, far = 2 / 3 - d**2 + d**3 / 2, np.clip(2 - d, 0, None) ** 3 / 6
    return np.where(d < 1, near, far)
