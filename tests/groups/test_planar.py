from collections.abc import Callable

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from equivision.errors import GroupMismatchError
from equivision.groups import PlanarGroup, cyclic, dihedral, inclusion, trivial
from tests.groups._catalogue import PLANAR

ON_GRID = [cyclic(1), cyclic(2), cyclic(4), dihedral(1), dihedral(2), dihedral(4)]


def act(image: np.ndarray, g: int, group: PlanarGroup) -> np.ndarray:
    """Flip the rows f times, then turn counter-clockwise: the action that the group order promises."""
    flips, _ = group.split(g)
    flipped = image[::-1] if flips else image
    return np.rot90(flipped, group.quarter_turns(g))


@pytest.mark.parametrize("group", PLANAR, ids=str)
class TestProductLaw:
    def test_is_the_law_of_the_docstring(self, group: PlanarGroup) -> None:
        n = group.rotations
        for g in range(group.order):
            f1, r1 = group.split(g)
            assert group.split(group.inverse(g)) == ((1, r1) if f1 else (0, -r1 % n))
            for h in range(group.order):
                f2, r2 = group.split(h)
                assert group.split(group.product(g, h)) == ((f1 + f2) % 2, (r1 + (-1) ** f1 * r2) % n)

    def test_element_undoes_split_and_wraps(self, group: PlanarGroup) -> None:
        for g in range(group.order):
            f, r = group.split(g)
            assert group.element(f, r) == g
            assert group.element(f - 2, r + 3 * group.rotations) == g

    def test_only_small_ones_commute(self, group: PlanarGroup) -> None:
        assert group.is_abelian == (not group.reflections or group.rotations <= 2)


@pytest.mark.parametrize("group", PLANAR, ids=str)
class TestMatrix:
    def test_is_a_homomorphism(self, group: PlanarGroup) -> None:
        matrices = np.stack([group.matrix(g) for g in range(group.order)])
        products = np.einsum("gij,hjk->ghik", matrices, matrices)
        np.testing.assert_allclose(products, matrices[group.table], rtol=0, atol=1e-14)

    def test_is_injective_and_orthogonal(self, group: PlanarGroup) -> None:
        matrices = np.stack([group.matrix(g) for g in range(group.order)])
        identities = np.tile(np.eye(2), (group.order, 1, 1))
        np.testing.assert_allclose(matrices @ matrices.transpose(0, 2, 1), identities, rtol=0, atol=1e-14)
        distances = np.abs(matrices[:, None] - matrices[None]).max((2, 3)) + np.eye(group.order)
        assert distances.min() > 0.05

    def test_determinant_tells_reflections(self, group: PlanarGroup) -> None:
        for g in range(group.order):
            assert np.linalg.det(group.matrix(g)) == pytest.approx((-1) ** group.split(g)[0])

    def test_degrees_turn_the_x_axis(self, group: PlanarGroup) -> None:
        for g in range(group.order):
            angle = np.deg2rad(group.degrees(g))
            assert 0 <= angle < 2 * np.pi
            np.testing.assert_allclose(group.matrix(g) @ [1, 0], [np.cos(angle), np.sin(angle)], atol=1e-14)


def test_the_flip_keeps_x_and_reverses_y() -> None:
    np.testing.assert_array_equal(dihedral(4).matrix(4), np.diag([1.0, -1.0]))


@pytest.mark.parametrize("group", ON_GRID, ids=str)
class TestActionOnImages:
    @pytest.mark.parametrize("shape", [(5, 5), (6, 6), (4, 7)], ids=str)
    def test_is_a_homomorphism(self, group: PlanarGroup, shape: tuple[int, int]) -> None:
        image = np.random.default_rng(0).normal(size=shape)
        for g in range(group.order):
            for h in range(group.order):
                np.testing.assert_array_equal(
                    act(act(image, h, group), g, group), act(image, group.product(g, h), group)
                )

    def test_is_faithful(self, group: PlanarGroup) -> None:
        image = np.random.default_rng(0).normal(size=(5, 5))
        turned = {act(image, g, group).tobytes() for g in range(group.order)}
        assert len(turned) == group.order

    @pytest.mark.parametrize("size", [5, 6])
    def test_moves_pixels_as_the_matrix_moves_points(self, group: PlanarGroup, size: int) -> None:
        centre = (size - 1) / 2
        image = np.zeros((size, size))
        row, column = 1, 3
        image[row, column] = 1
        point = np.array([column - centre, centre - row])  # x to the right, y up
        for g in range(group.order):
            x, y = group.matrix(g) @ point
            moved = act(image, g, group)
            assert moved.sum() == 1
            assert moved[round(centre - y), round(x + centre)] == 1

    def test_is_on_grid(self, group: PlanarGroup) -> None:
        assert group.is_on_grid
        assert {group.quarter_turns(g) for g in range(group.order)} == set(range(0, 4, 4 // group.rotations))


@pytest.mark.parametrize("group", PLANAR, ids=str)
def test_part_on_the_grid(group: PlanarGroup) -> None:
    on_grid = {g for g in range(group.order) if 4 * group.split(g)[1] % group.rotations == 0}
    assert set(inclusion(group.grid_part, group).images) == on_grid
    assert (group.grid_part == group) == group.is_on_grid


@pytest.mark.parametrize("group", [group for group in PLANAR if group not in ON_GRID], ids=str)
def test_other_groups_are_not_on_the_grid(group: PlanarGroup) -> None:
    assert not group.is_on_grid
    with pytest.raises(
        GroupMismatchError, match=rf"element r of {group.name} rotates by .* degrees, .*the exact groups are C1, C2, C4"
    ):
        group.quarter_turns(1)


def test_quarter_turns_inside_a_finer_group() -> None:
    assert [cyclic(8).quarter_turns(g) for g in (0, 2, 4, 6)] == [0, 1, 2, 3]


def test_slot_table_of_p4m_in_the_rotate_then_flip_order() -> None:
    """The slots read by output (m, r), in the order that rotates first: a published table, through the isomorphism."""
    expected = [
        [0, 1, 2, 3, 4, 5, 6, 7],
        [3, 0, 1, 2, 5, 6, 7, 4],
        [2, 3, 0, 1, 6, 7, 4, 5],
        [1, 2, 3, 0, 7, 4, 5, 6],
        [4, 5, 6, 7, 0, 1, 2, 3],
        [5, 6, 7, 4, 3, 0, 1, 2],
        [6, 7, 4, 5, 2, 3, 0, 1],
        [7, 4, 5, 6, 1, 2, 3, 0],
    ]
    D4 = dihedral(4)
    ours = np.array([D4.element(m, (-1) ** m * r) for m in (0, 1) for r in range(4)])  # theirs -> ours
    theirs = np.argsort(ours)
    slots = theirs[D4.table[np.ix_(D4.inverses[ours], ours)]]  # [g, h]: theirs of g^-1 h
    np.testing.assert_array_equal(slots, expected)


def test_the_isomorphism_to_the_rotate_then_flip_order_respects_products() -> None:
    D4 = dihedral(4)
    for g in range(8):
        for h in range(8):
            (m1, r1), (m2, r2) = divmod(g, 4), divmod(h, 4)
            m, r = (m1 + m2) % 2, ((-1) ** m2 * r1 + r2) % 4
            product = D4.product(D4.element(m1, (-1) ** m1 * r1), D4.element(m2, (-1) ** m2 * r2))
            assert product == D4.element(m, (-1) ** m * r)


def test_names() -> None:
    assert [dihedral(3).element_name(g) for g in range(6)] == ["e", "r", "r^2", "m", "r m", "r^2 m"]
    assert (cyclic(12).name, dihedral(1).name, trivial().name) == ("C12", "D1", "C1")
    assert trivial() == cyclic(1)


@pytest.mark.parametrize("build", [cyclic, dihedral])
@pytest.mark.parametrize("n", [0, -3, True])
def test_wrong_number_of_rotations(build: Callable[[int], PlanarGroup], n: int) -> None:
    with pytest.raises(
        GroupMismatchError, match=r"n=.* is not a number of rotations: give a whole number of at least 1"
    ):
        build(n)


@pytest.mark.parametrize("build", [cyclic, dihedral])
@pytest.mark.parametrize("n", [2.0, "4", None])
def test_wrong_type_of_number_of_rotations(build: Callable[[object], PlanarGroup], n: object) -> None:
    with pytest.raises((GroupMismatchError, TypeCheckError), match=r"n=.* is not a number of rotations|parameter 'n'"):
        build(n)


def test_cyclic_groups_have_no_flips() -> None:
    with pytest.raises(GroupMismatchError, match=r"flips=1: C4 has no reflections; use dihedral\(4\)"):
        cyclic(4).element(1, 0)


@pytest.mark.parametrize("method", ["split", "degrees", "matrix", "quarter_turns"])
def test_methods_check_their_element(method: str) -> None:
    with pytest.raises(GroupMismatchError, match="element g=4 is not in C4"):
        getattr(cyclic(4), method)(4)
