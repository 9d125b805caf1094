"""The continuous groups that fix a point: SO(2) and SO(3), all rotations; O(2) and O(3), all reflections too."""

from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equivision.errors import GroupMismatchError
from equivision.groups._base import Group
from equivision.groups._planar import PlanarGroup
from equivision.groups._point import PointGroup

#: How far a matrix may be from orthogonal.
_ORTHOGONAL = 1e-6


@dataclass(frozen=True, repr=False)
class OrthogonalGroup(Group):
    """SO(2) or O(2). Build it with :func:`special_orthogonal` or :func:`orthogonal`.

    An element is a pair ``(flips, degrees)``: *flip ``flips`` times (0 or 1) first, then rotate by ``degrees``
    counter-clockwise*; the flip reverses the rows of an image. It holds every C_n, and O(2) every D_n.

    Attributes:
        reflections: whether the group holds reflections too (O(2)).
    """

    reflections: bool

    @property
    def name(self) -> str:
        return "O2" if self.reflections else "SO2"

    def __repr__(self) -> str:
        return "orthogonal()" if self.reflections else "special_orthogonal()"

    @property
    def order(self) -> int:
        """Raises GroupMismatchError: there are infinitely many elements."""
        raise GroupMismatchError(
            f"{self.name} has infinitely many elements: use one of its finite subgroups, such as {self.finite(8).name}"
        )

    def check_element(self, g: Any) -> tuple[int, float]:
        """Return ``g`` as a pair with its angle in [0, 360), if it is an element, else raise GroupMismatchError."""
        flips, degrees = g if isinstance(g, tuple) and len(g) == 2 else (None, None)
        if flips not in (0, 1) or not isinstance(degrees, Real) or (flips and not self.reflections):
            allowed = "0 or 1" if self.reflections else "0"
            raise GroupMismatchError(
                f"element g={g!r} is not in {self.name}: elements are pairs (flips, degrees) with flips {allowed}"
            )
        return int(flips), float(degrees) % 360

    def product(self, g: tuple[int, float], h: tuple[int, float]) -> tuple[int, float]:
        """The product gh: as transformations, first h and then g.

        >>> orthogonal().product((1, 90.0), (0, 30.0))
        (1, 60.0)
        """
        (f1, a1), (f2, a2) = self.check_element(g), self.check_element(h)
        return f1 ^ f2, (a1 + (1 - 2 * f1) * a2) % 360

    def inverse(self, g: tuple[int, float]) -> tuple[int, float]:
        """The element that undoes g."""
        flips, degrees = self.check_element(g)
        return (flips, degrees) if flips else (0, -degrees % 360)

    def matrix(self, g: tuple[int, float]) -> NDArray[np.float64]:
        """Orthogonal 2x2 matrix of an element in coordinates (x to the right, y **up**)."""
        flips, degrees = self.check_element(g)
        c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        return np.array([[c, -s], [s, c]]) @ np.diag([1.0, -1.0 if flips else 1.0])

    def quarter_turns(self, g: tuple[int, float]) -> tuple[int, int]:
        """Flips of an element, and its rotation as a number of 90-degree turns.

        Raises:
            GroupMismatchError: the element's rotation is not a multiple of 90 degrees.
        """
        flips, degrees = self.check_element(g)
        if degrees % 90:
            raise GroupMismatchError(
                f"element g={g!r} of {self.name} rotates by {degrees:g} degrees, which does not map the pixel grid "
                "onto itself: give a multiple of 90"
            )
        return flips, int(degrees // 90)

    def finite(self, n: int) -> PlanarGroup:
        """The subgroup with n rotations: C_n or D_n.

        >>> orthogonal().finite(8)
        dihedral(8)
        """
        return PlanarGroup(n, self.reflections)

    def contains(self, group: PlanarGroup) -> bool:
        """Whether a finite planar group is inside."""
        return self.reflections or not group.reflections


#: The groups that steerable layers work with.
PlaneGroup = PlanarGroup | OrthogonalGroup


@dataclass(frozen=True, repr=False)
class SpaceOrthogonalGroup(Group):
    """SO(3) or O(3). Build it with ``special_orthogonal(3)`` or ``orthogonal(3)``.

    An element is an orthogonal 3x3 matrix in coordinates (x, y, z). SO(3) holds every crystal class without
    reflections, O(3) all of them.

    Attributes:
        reflections: whether the group holds what reverses handedness too (O(3)).
    """

    reflections: bool

    @property
    def name(self) -> str:
        return "O3" if self.reflections else "SO3"

    def __repr__(self) -> str:
        return "orthogonal(3)" if self.reflections else "special_orthogonal(3)"

    @property
    def order(self) -> int:
        """Raises GroupMismatchError: there are infinitely many elements."""
        raise GroupMismatchError(
            f"{self.name} has infinitely many elements: use one of its finite subgroups, such as "
            f"{'full_octahedral()' if self.reflections else 'octahedral()'}"
        )

    def check_element(self, g: ArrayLike) -> NDArray[np.float64]:
        """Return ``g`` as an array if it is an element, else raise GroupMismatchError."""
        matrix = np.asarray(g, dtype=np.float64)
        if matrix.shape != (3, 3) or not np.abs(matrix @ matrix.T - np.eye(3)).max() < _ORTHOGONAL:
            raise GroupMismatchError(f"element g={g!r} is not in {self.name}: elements are orthogonal 3x3 matrices")
        if not self.reflections and np.linalg.det(matrix) < 0:
            raise GroupMismatchError(f"element g={g!r} is not in SO3: it reverses handedness, as only those of O3 may")
        return matrix

    def product(self, g: ArrayLike, h: ArrayLike) -> NDArray[np.float64]:
        """The product gh: as transformations, first h and then g.

        >>> orthogonal(3).product(-np.eye(3), -np.eye(3)).diagonal().tolist()
        [1.0, 1.0, 1.0]
        """
        return self.check_element(g) @ self.check_element(h)

    def inverse(self, g: ArrayLike) -> NDArray[np.float64]:
        """The element that undoes g."""
        return self.check_element(g).T

    def contains(self, group: PointGroup) -> bool:
        """Whether a point group is inside.

        >>> from equivision.groups import full_octahedral, octahedral
        >>> special_orthogonal(3).contains(octahedral()), special_orthogonal(3).contains(full_octahedral())
        (True, False)
        """
        return self.reflections or group.is_chiral


@overload
def special_orthogonal(dimension: Literal[2] = 2) -> OrthogonalGroup: ...
@overload
def special_orthogonal(dimension: Literal[3]) -> SpaceOrthogonalGroup: ...
def special_orthogonal(dimension: int = 2) -> OrthogonalGroup | SpaceOrthogonalGroup:
    """SO(2): all rotations of the plane; or SO(3): all rotations of space.

    Raises:
        GroupMismatchError: the dimension is neither 2 nor 3.

    >>> special_orthogonal().inverse((0, 30.0))
    (0, 330.0)
    >>> special_orthogonal(3).name
    'SO3'
    """
    return _orthogonal(dimension, reflections=False)


@overload
def orthogonal(dimension: Literal[2] = 2) -> OrthogonalGroup: ...
@overload
def orthogonal(dimension: Literal[3]) -> SpaceOrthogonalGroup: ...
def orthogonal(dimension: int = 2) -> OrthogonalGroup | SpaceOrthogonalGroup:
    """O(2): all rotations and reflections of the plane; or O(3): those of space.

    Raises:
        GroupMismatchError: the dimension is neither 2 nor 3.

    >>> orthogonal().name, orthogonal(3).name
    ('O2', 'O3')
    """
    return _orthogonal(dimension, reflections=True)


def _orthogonal(dimension: int, *, reflections: bool) -> OrthogonalGroup | SpaceOrthogonalGroup:
    if dimension == 2:
        return OrthogonalGroup(reflections)
    if dimension == 3:
        return SpaceOrthogonalGroup(reflections)
    raise GroupMismatchError(f"dimension={dimension!r}: give 2 for the plane, or 3 for space")
