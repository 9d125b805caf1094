"""Permutation groups: elements against lists, orders, orbits on points and pairs, names."""

import math
import pickle
from itertools import permutations, product

import numpy as np
import pytest

from equivision import groups
from equivision.errors import GroupMismatchError
from equivision.groups import (
    PermutationGroup,
    cyclic_shifts,
    disjoint_product,
    parse_permutations,
    permutation_group,
    symmetric,
    wreath_product,
)

#: With the orders and the numbers of orbits on pairs that are known of them.
KNOWN: dict[str, tuple[PermutationGroup, int, int]] = {
    "S1": (symmetric(1), 1, 1),
    "S2": (symmetric(2), 2, 2),
    "S5": (symmetric(5), 120, 2),
    "C1": (cyclic_shifts(1), 1, 1),
    "C6": (cyclic_shifts(6), 6, 6),
    "S1xS4": (disjoint_product(symmetric(1), symmetric(4)), 24, 5),
    "S2xS3": (disjoint_product(symmetric(2), symmetric(3)), 12, 6),
    "S1xS1xS1": (disjoint_product(symmetric(1), symmetric(1), symmetric(1)), 1, 9),
    "S3wrS2": (wreath_product(symmetric(3), symmetric(2)), 72, 3),
    "S2wrS2wrS2": (wreath_product(wreath_product(symmetric(2), symmetric(2)), symmetric(2)), 128, 4),
    "C3wrS2xS1": (disjoint_product(wreath_product(cyclic_shifts(3), symmetric(2)), symmetric(1)), 18, 7),
    "S2wr(S1xS2)": (wreath_product(symmetric(2), disjoint_product(symmetric(1), symmetric(2))), 16, 7),
    "(S1xS2)wrS2": (wreath_product(disjoint_product(symmetric(1), symmetric(2)), symmetric(2)), 8, 9),
    "mirror": (permutation_group((3, 2, 1, 0)), 2, 8),
    "ring": (permutation_group((1, 2, 3, 4, 0), (4, 3, 2, 1, 0)), 10, 3),
    "grid": (permutation_group((1, 0, 2, 4, 3, 5), (1, 2, 0, 4, 5, 3), (3, 4, 5, 0, 1, 2)), 12, 4),
    "A4": (permutation_group((1, 2, 0, 3), (0, 2, 3, 1)), 12, 2),
    "scattered": (permutation_group((4, 1, 0, 3, 2)), 3, 11),
    "trivial": (permutation_group((0, 1)), 1, 4),
}


@pytest.mark.parametrize("name", KNOWN)
class TestGroup:
    def test_elements(self, name: str) -> None:
        """They are as many as the order says, closed, and told from the other permutations."""
        group, order, _ = KNOWN[name]
        elements = list(group.elements())
        assert len(set(elements)) == len(elements) == group.order == order
        assert elements[0] == group.identity
        known, rng = set(elements), np.random.default_rng(0)
        for g, h in zip(rng.permutation(elements)[:9].tolist(), rng.permutation(elements)[:9].tolist(), strict=True):
            g, h = tuple(g), tuple(h)
            assert group.product(g, h) == tuple(g[i] for i in h)
            assert group.product(g, h) in known
            assert group.product(g, group.inverse(g)) == group.identity
        for p in permutations(range(group.degree)):
            if p in known:
                assert group.check_element(np.array(p)) == p
            elif rng.random() < 30 / math.factorial(group.degree):
                with pytest.raises(GroupMismatchError, match=r"element g=.* is not in .*: elements are the images of"):
                    group.check_element(p)

    def test_orbits(self, name: str) -> None:
        group, _, count = KNOWN[name]
        elements, points = list(group.elements()), range(group.degree)
        orbits = {frozenset(p[i] for p in elements) for i in points}
        assert group.orbits == tuple(sorted(tuple(sorted(orbit)) for orbit in orbits))
        numbers = group.pair_orbits
        for i, j in product(points, points):
            reached = {(p[i], p[j]) for p in elements}
            assert reached == {(a, b) for a, b in product(points, points) if numbers[a, b] == numbers[i, j]}
        assert numbers.max() + 1 == count
        first = [numbers[i, (i + k) % group.degree] for i in points for k in points]
        assert list(dict.fromkeys(first)) == list(range(count))

    def test_samples_are_elements_and_all_of_them(self, name: str) -> None:
        group, rng = KNOWN[name][0], np.random.default_rng(0)
        if group.order < 25:
            found = [group.check_element(group.sample(rng)) for _ in range(20 * group.order)]
            assert len(set(found)) == group.order
        else:
            assert len({group.check_element(group.sample(rng)) for _ in range(20)}) > 12

    def test_the_chain_of_stabilisers_knows_the_order(self, name: str) -> None:
        group, order, _ = KNOWN[name]
        if group.generators:
            assert permutation_group(*group.generators).order == order

    def test_value(self, name: str) -> None:
        group = KNOWN[name][0]
        copy = pickle.loads(pickle.dumps(group))
        assert copy == group == eval(repr(group), vars(groups).copy())
        assert hash(copy) == hash(group)
        assert str(group) == group.name
        if name[0] in "SC" and "(" not in name:
            assert group.name == name
            assert parse_permutations(name) == group
        with pytest.raises(ValueError, match="read-only"):
            group.pair_orbits[0, 0] = 1


def test_random_generators() -> None:
    """Orders from the chain against the list of elements."""
    rng = np.random.default_rng(1)
    orders = set()
    for n in (2, 3, 4, 5, 6):
        for _ in range(12):
            kept = int(rng.integers(0, n - 1))
            gens = [(*range(kept), *(kept + rng.permutation(n - kept)).tolist()) for _ in range(rng.integers(1, 4))]
            group = permutation_group(*gens)
            assert group.order == len(list(group.elements()))
            orders.add(group.order)
    assert {1, 2, 6, 24, 120, 720} <= orders


def test_large_groups_are_not_listed() -> None:
    group = wreath_product(symmetric(12), symmetric(10))
    assert group.order == math.factorial(12) ** 10 * math.factorial(10)
    assert group.pair_orbits.shape == (120, 120)
    assert group.pair_orbits[0, [0, 1, 11, 12, 119]].tolist() == [0, 1, 1, 2, 2]
    assert symmetric(300).pair_orbits.max() == 1
    assert cyclic_shifts(100).pair_orbits[7, 5] == 98
    rng = np.random.default_rng(0)
    mixed = permutation_group(*symmetric(30).generators)
    assert mixed.order == math.factorial(30)
    mixed.check_element(symmetric(30).sample(rng))


def test_names() -> None:
    assert KNOWN["mirror"][0].name == "<3 2 1 0>"
    assert KNOWN["S2wr(S1xS2)"][0].name == "S2wr(S1xS2)"
    assert KNOWN["(S1xS2)wrS2"][0].name == "(S1xS2)wrS2"
    nested = disjoint_product(symmetric(1), disjoint_product(symmetric(2), symmetric(3)))
    assert nested.name == "S1x(S2xS3)"
    assert wreath_product(symmetric(2), wreath_product(symmetric(2), symmetric(3))).name == "S2wr(S2wrS3)"
    group = symmetric(3)
    assert parse_permutations(group) is group


@pytest.mark.usefixtures("unchecked_annotations")
class TestErrors:
    @pytest.mark.parametrize("name", ["", "5", "S", "S0", "D4", "s5", "S2x", "xS2", "S2wr", "S2 S3", "(S1xS2)wrS2"])
    def test_names(self, name: str) -> None:
        with pytest.raises(GroupMismatchError, match=r"group='.*' is not the name of a permutation group: write S and"):
            parse_permutations(name)

    @pytest.mark.parametrize("make", [symmetric, cyclic_shifts])
    @pytest.mark.parametrize("n", [0, -1, True, 2.0, "3"])
    def test_degrees(self, make, n) -> None:
        with pytest.raises(GroupMismatchError, match=r"n=.* is no number of points: give a whole number of at least 1"):
            make(n)

    def test_generators(self) -> None:
        for wrong in ((0, 0), (1, 2), (0, 1, 2)):
            with pytest.raises(GroupMismatchError, match=r"generator \(.*\) is not a permutation of the points 0 to 1"):
                permutation_group((1, 0), wrong)

    def test_products(self) -> None:
        with pytest.raises(GroupMismatchError, match=r"factors=\(symmetric\(2\),\): give at least two groups"):
            disjoint_product(symmetric(2))

    @pytest.mark.parametrize("g", [(1, 0), (0, 0, 1), 3, None, (0, 2, 1)])
    def test_elements(self, g) -> None:
        with pytest.raises(GroupMismatchError, match=r"element g=.* is not in C3: .* 0 to 2, such as \(1, 2, 0\)"):
            cyclic_shifts(3).check_element(g)
        with pytest.raises(GroupMismatchError, match="is not in C3"):
            cyclic_shifts(3).product(g, (0, 1, 2))
        with pytest.raises(GroupMismatchError, match="is not in C3"):
            cyclic_shifts(3).inverse(g)
