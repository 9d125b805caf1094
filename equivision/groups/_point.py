"""The crystallographic point groups: the finite groups of rotations and reflections of space that keep a lattice."""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from equivision.errors import GroupMismatchError
from equivision.groups._base import IntArray, SpatialGroup

FloatArray = NDArray[np.float64]
Directions = tuple[tuple[int, int, int], ...]

#: Hermann-Mauguin symbols of the 32 crystal classes, from the triclinic to the cubic.
CRYSTAL_CLASSES: tuple[str, ...] = (
    "1", "-1", "2", "m", "2/m", "222", "mm2", "mmm",
    "4", "-4", "4/m", "422", "4mm", "-42m", "4/mmm",
    "3", "-3", "32", "3m", "-3m", "6", "-6", "6/m", "622", "6mm", "-62m", "6/mmm",
    "23", "m-3", "432", "-43m", "m-3m",
)  # fmt: skip
#: These, and the symbols of other settings of some.
SYMBOLS = (*CRYSTAL_CLASSES, "-4m2", "312", "31m", "-31m", "-6m2")
_DIRECTIONS: dict[str, Directions] = {
    "triclinic": ((0, 0, 1),),
    "monoclinic": ((0, 1, 0),),
    "orthorhombic": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "tetragonal": ((0, 0, 1), (1, 0, 0), (1, -1, 0)),
    "trigonal": ((0, 0, 1), (1, 0, 0), (1, -1, 0)),
    "hexagonal": ((0, 0, 1), (1, 0, 0), (1, -1, 0)),
    "cubic": ((0, 0, 1), (1, 1, 1), (1, -1, 0)),
}
_OFF_GRID = ("trigonal", "hexagonal")
_HEXAGONAL_AXES = np.array([[1.0, -0.5, 0.0], [0.0, np.sqrt(0.75), 0.0], [0.0, 0.0, 1.0]])  # a, b, c as columns


@dataclass(frozen=True, repr=False)
class PointGroup(SpatialGroup):
    """A crystallographic point group acting on space. Build it with :func:`point_group`, :func:`octahedral` or
    :func:`full_octahedral`.

    Coordinates are (x, y, z), right-handed: on a volume ``[depth, height, width]`` x runs to the right along the width,
    y **up** against the height, z towards the viewer against the depth. Rotations come first, those by the smallest
    angles before the others, the identity before all; then what reverses handedness. In groups that hold the inversion
    -1 element ``r + order / 2`` is rotation r followed by it, so the rotations of ``"m-3m"`` have the numbers that they
    have in ``"432"``.

    Axes are those of the International Tables: the twofold axis of ``"2"`` and the normal of ``"m"`` lie along y, other
    main axes along z; trigonal and hexagonal groups have their lattice vector a along x and b at 120 degrees to it.

    Attributes:
        symbol: Hermann-Mauguin symbol, one of ``CRYSTAL_CLASSES`` or of the other settings ``"-4m2"``, ``"312"``,
            ``"31m"``, ``"-31m"``, ``"-6m2"``, which are turned about z.

    Source: International Tables for Crystallography, volume A, tables 3.2.1.5 and 2.1.3.1.
    """

    dimension: ClassVar[int] = 3
    symbol: str
    _system: str = field(init=False, repr=False, compare=False)
    _order: int = field(init=False, repr=False, compare=False)
    _exchanged_axes: tuple[tuple[int, ...], ...] = field(init=False, repr=False, compare=False)
    _reversed_axes: tuple[bool, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.symbol not in SYMBOLS:
            raise GroupMismatchError(
                f"symbol={self.symbol!r} is not a crystallographic point group: give its Hermann-Mauguin symbol, one "
                f"of {', '.join(CRYSTAL_CLASSES)}"
            )
        for name, value in _facts(self.symbol).items():  # torch.compile reads these; it does not go through tables
            object.__setattr__(self, f"_{name}", value)

    def __repr__(self) -> str:
        return f"point_group({self.symbol!r})"

    @property
    def name(self) -> str:
        return self.symbol

    @property
    def system(self) -> str:
        """Crystal system: ``"triclinic"``, ``"monoclinic"``, ``"orthorhombic"``, ``"tetragonal"``, ``"trigonal"``,
        ``"hexagonal"`` or ``"cubic"``.
        """
        return self._system

    @property
    def order(self) -> int:
        return self._order

    @property
    def exchanged_axes(self) -> tuple[tuple[int, ...], ...]:
        return self._exchanged_axes

    @property
    def reversed_axes(self) -> tuple[bool, ...]:
        return self._reversed_axes

    @property
    def lattice_matrices(self) -> IntArray:
        """Matrices of all elements in coordinates along the lattice vectors, integers ``[order, 3, 3]`` (read-only).

        For all but trigonal and hexagonal groups these are the orthogonal matrices themselves.
        """
        return _elements(self.symbol)

    @property
    def matrices(self) -> FloatArray:
        """Orthogonal matrices of all elements in coordinates (x, y, z), ``[order, 3, 3]`` (read-only)."""
        return _matrices(self.symbol)

    def matrix(self, g: int) -> FloatArray:
        """Orthogonal 3x3 matrix of an element in coordinates (x, y, z)."""
        return self.matrices[self.check_element(g)].copy()

    def is_rotation(self, g: int) -> bool:
        """Whether an element keeps handedness: its determinant is 1."""
        return _determinant(self.lattice_matrices[self.check_element(g)]) == 1

    @property
    def is_chiral(self) -> bool:
        """Whether all elements are rotations, so that mirror images can be told apart."""
        return all(self.is_rotation(g) for g in range(self.order))

    @property
    def is_on_grid(self) -> bool:
        """Whether every element maps the cubic voxel grid onto itself: all but trigonal and hexagonal groups do."""
        return self.system not in _OFF_GRID

    @property
    def generators(self) -> tuple[int, ...]:
        index = {_key(matrix): g for g, matrix in enumerate(self.lattice_matrices)}
        found: list[int] = []
        reached = {self.identity}
        for g in (index[_key(matrix)] for matrix in _generators(self.symbol)):
            if g not in reached:
                found.append(g)
                reached = set(self.subgroup(found).elements)
        return tuple(found)

    def element_name(self, g: int) -> str:
        """Where the point (x, y, z) goes, as in ``"-y,x,z"``; coordinates are along the lattice vectors."""
        rows = self.lattice_matrices[self.check_element(g)]
        return "e" if g == self.identity else ",".join(map(_coordinate, rows.tolist()))

    def _product_table(self) -> IntArray:
        matrices = self.lattice_matrices
        index = {_key(matrix): g for g, matrix in enumerate(matrices)}
        return np.array([[index[_key(product)] for product in row] for row in matrices[:, None] @ matrices[None]])


def _key(matrix: IntArray) -> tuple[int, ...]:
    return tuple(matrix.reshape(-1).tolist())


def _determinant(matrix: IntArray) -> int:
    return round(float(np.linalg.det(matrix)))


def _coordinate(row: list[int]) -> str:
    terms = (("-" if factor < 0 else "+") + axis for factor, axis in zip(row, "xyz", strict=True) if factor)
    return "".join(terms).removeprefix("+")


def _positions(symbol: str) -> list[str]:
    """The parts of a symbol, one for each direction: ``"-62m"`` is ``-6``, ``2``, ``m``."""
    return re.findall(r"-?\d(?:/m)?|m", symbol)


def _system(positions: list[str]) -> str:
    first, second = positions[0].strip("-")[0], positions[1].strip("-") if len(positions) > 1 else ""
    if second == "3":
        return "cubic"
    if first in "346":
        return {"3": "trigonal", "4": "tetragonal", "6": "hexagonal"}[first]
    if len(positions) == 3:
        return "orthorhombic"
    return "triclinic" if first == "1" else "monoclinic"


def _axes(system: str) -> FloatArray:
    return _HEXAGONAL_AXES if system in _OFF_GRID else np.eye(3)


def _rotation(axis: FloatArray, steps: int) -> FloatArray:
    """Rotation by ``360 / steps`` degrees about an axis (Rodrigues' formula)."""
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    angle = 2 * np.pi / steps
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def _generators(symbol: str) -> list[IntArray]:
    """Elements that the parts of a symbol name, in coordinates along the lattice vectors."""
    positions = _positions(symbol)
    system = _system(positions)
    axes = _axes(system)
    found = []
    for part, direction in zip(positions, _DIRECTIONS[system], strict=False):
        for one in part.split("/"):  # 4/m is a fourfold axis and a mirror perpendicular to it
            sign, steps = (-1, 2) if one == "m" else (-1 if one[0] == "-" else 1, int(one[-1]))
            matrix = sign * _rotation(axes @ direction, steps)
            found.append(np.rint(np.linalg.solve(axes, matrix @ axes)).astype(np.intp))
    return found


@lru_cache(maxsize=64)
def _elements(symbol: str) -> IntArray:
    generators = _generators(symbol)
    found = {_key(np.eye(3, dtype=np.intp)): np.eye(3, dtype=np.intp)}
    waiting = list(found.values())
    while waiting:
        matrix = waiting.pop()
        for reached in (generator @ matrix for generator in generators):
            if _key(reached) not in found:
                found[_key(reached)] = reached
                waiting.append(reached)

    def place(matrix: IntArray) -> tuple[int, ...]:
        sign = _determinant(matrix)
        return -sign, -sign * int(np.trace(matrix)), *_key(-sign * matrix.T)  # what turns counter-clockwise first

    elements = np.stack(sorted(found.values(), key=place))
    elements.setflags(write=False)
    return elements


@lru_cache(maxsize=64)
def _matrices(symbol: str) -> FloatArray:
    axes = _axes(_system(_positions(symbol)))
    matrices = axes @ _elements(symbol) @ np.linalg.inv(axes)
    matrices.setflags(write=False)
    return matrices


@lru_cache(maxsize=64)
def _facts(symbol: str) -> dict[str, Any]:
    """What is known of a group without its tables."""
    system, elements = _system(_positions(symbol)), _elements(symbol)
    if system in _OFF_GRID:
        exchanged, flipped = ((0, 1, 2),), (True, True, True)
    else:
        arrays = elements[:, ::-1, ::-1]  # of depth, height and width instead of x, y, z
        mixed = np.abs(arrays).max(0) > 0
        sets = {tuple(np.flatnonzero(row).tolist()) for row in mixed}
        exchanged = tuple(sorted(axes for axes in sets if len(axes) > 1))
        flipped = tuple((arrays != np.eye(3)).any((0, 2)).tolist())
    return {"system": system, "order": len(elements), "exchanged_axes": exchanged, "reversed_axes": flipped}


def point_group(symbol: str) -> PointGroup:
    """One of the 32 crystallographic point groups, by its Hermann-Mauguin symbol.

    >>> point_group("6/mmm").order, point_group("-43m").system
    (24, 'cubic')
    >>> point_group("4").element_name(1)
    '-y,x,z'

    Raises:
        GroupMismatchError: there is no such symbol.
    """
    return PointGroup(symbol)


def octahedral() -> PointGroup:
    """O: the 24 rotations that map a cube, and so the voxel grid, onto itself. It is ``point_group("432")``.

    >>> octahedral().order, octahedral().is_chiral
    (24, True)
    """
    return PointGroup("432")


def full_octahedral() -> PointGroup:
    """O_h: the 24 rotations of a cube and its 24 reflections and improper rotations. It is ``point_group("m-3m")``.

    >>> full_octahedral().order, full_octahedral().is_chiral
    (48, False)
    """
    return PointGroup("m-3m")
