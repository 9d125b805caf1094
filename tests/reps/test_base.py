"""What every representation promises, for every group of the catalogue."""

import pickle

import numpy as np
import pytest

from equivision import groups, reps
from equivision.errors import GroupMismatchError
from equivision.groups import FiniteGroup, cyclic, dihedral
from equivision.reps import Representation, irrep, irreps, multiplicities, quotient, regular, sign, trivial
from tests.groups._catalogue import GROUPS, PAIRS


def representations(group: FiniteGroup) -> list[Representation]:
    """All irreps, the regular one, the quotients by a few subgroups and two direct sums."""
    quotients = [quotient(subgroup) for subgroup in group.subgroups()[:: max(1, len(group.subgroups()) // 4)]]
    simple: list[Representation] = [*irreps(group), regular(group), *quotients]
    return [*simple, irreps(group)[-1] + quotients[-1] + trivial(group), trivial(group) + regular(group)]


CASES = [(group, representations(group)) for group in GROUPS]


@pytest.mark.parametrize(("group", "all_of"), CASES, ids=[str(group) for group in GROUPS])
class TestEveryRepresentation:
    def test_is_a_homomorphism(self, group: FiniteGroup, all_of: list[Representation]) -> None:
        for rho in all_of:
            assert rho.group == group
            assert rho.matrices.shape == (group.order, rho.size, rho.size)
            assert rho.matrices.dtype == np.float64
            for g in group.generators:  # with rho(e) = 1 this reaches every product
                products = rho.matrix(g) @ rho.matrices
                np.testing.assert_allclose(products, rho.matrices[group.table[g]], rtol=0, atol=1e-12)
            np.testing.assert_allclose(rho.matrix(group.identity), np.eye(rho.size), rtol=0, atol=1e-12)

    def test_is_orthogonal(self, group: FiniteGroup, all_of: list[Representation]) -> None:
        for rho in all_of:
            inverses = rho.matrices[group.inverses]
            np.testing.assert_allclose(rho.matrices.transpose(0, 2, 1), inverses, rtol=0, atol=1e-12)

    def test_character_is_the_trace_and_constant_on_classes(
        self, group: FiniteGroup, all_of: list[Representation]
    ) -> None:
        for rho in all_of:
            assert rho.character[0] == rho.size
            for members in group.conjugacy_classes():
                traces = [np.trace(rho.matrix(g)) for g in members]
                np.testing.assert_allclose(rho.character[list(members)], traces, rtol=0, atol=1e-12)
                assert np.ptp(traces) < 1e-12

    def test_sizes_of_the_parts_add_up(self, group: FiniteGroup, all_of: list[Representation]) -> None:
        for rho in all_of:
            sizes = [part.size for part in irreps(group)]
            assert np.dot(multiplicities(rho), sizes) == rho.size

    def test_permutations_move_coordinates_as_the_matrices_do(
        self, group: FiniteGroup, all_of: list[Representation]
    ) -> None:
        v = np.random.default_rng(0).normal(size=group.order + 9)
        for rho in all_of:
            if rho.is_permutation:
                for g in range(group.order):
                    moved = v[: rho.size][rho.permutation(g)]
                    np.testing.assert_array_equal(rho.matrix(g) @ v[: rho.size], moved)

    def test_is_a_value(self, group: FiniteGroup, all_of: list[Representation]) -> None:
        names = {**vars(groups), **vars(reps)}
        assert len(set(all_of)) == len({repr(rho) for rho in all_of})
        for rho in all_of:
            assert eval(repr(rho), names.copy()) == rho
            copy = pickle.loads(pickle.dumps(rho))
            assert copy == rho
            assert hash(copy) == hash(rho)
            assert len(pickle.dumps(rho)) < 1000  # parameters, not matrices

    def test_matrices_are_read_only_and_shared_by_equal_values(
        self, group: FiniteGroup, all_of: list[Representation]
    ) -> None:
        for rho in all_of:
            assert pickle.loads(pickle.dumps(rho)).matrices is rho.matrices
            with pytest.raises(ValueError, match="read-only"):
                rho.matrix(0)[0, 0] = 2
            with pytest.raises(AttributeError):
                rho.group = cyclic(1)  # type: ignore[misc]


def test_irreps_of_every_product_of_two() -> None:
    every = TestEveryRepresentation()
    for group in PAIRS:
        every.test_is_a_homomorphism(group, list(irreps(group)))
        every.test_is_orthogonal(group, list(irreps(group)))


def test_reprs() -> None:
    D4 = dihedral(4)
    assert repr(trivial(cyclic(4))) == "trivial(cyclic(4))"
    assert repr(sign(D4)) == "sign(dihedral(4))"
    assert repr(irrep(D4, 4)) == "irrep(dihedral(4), 4)"
    assert repr(regular(D4)) == "regular(dihedral(4))"
    assert repr(quotient(D4.subgroup([4]))) == "quotient(Subgroup(group=dihedral(4), elements=(0, 4)))"
    assert repr(regular(D4) + sign(D4)) == "regular(dihedral(4)) + sign(dihedral(4))"


def test_names() -> None:
    D4 = dihedral(4)
    assert (regular(D4) + sign(D4)).name == "regular + A2"
    assert quotient(D4.subgroup([4])).name == "D4/{e, m}"


class TestDirectSum:
    def test_is_block_diagonal(self) -> None:
        D4 = dihedral(4)
        total = irrep(D4, 4) + regular(D4)
        for g in range(8):
            np.testing.assert_array_equal(total.matrix(g)[:2, :2], irrep(D4, 4).matrix(g))
            np.testing.assert_array_equal(total.matrix(g)[2:, 2:], regular(D4).matrix(g))
            assert not total.matrix(g)[:2, 2:].any()
            assert not total.matrix(g)[2:, :2].any()

    def test_is_associative_and_ordered(self) -> None:
        a, b, c = trivial(cyclic(4)), regular(cyclic(4)), irrep(cyclic(4), 2)
        assert (a + b) + c == a + (b + c)
        assert a + b != b + a
        assert multiplicities(a + b) == multiplicities(b + a) == (2, 1, 1)

    def test_permutes_when_its_terms_do(self) -> None:
        D4 = dihedral(4)
        assert (regular(D4) + trivial(D4) + quotient(D4.subgroup([1]))).is_permutation
        assert not (regular(D4) + sign(D4)).is_permutation

    def test_needs_one_group(self) -> None:
        with pytest.raises(
            GroupMismatchError, match=r"cannot add regular\(cyclic\(2\)\) to a representation of C4: both"
        ):
            trivial(cyclic(4)) + regular(cyclic(2))

    def test_needs_representations(self) -> None:
        with pytest.raises(TypeError, match="unsupported operand"):
            trivial(cyclic(4)) + 1  # type: ignore[operator]


@pytest.mark.parametrize("rho", [sign(dihedral(4)), irrep(dihedral(4), 4), regular(cyclic(2)) + irrep(cyclic(2), 1)])
def test_only_permutations_have_index_arrays(rho: Representation) -> None:
    assert not rho.is_permutation
    with pytest.raises(GroupMismatchError, match=r"is not a permutation representation: .*use matrix\(g\) instead"):
        rho.permutation(1)


def test_trivial_is_a_permutation_too() -> None:
    assert trivial(dihedral(4)).is_permutation
    assert trivial(dihedral(4)).permutations.tolist() == [[0]] * 8


@pytest.mark.parametrize("method", ["matrix", "permutation"])
def test_methods_check_their_element(method: str) -> None:
    with pytest.raises(GroupMismatchError, match="element g=-1 is not in C4"):
        getattr(regular(cyclic(4)), method)(-1)
