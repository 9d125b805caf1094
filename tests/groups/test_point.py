"""The point groups of space: orders and axes that are known of them, their matrices, and who contains whom."""

import pickle

import numpy as np
import pytest

from equivision import groups
from equivision.errors import GroupMismatchError
from equivision.filters import grid_action, tap_table
from equivision.groups import (
    CRYSTAL_CLASSES,
    cyclic,
    dihedral,
    full_octahedral,
    inclusion,
    octahedral,
    parse_point,
    planar,
    point_group,
    spatial,
)
from equivision.groups._parse import _IN_SPACE

ON_GRID = ("1", "2", "m", "mm2", "4", "422", "23")
SETTINGS = ("-4m2", "312", "31m", "-31m", "-6m2")
#: Order, number of rotations among the elements, number of conjugacy classes.
KNOWN: dict[str, tuple[int, int, int]] = {
    "1": (1, 1, 1), "-1": (2, 1, 2), "2": (2, 2, 2), "m": (2, 1, 2), "2/m": (4, 2, 4),
    "222": (4, 4, 4), "mm2": (4, 2, 4), "mmm": (8, 4, 8),
    "4": (4, 4, 4), "-4": (4, 2, 4), "4/m": (8, 4, 8), "422": (8, 8, 5), "4mm": (8, 4, 5), "-42m": (8, 4, 5),
    "4/mmm": (16, 8, 10),
    "3": (3, 3, 3), "-3": (6, 3, 6), "32": (6, 6, 3), "3m": (6, 3, 3), "-3m": (12, 6, 6),
    "6": (6, 6, 6), "-6": (6, 3, 6), "6/m": (12, 6, 12), "622": (12, 12, 6), "6mm": (12, 6, 6), "-62m": (12, 6, 6),
    "6/mmm": (24, 12, 12),
    "23": (12, 12, 4), "m-3": (24, 12, 8), "432": (24, 24, 5), "-43m": (24, 12, 5), "m-3m": (48, 24, 10),
}  # fmt: skip


def test_the_classes_are_32() -> None:
    assert tuple(KNOWN) == CRYSTAL_CLASSES
    assert sum(point_group(symbol).is_chiral for symbol in CRYSTAL_CLASSES) == 11
    minus = -np.eye(3, dtype=int)
    laue = [s for s in CRYSTAL_CLASSES if (point_group(s).lattice_matrices == minus).all((1, 2)).any()]
    assert laue == ["-1", "2/m", "mmm", "4/m", "4/mmm", "-3", "-3m", "6/m", "6/mmm", "m-3", "m-3m"]


@pytest.mark.parametrize("symbol", [*CRYSTAL_CLASSES, *SETTINGS])
class TestPointGroup:
    def test_is_the_group_that_is_known(self, symbol: str) -> None:
        group = point_group(symbol)
        if symbol in KNOWN:
            rotations = sum(group.is_rotation(g) for g in range(group.order))
            assert (group.order, rotations, len(group.conjugacy_classes())) == KNOWN[symbol]
        assert group.subgroup(group.generators).order == group.order
        every = np.arange(group.order)
        assert (np.sort(group.table, axis=1) == every).all()
        assert (group.table[every, group.inverses] == group.identity).all()
        assert len({group.element_name(g) for g in range(group.order)}) == group.order

    def test_matrices_are_an_orthogonal_representation(self, symbol: str) -> None:
        group = point_group(symbol)
        for matrices, exact in ((group.lattice_matrices, True), (group.matrices, False)):
            products = np.einsum("gij,hjk->ghik", matrices, matrices)
            np.testing.assert_allclose(products, matrices[group.table], rtol=0, atol=0 if exact else 1e-14)
        squares = group.matrices @ group.matrices.transpose(0, 2, 1)
        np.testing.assert_allclose(squares, np.tile(np.eye(3), (group.order, 1, 1)), rtol=0, atol=1e-14)
        signs = [1 if group.is_rotation(g) else -1 for g in range(group.order)]
        np.testing.assert_allclose(np.linalg.det(group.matrices), signs, rtol=0, atol=1e-14)
        np.testing.assert_array_equal(group.matrix(0), np.eye(3))
        assert signs == sorted(signs, reverse=True)
        with pytest.raises(ValueError, match="read-only"):
            group.matrices[0, 0, 0] = 2

    def test_lies_in_the_largest_of_its_axes(self, symbol: str) -> None:
        group = point_group(symbol)
        hexagonal = group.system in ("trigonal", "hexagonal")
        include = inclusion(group, point_group("6/mmm" if hexagonal else "m-3m"))
        assert include.is_injective
        np.testing.assert_allclose(include.target.matrices[list(include.images)], group.matrices, rtol=0, atol=1e-14)
        assert group.is_on_grid == (not hexagonal) == (np.abs(group.matrices - np.rint(group.matrices)).max() < 1e-9)

    def test_is_a_value(self, symbol: str) -> None:
        group = point_group(symbol)
        copy = pickle.loads(pickle.dumps(group))
        assert copy == group == eval(repr(group), vars(groups).copy()) == parse_point(group.name)
        assert hash(copy) == hash(group)
        assert str(group) == symbol


def test_known_subgroups() -> None:
    assert [len(group.subgroups()) for group in (octahedral(), full_octahedral())] == [30, 98]
    assert [s.order for s in point_group("622").subgroups()].count(6) == 3
    contained = [s for s in CRYSTAL_CLASSES if _is_contained(s, "m-3")]
    assert contained == ["1", "-1", "2", "m", "2/m", "222", "mm2", "mmm", "23", "m-3"]


def _is_contained(symbol: str, other: str) -> bool:
    try:
        return inclusion(point_group(symbol), point_group(other)).is_injective
    except GroupMismatchError:
        return False


def test_the_inversion_comes_last() -> None:
    rotations, every = octahedral().lattice_matrices, full_octahedral().lattice_matrices
    np.testing.assert_array_equal(every, np.concatenate([rotations, -rotations]))


@pytest.mark.parametrize(("symbol", "degrees"), [("4", 90), ("3", 120), ("6", 60)])
def test_element_1_turns_counter_clockwise_about_z(symbol: str, degrees: float) -> None:
    x, y, z = point_group(symbol).matrix(1) @ [1, 0, 0]
    assert (np.rad2deg(np.arctan2(y, x)), z) == (pytest.approx(degrees), 0)


def test_names() -> None:
    assert parse_point("O") == octahedral() == point_group("432")
    assert parse_point("Oh") == full_octahedral() == point_group("m-3m")
    assert point_group("222").element_name(1) == "x,-y,-z"
    assert point_group("6").element_name(1) == "x-y,x,z"
    systems = dict.fromkeys(point_group(symbol).system for symbol in CRYSTAL_CLASSES)
    assert list(systems) == [
        "triclinic", "monoclinic", "orthorhombic", "tetragonal", "trigonal", "hexagonal", "cubic"
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["", "5", "C4", "m3m", "-43", "o", "532"])
def test_what_is_not_a_symbol_is_rejected(name: str) -> None:
    with pytest.raises(GroupMismatchError, match=r"symbol='.*' is not a crystallographic point group: give its Herm"):
        point_group(name)
    with pytest.raises(GroupMismatchError, match=r"group='.*' is not the name of a point group of space: write O or"):
        parse_point(name)


@pytest.mark.usefixtures("unchecked_annotations")
def test_groups_of_the_plane_are_told_what_they_are_in_space() -> None:
    for group, hint in (
        ("D4", "; what is D4 in the plane is 422 in space, or 4mm with reflections$"),
        (dihedral(6), "; what is D6 in the plane is 622 in space, or 6mm with reflections$"),
        (cyclic(3), "; what is C3 in the plane is 3 in space$"),
        ("D5", "one of 1, .* m-3m$"),
    ):
        with pytest.raises(GroupMismatchError, match=hint):
            parse_point(group)  # pyright: ignore[reportArgumentType]
    for name, members in _IN_SPACE.items():
        assert {point_group(member).order for member in members} == {planar(name).order}


def test_inclusion_needs_the_elements() -> None:
    with pytest.raises(GroupMismatchError, match=r"subgroup=-4 is not contained in 432, which lacks its element"):
        inclusion(point_group("-4"), octahedral())
    with pytest.raises(GroupMismatchError, match="one acts on the plane, the other on space"):
        inclusion(cyclic(4), octahedral())


@pytest.mark.parametrize("symbol", ["432", "m-3m", "422", "-42m", "mm2", "2"])
def test_grid_moves_follow_the_matrices(symbol: str) -> None:
    """A single bright voxel goes where the matrix sends its position: x along the width, y up, z to the viewer."""
    group, bright = point_group(symbol), np.zeros((5, 5, 5))
    bright[2 - 1, 2 + 1, 2 + 2] = 1
    for g in range(group.order):
        x, y, z = np.rint(group.matrix(g) @ [2.0, -1.0, 1.0]).astype(int)
        assert grid_action(bright, group, g)[2 - z, 2 - y, 2 + x] == 1


def test_axes_that_are_exchanged_or_reversed() -> None:
    found = {symbol: (point_group(symbol).exchanged_axes, point_group(symbol).reversed_axes) for symbol in ON_GRID}
    assert found == {
        "1": ((), (False, False, False)),
        "2": ((), (True, False, True)),
        "m": ((), (False, True, False)),
        "mm2": ((), (False, True, True)),
        "4": (((1, 2),), (False, True, True)),
        "422": (((1, 2),), (True, True, True)),
        "23": (((0, 1, 2),), (True, True, True)),
    }
    assert point_group("3").exchanged_axes == ((0, 1, 2),)
    with pytest.raises(GroupMismatchError, match="element -y,x-y,z of 3 does not map the grid onto itself"):
        point_group("3").grid_move(1)
    with pytest.raises(GroupMismatchError, match=r"kernel_size=\(3, 3, 1\) differs between axes that 23 exchanges"):
        tap_table(point_group("23"), (3, 3, 1))


def test_groups_of_the_plane_and_of_space_by_name() -> None:
    assert [spatial(name).dimension for name in ("C4", "D1", "4", "O", "-42m")] == [2, 2, 3, 3, 3]
    assert spatial(octahedral()) == octahedral()
    with pytest.raises(GroupMismatchError, match="group='Q8' is not a group name"):
        spatial("Q8")
