import pickle

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from equivision import groups
from equivision.errors import GroupMismatchError
from equivision.groups import FiniteGroup, cyclic, dihedral, direct_product
from tests.groups._catalogue import GROUPS, PAIRS


def test_the_catalogue_reaches_order_32_and_has_groups_that_do_not_commute() -> None:
    assert {group.order for group in GROUPS} == set(range(1, 33))
    assert len(set(GROUPS)) == len(GROUPS)
    assert any(not group.is_abelian for group in GROUPS)


@pytest.mark.parametrize("group", GROUPS, ids=str)
class TestAxioms:
    def test_closure_every_row_and_column_is_a_permutation(self, group: FiniteGroup) -> None:
        every = np.arange(group.order)
        assert group.table.shape == (group.order, group.order)
        assert (np.sort(group.table, axis=1) == every).all()
        assert (np.sort(group.table, axis=0) == every[:, None]).all()

    def test_associativity(self, group: FiniteGroup) -> None:
        table = group.table
        left = table[table]  # [g, h, k]: (gh)k
        right = table[np.arange(group.order)[:, None, None], table]  # [g, h, k]: g(hk)
        assert (left == right).all()

    def test_identity_and_inverses(self, group: FiniteGroup) -> None:
        every = np.arange(group.order)
        assert group.identity == 0
        assert (group.table[0] == every).all()
        assert (group.table[:, 0] == every).all()
        assert (group.table[every, group.inverses] == 0).all()
        assert (group.table[group.inverses, every] == 0).all()

    def test_methods_agree_with_the_tables(self, group: FiniteGroup) -> None:
        g, h = group.order - 1, group.order // 2
        assert group.product(g, h) == group.table[g, h]
        assert group.product(g, group.inverse(g)) == group.identity
        assert len(group) == group.order

    def test_element_order(self, group: FiniteGroup) -> None:
        for g in range(group.order):
            k = group.element_order(g)
            assert group.order % k == 0
            assert len(group.subgroup([g])) == k

    def test_generators_reach_the_group(self, group: FiniteGroup) -> None:
        assert group.subgroup(group.generators).order == group.order
        assert bool(group.generators) == (group.order > 1)

    def test_conjugacy_classes_partition_the_group(self, group: FiniteGroup) -> None:
        classes = group.conjugacy_classes()
        assert classes[0] == (group.identity,)
        assert sorted(g for c in classes for g in c) == list(range(group.order))
        for members in classes:
            assert group.order % len(members) == 0
            conjugates = {group.product(group.product(k, members[0]), group.inverse(k)) for k in range(group.order)}
            assert conjugates == set(members)
        assert group.is_abelian == (len(classes) == group.order)

    def test_element_names_are_distinct(self, group: FiniteGroup) -> None:
        names = [group.element_name(g) for g in range(group.order)]
        assert names[0] == "e"
        assert len(set(names)) == group.order


def test_axioms_of_every_product_of_two() -> None:
    axioms = TestAxioms()
    for group in PAIRS:
        axioms.test_closure_every_row_and_column_is_a_permutation(group)
        axioms.test_associativity(group)
        axioms.test_identity_and_inverses(group)
        axioms.test_generators_reach_the_group(group)


@pytest.mark.parametrize("group", GROUPS, ids=str)
class TestValue:
    def test_repr_round_trips(self, group: FiniteGroup) -> None:
        assert eval(repr(group), vars(groups).copy()) == group

    def test_pickle_and_hash(self, group: FiniteGroup) -> None:
        copy = pickle.loads(pickle.dumps(group))
        assert copy == group
        assert hash(copy) == hash(group)
        assert copy.table is group.table  # tables are cached by value, outside the instance


@pytest.mark.parametrize("group", [cyclic(4), direct_product(cyclic(2), dihedral(3))], ids=str)
def test_is_frozen(group: FiniteGroup) -> None:
    with pytest.raises(AttributeError):
        group.order = 3  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        group.table[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        group.inverses[0] = 1


def test_str_is_the_name() -> None:
    assert [str(group) for group in GROUPS] == [group.name for group in GROUPS]


def test_different_groups_differ_even_when_their_tables_agree() -> None:
    assert (cyclic(2).table == dihedral(1).table).all()
    assert cyclic(2) != dihedral(1)
    assert direct_product(cyclic(2), cyclic(3)) != direct_product(cyclic(3), cyclic(2))


@pytest.mark.parametrize("g", [-1, 4])
def test_what_is_not_an_element_is_rejected(g: int) -> None:
    with pytest.raises(GroupMismatchError, match=r"element g=.* is not in C4: elements are the whole numbers 0 to 3"):
        cyclic(4).check_element(g)


@pytest.mark.parametrize("g", [1.0, "r", None])
def test_wrong_type_of_element(g: object) -> None:
    with pytest.raises((GroupMismatchError, TypeCheckError), match=r"element g=.* is not in C4|parameter 'g'"):
        cyclic(4).check_element(g)  # type: ignore[arg-type]


def test_numpy_integers_are_elements() -> None:
    checked = cyclic(4).check_element(np.int64(3))
    assert type(checked) is int
    assert checked == 3


@pytest.mark.parametrize("method", ["inverse", "element_order", "element_name"])
def test_methods_check_their_element(method: str) -> None:
    with pytest.raises(GroupMismatchError, match="element g=9 is not in D4"):
        getattr(dihedral(4), method)(9)


def test_product_checks_both_elements() -> None:
    with pytest.raises(GroupMismatchError, match="element g=8 is not in D4"):
        dihedral(4).product(8, 0)
    with pytest.raises(GroupMismatchError, match="element g=-1 is not in D4"):
        dihedral(4).product(0, -1)
