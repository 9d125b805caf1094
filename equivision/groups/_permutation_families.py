"""The permutation groups one meets: all permutations, shifts, products of parts, blocks in blocks, or by generators."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from equivision.errors import GroupMismatchError
from equivision.groups._permutation import Permutation, PermutationGroup, compose, inverse


def _check_degree(name: str, n: Any) -> None:
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise GroupMismatchError(f"{name}={n!r} is no number of points: give a whole number of at least 1, such as 5")


@dataclass(frozen=True, repr=False)
class Symmetric(PermutationGroup):
    """All permutations of n points."""

    n: int

    def __post_init__(self) -> None:
        _check_degree("n", self.n)

    def __repr__(self) -> str:
        return f"symmetric({self.n})"

    @property
    def name(self) -> str:
        return f"S{self.n}"

    @property
    def degree(self) -> int:
        return self.n

    @property
    def order(self) -> int:
        return math.factorial(self.n)

    @property
    def generators(self) -> tuple[Permutation, ...]:
        swap, shift = (1, 0, *range(2, self.n)), (*range(1, self.n), 0)
        return () if self.n == 1 else (swap,) if self.n == 2 else (swap, shift)

    def _holds(self, p: Permutation) -> bool:
        return True

    def sample(self, rng: "np.random.Generator") -> Permutation:
        return tuple(rng.permutation(self.n).tolist())


@dataclass(frozen=True, repr=False)
class CyclicShifts(PermutationGroup):
    """The n shifts of n points around a ring."""

    n: int

    def __post_init__(self) -> None:
        _check_degree("n", self.n)

    def __repr__(self) -> str:
        return f"cyclic_shifts({self.n})"

    @property
    def name(self) -> str:
        return f"C{self.n}"

    @property
    def degree(self) -> int:
        return self.n

    @property
    def order(self) -> int:
        return self.n

    @property
    def generators(self) -> tuple[Permutation, ...]:
        return (self._shift(1),) if self.n > 1 else ()

    def _shift(self, steps: int) -> Permutation:
        return tuple((i + steps) % self.n for i in range(self.n))

    def _holds(self, p: Permutation) -> bool:
        return p == self._shift(p[0])

    def sample(self, rng: "np.random.Generator") -> Permutation:
        return self._shift(int(rng.integers(self.n)))


@dataclass(frozen=True, repr=False)
class DisjointProduct(PermutationGroup):
    """Every factor permutes points of its own; those of the first factor come first."""

    factors: tuple[PermutationGroup, ...]

    def __post_init__(self) -> None:
        if len(self.factors) < 2:
            raise GroupMismatchError(f"factors={self.factors!r}: give at least two groups")

    def __repr__(self) -> str:
        return f"disjoint_product({', '.join(map(repr, self.factors))})"

    @property
    def name(self) -> str:
        names = (f"({one.name})" if isinstance(one, DisjointProduct) else one.name for one in self.factors)
        return "x".join(names)

    @property
    def degree(self) -> int:
        return sum(one.degree for one in self.factors)

    @property
    def order(self) -> int:
        return math.prod(one.order for one in self.factors)

    @property
    def generators(self) -> tuple[Permutation, ...]:
        every = [one.identity for one in self.factors]
        parts = ((i, g) for i, one in enumerate(self.factors) for g in one.generators)
        return tuple(self._join([*every[:i], g, *every[i + 1 :]]) for i, g in parts)

    def _join(self, parts: Sequence[Permutation]) -> Permutation:
        joined: list[int] = []
        for part in parts:
            start = len(joined)
            joined += [start + image for image in part]
        return tuple(joined)

    def _holds(self, p: Permutation) -> bool:
        start = 0
        for one in self.factors:
            part = tuple(image - start for image in p[start : start + one.degree])
            if set(part) != set(range(one.degree)) or not one._holds(part):
                return False
            start += one.degree
        return True

    def sample(self, rng: "np.random.Generator") -> Permutation:
        return self._join([one.sample(rng) for one in self.factors])


@dataclass(frozen=True, repr=False)
class WreathProduct(PermutationGroup):
    """Blocks of points: ``inner`` permutes the points of every block by itself, ``outer`` permutes the blocks.

    Point m of block b has the number ``b * inner.degree + m``.
    """

    inner: PermutationGroup
    outer: PermutationGroup

    def __repr__(self) -> str:
        return f"wreath_product({self.inner!r}, {self.outer!r})"

    @property
    def name(self) -> str:
        inner = f"({self.inner.name})" if isinstance(self.inner, DisjointProduct) else self.inner.name
        outer = self.outer.name
        return f"{inner}wr({outer})" if isinstance(self.outer, DisjointProduct | WreathProduct) else f"{inner}wr{outer}"

    @property
    def degree(self) -> int:
        return self.inner.degree * self.outer.degree

    @property
    def order(self) -> int:
        return self.inner.order**self.outer.degree * self.outer.order

    @property
    def generators(self) -> tuple[Permutation, ...]:
        still = [self.inner.identity] * self.outer.degree
        blocks = [orbit[0] for orbit in self.outer.orbits]  # the outer group carries what these do to the others
        within = [[*still[:b], g, *still[b + 1 :]] for b in blocks for g in self.inner.generators]
        moves = [(self.outer.identity, parts) for parts in within] + [(g, still) for g in self.outer.generators]
        return tuple(self._join(outer, inner) for outer, inner in moves)

    def _join(self, outer: Permutation, inner: Sequence[Permutation]) -> Permutation:
        """Permute within the blocks first, then the blocks."""
        return tuple(outer[b] * self.inner.degree + image for b, part in enumerate(inner) for image in part)

    def _holds(self, p: Permutation) -> bool:
        blocks, images = np.divmod(np.array(p).reshape(self.outer.degree, self.inner.degree), self.inner.degree)
        if (blocks != blocks[:, :1]).any():
            return False
        return self.outer._holds(tuple(blocks[:, 0].tolist())) and all(
            self.inner._holds(tuple(part)) for part in images.tolist()
        )

    def sample(self, rng: "np.random.Generator") -> Permutation:
        return self._join(self.outer.sample(rng), [self.inner.sample(rng) for _ in range(self.outer.degree)])


@dataclass(frozen=True, repr=False)
class Generated(PermutationGroup):
    """The group that some permutations generate; its order comes from a chain of stabilisers, not from a list."""

    points: int
    generating: tuple[Permutation, ...]

    def __post_init__(self) -> None:
        for p in self.generating:
            if sorted(p) != list(range(self.points)):
                raise GroupMismatchError(
                    f"generator {p!r} is not a permutation of the points 0 to {self.points - 1}: give the image of "
                    "every point, each point once, as in (1, 2, 0)"
                )

    def __repr__(self) -> str:
        return f"permutation_group({', '.join(map(repr, self.generating))})"

    @property
    def name(self) -> str:
        return f"<{', '.join(' '.join(map(str, p)) for p in self.generating)}>"

    @property
    def degree(self) -> int:
        return self.points

    @property
    def order(self) -> int:
        return math.prod(len(cosets) for cosets in _stabilizers(self))

    @property
    def generators(self) -> tuple[Permutation, ...]:
        return tuple(p for p in self.generating if p != self.identity)

    def _holds(self, p: Permutation) -> bool:
        return _sift(p, _stabilizers(self), self.points - 1) == self.identity

    def sample(self, rng: "np.random.Generator") -> Permutation:
        p = self.identity
        for cosets in _stabilizers(self):
            chosen = list(cosets.values())[int(rng.integers(len(cosets)))]
            p = compose(chosen, p)
        return p


#: For every point k: where the elements that fix all points after k send it, with one such element for each place.
Chain = list[dict[int, Permutation]]


def _sift(p: Permutation, chain: Chain, level: int) -> Permutation:
    """What is left of a permutation after division by elements of the chain: the identity, if it is an element."""
    for k in range(level, -1, -1):
        if p[k] not in chain[k]:
            return p
        if p[k] != k:
            p = compose(inverse(chain[k][p[k]]), p)
    return p


@lru_cache(maxsize=64)
def _stabilizers(group: Generated) -> Chain:
    """Schreier and Sims' chain, as in Knuth, Efficient representation of perm groups, 1991."""
    identity = group.identity
    chain: Chain = [{k: identity} for k in range(group.degree)]
    strong: list[list[Permutation]] = [[] for _ in range(group.degree)]
    products: list[tuple[int, Permutation]] = []

    def generate(k: int, p: Permutation) -> None:
        strong[k].append(p)
        products.extend((k, compose(p, known)) for known in chain[k].values())

    for generator in group.generators:
        generate(group.degree - 1, generator)
        while products:  # those of lower levels are put on top, so that the chain below is complete when it is used
            k, p = products.pop()
            if p[k] not in chain[k]:
                chain[k][p[k]] = p
                products.extend((k, compose(other, p)) for other in strong[k])
            elif k > 0 and _sift(p, chain, k) != identity:
                generate(k - 1, compose(inverse(chain[k][p[k]]), p))
    return chain


def symmetric(n: int) -> Symmetric:
    """S_n: all permutations of n points, which are then interchangeable.

    >>> symmetric(5).order, symmetric(5).name
    (120, 'S5')
    """
    return Symmetric(n)


def cyclic_shifts(n: int) -> CyclicShifts:
    """C_n as a permutation group: the shifts of n points around a ring.

    >>> cyclic_shifts(3).pair_orbits.tolist()
    [[0, 1, 2], [2, 0, 1], [1, 2, 0]]
    """
    return CyclicShifts(n)


def permutation_group(first: Sequence[int], *others: Sequence[int]) -> Generated:
    """The group generated by some permutations, each given by the images of the points 0, 1, 2, ...

    >>> mirror = permutation_group((3, 2, 1, 0))
    >>> mirror.order, mirror.orbits
    (2, ((0, 3), (1, 2)))

    Raises:
        GroupMismatchError: a generator is not a permutation, or they have different lengths.
    """
    return Generated(len(first), tuple(tuple(int(image) for image in p) for p in (first, *others)))


def disjoint_product(*factors: PermutationGroup) -> DisjointProduct:
    """S_a x S_b and the like: every factor permutes points of its own.

    >>> reference_and_others = disjoint_product(symmetric(1), symmetric(4))
    >>> reference_and_others.name, reference_and_others.orbits
    ('S1xS4', ((0,), (1, 2, 3, 4)))

    Raises:
        GroupMismatchError: there are fewer than two factors.
    """
    return DisjointProduct(factors)


def wreath_product(inner: PermutationGroup, outer: PermutationGroup) -> WreathProduct:
    """S_a wr S_b and the like: b interchangeable blocks of a points, interchangeable within each block.

    Point m of block b has the number ``b * inner.degree + m``.

    >>> stations = wreath_product(symmetric(2), symmetric(3))
    >>> stations.name, stations.order, stations.pair_orbits[0].tolist()
    ('S2wrS3', 48, [0, 1, 2, 2, 2, 2])
    """
    return WreathProduct(inner, outer)
