"""Products, restriction, induction and changes of basis, for every group and pair of groups of the catalogue."""

import pickle
from itertools import product

import numpy as np
import pytest

from equivision.errors import ConfigError, GroupMismatchError, ShapeError
from equivision.groups import (
    FiniteGroup,
    Homomorphism,
    PlanarGroup,
    cyclic,
    dihedral,
    direct_product,
    homomorphisms,
    inclusion,
)
from equivision.reps import (
    Representation,
    change_basis,
    decompose,
    fourier_matrix,
    induced,
    irrep,
    irreps,
    multiplicities,
    parse,
    quotient,
    regular,
    restricted,
    sign,
    trivial,
)
from tests.groups._catalogue import GROUPS

PAIRS = [
    (a, b)
    for a, b in product([cyclic(n) for n in range(1, 9)] + [dihedral(n) for n in range(1, 9)], repeat=2)
    if b.rotations % a.rotations == 0 and a.reflections <= b.reflections and a != b
]


def assert_orthogonal_homomorphism(rho: Representation) -> None:
    table = rho.group.table  # pyright: ignore[reportAttributeAccessIssue]
    products = np.einsum("gij,hjk->ghik", rho.matrices, rho.matrices)
    np.testing.assert_allclose(products, rho.matrices[table], rtol=0, atol=1e-12)
    eye = np.broadcast_to(np.eye(rho.size), rho.matrices.shape)
    np.testing.assert_allclose(rho.matrices @ rho.matrices.transpose(0, 2, 1), eye, rtol=0, atol=1e-12)


def overlap(a: Representation, b: Representation) -> float:
    """Dimension of the space of intertwiners."""
    return float(a.character @ b.character) / a.group.order


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_tensor_products(group: FiniteGroup) -> None:
    last = irreps(group)[-1]
    for other in irreps(group)[:4]:
        both = last * other
        assert_orthogonal_homomorphism(both)
        np.testing.assert_allclose(both.character, last.character * other.character, rtol=0, atol=1e-12)
    assert (trivial(group) * regular(group)).is_permutation
    np.testing.assert_allclose((trivial(group) * last).matrices, last.matrices, rtol=0, atol=1e-12)


def test_a_tensor_product_by_hand() -> None:
    a, b = irrep(dihedral(4), 4), regular(dihedral(4))
    for g in range(8):
        np.testing.assert_array_equal((a * b).matrix(g), np.kron(a.matrix(g), b.matrix(g)))


@pytest.mark.parametrize(("small", "large"), PAIRS, ids=str)
def test_induction_and_restriction(small: PlanarGroup, large: PlanarGroup) -> None:
    """Both are representations, and adjoint to one another (Frobenius)."""
    for part in irreps(small):
        up = induced(part, large)
        assert up.size == part.size * large.order // small.order
        assert_orthogonal_homomorphism(up)
        for whole in irreps(large):
            assert overlap(up, whole) == pytest.approx(overlap(part, restricted(whole, small)), abs=1e-9)
    assert_orthogonal_homomorphism(restricted(irreps(large)[-1], small))


@pytest.mark.parametrize(("small", "large"), PAIRS, ids=str)
def test_what_is_induced_from_the_trivial_and_the_regular_representation(
    small: PlanarGroup, large: PlanarGroup
) -> None:
    subgroup = inclusion(small, large).image()
    np.testing.assert_array_equal(induced(trivial(small), large).matrices, quotient(subgroup).matrices)
    assert induced(trivial(small), large).is_permutation
    assert multiplicities(induced(regular(small), large)) == multiplicities(regular(large))


def test_along_other_homomorphisms() -> None:
    """Another mirror of D4 than the one that inclusion takes; and a map that is not injective."""
    group = dihedral(4)
    for along in homomorphisms(dihedral(1), group):
        assert_orthogonal_homomorphism(restricted(irrep(group, 4), along))
        if along.is_injective:
            assert_orthogonal_homomorphism(induced(sign(dihedral(1)), along))
    doubling = Homomorphism(cyclic(4), cyclic(4), (0, 2, 0, 2))
    assert restricted(irrep(cyclic(4), 1), doubling).character.tolist() == [1, 1, 1, 1]
    with pytest.raises(GroupMismatchError, match="an injective homomorphism from C4 is needed"):
        induced(trivial(cyclic(4)), doubling)


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_decomposition(group: FiniteGroup) -> None:
    whole = regular(group) + irreps(group)[-1] + trivial(group)
    mixing = np.linalg.qr(np.random.default_rng(1).normal(size=(whole.size, whole.size)))[0]
    for rho in (whole, change_basis(whole, mixing)):
        parts, basis = decompose(rho)
        assert parts.size == rho.size
        assert parse(parts.name, parts.group) == parts
        assert multiplicities(parts) == multiplicities(rho)
        np.testing.assert_allclose(basis @ basis.T, np.eye(rho.size), rtol=0, atol=1e-10)
        np.testing.assert_allclose(basis @ rho.matrices @ basis.T, parts.matrices, rtol=0, atol=1e-10)


def test_a_change_of_basis() -> None:
    group = dihedral(3)
    rho = change_basis(regular(group), fourier_matrix(group))
    assert_orthogonal_homomorphism(rho)
    assert not rho.is_permutation
    assert rho == pickle.loads(pickle.dumps(rho))
    wrong: list[object] = [np.eye(5), 2 * np.eye(6), np.zeros((6, 6))]
    for basis in wrong:
        with pytest.raises(ShapeError, match=r"basis has shape .* needs an orthogonal matrix of shape \(6, 6\)"):
            change_basis(regular(group), basis)  # type: ignore[arg-type]


def test_copies() -> None:
    rho = irrep(dihedral(4), 4)
    assert 3 * rho == rho + rho + rho
    assert 1 * rho is rho
    assert 2 * (rho + trivial(rho.group)) == rho + trivial(rho.group) + rho + trivial(rho.group)
    with pytest.raises(ConfigError, match=r"0 \* irrep.*: the number of copies must be at least 1"):
        _ = 0 * rho
    with pytest.raises(TypeError):
        _ = 1.5 * rho  # type: ignore[operator]


def test_values() -> None:
    """Equal, hashable, picklable, built again by their repr."""
    import equivision.groups as groups
    import equivision.reps as reps

    C2, D1, D4 = cyclic(2), dihedral(1), dihedral(4)
    other = next(f for f in homomorphisms(D1, D4) if f.images == (0, 5))
    for rho in (
        3 * regular(D4) + trivial(D4),
        regular(D4) * (trivial(D4) + irrep(D4, 4)) * irrep(D4, 4),
        2 * (irrep(D4, 4) * irrep(D4, 4)),
        irrep(D4, 4) * (irrep(D4, 4) * irrep(D4, 4)),
        induced(irrep(C2, 1), D4),
        induced(sign(D1), other),
        restricted(irrep(dihedral(8), 6), D4),
        change_basis(irrep(D4, 4), [[0.0, 1.0], [1.0, 0.0]]),
    ):
        assert eval(repr(rho), {**vars(groups), **vars(reps)}) == rho
        assert pickle.loads(pickle.dumps(rho)) == rho
        assert hash(rho) == hash(pickle.loads(pickle.dumps(rho)))


def test_mistakes() -> None:
    with pytest.raises(GroupMismatchError, match=r"cannot multiply .*: both must represent the same group"):
        _ = regular(cyclic(2)) * regular(cyclic(4))
    with pytest.raises(GroupMismatchError, match="subgroup=C3 is not contained in C4"):
        restricted(regular(cyclic(4)), cyclic(3))
    with pytest.raises(GroupMismatchError, match=r"ends in C4; .* is one of C8"):
        restricted(regular(cyclic(8)), inclusion(cyclic(2), cyclic(4)))
    pair = direct_product(cyclic(2), cyclic(2))
    with pytest.raises(GroupMismatchError, match=r"C2xC2 does not act on the plane.*give a Homomorphism"):
        restricted(regular(pair), cyclic(2))
