"""Subgroups and their cosets."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from equivision.errors import GroupMismatchError
from equivision.groups._base import FiniteGroup


@dataclass(frozen=True)
class Subgroup:
    """A subgroup H of ``group``, as the sorted tuple of its elements.

    >>> from equivision.groups import dihedral
    >>> flips = Subgroup(dihedral(3), (0, 3))
    >>> flips.left_cosets(), flips.is_normal
    (((0, 3), (1, 4), (2, 5)), False)

    Raises:
        GroupMismatchError: the elements are not closed under the product, or lack the identity.
    """

    group: FiniteGroup
    elements: tuple[int, ...]

    def __post_init__(self) -> None:
        members = tuple(sorted({self.group.check_element(g) for g in self.elements}))
        object.__setattr__(self, "elements", members)
        if _closure(self.group, members) != members:
            raise GroupMismatchError(
                f"elements={members} is not a subgroup of {self.group.name}: products leave it or the identity is "
                "missing; use group.subgroup(generators), which closes the set"
            )

    @property
    def order(self) -> int:
        """Number of elements."""
        return len(self.elements)

    @property
    def index(self) -> int:
        """Number of cosets, |G| / |H|."""
        return self.group.order // self.order

    @property
    def is_normal(self) -> bool:
        """Whether left and right cosets are the same."""
        return self.left_cosets() == self.right_cosets()

    def left_cosets(self) -> tuple[tuple[int, ...], ...]:
        """The sets gH in the order of their smallest element; H itself comes first."""
        table = self.group.table
        return tuple(sorted({tuple(sorted(table[g, list(self.elements)].tolist())) for g in range(self.group.order)}))

    def right_cosets(self) -> tuple[tuple[int, ...], ...]:
        """The sets Hg in the order of their smallest element; H itself comes first."""
        table = self.group.table
        return tuple(sorted({tuple(sorted(table[list(self.elements), g].tolist())) for g in range(self.group.order)}))

    def __contains__(self, g: object) -> bool:
        return g in self.elements

    def __len__(self) -> int:
        return self.order


def _closure(group: FiniteGroup, elements: Iterable[int]) -> tuple[int, ...]:
    members = {group.identity, *elements}
    while True:
        found = list(members)
        products = set(np.unique(group.table[np.ix_(found, found)]).tolist())
        if products <= members:
            return tuple(sorted(members))
        members |= products


def generate(group: FiniteGroup, elements: Iterable[int]) -> Subgroup:
    """The smallest subgroup of ``group`` that holds ``elements``."""
    return Subgroup(group, _closure(group, (group.check_element(g) for g in elements)))


@lru_cache(maxsize=256)
def all_subgroups(group: FiniteGroup) -> tuple[Subgroup, ...]:
    """All subgroups, by order and then by elements: close the cyclic ones under joins."""
    cyclic = {_closure(group, (g,)) for g in range(group.order)}
    found, fresh = set(cyclic), set(cyclic)
    while fresh:
        fresh = {_closure(group, (*a, *b)) for a in fresh for b in cyclic if not set(b) <= set(a)} - found
        found |= fresh
    return tuple(Subgroup(group, members) for members in sorted(found, key=lambda m: (len(m), m)))
