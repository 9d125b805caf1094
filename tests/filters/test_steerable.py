"""Bases of steerable kernels: the constraint, completeness, independence."""

from itertools import product

import numpy as np
import pytest

from equivision.errors import ConfigError, GroupMismatchError
from equivision.filters import grid_action, kernel_basis, kernel_plan, sampling_matrices
from equivision.filters._harmonics import harmonics
from equivision.groups import PlanarGroup, cyclic, dihedral, parse_plane
from equivision.reps import change_basis, irreps, line_of, parse, regular
from tests.oracle._kernels import constraint_residual, grid_kernels

ON_GRID = ["C1", "C2", "C4", "D1", "D2", "D4"]
TEXTS = {
    "C6": ["regular + B", "A + 2 E1 + E2"],
    "C8": ["regular", "A + E1 + E3 + B"],
    "D6": ["regular", "A2 + B1 + B2 + E2"],
    "D8": ["regular + A2", "E1 + E1 * E3"],
    "SO2": ["A + E1 + E3", "band2"],
    "O2": ["A1 + A2 + E2", "band1 + E3"],
}


def irreps_of(name: str) -> list:
    group = parse_plane(name)
    return (
        list(irreps(group))
        if isinstance(group, PlanarGroup)
        else [parse(t, group) for t in ("E1", "E2", "E4")]
        + [parse(t, group) for t in (("A1", "A2") if group.reflections else ("A",))]
    )


@pytest.mark.parametrize("name", [*ON_GRID, "C3", "C5", "C8", "D3", "D8", "SO2", "O2"])
def test_the_constraint_between_irreps_at_any_angle(name: str) -> None:
    """At random angles, for every element: what is solved in closed form holds before anything is sampled on a grid."""
    group, random = parse_plane(name), np.random.default_rng(0)
    phi = random.uniform(0, 2 * np.pi, 7)
    if isinstance(group, PlanarGroup):
        moves = [(g, group.split(g)[0], group.degrees(g)) for g in range(group.order)]
    else:
        moves = [((f, a), f, a) for f in (0, 1)[: 1 + group.reflections] for a in random.uniform(0, 360, 5)]
    for into, out in product(irreps_of(name), repeat=2):
        for kernel in harmonics(line_of(into), line_of(out), group, 6):
            for g, flips, degrees in moves:
                there = (-phi if flips else phi) + np.deg2rad(degrees)
                assert constraint_residual(kernel.at(phi), kernel.at(there), into.matrix(g), out.matrix(g)) < 1e-12


@pytest.mark.parametrize("name", [*ON_GRID, "C3", "C8", "D3", "D8", "SO2", "O2"])
def test_no_kernel_on_the_circle_is_missing_or_there_twice(name: str) -> None:
    """As many as a projection onto the invariants has, counted by an average over a fine finite group."""
    group, highest = parse_plane(name), 4
    fine = group if isinstance(group, PlanarGroup) else group.finite(4 * 11)
    for into, out in product(irreps_of(name), repeat=2):
        found = harmonics(line_of(into), line_of(out), group, highest)
        count = 0.0
        for g in range(fine.order):
            flips, degrees = fine.split(g)[0], fine.degrees(g)
            element = g if fine is group else (flips, degrees)
            # the circular functions up to the highest frequency move by a matrix with this trace
            waves = sum(2 * np.cos(m * np.deg2rad(degrees)) for m in range(1, highest + 1))
            functions = 1.0 if flips else 1 + waves
            count += np.trace(into.matrix(element)) * np.trace(out.matrix(element)) * functions
        assert len(found) == round(float(count) / fine.order)
        phi = np.linspace(0, 2 * np.pi, 50)
        values = np.array([kernel.at(phi).reshape(-1) for kernel in found])
        assert not found or np.linalg.matrix_rank(values) == len(found)


@pytest.mark.parametrize("profile", ["gaussian", "bspline"])
@pytest.mark.parametrize("name", list(TEXTS))
def test_sampled_kernels_move_exactly_on_the_grid(name: str, profile: str) -> None:
    group, D4 = parse_plane(name), dihedral(4)
    reps = [parse(text, group) for text in TEXTS[name]]
    for (into, out), size in product(product(reps, repeat=2), (2, 3)):
        basis = kernel_basis(into, out, size, profile=profile)  # pyright: ignore[reportArgumentType]
        norms = (basis**2).sum((1, 2, 3, 4))
        assert norms.max() <= out.size + 1e-9
        for flips, turns in ((0, 1), (0, 2), (1, 0), (1, 3)):
            if flips and not group.reflections:
                continue
            if isinstance(group, PlanarGroup):
                if turns * group.rotations % 4:
                    continue
                g = group.element(flips, turns * group.rotations // 4)
            else:
                g = (flips, 90.0 * turns)
            moved = grid_action(basis, D4, D4.element(flips, turns))  # at p: the kernel at g^-1 p
            expected = np.einsum("oa,naixy,ij->nojxy", out.matrix(g).T, basis, into.matrix(g), optimize=True)
            np.testing.assert_allclose(moved, expected, atol=1e-10)


@pytest.mark.parametrize("name", ON_GRID)
def test_pixels_give_every_kernel_of_a_grid_group(name: str) -> None:
    group = parse_plane(name)
    reps = [regular(group), *irreps(group)]  # pyright: ignore[reportArgumentType]
    for (into, out), size in product(product(reps, repeat=2), (1, 2, 3)):
        basis = kernel_basis(into, out, size, profile="pixels")
        assert len(basis) == grid_kernels(into, out, size)
        assert not len(basis) or np.linalg.matrix_rank(basis.reshape(len(basis), -1), tol=1e-6) == len(basis)


@pytest.mark.parametrize("group", [cyclic(4), cyclic(5), cyclic(8), dihedral(4), dihedral(6)], ids=str)
def test_regular_kernels_as_a_group_convolution_are_those_between_irreps(group: PlanarGroup) -> None:
    rho = regular(group)
    same = change_basis(rho, np.eye(rho.size))  # which takes the way through the irreps
    for size in (1, 2, 3):
        ours, theirs = kernel_basis(rho, rho, size), kernel_basis(same, same, size)
        both = np.concatenate([ours, theirs]).reshape(len(ours) + len(theirs), -1)
        assert np.linalg.matrix_rank(both, tol=1e-8) == len(ours) == len(theirs)


def test_numbers_of_kernels() -> None:
    """8 of 9 degrees of freedom for 3x3 filters; every other basis of the field has them, too."""
    assert [len(kernel_basis(regular(cyclic(n)), regular(cyclic(n)), 3)) for n in (4, 8)] == [8 * 4, 8 * 8]


def test_steerable_sampling_is_the_same_basis() -> None:
    group = dihedral(8)
    moved = sampling_matrices(group, 5, mode="steerable")
    assert moved.shape == (16, 25, 21)
    np.testing.assert_allclose((moved**2).sum(1).mean(0), 1.0)
    splines = sampling_matrices(group, 5, mode="bspline")
    inner = splines[0].reshape(25, 5, 5)[:, 2, 2]
    assert splines.shape == (16, 25, 25)
    assert inner.sum() == pytest.approx(1.0)  # a partition of unity


@pytest.mark.usefixtures("unchecked_annotations")
def test_errors() -> None:
    a, b = regular(cyclic(4)), regular(cyclic(8))
    with pytest.raises(GroupMismatchError, match="in_rep represents C4 and out_rep C8"):
        kernel_basis(a, b, 3)
    kernel_plan(a, a, 3)
    with pytest.raises(ConfigError, match=r"kernel_size=3\.0"):  # which a cache takes for the 3 before
        kernel_plan(a, a, 3.0)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="cutoff=inf"):
        kernel_basis(a, a, 3, cutoff=float("inf"))
    with pytest.raises(ConfigError, match="kernel_size=0"):
        kernel_basis(a, a, 0)
    with pytest.raises(ConfigError, match="profile='box' is not known"):
        kernel_basis(a, a, 3, profile="box")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigError, match="cutoff=-1"):
        kernel_basis(a, a, 3, cutoff=-1)
    with pytest.raises(ConfigError, match="steerable kernels keep their norm"):
        sampling_matrices(cyclic(8), 3, mode="steerable", mask="disk")
