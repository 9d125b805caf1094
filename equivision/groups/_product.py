"""Direct products of groups."""

from dataclasses import dataclass

import numpy as np

from equivision.groups._base import FiniteGroup, IntArray


@dataclass(frozen=True, repr=False)
class DirectProduct(FiniteGroup):
    """The pairs (g, h) with componentwise product. Element ``(g, h)`` has the number ``g * |right| + h``."""

    left: FiniteGroup
    right: FiniteGroup

    @property
    def order(self) -> int:
        return self.left.order * self.right.order

    @property
    def name(self) -> str:
        right = f"({self.right.name})" if isinstance(self.right, DirectProduct) else self.right.name
        return f"{self.left.name}x{right}"

    def __repr__(self) -> str:
        return f"direct_product({self.left!r}, {self.right!r})"

    @property
    def generators(self) -> tuple[int, ...]:
        return (*(self.pair(g, 0) for g in self.left.generators), *self.right.generators)

    def split(self, g: int) -> tuple[int, int]:
        """The pair of an element."""
        return divmod(self.check_element(g), self.right.order)

    def pair(self, left: int, right: int) -> int:
        """The element of a pair."""
        return self.left.check_element(left) * self.right.order + self.right.check_element(right)

    def element_name(self, g: int) -> str:
        left, right = self.split(g)
        return "e" if g == 0 else f"({self.left.element_name(left)}, {self.right.element_name(right)})"

    def _product_table(self) -> IntArray:
        left, right = np.divmod(np.arange(self.order), self.right.order)
        lefts = self.left.table[left[:, None], left[None, :]]
        rights = self.right.table[right[:, None], right[None, :]]
        return lefts * self.right.order + rights


def direct_product(left: FiniteGroup, right: FiniteGroup) -> DirectProduct:
    """The direct product of two groups.

    >>> from equivision.groups import cyclic
    >>> direct_product(cyclic(2), cyclic(3)).is_abelian
    True
    """
    return DirectProduct(left, right)
