import pickle
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equivision import groups
from equivision.errors import GroupMismatchError
from equivision.groups import FiniteGroup, Subgroup, cyclic, dihedral, direct_product
from tests.groups._catalogue import GROUPS, SMALL


def divisors(n: int) -> list[int]:
    return [d for d in range(1, n + 1) if n % d == 0]


def power_of_two_cycles(exponent: int) -> FiniteGroup:
    group: FiniteGroup = cyclic(2)
    for _ in range(exponent - 1):
        group = direct_product(group, cyclic(2))
    return group


def brute_force(group: FiniteGroup) -> set[tuple[int, ...]]:
    """Every set of elements that holds the identity and is closed."""
    others = range(1, group.order)
    found = set()
    for size in (d - 1 for d in divisors(group.order)):
        for chosen in combinations(others, size):
            members = {0, *chosen}
            if all(group.table[g, h] in members for g in members for h in members):
                found.add((0, *chosen))
    return found


@pytest.mark.parametrize("group", SMALL, ids=str)
def test_enumeration_against_brute_force(group: FiniteGroup) -> None:
    assert {subgroup.elements for subgroup in group.subgroups()} == brute_force(group)


@pytest.mark.parametrize("n", range(1, 33))
def test_cyclic_group_has_one_subgroup_for_each_divisor(n: int) -> None:
    assert [subgroup.order for subgroup in cyclic(n).subgroups()] == divisors(n)


@pytest.mark.parametrize("n", range(1, 17))
def test_dihedral_group_has_tau_plus_sigma_subgroups(n: int) -> None:
    assert len(dihedral(n).subgroups()) == len(divisors(n)) + sum(divisors(n))


@pytest.mark.parametrize(("exponent", "count"), [(1, 2), (2, 5), (3, 16), (4, 67), (5, 374)])
def test_subspaces_over_two_elements(exponent: int, count: int) -> None:
    assert len(power_of_two_cycles(exponent).subgroups()) == count


@pytest.mark.parametrize("group", [group for group in GROUPS if len(group.subgroups()) < 100], ids=str)
class TestEverySubgroup:
    def test_order_of_the_list(self, group: FiniteGroup) -> None:
        found = group.subgroups()
        assert found[0].elements == (0,)
        assert found[-1].order == group.order
        assert [(len(s), s.elements) for s in found] == sorted((len(s), s.elements) for s in found)

    def test_left_cosets_partition_the_group(self, group: FiniteGroup) -> None:
        for subgroup in group.subgroups():
            cosets = subgroup.left_cosets()
            assert cosets[0] == subgroup.elements
            assert len(cosets) == subgroup.index == group.order // subgroup.order
            assert sorted(g for coset in cosets for g in coset) == list(range(group.order))
            assert [coset[0] for coset in cosets] == sorted(coset[0] for coset in cosets)
            for coset in cosets:
                assert set(coset) == {group.product(coset[-1], h) for h in subgroup.elements}

    def test_right_cosets_are_the_inverses_of_left_cosets(self, group: FiniteGroup) -> None:
        for subgroup in group.subgroups():
            inverted = {tuple(sorted(group.inverse(g) for g in coset)) for coset in subgroup.left_cosets()}
            assert set(subgroup.right_cosets()) == inverted
            assert subgroup.right_cosets()[0] == subgroup.elements

    def test_normal_means_closed_under_conjugation(self, group: FiniteGroup) -> None:
        for subgroup in group.subgroups():
            members = set(subgroup.elements)
            closed = all(
                group.product(group.product(k, h), group.inverse(k)) in members
                for k in group.generators
                for h in members
            )
            assert subgroup.is_normal == closed

    def test_is_a_value(self, group: FiniteGroup) -> None:
        for subgroup in group.subgroups():
            assert eval(repr(subgroup), vars(groups).copy()) == subgroup
            copy = pickle.loads(pickle.dumps(subgroup))
            assert copy == subgroup
            assert hash(copy) == hash(subgroup)


def test_coset_side_matters() -> None:
    flips = dihedral(4).subgroup([4])
    assert flips.left_cosets() == ((0, 4), (1, 5), (2, 6), (3, 7))
    assert flips.right_cosets() == ((0, 4), (1, 7), (2, 6), (3, 5))
    assert not flips.is_normal
    assert dihedral(4).subgroup([1]).is_normal


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.data())
def test_generated_subgroup_is_the_smallest(data: st.DataObject) -> None:
    group = data.draw(st.sampled_from(GROUPS))
    chosen = data.draw(st.sets(st.integers(0, group.order - 1), max_size=3))
    generated = group.subgroup(chosen)
    assert all(g in generated for g in chosen)
    containing = [set(s.elements) for s in group.subgroups() if chosen <= set(s.elements)]
    assert set(generated.elements) == set.intersection(*containing)


def test_elements_are_sorted_and_unique() -> None:
    assert Subgroup(cyclic(6), (4, 0, 2, 2)) == Subgroup(cyclic(6), (0, 2, 4))
    assert 2 in Subgroup(cyclic(6), (0, 2, 4))
    assert 1 not in Subgroup(cyclic(6), (0, 2, 4))


@pytest.mark.parametrize("elements", [(), (2,), (0, 1), (0, 1, 4)], ids=str)
def test_what_is_not_closed_is_rejected(elements: tuple[int, ...]) -> None:
    with pytest.raises(
        GroupMismatchError, match=r"elements=\(.*\) is not a subgroup of D4: products leave it or the id"
    ):
        Subgroup(dihedral(4), elements)


def test_elements_must_be_in_the_group() -> None:
    with pytest.raises(GroupMismatchError, match="element g=4 is not in C4"):
        Subgroup(cyclic(4), (0, 4))
    with pytest.raises(GroupMismatchError, match="element g=7 is not in C4"):
        cyclic(4).subgroup([7])
