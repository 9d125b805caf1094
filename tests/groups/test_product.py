import pytest

from equivision.errors import GroupMismatchError
from equivision.groups import DirectProduct, cyclic, dihedral, direct_product
from tests.groups._catalogue import PRODUCTS


@pytest.mark.parametrize("group", PRODUCTS, ids=str)
def test_product_is_componentwise(group: DirectProduct) -> None:
    for g in range(group.order):
        for h in range(group.order):
            (a, b), (c, d) = group.split(g), group.split(h)
            expected = (group.left.product(a, c), group.right.product(b, d))
            assert group.split(group.product(g, h)) == expected


@pytest.mark.parametrize("group", PRODUCTS, ids=str)
def test_pair_undoes_split(group: DirectProduct) -> None:
    assert [group.pair(*group.split(g)) for g in range(group.order)] == list(range(group.order))


def test_coprime_cyclic_groups_give_a_cyclic_group() -> None:
    orders = sorted(direct_product(cyclic(2), cyclic(3)).element_order(g) for g in range(6))
    assert orders == sorted(cyclic(6).element_order(g) for g in range(6))
    assert max(direct_product(cyclic(2), cyclic(2)).element_order(g) for g in range(4)) == 2


def test_names() -> None:
    group = direct_product(dihedral(3), cyclic(2))
    assert group.name == "D3xC2"
    assert group.element_name(group.pair(4, 1)) == "(r m, r)"
    assert direct_product(cyclic(2), direct_product(cyclic(3), cyclic(4))).name == "C2x(C3xC4)"


def test_pair_checks_both_elements() -> None:
    group = direct_product(dihedral(3), cyclic(2))
    with pytest.raises(GroupMismatchError, match="element g=6 is not in D3"):
        group.pair(6, 0)
    with pytest.raises(GroupMismatchError, match="element g=2 is not in C2"):
        group.pair(0, 2)
    with pytest.raises(GroupMismatchError, match="element g=12 is not in D3xC2"):
        group.split(12)
