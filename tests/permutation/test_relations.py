"""The matrices that commute with a permutation group: all of them, and no more."""

import numpy as np
import pytest

from equivision.groups import permutation_group, symmetric
from equivision.permutation import mean_matrices
from equivision.permutation._relations import mixing
from tests.groups.test_permutation import KNOWN


@pytest.mark.parametrize("name", KNOWN)
def test_they_are_a_basis_of_all_that_commute(name: str) -> None:
    """The dimension is that of the null space of ``rho(g) W - W rho(g)`` over every element."""
    group, _, count = KNOWN[name]
    basis, n = mean_matrices(group), group.degree
    assert basis.shape == (count, n, n)
    equations = np.zeros((n * n, n * n))
    for g in group.elements():
        rho = np.eye(n)[:, list(g)]  # sends e_i to e_g[i]
        assert all(rho[g[i], i] == 1 for i in range(n))
        np.testing.assert_array_equal(rho @ basis, basis @ rho)
        commutes = np.kron(rho, np.eye(n)) - np.kron(np.eye(n), rho.T)
        equations += commutes.T @ commutes
    assert (np.linalg.eigvalsh(equations) < 1e-9).sum() == count
    assert np.linalg.matrix_rank(basis.reshape(count, -1)) == count
    sums = basis.sum(axis=2)
    assert np.allclose(sums, 0) | np.allclose(sums[sums > 0], 1)
    assert (basis >= 0).all()


def test_random_groups() -> None:
    rng = np.random.default_rng(0)
    counts = set()
    for _ in range(60):
        n = int(rng.integers(2, 8))
        moved = rng.permutation(n)[: rng.integers(2, n + 1)]
        generators = []
        for _ in range(rng.integers(1, 3)):
            p = np.arange(n)
            p[moved] = rng.permutation(moved)
            generators.append(tuple(p.tolist()))
        group = permutation_group(*generators)
        basis = mean_matrices(group)
        counts.add(len(basis))
        assert np.linalg.matrix_rank(basis.reshape(len(basis), -1)) == len(basis) == group.pair_orbits.max() + 1
        for g in generators:
            np.testing.assert_array_equal(basis[:, g][:, :, g], basis)
    assert len(counts) > 10


def test_means_are_nested_where_blocks_are() -> None:
    own, everyone = mean_matrices(symmetric(4))
    np.testing.assert_array_equal(own, np.eye(4))
    np.testing.assert_array_equal(everyone, np.full((4, 4), 0.25))
    _, block, everyone = mean_matrices(KNOWN["S3wrS2"][0])
    np.testing.assert_allclose(block, np.kron(np.eye(2), np.full((3, 3), 1 / 3)))
    np.testing.assert_allclose(everyone, np.full((6, 6), 1 / 6))
    ring = mean_matrices(KNOWN["ring"][0])  # neighbours and others: no blocks
    np.testing.assert_allclose(ring[1, 0], [0, 0.5, 0, 0, 0.5])
    np.testing.assert_allclose(ring[2, 0], [0, 0, 0.5, 0.5, 0])


@pytest.mark.parametrize(
    ("name", "products"), [("S5", 6), ("S3wrS2", 9), ("S2wrS2wrS2", 15), ("S1xS4", 6), ("C6", 6 + 3), ("ring", 5)]
)
def test_every_mean_is_mapped_once(name: str, products: int) -> None:
    """Images that are convolved, with all relations of a level at once: n + 1 for S_n, never n squared."""
    found, _, _ = mixing(KNOWN[name][0])
    assert sum(level.count for levels in found.parts for level in levels) == products
