"""The continuous groups that fix a point of the plane: SO(2), all rotations, and O(2), all reflections too."""

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equivision.errors import GroupMismatchError
from equivision.groups._base import Group
from equivision.groups._planar import PlanarGroup


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


def special_orthogonal() -> OrthogonalGroup:
    """SO(2): all rotations of the plane.

    >>> special_orthogonal().inverse((0, 30.0))
    (0, 330.0)
    """
    return OrthogonalGroup(reflections=False)


def orthogonal() -> OrthogonalGroup:
    """O(2): all rotations and reflections of the plane.

    >>> orthogonal().name
    'O2'
    """
    return OrthogonalGroup(reflections=True)
