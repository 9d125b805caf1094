from dataclasses import dataclass
from math import prod

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from equivision.errors import GroupMismatchError
from equivision.groups import DirectProduct, FiniteGroup, PlanarGroup, cyclic, dihedral, direct_product
from equivision.reps import IrrepEntry, irrep, irrep_table, irreps, multiplicities, regular, sign, trivial
from tests.groups._catalogue import GROUPS, PAIRS, PLANAR, PRODUCTS


def characters(group: FiniteGroup) -> np.ndarray:
    return np.stack([rho.character for rho in irreps(group)])


@pytest.mark.parametrize("group", GROUPS, ids=str)
class TestEveryGroup:
    def test_schur_orthogonality_of_characters(self, group: FiniteGroup) -> None:
        m = [1 if rho.type == "real" else 2 for rho in irreps(group)]
        gram = characters(group) @ characters(group).T / group.order
        np.testing.assert_allclose(gram, np.diag(m), rtol=0, atol=1e-12)

    def test_schur_orthogonality_of_matrix_entries(self, group: FiniteGroup) -> None:
        """sum_g a_ij(g) b_kl(g) is 0 for a != b and |G|/d on the diagonal of the first column."""
        columns = [rho.matrices[:, :, 0] for rho in irreps(group)]
        weights = [np.sqrt(rho.size / group.order) for rho in irreps(group)]
        entries = np.concatenate([w * column for w, column in zip(weights, columns, strict=True)], axis=1)
        np.testing.assert_allclose(entries.T @ entries, np.eye(entries.shape[1]), rtol=0, atol=1e-12)

    def test_what_commutes_is_a_copy_of_the_type(self, group: FiniteGroup) -> None:
        for rho in irreps(group):
            average = np.einsum("gij,gkl->ikjl", rho.matrices, rho.matrices).reshape(rho.size**2, -1) / group.order
            assert np.linalg.matrix_rank(average, tol=1e-6) == {"real": 1, "complex": 2}[rho.type]

    def test_they_fill_the_regular_representation(self, group: FiniteGroup) -> None:
        m = [1 if rho.type == "real" else 2 for rho in irreps(group)]
        assert sum(rho.size**2 // k for rho, k in zip(irreps(group), m, strict=True)) == group.order
        expected = tuple(rho.size // k for rho, k in zip(irreps(group), m, strict=True))
        assert multiplicities(regular(group)) == expected == tuple(rho.multiplicity for rho in irreps(group))

    def test_their_number_is_that_of_the_real_classes(self, group: FiniteGroup) -> None:
        """Classes up to inversion: a real character cannot tell g from its inverse."""
        classes = group.conjugacy_classes()
        merged = {frozenset(c) | frozenset(group.inverse(g) for g in c) for c in classes}
        assert len(irreps(group)) == len(merged)
        assert sum({"real": 1, "complex": 2}[rho.type] for rho in irreps(group)) == len(classes)

    def test_trivial_comes_first(self, group: FiniteGroup) -> None:
        assert irreps(group)[0] == trivial(group)
        assert (trivial(group).matrices == 1).all()
        assert trivial(group).size == 1

    def test_indices_and_names_are_distinct(self, group: FiniteGroup) -> None:
        assert irreps(group) == tuple(irrep(group, index) for index in range(len(irreps(group))))
        assert len({rho.name for rho in irreps(group)}) == len(irreps(group))

    def test_a_representation_is_the_sum_of_its_parts(self, group: FiniteGroup) -> None:
        for i, rho in enumerate(irreps(group)):
            assert multiplicities(rho + trivial(group))[i] == (2 if i == 0 else 1)


def test_every_product_of_two() -> None:
    every = TestEveryGroup()
    for group in PAIRS:
        every.test_schur_orthogonality_of_characters(group)
        every.test_schur_orthogonality_of_matrix_entries(group)
        every.test_what_commutes_is_a_copy_of_the_type(group)
        every.test_they_fill_the_regular_representation(group)


@pytest.mark.parametrize("group", PLANAR, ids=str)
class TestPlanarGroups:
    def test_sizes_and_types(self, group: PlanarGroup) -> None:
        n = group.rotations
        lines = (2 if n % 2 == 0 else 1) * (2 if group.reflections else 1)
        planes = (n - 1) // 2
        assert [rho.size for rho in irreps(group)] == [1] * lines + [2] * planes
        plane_type = "real" if group.reflections else "complex"
        assert [rho.type for rho in irreps(group)] == ["real"] * lines + [plane_type] * planes

    def test_closed_forms(self, group: PlanarGroup) -> None:
        n = group.rotations
        for rho in irreps(group):
            for g in range(group.order):
                f, r = group.split(g)
                if rho.name.startswith("E"):
                    angle = 2 * np.pi * int(rho.name[1:]) * r / n
                    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
                    expected = turn @ np.diag([1.0, (-1.0) ** f])
                else:
                    expected = {"A": 1, "A1": 1, "A2": (-1) ** f, "B": (-1) ** r, "B1": (-1) ** r}.get(
                        rho.name, (-1) ** (r + f)
                    )
                np.testing.assert_allclose(rho.matrix(g), np.reshape(expected, (rho.size, -1)), rtol=0, atol=1e-12)

    def test_the_first_plane_is_the_plane(self, group: PlanarGroup) -> None:
        planes = [rho for rho in irreps(group) if rho.name == "E1"]
        assert len(planes) == (group.rotations >= 3)
        for rho in planes:
            for g in range(group.order):
                np.testing.assert_allclose(rho.matrix(g), group.matrix(g), rtol=0, atol=1e-14)


def test_names() -> None:
    assert [rho.name for rho in irreps(cyclic(6))] == ["A", "B", "E1", "E2"]
    assert [rho.name for rho in irreps(dihedral(5))] == ["A1", "A2", "E1", "E2"]
    assert [rho.name for rho in irreps(direct_product(cyclic(3), cyclic(3)))] == [
        "AxA",
        "AxE1",
        "E1xA",
        "E1xE1",
        "E1xE1*",
    ]


def test_quarter_turns_are_exact() -> None:
    for group in (cyclic(4), dihedral(4), direct_product(cyclic(4), cyclic(4))):
        for rho in irreps(group):
            assert np.isin(rho.matrices, [-1.0, 0.0, 1.0]).all()


@pytest.mark.parametrize("n", range(1, 17))
def test_sign_is_the_determinant(n: int) -> None:
    group = dihedral(n)
    assert sign(group) == irreps(group)[1]
    determinants = [np.linalg.det(group.matrix(g)) for g in range(group.order)]
    np.testing.assert_allclose(sign(group).character, determinants, atol=1e-14)


@pytest.mark.parametrize("group", PRODUCTS, ids=str)
def test_products_restrict_to_their_factors(group: DirectProduct) -> None:
    """On either factor an irrep of the product is made of copies of one irrep of that factor, a different pair each."""
    seen = set()
    for rho in irreps(group):
        pair = []
        for factor, elements in (
            (group.left, [group.pair(g, 0) for g in range(group.left.order)]),
            (group.right, [group.pair(0, h) for h in range(group.right.order)]),
        ):
            counts = rho.character[elements] @ characters(factor).T
            (index,) = np.flatnonzero(counts.round(6))
            part = irreps(factor)[index]
            np.testing.assert_allclose(
                rho.character[elements], part.character * rho.size / part.size, rtol=0, atol=1e-12
            )
            pair.append(part)
        split = all(part.type == "complex" for part in pair)
        assert rho.size == prod(part.size for part in pair) // (2 if split else 1)
        assert rho.type == ("complex" if any(part.type == "complex" for part in pair) else "real")
        seen.add((*pair, rho.name.endswith("*")))
    assert len(seen) == len(irreps(group))


def test_two_complex_factors_give_sum_and_difference_of_angles() -> None:
    group = direct_product(cyclic(5), cyclic(7))
    by_name = {rho.name: rho for rho in irreps(group)}
    for g in range(group.order):
        a, b = group.split(g)
        for name, angle in (("E2xE3", 2 * a / 5 + 3 * b / 7), ("E2xE3*", 2 * a / 5 - 3 * b / 7)):
            assert by_name[name].character[g] == pytest.approx(2 * np.cos(2 * np.pi * angle))


@pytest.mark.parametrize("index", [-1, 5])
def test_wrong_index(index: int) -> None:
    with pytest.raises(
        GroupMismatchError, match=r"index=.* is not an irrep of D4: its 5 real irreps are numbered 0 to 4"
    ):
        irrep(dihedral(4), index)


@pytest.mark.parametrize("index", [0.0, "A1", None])
def test_wrong_type_of_index(index: object) -> None:
    with pytest.raises((GroupMismatchError, TypeCheckError), match=r"index=.* is not an irrep of D4|parameter 'index'"):
        irrep(dihedral(4), index)  # type: ignore[arg-type]


@pytest.mark.parametrize("group", [cyclic(4), direct_product(dihedral(4), cyclic(2))], ids=str)
def test_sign_needs_reflections(group: FiniteGroup) -> None:
    with pytest.raises(GroupMismatchError, match=r"group=.* has no reflections, so it has no sign representation"):
        sign(group)


@dataclass(frozen=True)
class Quaternions(FiniteGroup):
    """A group that the library does not know: 1, -1, i, -i, j, -j, k, -k."""

    @property
    def order(self) -> int:
        return 8

    @property
    def name(self) -> str:
        return "Q8"

    @property
    def generators(self) -> tuple[int, ...]:
        return (2, 4)

    def element_name(self, g: int) -> str:
        return ("e", "-e", "i", "-i", "j", "-j", "k", "-k")[g]

    def _product_table(self) -> np.ndarray:
        units = [[0, 2, 4, 6], [2, 1, 6, 5], [4, 7, 1, 2], [6, 4, 3, 1]]
        return np.array([[units[g // 2][h // 2] ^ (g % 2) ^ (h % 2) for h in range(8)] for g in range(8)])


def test_groups_of_other_kinds_have_no_table_yet() -> None:
    with pytest.raises(GroupMismatchError, match=r"the irreps of Quaternions\(\) are not known: they are for C_n, D_n"):
        irreps(Quaternions())
    assert regular(Quaternions()).character.tolist() == [8] + [0] * 7


@dataclass(frozen=True)
class Parity(Quaternions):
    """The group of 1 and -1, written without help from the library."""

    @property
    def order(self) -> int:
        return 2

    def _product_table(self) -> np.ndarray:
        return np.array([[0, 1], [1, 0]])


def test_a_new_class_of_group_can_bring_its_table() -> None:
    @irrep_table.register
    def _(group: Parity) -> tuple[IrrepEntry, ...]:
        return IrrepEntry("even", np.ones((2, 1, 1))), IrrepEntry("odd", np.array([1.0, -1.0]).reshape(2, 1, 1))

    assert [rho.name for rho in irreps(Parity())] == ["even", "odd"]
    assert multiplicities(regular(Parity())) == (1, 1)
    assert [rho.name for rho in irreps(direct_product(Parity(), cyclic(3)))] == ["evenxA", "evenxE1", "oddxA", "oddxE1"]
