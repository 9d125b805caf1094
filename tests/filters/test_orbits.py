"""Orbits of taps: their numbers, and the kernels that are constant on them."""

import numpy as np
import pytest

from equivision.errors import ConfigError, GroupMismatchError
from equivision.filters import grid_action, orbit_basis
from equivision.filters._orbits import _triangular
from equivision.groups import PlanarGroup, cyclic, dihedral

COUNTS = {
    cyclic(1): (9, 25, 49), cyclic(2): (5, 13, 25), cyclic(4): (3, 7, 13), dihedral(1): (6, 15, 28),
    dihedral(2): (4, 9, 16), dihedral(4): (3, 6, 10),
    cyclic(3): (3, 7, 13), cyclic(6): (2, 4, 7), dihedral(3): (3, 6, 10), dihedral(6): (2, 4, 6),
}  # fmt: skip


@pytest.mark.parametrize("group", COUNTS, ids=str)
@pytest.mark.parametrize(("i", "k"), [(0, 3), (1, 5), (2, 7)])
def test_numbers_of_orbits(group: PlanarGroup, i: int, k: int) -> None:
    basis = orbit_basis(group, (k, k))
    assert basis.shape == (COUNTS[group][i], k * k)
    assert np.linalg.matrix_rank(basis) == len(basis)
    assert basis[0].argmax() == k * k // 2


@pytest.mark.parametrize("k", [2, 3, 4, 5, 6, 7, 8])
def test_formula_for_d4(k: int) -> None:
    h = k // 2
    assert len(orbit_basis(dihedral(4), (k, k))) == ((h + 1) * (h + 2) // 2 if k % 2 else h * (h + 1) // 2)


@pytest.mark.parametrize("group", COUNTS, ids=str)
def test_kernels_are_invariant(group: PlanarGroup) -> None:
    """Under all elements that move the grid onto itself, so under those of C2, D2, ... inside the others."""
    kernels = orbit_basis(group, (5, 5)).reshape(-1, 5, 5)
    inside = group.grid_part
    for g in range(inside.order):
        np.testing.assert_allclose(grid_action(kernels, inside, g), kernels, rtol=0, atol=1e-15)
    if group.is_on_grid:
        np.testing.assert_array_equal(kernels.sum(0), 1)


@pytest.mark.parametrize("group", [cyclic(3), cyclic(6), dihedral(3), dihedral(6)], ids=str)
def test_triangular_kernels_are_read_off_an_invariant_function(group: PlanarGroup) -> None:
    """At any points of the plane, moved by any element, they have the same values; under quarter turns not."""
    points = np.random.default_rng(0).uniform(-2, 2, (50, 2))
    values = _triangular(group, (5, 5), points)
    for g in range(group.order):
        np.testing.assert_allclose(_triangular(group, (5, 5), points @ group.matrix(g).T), values, atol=1e-12)
    quarter = points @ np.array([[0, 1], [-1, 0]])
    assert np.abs(_triangular(group, (5, 5), quarter) - values).max() > 0.1
    inner = np.linalg.norm(points, axis=1) < np.sqrt(3)
    np.testing.assert_allclose(values[:, inner].sum(axis=0), 1, atol=1e-12)


def test_oblong_kernels() -> None:
    assert len(orbit_basis(dihedral(2), (3, 2))) == 2
    assert len(orbit_basis(cyclic(2), (1, 4))) == 2


@pytest.mark.usefixtures("unchecked_annotations")
def test_errors() -> None:
    with pytest.raises(GroupMismatchError, match="group=C5 holds rotations by 72 degrees, which no lattice has"):
        orbit_basis(cyclic(5), (3, 3))
    with pytest.raises(GroupMismatchError, match=r"kernel_size=\(3, 1\) is not square"):
        orbit_basis(cyclic(4), (3, 1))
    for size in ((4, 4), (3, 5)):
        with pytest.raises(ConfigError, match="the triangular lattice of D6 has a point in the centre, so that"):
            orbit_basis(dihedral(6), size)
