"""Which members of a set a layer averages: one mean for each orbit of pairs, and what of it many members share."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equivision.groups import PermutationGroup, parse_permutations
from equivision.groups._permutation import components, ranked

FloatArray = NDArray[np.float64]


@lru_cache(maxsize=64)
def mean_matrices(group: PermutationGroup | str) -> FloatArray:
    """One matrix for each orbit of pairs: row i averages the members that stand in that relation to member i.

    A relation is the orbit itself, but for one case. Where an orbit, with smaller ones, says that two members belong to
    the same block, the mean is taken over the whole block, so that all of a block share it. So S_n gives the member
    itself and the mean of all, and S_a wr S_b the member itself, the mean of its block, and the mean of all. The
    matrices are a basis of all that commute with the group.

    Shape:
        ``[orbits, n, n]``, float64, read-only. Rows sum to 1, or are 0 where the relation is not one of this member.

    Args:
        group: a permutation group, or its name such as ``"S5"``.

    Raises:
        GroupMismatchError: the name of the group is not understood.

    Source: Ravanbakhsh, Schneider & Poczos 2017 (one parameter for each orbit of pairs).

    >>> from equivision.groups import symmetric
    >>> mean_matrices(symmetric(2)).tolist()
    [[[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.5, 0.5]]]
    """
    orbit = parse_permutations(group).pair_orbits
    blocks = [_same_block(orbit, number) for number in range(orbit.max() + 1)]
    inside = [frozenset(np.unique(orbit[block]).tolist()) for block in blocks]
    matrices = np.empty((len(blocks), *orbit.shape))
    for number, block in enumerate(blocks):
        newest = [other for other in inside[number] if inside[other] == inside[number]]
        related = block if newest == [number] else orbit == number
        matrices[number] = related / np.maximum(related.sum(axis=1, keepdims=True), 1)
    matrices.setflags(write=False)
    return matrices


def _same_block(orbit: NDArray[np.intp], number: int) -> NDArray[np.bool_]:
    """The pairs in one block, if the pairs of an orbit are; or only these, if they join two kinds of members."""
    left, right = np.nonzero(orbit == number)
    if set(left.tolist()) != set(right.tolist()):
        return orbit == number
    label = components(len(orbit), left, right)
    block = label[:, None] == label
    block[np.setdiff1d(np.arange(len(orbit)), left)] = False
    return block


@dataclass(frozen=True)
class Level:
    """Relations of some members whose means are shared in the same way.

    Attributes:
        relations: their numbers.
        count: how many different means each of them has.
        rows: where the matrix of :func:`mixing` takes them, mean by mean and relation by relation; None: they are the
            members themselves.
        spread: where the index of :func:`mixing` says which mean each member sees; None: the first the first and so on,
            or there is only one.
        orbit: the orbit of members whose bias is added here; None: it is added on another level.
    """

    relations: tuple[int, ...]
    count: int
    rows: slice | None
    spread: slice | None
    orbit: int | None


@dataclass(frozen=True)
class Mixing:
    """How to compute ``sum_r M_r x W_r`` so that each product is done once, however many members see it.

    Attributes:
        degree: number of members.
        parts: the levels of every orbit of members.
        order: where the index of :func:`mixing` brings the members of all parts in order; None: they are.
    """

    degree: int
    parts: tuple[tuple[Level, ...], ...]
    order: slice | None

    @property
    def relations(self) -> int:
        """How many there are."""
        return sum(len(level.relations) for levels in self.parts for level in levels)


@lru_cache(maxsize=64)
def mixing(group: PermutationGroup) -> tuple[Mixing, FloatArray, NDArray[np.intp]]:
    """Sort the relations of a group into levels; with the matrix and the index that the slices of the result cut."""
    matrices, parts = mean_matrices(group), []
    means, index = [np.empty((0, group.degree))], [np.empty(0, dtype=np.intp)]

    def put(pile: list[NDArray[Any]], rows: NDArray[Any]) -> slice:
        start = sum(map(len, pile))
        pile.append(rows)
        return slice(start, start + len(rows))

    for number, members in enumerate(group.orbits):
        shared: dict[tuple[int, ...], list[int]] = {}
        for relation, rows in enumerate(matrices[:, list(members)]):
            if rows.any():
                seen = ranked(np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1))
                shared.setdefault(tuple(seen.tolist()), []).append(relation)
        levels = []
        for seen, relations in shared.items():
            first = [members[seen.index(k)] for k in range(max(seen) + 1)]
            taken = matrices[relations][:, first].swapaxes(0, 1).reshape(-1, group.degree)
            rows = None if np.array_equal(taken, np.eye(group.degree)) else put(means, taken)
            spread = put(index, np.array(seen)) if len(first) not in (1, len(seen)) else None
            levels.append(Level(tuple(relations), len(first), rows, spread, None if levels else number))
        parts.append(tuple(levels))
    listed = np.array([i for members in group.orbits for i in members])
    order = None if (np.diff(listed) > 0).all() else put(index, np.argsort(listed))
    return Mixing(group.degree, tuple(parts), order), np.concatenate(means), np.concatenate(index)
