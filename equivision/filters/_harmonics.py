"""Kernels between two irreps, as functions of the angle alone: the kernel constraint solved in closed form.

An irrep of C_n, D_n, SO(2) or O(2) is multiplication by ``exp(i k t)`` on the complex numbers, or on the real or the
imaginary line in them, and the flip conjugates. A real-linear map of the complex numbers is ``z -> a z + b conj(z)``.
``K(g p) = rho_out(g) K(p) rho_in(g)^-1`` then says that a turns with frequencies ``k_out - k_in`` and b with
``k_out + k_in``, modulo n; that their coefficients are real where the group has reflections; and nothing else.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from equivision.groups import OrthogonalGroup, PlanarGroup, PlaneGroup
from equivision.reps import Line

FloatArray = NDArray[np.float64]


class Harmonic(NamedTuple):
    """``K(phi) = cosine cos(frequency phi) + sine sin(frequency phi)``, matrices ``[size_out, size_in]``."""

    frequency: int
    cosine: FloatArray
    sine: FloatArray

    def at(self, phi: FloatArray) -> FloatArray:
        """Values at angles: ``[size_out, size_in, *phi.shape]``."""
        angle = self.frequency * phi
        return np.multiply.outer(self.cosine, np.cos(angle)) + np.multiply.outer(self.sine, np.sin(angle))


def harmonics(line_in: Line, line_out: Line, group: PlaneGroup, highest: int) -> list[Harmonic]:
    """A basis of the kernels on the circle between two irreps, up to a frequency; low frequencies first.

    Args:
        line_in, line_out: the irreps (:func:`equivision.reps.line_of`).
        group: C_n, D_n, SO(2) or O(2).
        highest: the largest angular frequency.

    Source: Weiler & Cesa 2019, appendix F.5; Worrall et al. 2017 (SO(2)).

    >>> from equivision.groups import special_orthogonal
    >>> so2 = special_orthogonal()
    >>> [k.frequency for k in harmonics(Line(1, None), Line(2, None), so2, 4)]  # two of frequency 2 - 1, two of 2 + 1
    [1, 1, 3, 3]
    """
    coefficients = (1 + 0j,) if group.reflections else (1 + 0j, 1j)
    found = [
        _harmonic(coefficient, mu, conjugate, line_in, line_out)
        for mu, conjugate in _frequencies(line_in, line_out, group, highest)
        for coefficient in coefficients
    ]
    alive = [harmonic for harmonic in found if np.abs(harmonic.cosine).max() + np.abs(harmonic.sine).max() > 0]
    return sorted(alive, key=lambda harmonic: harmonic.frequency)


def _frequencies(line_in: Line, line_out: Line, group: PlaneGroup, highest: int) -> Iterator[tuple[int, bool]]:
    """Frequencies with their sign, and whether the map conjugates; no kernel twice.

    From or onto a real line ``b conj(z)`` repeats ``a z``, and from one onto another so do opposite frequencies.
    """
    first, last = line_in.frequency, line_out.frequency
    lowest = 0 if line_in.axis is not None and line_out.axis is not None else -highest
    kinds = (False, True) if line_in.axis is None and line_out.axis is None else (False,)
    for conjugate in kinds:
        shift = last + first if conjugate else last - first
        for mu in range(lowest, highest + 1):
            if _same(mu, shift, group):
                yield mu, conjugate


def _same(mu: int, shift: int, group: PlanarGroup | OrthogonalGroup) -> bool:
    return mu == shift if isinstance(group, OrthogonalGroup) else (mu - shift) % group.rotations == 0


def _harmonic(coefficient: complex, mu: int, conjugate: bool, line_in: Line, line_out: Line) -> Harmonic:
    """``z -> coefficient exp(i mu phi) z``, or of conj(z), from line to line."""
    mirror = np.diag([1.0, -1.0]) if conjugate else np.eye(2)
    onto, into = _line(line_out).T, _line(line_in)
    cosine = onto @ _multiplied(coefficient) @ mirror @ into
    sine = onto @ _multiplied(1j * np.sign(mu) * coefficient) @ mirror @ into
    return Harmonic(abs(mu), cosine, sine)


def _multiplied(c: complex) -> FloatArray:
    """The matrix of ``z -> c z``."""
    return np.array([[c.real, -c.imag], [c.imag, c.real]])


def _line(line: Line) -> FloatArray:
    """The line's direction as columns, ``[2, size]``."""
    return np.eye(2) if line.axis is None else np.array([[complex(line.axis).real], [complex(line.axis).imag]])
