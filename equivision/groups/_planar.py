"""The finite groups that fix a point of the plane: C_n (rotations) and D_n (rotations and reflections)."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from equivision.errors import GroupMismatchError
from equivision.groups._base import IntArray, SpatialGroup


@dataclass(frozen=True, repr=False)
class PlanarGroup(SpatialGroup):
    """C_n or D_n acting on the plane. Build it with :func:`cyclic`, :func:`dihedral` or :func:`trivial`.

    Element ``f * n + r`` means *flip f times first, then rotate r steps of 360/n degrees counter-clockwise*; the flip
    reverses the rows of an image. The product law is
    ``(f1, r1)(f2, r2) = (f1 + f2 mod 2, r1 + (-1)^f1 r2 mod n)``.

    Attributes:
        rotations: n, the number of rotations.
        reflections: whether the group holds reflections too (D_n).
    """

    dimension: ClassVar[int] = 2
    rotations: int
    reflections: bool

    def __post_init__(self) -> None:
        if isinstance(self.rotations, bool) or not isinstance(self.rotations, int) or self.rotations < 1:
            raise GroupMismatchError(
                f"n={self.rotations!r} is not a number of rotations: give a whole number of at least 1, such as 4"
            )

    @property
    def order(self) -> int:
        return self.rotations * (2 if self.reflections else 1)

    @property
    def name(self) -> str:
        return f"{'D' if self.reflections else 'C'}{self.rotations}"

    def __repr__(self) -> str:
        return f"{'dihedral' if self.reflections else 'cyclic'}({self.rotations})"

    @property
    def generators(self) -> tuple[int, ...]:
        rotation = (1,) if self.rotations > 1 else ()
        return (*rotation, self.rotations) if self.reflections else rotation

    def split(self, g: int) -> tuple[int, int]:
        """The pair ``(f, r)`` of an element: number of flips (0 or 1), rotation steps (0..n-1)."""
        return divmod(self.check_element(g), self.rotations)

    def element(self, flips: int, rotation: int) -> int:
        """The element that flips ``flips`` times, then rotates ``rotation`` steps (both may be any integer)."""
        flips %= 2
        if flips and not self.reflections:
            raise GroupMismatchError(f"flips={flips}: {self.name} has no reflections; use dihedral({self.rotations})")
        return flips * self.rotations + rotation % self.rotations

    def element_name(self, g: int) -> str:
        f, r = self.split(g)
        rotation = "" if r == 0 else "r" if r == 1 else f"r^{r}"
        return " ".join(part for part in (rotation, "m" if f else "") if part) or "e"

    def _product_table(self) -> IntArray:
        f, r = np.divmod(np.arange(self.order), self.rotations)
        flips = f[:, None] ^ f[None, :]
        rotation = (r[:, None] + (1 - 2 * f[:, None]) * r[None, :]) % self.rotations
        return flips * self.rotations + rotation

    def degrees(self, g: int) -> float:
        """Counter-clockwise rotation angle of an element (after its flip), in degrees, in [0, 360)."""
        return 360.0 * self.split(g)[1] / self.rotations

    def matrix(self, g: int) -> NDArray[np.float64]:
        """Orthogonal 2x2 matrix of an element in coordinates (x to the right, y **up**)."""
        f, r = self.split(g)
        angle = 2 * np.pi * r / self.rotations
        rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return rotation @ np.diag([1.0, -1.0 if f else 1.0])

    @property
    def is_on_grid(self) -> bool:
        """Whether every element maps the square pixel grid onto itself: n is 1, 2 or 4."""
        return 4 % self.rotations == 0

    @property
    def exchanged_axes(self) -> tuple[tuple[int, ...], ...]:
        return ((0, 1),) if self.rotations > 2 else ()

    @property
    def reversed_axes(self) -> tuple[bool, ...]:
        columns = self.rotations > 1
        return columns or self.reflections, columns

    @property
    def grid_part(self) -> "PlanarGroup":
        """The largest subgroup that maps the pixel grid onto itself: what layers over this group are exact for.

        >>> cyclic(16).grid_part, dihedral(6).grid_part, cyclic(3).grid_part
        (cyclic(4), dihedral(2), cyclic(1))
        """
        return PlanarGroup(math.gcd(4, self.rotations), self.reflections)

    def grid_move(self, g: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        self.quarter_turns(g)  # says by how many degrees it misses the grid
        return super().grid_move(g)

    def quarter_turns(self, g: int) -> int:
        """Rotation of an element as a number of 90-degree turns.

        Raises:
            GroupMismatchError: the element's rotation is not a multiple of 90 degrees.
        """
        _, r = self.split(g)
        turns, rest = divmod(4 * r, self.rotations)
        if rest:
            raise GroupMismatchError(
                f"element {self.element_name(g)} of {self.name} rotates by {self.degrees(g):g} degrees, which does not "
                "map the pixel grid onto itself; the exact groups are C1, C2, C4, D1, D2 and D4"
            )
        return turns


def cyclic(n: int) -> PlanarGroup:
    """C_n: the n rotations by multiples of 360/n degrees.

    >>> cyclic(4).order, cyclic(4).product(3, 2)
    (4, 1)
    """
    return PlanarGroup(n, reflections=False)


def dihedral(n: int) -> PlanarGroup:
    """D_n: n rotations and n reflections, order 2n. ``dihedral(1)`` is ``{e, flip}``.

    >>> D4 = dihedral(4)
    >>> D4.order, [D4.element_name(g) for g in D4.generators]
    (8, ['r', 'm'])
    """
    return PlanarGroup(n, reflections=True)


def trivial() -> PlanarGroup:
    """The group of the identity alone, C_1.

    >>> trivial()
    cyclic(1)
    """
    return cyclic(1)
