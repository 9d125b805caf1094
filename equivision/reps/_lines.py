"""What the irreps of C_n, D_n, SO(2) and O(2) have in common: each turns with a frequency."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from equivision.errors import ConfigError, GroupMismatchError
from equivision.groups import Group, OrthogonalGroup, PlanarGroup
from equivision.reps._base import Composite, DirectSum, FloatArray, Representation, TensorProduct
from equivision.reps._irreps import Irrep, irreps
from equivision.reps._orthogonal import OrthogonalIrrep


class Line(NamedTuple):
    """What an irrep is on the plane of complex numbers: rotation by t multiplies by ``exp(i frequency t)``, the flip
    conjugates. One of size 1 is the real line through ``axis``, 1 or i; one of size 2 the whole plane.
    """

    frequency: int
    axis: complex | None


@dataclass(frozen=True, repr=False)
class BandLimited(Composite):
    """The functions on a planar group whose frequencies are at most ``frequency``. Build it with :func:`band_limited`.

    Attributes:
        group: C_n, D_n, SO(2) or O(2).
        frequency: the largest frequency.
    """

    frequency: int

    def __post_init__(self) -> None:
        group = self.group
        if not isinstance(group, PlanarGroup | OrthogonalGroup):
            raise GroupMismatchError(f"group={group!r} does not act on the plane: use C_n, D_n, SO2 or O2")
        if not isinstance(self.frequency, int) or self.frequency < 0:
            raise ConfigError(f"frequency={self.frequency!r}: give a whole number of at least 0")
        if isinstance(group, PlanarGroup) and 2 * self.frequency >= max(group.rotations, 2):
            raise ConfigError(
                f"frequency={self.frequency} is too high for {group.name}: it must be less than "
                f"{group.rotations / 2:g}; all functions on the group are regular({group!r})"
            )

    @property
    def parts(self) -> tuple[Representation, ...]:
        group = self.group
        first = [irrep_of_line(group, Line(0, axis)) for axis in ((1, 1j) if group.reflections else (1,))]  # pyright: ignore[reportAttributeAccessIssue]
        later = [irrep_of_line(group, Line(k, None)) for k in range(1, self.frequency + 1) for _ in first]
        return (*first, *later)

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)

    @property
    def name(self) -> str:
        return f"band{self.frequency}"

    def __repr__(self) -> str:
        return f"band_limited({self.group!r}, {self.frequency})"

    @property
    def is_permutation(self) -> bool:
        return self.size == 1

    def _combine(self, matrices: Sequence[FloatArray]) -> FloatArray:
        return DirectSum(self.group, self.parts)._combine(matrices)

    @property
    def delta(self) -> FloatArray:
        """Coefficients of the function that is as near as it can be to a peak at the identity, ``[size]``.

        The function with coefficients v has the value ``v . rho(g) delta`` at g; the basis is orthonormal.
        """
        columns = []
        for i, part in enumerate(self.parts):
            column = i % 2 if len(self.parts) > self.frequency + 1 else 0  # each E_k of O(2) stands twice
            columns.append(np.ones(1) if part.size == 1 else np.sqrt(2) * np.eye(2)[column])
        return np.concatenate(columns)


def band_limited(group: Group, frequency: int) -> BandLimited:
    """The regular representation, cut to its low frequencies: what Fourier nonlinearities act on.

    It is ``A + E1 + ... + EF`` for C_n and SO(2), ``A1 + A2 + 2 E1 + ... + 2 EF`` for D_n and O(2), as one field.

    Args:
        group: C_n, D_n, SO(2) or O(2).
        frequency: F, the largest frequency; less than n / 2.

    Raises:
        ConfigError: the frequency is negative or too high.
        GroupMismatchError: the group does not act on the plane.

    Source: Cesa, Lang & Weiler 2022, section 4; Franzen & Wand 2021.

    >>> from equivision.groups import special_orthogonal
    >>> band_limited(special_orthogonal(), 3).size
    7
    """
    return BandLimited(group, frequency)


def line_of(rho: Representation) -> Line:
    """The line of an irrep of C_n, D_n, SO(2) or O(2).

    Raises:
        GroupMismatchError: it is no irrep of such a group.
    """
    if isinstance(rho, OrthogonalIrrep):
        return Line(rho.frequency, None if rho.frequency else 1j if rho.odd else 1)
    if not isinstance(rho, Irrep) or not isinstance(rho.group, PlanarGroup):
        raise GroupMismatchError(f"{rho!r} is not an irrep of C_n, D_n, SO(2) or O(2)")
    if rho.name[0] == "E":
        return Line(int(rho.name[1:]), None)
    return Line(rho.group.rotations // 2 if rho.name[0] == "B" else 0, 1j if rho.name.endswith("2") else 1)


def irrep_of_line(group: Group, line: Line) -> Representation:
    """The irrep of a planar group with a line; the inverse of :func:`line_of`."""
    if isinstance(group, OrthogonalGroup):
        return OrthogonalIrrep(group, line.frequency, odd=line.axis == 1j)
    if isinstance(group, PlanarGroup):
        for rho in irreps(group):
            if line_of(rho) == line:
                return rho
    raise GroupMismatchError(f"{group!r} has no irrep of frequency {line.frequency}")


def band_limit(rho: Representation) -> int:
    """The largest frequency in a representation of SO(2) or O(2), or a bound of it."""
    if isinstance(rho, OrthogonalIrrep):
        return rho.frequency
    limits = [band_limit(part) for part in rho.parts] if isinstance(rho, Composite) else [0]
    return sum(limits) if isinstance(rho, TensorProduct) else max(limits)
