"""Index tables: how taps and slots move."""

import numpy as np
import pytest

from equivision.errors import GroupMismatchError
from equivision.filters import grid_action, has_quarter_turns, reversed_axes, slot_and_tap_table, tap_table
from equivision.groups import PlanarGroup, cyclic, dihedral

GROUPS = [cyclic(1), cyclic(2), cyclic(4), dihedral(1), dihedral(2), dihedral(4)]


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_tables_are_actions(group: PlanarGroup, size: int) -> None:
    """``g . (h . psi) = (gh) . psi``, read in the tables: the tap of gh is where h's table sends g's entry."""
    for table in (tap_table(group, (size, size)), slot_and_tap_table(group, (size, size))):
        assert table[0].tolist() == list(range(table.shape[1]))
        for g in range(group.order):
            assert sorted(table[g]) == list(range(table.shape[1]))
            for h in range(group.order):
                assert (table[group.product(g, h)] == table[h][table[g]]).all()


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_slots_move_by_left_multiplication(group: PlanarGroup) -> None:
    table = slot_and_tap_table(group, (1, 1))
    for g in range(group.order):
        assert table[g].tolist() == [group.product(group.inverse(g), h) for h in range(group.order)]


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_grid_action_follows_the_matrices(group: PlanarGroup) -> None:
    """A single bright pixel goes where the 2x2 matrix sends its position."""
    image = np.zeros((5, 5))
    image[1, 4] = 1  # x = 2 to the right, y = 1 up
    for g in range(group.order):
        x, y = group.matrix(g) @ np.array([2.0, 1.0])
        assert grid_action(image, group, g)[round(2 - y), round(2 + x)] == 1


def test_which_axes_are_reversed() -> None:
    found = {str(group): (*reversed_axes(group), has_quarter_turns(group)) for group in GROUPS}
    assert found == {
        "C1": (False, False, False),
        "C2": (True, True, False),
        "C4": (True, True, True),
        "D1": (True, False, False),
        "D2": (True, True, False),
        "D4": (True, True, True),
    }


def test_oblong_kernels() -> None:
    assert tap_table(dihedral(1), (2, 3))[1].tolist() == [3, 4, 5, 0, 1, 2]
    assert tap_table(cyclic(2), (1, 3))[1].tolist() == [2, 1, 0]
    with pytest.raises(GroupMismatchError, match=r"kernel_size=\(2, 3\) is not square, but D4 holds quarter turns"):
        tap_table(dihedral(4), (2, 3))


def test_off_the_grid() -> None:
    with pytest.raises(
        GroupMismatchError, match="rotates by 60 degrees, which does not map the pixel grid onto itself"
    ):
        tap_table(cyclic(6), (3, 3))


def test_tables_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="read-only"):
        tap_table(cyclic(4), (3, 3))[0, 0] = 1
