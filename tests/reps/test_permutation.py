import numpy as np
import pytest

from equivision.groups import FiniteGroup, dihedral
from equivision.reps import multiplicities, quotient, regular, trivial
from tests.groups._catalogue import GROUPS


@pytest.mark.parametrize("group", GROUPS, ids=str)
class TestRegular:
    def test_moves_basis_vectors_and_functions(self, group: FiniteGroup) -> None:
        basis = np.eye(group.order)
        for g in range(group.order):
            np.testing.assert_array_equal(regular(group).matrix(g).T, basis[group.table[g]])  # column h is e_gh
            expected = [group.product(group.inverse(g), h) for h in range(group.order)]
            assert regular(group).permutation(g).tolist() == expected

    def test_character_vanishes_off_the_identity(self, group: FiniteGroup) -> None:
        assert regular(group).character.tolist() == [group.order] + [0] * (group.order - 1)


@pytest.mark.parametrize("group", [group for group in GROUPS if len(group.subgroups()) < 60], ids=str)
class TestQuotient:
    def test_moves_cosets(self, group: FiniteGroup) -> None:
        for subgroup in group.subgroups():
            cosets = [set(coset) for coset in subgroup.left_cosets()]
            rho = quotient(subgroup)
            assert rho.size == len(cosets) == subgroup.index
            for g in group.generators:
                for i, coset in enumerate(cosets):
                    moved = cosets.index({group.product(g, h) for h in coset})
                    np.testing.assert_array_equal(rho.matrix(g)[:, i], np.eye(rho.size)[moved])

    def test_reads_constant_functions_of_the_regular_representation(self, group: FiniteGroup) -> None:
        """Functions on G/H are the functions on G that are constant on every gH, and move like them."""
        for subgroup in group.subgroups():
            coset_of = np.empty(group.order, dtype=int)
            for i, coset in enumerate(subgroup.left_cosets()):
                coset_of[list(coset)] = i
            values = np.random.default_rng(0).normal(size=subgroup.index)
            for g in group.generators:
                moved_upstairs = values[coset_of][regular(group).permutation(g)]
                np.testing.assert_array_equal(moved_upstairs, values[quotient(subgroup).permutation(g)][coset_of])

    def test_holds_the_trivial_representation_once(self, group: FiniteGroup) -> None:
        for subgroup in group.subgroups():
            assert multiplicities(quotient(subgroup))[0] == 1

    def test_kernel_holds_exactly_the_normal_core(self, group: FiniteGroup) -> None:
        for subgroup in group.subgroups():
            rho = quotient(subgroup)
            fixing = {g for g in range(group.order) if (rho.permutation(g) == np.arange(rho.size)).all()}
            core = set(subgroup.elements)
            for k in range(group.order):
                core &= set(group.table[group.table[k, list(subgroup.elements)], group.inverse(k)].tolist())
            assert fixing == core

    def test_extremes(self, group: FiniteGroup) -> None:
        by_identity, by_all = quotient(group.subgroup([])), quotient(group.subgroup(range(group.order)))
        np.testing.assert_array_equal(by_identity.matrices, regular(group).matrices)
        np.testing.assert_array_equal(by_all.matrices, trivial(group).matrices)


def test_quotient_keeps_its_subgroup() -> None:
    flips = dihedral(4).subgroup([4])
    assert quotient(flips).subgroup == flips  # type: ignore[attr-defined]
    assert quotient(flips) != quotient(dihedral(4).subgroup([5]))
