import pytest

from equivision.errors import GroupMismatchError
from equivision.groups import FiniteGroup, cyclic, dihedral, direct_product, parse, planar
from tests.groups._catalogue import GROUPS


@pytest.mark.parametrize("group", [group for group in GROUPS if "(" not in group.name], ids=str)
def test_names_are_read_back(group: FiniteGroup) -> None:
    assert parse(group.name) == group


def test_groups_pass_through() -> None:
    group = direct_product(cyclic(2), dihedral(3))
    assert parse(group) is group
    assert planar(cyclic(4)) == planar("c4") == cyclic(4)


@pytest.mark.parametrize("name", ["", "4", "C", "C0", "D-1", "E4", "C4x", "xC4", "C4xQ8", "C4 D4", "C2x(C3xC4)"])
def test_what_is_not_a_name_is_rejected(name: str) -> None:
    with pytest.raises(GroupMismatchError, match=r"group='.*' is not a group name: write C or D and a number"):
        parse(name)


@pytest.mark.parametrize("group", ["C4xC2", direct_product(cyclic(4), cyclic(2))], ids=str)
def test_products_do_not_act_on_images(group: FiniteGroup | str) -> None:
    with pytest.raises(GroupMismatchError, match=r"group=.* does not act on images: use C_n or D_n"):
        planar(group)
