"""Permutation representations: the group moves its own elements, or the cosets of a subgroup."""

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from equivision.groups import FiniteGroup, Subgroup
from equivision.reps._base import FloatArray, IntArray, Representation


@dataclass(frozen=True, repr=False)
class PermutationRepresentation(Representation):
    """A representation that is given by index arrays; the matrices follow from them."""

    group: FiniteGroup

    @property
    def is_permutation(self) -> bool:
        return True

    @abstractmethod
    def _build_permutations(self) -> IntArray:
        """Index arrays of all elements, ``[order, size]``."""

    def _build_matrices(self) -> FloatArray:
        return np.eye(self.size)[self.permutations]


@dataclass(frozen=True, repr=False)
class Regular(PermutationRepresentation):
    """The group moves its own elements: ``rho(g) e_h = e_{gh}``. Build it with :func:`regular`."""

    @property
    def size(self) -> int:
        return self.group.order

    @property
    def name(self) -> str:
        return "regular"

    def __repr__(self) -> str:
        return f"regular({self.group!r})"

    def _build_permutations(self) -> IntArray:
        return self.group.table[self.group.inverses]


@dataclass(frozen=True, repr=False)
class Quotient(PermutationRepresentation):
    """The group moves left cosets: ``rho(g) e_{hH} = e_{ghH}``. Build it with :func:`quotient`."""

    elements: tuple[int, ...]

    @property
    def subgroup(self) -> Subgroup:
        """The subgroup H."""
        return Subgroup(self.group, self.elements)

    @property
    def size(self) -> int:
        return self.group.order // len(self.elements)

    @property
    def name(self) -> str:
        return f"{self.group.name}/{{{', '.join(map(self.group.element_name, self.elements))}}}"

    def __repr__(self) -> str:
        return f"quotient({self.subgroup!r})"

    def _build_permutations(self) -> IntArray:
        cosets = np.array(self.subgroup.left_cosets())
        coset_of = np.empty(self.group.order, dtype=np.intp)
        coset_of[cosets] = np.arange(self.size)[:, None]
        return coset_of[self.group.table[np.ix_(self.group.inverses, cosets[:, 0])]]


def regular(group: FiniteGroup) -> Representation:
    """The regular representation, size ``|G|``: the permutation ``e_h -> e_{gh}``.

    Functions on the group transform by it: ``(rho(g) f)(h) = f(g^-1 h)``.

    >>> from equivision.groups import cyclic
    >>> regular(cyclic(4)).permutation(1).tolist()
    [3, 0, 1, 2]
    """
    return Regular(group)


def quotient(subgroup: Subgroup) -> Representation:
    """The quotient representation, size ``|G| / |H|``: the permutation ``gH -> kgH`` of the left cosets.

    Coordinates are in the order of ``subgroup.left_cosets()``.

    >>> from equivision.groups import dihedral
    >>> flips = dihedral(3).subgroup([3])
    >>> quotient(flips).size, quotient(flips).permutation(1).tolist()
    (3, [2, 0, 1])
    """
    return Quotient(subgroup.group, subgroup.elements)
