"""Representations made from others: products, restriction and induction along a homomorphism, another basis."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equivision.errors import GroupMismatchError, ShapeError
from equivision.groups import (
    FiniteGroup,
    Homomorphism,
    OrthogonalGroup,
    PlanarGroup,
    PointGroup,
    SpaceOrthogonalGroup,
    inclusion,
)
from equivision.reps._base import Composite, DirectSum, FloatArray, Representation, bracketed
from equivision.reps._irreps import irreps
from equivision.reps._lines import band_limit, irrep_of_line, line_of
from equivision.reps._orthogonal import RestrictedToFinite

#: How far a change of basis may be from orthogonal.
_ORTHOGONAL = 1e-9


@dataclass(frozen=True, repr=False)
class Restricted(Representation):
    """``h -> whole(f(h))`` for a homomorphism f. Build it with :func:`restricted`."""

    whole: Representation
    along: Homomorphism

    @property
    def size(self) -> int:
        return self.whole.size

    @property
    def name(self) -> str:
        return f"Res({_named(self.along, self.along.target)}: {self.whole.name})"

    def __repr__(self) -> str:
        return f"restricted({self.whole!r}, {_shown(self.along, self.along.source)})"

    @property
    def is_permutation(self) -> bool:
        return self.whole.is_permutation or super().is_permutation

    def _build_matrices(self) -> FloatArray:
        return self.whole.matrices[list(self.along.images)]


@dataclass(frozen=True, repr=False)
class Induced(Representation):
    """``|G| / |H|`` copies of ``part``, one for each left coset, that G exchanges. Build it with :func:`induced`."""

    group: FiniteGroup
    part: Representation
    along: Homomorphism

    @property
    def size(self) -> int:
        return self.part.size * self.along.image().index

    @property
    def name(self) -> str:
        return f"Ind({_named(self.along, self.along.source)}: {self.part.name})"

    def __repr__(self) -> str:
        return f"induced({self.part!r}, {_shown(self.along, self.along.target)})"

    @property
    def is_permutation(self) -> bool:
        return self.part.is_permutation

    def _build_matrices(self) -> FloatArray:
        cosets, size = self.along.image().left_cosets(), self.part.size
        source = {image: h for h, image in enumerate(self.along.images)}
        table, inverses = self.group.table, self.group.inverses
        matrices = np.zeros((self.group.order, self.size, self.size))
        blocks = matrices.reshape(self.group.order, len(cosets), size, len(cosets), size)
        for g in range(self.group.order):
            for i, coset in enumerate(cosets):
                moved = int(table[g, coset[0]])
                j = next(j for j, other in enumerate(cosets) if moved in other)
                blocks[g, j, :, i, :] = self.part.matrices[source[int(table[inverses[cosets[j][0]], moved])]]
        return matrices


@dataclass(frozen=True, repr=False)
class ChangedBasis(Composite):
    """``g -> Q original(g) Q^T``. Build it with :func:`change_basis`."""

    original: Representation
    basis: tuple[tuple[float, ...], ...]

    @property
    def size(self) -> int:
        return self.original.size

    @property
    def name(self) -> str:
        return f"{bracketed(self.original)} in another basis"

    def __repr__(self) -> str:
        return f"change_basis({self.original!r}, {[list(row) for row in self.basis]!r})"

    @property
    def parts(self) -> tuple[Representation, ...]:
        return (self.original,)

    def _combine(self, matrices: Sequence[FloatArray]) -> FloatArray:
        basis = np.array(self.basis)
        return basis @ matrices[0] @ basis.T

    @property
    def is_permutation(self) -> bool:
        return isinstance(self.group, FiniteGroup) and super().is_permutation


def restricted(rho: Representation, to: PlanarGroup | PointGroup | Homomorphism) -> Representation:
    """A representation of a group, read as one of a smaller group; the same space, fewer matrices.

    Args:
        rho: representation of G, which may be SO(2) or O(2), SO(3) or O(3).
        to: a planar subgroup of G, a point group in SO(3) or O(3), or any homomorphism ``H -> G``.

    Raises:
        GroupMismatchError: G does not contain the subgroup, or the homomorphism does not end in G.

    Source: Weiler & Cesa 2019, section 2.7.

    >>> from equivision.groups import cyclic, dihedral
    >>> from equivision.reps import irrep, multiplicities
    >>> multiplicities(restricted(irrep(dihedral(4), 4), cyclic(4)))  # E1 of D4 is E1 of C4
    (0, 0, 1)
    """
    if isinstance(rho.group, OrthogonalGroup):
        if not isinstance(to, PlanarGroup) or not rho.group.contains(to):
            raise GroupMismatchError(f"to={to!r} is not a finite subgroup of {rho.group.name}: use C_n or D_n in it")
        return RestrictedToFinite(to, rho)
    if isinstance(rho.group, SpaceOrthogonalGroup):
        if not isinstance(to, PointGroup) or not rho.group.contains(to):
            raise GroupMismatchError(
                f"to={to!r} is not a point group in {rho.group.name}: use one, such as octahedral()"
            )
        return RestrictedToFinite(to, rho)
    if isinstance(to, PointGroup):
        raise GroupMismatchError(f"to={to!r}: {rho!r} is a representation of {rho.group.name}; give a Homomorphism")
    along = to if isinstance(to, Homomorphism) else inclusion(to, _planar(rho))
    if along.target != rho.group:
        raise GroupMismatchError(f"to={along!r} ends in {along.target.name}; {rho!r} is one of {rho.group.name}")
    return Restricted(along.source, rho, along)


def induced(rho: Representation, to: PlanarGroup | Homomorphism) -> Representation:
    """A representation of a group, made one of a larger group by copies of its space, one for each left coset.

    Block ``(j, i)`` of ``Ind rho (g)`` is ``rho(t_j^-1 g t_i)`` where that lies in H, else zero; ``t_i`` is the first
    element of the i-th left coset, in the order of ``left_cosets()``. Induced from the trivial representation this is
    the quotient, from the trivial group the regular representation.

    Args:
        rho: representation of H.
        to: a planar group G that contains H, or an injective homomorphism ``H -> G``.

    Raises:
        GroupMismatchError: G does not contain H, or the homomorphism is not injective or does not start in H.

    Source: Serre, Linear representations of finite groups, section 3.3; Weiler & Cesa 2019, appendix C.

    >>> from equivision.groups import cyclic
    >>> from equivision.reps import multiplicities, regular
    >>> multiplicities(induced(regular(cyclic(2)), cyclic(4))) == multiplicities(regular(cyclic(4)))
    True
    """
    along = to if isinstance(to, Homomorphism) else inclusion(_planar(rho), to)
    if along.source != rho.group or not along.is_injective:
        raise GroupMismatchError(f"to={along!r}: an injective homomorphism from {rho.group.name} is needed")
    return Induced(along.target, rho, along)


def change_basis(rho: Representation, basis: ArrayLike) -> Representation:
    """The same representation in other coordinates: ``Q rho(g) Q^T``.

    Args:
        rho: representation.
        basis: orthogonal matrix Q, ``[size, size]``.

    Raises:
        ShapeError: the matrix does not have that shape, or is not orthogonal.

    >>> from equivision.groups import cyclic
    >>> from equivision.reps import fourier_matrix, regular
    >>> change_basis(regular(cyclic(2)), fourier_matrix(cyclic(2))).matrix(1).diagonal().round(12).tolist()
    [1.0, -1.0]
    """
    matrix = np.asarray(basis, dtype=np.float64)
    if matrix.shape != (rho.size, rho.size) or np.abs(matrix @ matrix.T - np.eye(rho.size)).max() > _ORTHOGONAL:
        raise ShapeError(
            f"basis has shape {matrix.shape}: {rho!r} needs an orthogonal matrix of shape {(rho.size, rho.size)}"
        )
    return ChangedBasis(rho.group, rho, tuple(tuple(row) for row in matrix.tolist()))


def decompose(rho: Representation) -> tuple[Representation, FloatArray]:
    """A direct sum of irreps and the orthogonal Q with ``Q rho(g) Q^T`` equal to it, for every g.

    Each copy of an irrep is found by averaging a fixed random matrix over the group, which makes it commute with the
    group, on what the copies before leave; up to a factor the average is then an isometry, whatever the type.

    Returns:
        The direct sum, in the order of :func:`irreps`, and Q, ``[size, size]``.

    Source: Serre, Linear representations of finite groups, sections 2.2 and 2.7.

    >>> from equivision.groups import dihedral
    >>> from equivision.reps import regular
    >>> decompose(regular(dihedral(4)))[0].name
    'A1 + A2 + B1 + B2 + 2 E1'
    """
    if isinstance(rho.group, OrthogonalGroup):
        # all its frequencies stay apart in a finite subgroup with enough rotations, an odd number of them
        finite, rows = decompose(RestrictedToFinite(rho.group.finite(2 * band_limit(rho) + 1), rho))
        terms = finite.parts if isinstance(finite, DirectSum) else (finite,)
        return _sum_of([irrep_of_line(rho.group, line_of(term)) for term in terms]), rows
    if not isinstance(rho.group, FiniteGroup):
        raise GroupMismatchError(f"{rho!r} is a representation of {rho.group.name}, whose irreps are not known")
    random, rows, terms = np.random.default_rng(0), np.zeros((0, rho.size)), []
    for part in irreps(rho.group):
        while True:
            guess = random.normal(size=(part.size, rho.size))
            guess -= guess @ rows.T @ rows
            found = np.einsum("gij,jk,glk->il", part.matrices, guess, rho.matrices) / rho.group.order
            found -= found @ rows.T @ rows
            length = np.linalg.norm(found) / np.sqrt(part.size)
            if length < 1e-8:
                break
            rows, terms = np.concatenate([rows, found / length]), [*terms, part]
    return _sum_of(terms), rows


def _sum_of(terms: Sequence[Representation]) -> Representation:
    return terms[0] if len(terms) == 1 else DirectSum(terms[0].group, tuple(terms))


def _planar(rho: Representation) -> PlanarGroup:
    if not isinstance(rho.group, PlanarGroup):
        raise GroupMismatchError(
            f"{rho.group.name} does not act on the plane, so no inclusion is known: give a Homomorphism"
        )
    return rho.group


def _is_inclusion(along: Homomorphism) -> bool:
    planar = isinstance(along.source, PlanarGroup) and isinstance(along.target, PlanarGroup)
    try:
        return planar and inclusion(along.source, along.target) == along  # pyright: ignore[reportArgumentType]
    except GroupMismatchError:
        return False


def _named(along: Homomorphism, group: object) -> str:
    """The other group, and where its elements go unless that is understood."""
    name = getattr(group, "name", "")
    return name if _is_inclusion(along) else f"{name} {list(along.images)}"


def _shown(along: Homomorphism, group: object) -> str:
    return repr(group) if _is_inclusion(along) else repr(along)
