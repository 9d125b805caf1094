"""Representations of SO(2) and O(2); restriction of them to C_n and D_n, and of SO(3) and O(3) to point groups."""

from dataclasses import dataclass

import numpy as np

from equivision.errors import GroupMismatchError
from equivision.groups import OrthogonalGroup, PlanarGroup, PointGroup
from equivision.reps._base import FloatArray, Representation


@dataclass(frozen=True, repr=False)
class OrthogonalIrrep(Representation):
    """A real irrep of SO(2) or O(2). Build it with :func:`irrep`, or read its name with :func:`parse`.

    Attributes:
        group: SO(2) or O(2).
        frequency: how many times as fast as the plane it turns; 0 for those of size 1.
        odd: whether reflections change the sign (of size 1, O(2) only).
    """

    group: OrthogonalGroup
    frequency: int
    odd: bool = False

    def __post_init__(self) -> None:
        whole = isinstance(self.frequency, int) and not isinstance(self.frequency, bool)
        if not whole or self.frequency < 0:
            raise GroupMismatchError(f"frequency={self.frequency!r}: give a whole number of at least 0")
        if self.odd and (self.frequency or not self.group.reflections):
            raise GroupMismatchError(f"odd=True: only O2 has such an irrep, of frequency 0, not {self.group.name}")

    @property
    def size(self) -> int:
        return 2 if self.frequency else 1

    @property
    def name(self) -> str:
        if self.frequency:
            return f"E{self.frequency}"
        return f"A{1 + self.odd}" if self.group.reflections else "A"

    @property
    def index(self) -> int:
        """Its number in :func:`irrep`."""
        return self.frequency + (self.group.reflections if self.frequency else self.odd)

    def __repr__(self) -> str:
        return f"irrep({self.group!r}, {self.index})" if self.index else f"trivial({self.group!r})"

    @property
    def is_permutation(self) -> bool:
        return self.index == 0

    def _build_matrices(self) -> FloatArray:
        raise GroupMismatchError(
            f"{self!r} has infinitely many matrices: use matrix((flips, degrees)), or restricted({self!r}, C_n or D_n)"
        )

    def _matrix_at(self, g: tuple[int, float]) -> FloatArray:
        flips, degrees = g
        if not self.frequency:
            return np.array([[-1.0 if flips and self.odd else 1.0]])
        quarters, rest = divmod(self.frequency * degrees, 90.0)
        turn = np.array([1, 1j, -1, -1j])[int(quarters) % 4] * np.exp(1j * np.deg2rad(rest)) + 0.0
        return np.array([[turn.real, -turn.imag], [turn.imag, turn.real]]) @ np.diag([1.0, -1.0 if flips else 1.0])


@dataclass(frozen=True, repr=False)
class RestrictedToFinite(Representation):
    """A representation of SO(2) or O(2), read as one of C_n or D_n; or of SO(3) or O(3), as one of a point group.

    Build it with :func:`restricted`.
    """

    group: PlanarGroup | PointGroup
    whole: Representation

    @property
    def size(self) -> int:
        return self.whole.size

    @property
    def name(self) -> str:
        return f"Res({self.whole.group.name}: {self.whole.name})"

    def __repr__(self) -> str:
        return f"restricted({self.whole!r}, {self.group!r})"

    def _build_matrices(self) -> FloatArray:
        group = self.group
        if isinstance(group, PointGroup):
            return np.stack([self.whole.matrix(matrix) for matrix in group.matrices])
        elements = ((group.split(g)[0], group.degrees(g)) for g in range(group.order))
        return np.stack([self.whole.matrix(g) for g in elements])


def orthogonal_irrep(group: OrthogonalGroup, index: int) -> OrthogonalIrrep:
    """A, E1, E2, ... of SO(2); A1, A2, E1, E2, ... of O(2)."""
    if not isinstance(index, int) or index < 0:
        raise GroupMismatchError(f"index={index!r}: the irreps of {group.name} are numbered from 0 on")
    if group.reflections:
        return OrthogonalIrrep(group, max(index - 1, 0), odd=index == 1)
    return OrthogonalIrrep(group, index)


def names_of(group: OrthogonalGroup) -> str:
    """The names of the irreps, for messages."""
    return f"{'A1, A2' if group.reflections else 'A'}, E1, E2, ..."
