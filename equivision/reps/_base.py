"""Representations as values: the parameters are stored, the matrices are computed when asked for."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equivision.errors import ConfigError, GroupMismatchError
from equivision.groups import FiniteGroup, Group

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


@dataclass(frozen=True, repr=False)
class Representation(ABC):
    """A homomorphism rho from a group to the orthogonal ``size`` x ``size`` matrices, in float64.

    Representations are frozen, hashable, picklable values: two are equal when they are built from the same
    parameters, and ``repr`` gives the expression that builds them again. ``a + b`` is the direct sum, ``3 * a`` that of
    three copies, ``a * b`` the tensor product. ``name`` is a text that :func:`equivision.reps.parse` reads.

    Attributes:
        group: the group that is represented: a finite one, SO(2) or O(2).
    """

    group: Group

    @property
    @abstractmethod
    def size(self) -> int:
        """Dimension of the space that the matrices act on."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Short readable name such as ``"regular"`` or ``"2 A1 + E1"``; it does not repeat the group."""

    @abstractmethod
    def _build_matrices(self) -> FloatArray:
        """All matrices, ``[order, size, size]``."""

    def _build_permutations(self) -> IntArray:
        """Index arrays of all elements, ``[order, size]``, read off the matrices."""
        if not self.is_permutation:
            raise GroupMismatchError(
                f"{self!r} is not a permutation representation: its matrices do not only move coordinates around; "
                "use matrix(g) instead"
            )
        return np.argmax(self.matrices, axis=2)

    def _matrix_at(self, g: Any) -> FloatArray:
        """The matrix of an element of a continuous group, ``[size, size]``."""
        raise GroupMismatchError(f"{self!r} is a representation of {self.group.name}, which is not continuous")

    def _invariants(self) -> FloatArray | None:
        """The vectors that no element moves, as orthonormal rows, where they are known without decomposing."""
        return None

    @property
    def matrices(self) -> FloatArray:
        """The matrices of all elements, ``[order, size, size]`` (read-only, computed once for equal values).

        Raises:
            GroupMismatchError: the group is SO(2) or O(2): use :meth:`matrix`, or restrict to C_n or D_n.
        """
        return _matrices(self)

    def matrix(self, g: Any) -> FloatArray:
        """The matrix of element g, ``[size, size]`` (read-only)."""
        element = self.group.check_element(g)
        return self.matrices[element] if isinstance(self.group, FiniteGroup) else self._matrix_at(element)

    @property
    def character(self) -> FloatArray:
        """The trace of every matrix, ``[order]``."""
        return np.trace(self.matrices, axis1=1, axis2=2)

    @property
    def is_permutation(self) -> bool:
        """Whether every matrix only moves coordinates around."""
        return bool(np.isin(self.matrices, (0.0, 1.0)).all())  # orthogonal and 0/1: one 1 in every row and column

    @property
    def permutations(self) -> IntArray:
        """Index arrays ``[order, size]`` (read-only) with ``(rho(g) v)[i] = v[permutations[g, i]]``.

        Raises:
            GroupMismatchError: this is not a permutation representation.
        """
        return _permutations(self)

    def permutation(self, g: int) -> IntArray:
        """Index array ``[size]`` (read-only) with ``(rho(g) v)[i] = v[permutation[i]]``.

        Raises:
            GroupMismatchError: this is not a permutation representation.
        """
        return self.permutations[self.group.check_element(g)]

    @property
    def fields(self) -> tuple["Representation", ...]:
        """The terms of a direct sum; of anything else, itself alone."""
        return (self,)

    def __add__(self, other: "Representation") -> "Representation":
        if not isinstance(other, Representation):
            return NotImplemented
        return DirectSum(self.group, (*self.fields, *other.fields))

    def __mul__(self, other: "Representation") -> "Representation":
        return TensorProduct(self.group, self, other) if isinstance(other, Representation) else NotImplemented

    def __rmul__(self, count: int) -> "Representation":
        if isinstance(count, bool) or not isinstance(count, int):
            return NotImplemented
        if count < 1:
            raise ConfigError(f"{count} * {self!r}: the number of copies must be at least 1")
        return self if count == 1 else DirectSum(self.group, self.fields * count)


class Composite(Representation):
    """A representation whose matrix at g follows from those of others at g."""

    @property
    @abstractmethod
    def parts(self) -> tuple[Representation, ...]:
        """The others."""

    @abstractmethod
    def _combine(self, matrices: Sequence[FloatArray]) -> FloatArray:
        """``[n, size, size]`` from the matrices of all parts at the same n elements."""

    def _build_matrices(self) -> FloatArray:
        return self._combine([part.matrices for part in self.parts])

    def _matrix_at(self, g: Any) -> FloatArray:
        return self._combine([part.matrix(g)[None] for part in self.parts])[0]


@dataclass(frozen=True, repr=False)
class DirectSum(Composite):
    """Block-diagonal sum; written ``a + b``. Nested sums are flattened."""

    terms: tuple[Representation, ...]

    def __post_init__(self) -> None:
        for term in self.terms:
            if term.group != self.group:
                raise GroupMismatchError(
                    f"cannot add {term!r} to a representation of {self.group.name}: both must represent the same group"
                )

    @property
    def size(self) -> int:
        return sum(term.size for term in self.terms)

    @property
    def name(self) -> str:
        return " + ".join(term.name if n == 1 else f"{n} {term.name}" for term, n in self._runs())

    def __repr__(self) -> str:
        return " + ".join(repr(term) if n == 1 else f"{n} * {_shown(term)}" for term, n in self._runs())

    def _runs(self) -> list[tuple[Representation, int]]:
        """Equal terms that follow one another, counted."""
        return [(term, len(list(run))) for term, run in groupby(self.terms)]

    @property
    def is_permutation(self) -> bool:
        return all(term.is_permutation for term in self.terms)

    @property
    def parts(self) -> tuple[Representation, ...]:
        return self.terms

    @property
    def fields(self) -> tuple[Representation, ...]:
        return self.terms

    def _combine(self, matrices: Sequence[FloatArray]) -> FloatArray:
        whole = np.zeros((len(matrices[0]), self.size, self.size))
        start = 0
        for part in matrices:
            block = slice(start, start + part.shape[1])
            whole[:, block, block] = part
            start += part.shape[1]
        return whole


@dataclass(frozen=True, repr=False)
class TensorProduct(Composite):
    """``g -> kron(left(g), right(g))``; written ``left * right``."""

    left: Representation
    right: Representation

    def __post_init__(self) -> None:
        if not self.left.group == self.right.group == self.group:
            raise GroupMismatchError(
                f"cannot multiply {self.left!r} by {self.right!r}: both must represent the same group"
            )

    @property
    def size(self) -> int:
        return self.left.size * self.right.size

    @property
    def name(self) -> str:
        return f"{bracketed(self.left)} * {bracketed(self.right, also=TensorProduct)}"

    def __repr__(self) -> str:
        left, right = (f"({factor!r})" if isinstance(factor, DirectSum) else repr(factor) for factor in self.parts)
        return f"{left} * ({right})" if isinstance(self.right, TensorProduct) else f"{left} * {right}"

    @property
    def parts(self) -> tuple[Representation, ...]:
        return self.left, self.right

    @property
    def is_permutation(self) -> bool:
        return self.left.is_permutation and self.right.is_permutation

    def _combine(self, matrices: Sequence[FloatArray]) -> FloatArray:
        left, right = matrices
        return np.einsum("gij,gkl->gikjl", left, right).reshape(len(left), self.size, self.size)


def bracketed(rho: Representation, also: type[Representation] = DirectSum) -> str:
    """The name, in brackets where it is a sum, or ``also``."""
    return f"({rho.name})" if isinstance(rho, DirectSum | also) else rho.name


def _shown(term: Representation) -> str:
    return f"({term!r})" if " * " in repr(term) else repr(term)


@lru_cache(maxsize=64)
def _matrices(representation: Representation) -> FloatArray:
    matrices = representation._build_matrices()
    matrices.setflags(write=False)
    return matrices


@lru_cache(maxsize=64)
def _permutations(representation: Representation) -> IntArray:
    permutations = representation._build_permutations()
    permutations.setflags(write=False)
    return permutations
