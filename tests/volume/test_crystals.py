"""What crystal symmetry leaves of harmonics and orientations."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from equivision.data import polycrystals
from equivision.errors import ConfigError, GroupMismatchError, ShapeError
from equivision.functional import relative_error
from equivision.groups import CRYSTAL_CLASSES, point_group
from equivision.volume import (
    boundary_disorientation,
    crystal_features,
    crystal_rep,
    disorientation,
    equivalent_orientations,
    multiplicity,
    spherical_harmonics,
    symmetrised_harmonics,
    texture_coefficients,
    texture_power,
    wigner_d,
)

KNOWN = {"432": [1, 0, 0, 0, 1, 0, 1, 0, 1, 1, 1, 0, 2], "622": [1, 0, 1, 0, 1, 0, 2, 1, 2]}
CLASSES = ["1", "m", "-4", "32", "-62m", "622", "-43m", "432", "m-3m"]


def rotations(count: int, seed: int = 0) -> Tensor:
    drawn = torch.randn(count, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    found = torch.linalg.qr(drawn).Q
    return found * torch.linalg.det(found)[:, None, None]


@pytest.mark.parametrize("name", KNOWN)
def test_ranks_are_the_known_multiplicities(name: str) -> None:
    group = point_group(name)
    for degree, count in enumerate(KNOWN[name]):
        projector = wigner_d(degree, torch.from_numpy(group.matrices.copy())).mean(0)
        assert int(torch.linalg.matrix_rank(projector, tol=1e-9)) == count == multiplicity(name, degree)
        basis = symmetrised_harmonics(name, degree)
        assert (basis @ basis.mT - projector).abs().max() < 1e-12


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("parity", [None, "g", "u"])
def test_bases_are_what_the_crystal_leaves_alone(name: str, parity: str | None) -> None:
    group = point_group(name)
    for degree in (0, 1, 2, 3, 6, 9):
        basis = symmetrised_harmonics(group, degree, parity)  # pyright: ignore[reportArgumentType]
        count = multiplicity(group, degree, parity)  # pyright: ignore[reportArgumentType]
        assert basis.shape == (2 * degree + 1, count)
        assert torch.allclose(basis.mT @ basis, torch.eye(count, dtype=torch.float64), atol=1e-12)
        if parity is None and count:
            points = torch.randn(5, 3, dtype=torch.float64)
            values = spherical_harmonics(degree, points) @ basis
            for matrix in torch.from_numpy(group.matrices.copy()):
                assert relative_error(spherical_harmonics(degree, points @ matrix.T) @ basis, values) < 1e-12


def test_one_harmonic_alone_is_not_left_alone() -> None:
    points, turn = torch.randn(5, 3, dtype=torch.float64), torch.from_numpy(point_group("432").matrix(7))
    one, other = (spherical_harmonics(4, at)[:, 0] for at in (points, points @ turn.T))
    assert relative_error(one, other) > 0.1


def test_harmonics_that_are_known_by_hand() -> None:
    points = torch.nn.functional.normalize(torch.randn(20, 3, dtype=torch.float64), dim=1)
    x, y, z = points.T
    for name, degree, known in (
        ("m-3m", 4, x**4 + y**4 + z**4 - 0.6),
        ("-43m", 3, x * y * z),
        ("622", 2, z**2 - 1 / 3),
    ):
        found = (spherical_harmonics(degree, points) @ symmetrised_harmonics(name, degree))[:, 0]
        assert (found / known - found[0] / known[0]).abs().max() < 1e-9


def test_parities() -> None:
    """Even: that of the rotations of the Laue class. Odd degrees vanish where there is an inversion."""
    rotations = {
        frozenset(map(_key, group.matrices)): group for group in map(point_group, CRYSTAL_CLASSES) if group.is_chiral
    }
    assert len(rotations) == 11
    for name in CRYSTAL_CLASSES:
        group = point_group(name)
        matrices = group.matrices * np.linalg.det(group.matrices).round()[:, None, None]
        laue = rotations[frozenset(map(_key, matrices))]
        centred = _key(-np.eye(3)) in map(_key, group.matrices)
        for degree in (1, 3, 4, 6):
            expected = multiplicity(laue, degree)
            assert multiplicity(group, degree, "g") == expected
            assert not centred or multiplicity(group, degree) == (0 if degree % 2 else expected)
            assert not group.is_chiral or multiplicity(group, degree, "u") == expected


def _key(matrix: np.ndarray) -> bytes:
    return (matrix.round(6) + 0.0).tobytes()


@pytest.mark.parametrize(("name", "degrees"), [("432", [4, 6, 9]), ("622", [2, 6, 7]), ("-43m", [4, 6]), ("1", [1])])
def test_features_do_not_know_the_name_of_an_orientation(name: str, degrees: list[int]) -> None:
    given = rotations(4)
    features = crystal_features(given, name, degrees)
    assert features.shape == (4, crystal_rep(name, degrees).size)
    same = crystal_features(equivalent_orientations(given, name), name, degrees)
    assert (same - features).abs().max() < 1e-12
    turn = rotations(1, seed=1)[0]  # and they turn with the sample
    matrix = torch.from_numpy(crystal_rep(name, degrees).matrix(turn.numpy()))
    assert (crystal_features(turn @ given, name, degrees) - features @ matrix.T).abs().max() < 1e-12
    assert relative_error(crystal_features(turn @ given, name, degrees), features) > 0.1


def test_raw_orientations_do() -> None:
    given = rotations(4)
    same = equivalent_orientations(given, "432")
    assert relative_error(same[0], given) < 1e-14
    assert relative_error(same[5], given) > 0.5
    assert relative_error(wigner_d(4, same[5]), wigner_d(4, given)) > 0.1


def test_forbidden_features_are_zero() -> None:
    every = equivalent_orientations(rotations(3), "432")
    for degree in range(1, 9):
        mean = wigner_d(degree, every).mean(0).abs().max()
        assert (mean < 1e-12) == (multiplicity("432", degree) == 0)


def test_textures() -> None:
    degrees = [0, 2, 4, 6]
    single = texture_coefficients(rotations(1).expand(7, 3, 3), "622", degrees)
    assert texture_power(single, "622", degrees).tolist() == pytest.approx([1, 1, 1, 1])
    none = texture_power(texture_coefficients(rotations(4000), "622", degrees), "622", degrees)
    assert none[0] == pytest.approx(1)
    assert none[1:].max() < 0.005
    given, weights = rotations(5), torch.rand(5, dtype=torch.float64)
    weighted = texture_coefficients(given, "622", degrees, weights)
    repeated = given.repeat_interleave((weights * 1000).round().long(), 0)
    assert relative_error(texture_coefficients(repeated, "622", degrees), weighted) < 1e-2
    turned = texture_coefficients(rotations(1, seed=3) @ given, "622", degrees, weights)
    assert relative_error(texture_power(turned, "622", degrees), texture_power(weighted, "622", degrees)) < 1e-12


def test_disorientation() -> None:
    """The least of all angles between any two names; at most 62.8 degrees for cubic, 93.8 for hexagonal crystals."""
    first, second = rotations(200), rotations(200, seed=1)
    for name, largest in (("432", 62.8), ("622", 93.85)):
        angles = disorientation(first, second, name)
        assert largest - 8 < float(angles.rad2deg().max()) < largest
        assert relative_error(disorientation(second, first, name), angles) < 1e-9
        ours, theirs = (equivalent_orientations(one[:5], name) for one in (first, second))
        traces = torch.einsum("hgij,kgij->hkg", ours, theirs)
        expected = ((traces.amax((0, 1)) - 1) / 2).acos()
        assert relative_error(angles[:5], expected) < 1e-9
        assert disorientation(first, equivalent_orientations(first, name)[-1], name).max() < 1e-6


def test_gradients_of_disorientation() -> None:
    """Right away from 0, and finite where orientations are equal or half a turn apart."""
    first, second = rotations(3), rotations(3, seed=1)
    axes = torch.zeros(3, 3, 3, dtype=torch.float64)
    for axis, (row, column) in enumerate(((2, 1), (0, 2), (1, 0))):
        axes[axis, row, column], axes[axis, column, row] = 1, -1

    def moved(vectors: Tensor) -> Tensor:
        return torch.linalg.matrix_exp(torch.einsum("gv,vij->gij", vectors, axes)) @ second

    still = torch.zeros(3, 3, dtype=torch.float64, requires_grad=True)
    for name in ("1", "622", "432"):
        assert torch.autograd.gradcheck(lambda v, name=name: disorientation(first, moved(v), name), (still,))
    angles = disorientation(first, moved(still), "1")
    (slope,) = torch.autograd.grad(angles.sum(), still)
    assert slope.norm(dim=1).tolist() == pytest.approx([1, 1, 1])  # turning about the axis changes it as much
    for other in (
        first,
        equivalent_orientations(first, "432")[7],
        first @ torch.diag(torch.tensor([-1.0, -1, 1])).to(first),
    ):
        for name in ("1", "432"):
            given = other.clone().requires_grad_()
            disorientation(first, given, name).sum().backward()
            assert given.grad is not None
            assert given.grad.isfinite().all()
    samples = polycrystals(2, size=4, grains=5)
    given = samples.orientations.clone().requires_grad_()
    boundary_disorientation(samples.grains, given, "432").sum().backward()
    assert given.grad is not None
    assert 0.01 < given.grad.abs().max() < 10


def test_small_disorientations_in_single_precision() -> None:
    turn = torch.tensor([[1.0, -1e-5, 0.0], [1e-5, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert float(disorientation(torch.eye(3), turn, "432")) == pytest.approx(1e-5)  # acos gives 0


def test_boundaries() -> None:
    """Counted face by face."""
    samples = polycrystals(2, size=4, grains=5)
    found = boundary_disorientation(samples.grains, samples.orientations, "432")
    for sample in range(2):
        grains, angles = samples.grains[sample], []
        for at in np.ndindex(4, 4, 4):
            for axis in range(3):
                other = list(at)
                other[axis] = (at[axis] + 1) % 4
                pair = int(grains[at]), int(grains[tuple(other)])
                if pair[0] != pair[1]:
                    one, two = (samples.orientations[sample, grain] for grain in pair)
                    angles.append(float(disorientation(one, two, "432")))
        assert float(found[sample]) == pytest.approx(sum(angles) / len(angles))
    whole = boundary_disorientation(torch.zeros(1, 2, 2, 2, dtype=torch.long), rotations(1)[None], "432")
    assert whole.tolist() == [0.0]


@pytest.mark.usefixtures("unchecked_annotations")
def test_errors() -> None:
    with pytest.raises(
        ConfigError, match=r"degrees=\[4, 5\]: the symmetry 432 forbids features of degree 5.*0, 4, 6, 8"
    ):
        crystal_features(torch.eye(3), "432", [4, 5])
    with pytest.raises(ConfigError, match=r"degrees=\[\]: give at least one degree"):
        crystal_rep("432", [])
    with pytest.raises(ConfigError, match="parity='odd'"):
        multiplicity("432", 3, "odd")  # pyright: ignore[reportArgumentType]
    with pytest.raises(GroupMismatchError, match="group='5' is not the name of a point group"):
        multiplicity("5", 3)
    with pytest.raises(ShapeError, match=r"weights have shape \(3,\): needs one for each grain, \(2,\)"):
        texture_coefficients(torch.eye(3).expand(2, 3, 3), "432", [4], torch.ones(3))
    with pytest.raises(ShapeError, match=r"coefficients have shape \(8,\): degrees \[4\] have 9"):
        texture_power(torch.ones(8), "432", [4])
    with pytest.raises(ConfigError, match=r"degrees=\[4, 5\]: the symmetry 432 forbids features of degree 5"):
        texture_power(torch.ones(9), "432", [4, 5])
    for function in (crystal_features, texture_coefficients, texture_power):
        with pytest.raises(ConfigError, match=r"degrees=4: give a list of degrees, such as \[4, 6\]"):
            function(torch.eye(3).expand(2, 3, 3), "432", 4)  # pyright: ignore[reportArgumentType]
    two = torch.eye(3).expand(3, 2, 3, 3)
    for bad in ([0.0, 0.0], [2.0, -1.0], [math.nan, 1.0], [math.inf, 1.0]):
        weights = torch.tensor([[1.0, 2.0], bad, [0.0, 1.0]])
        with pytest.raises(ConfigError, match="weights are volumes of grains: give none that is negative or NaN"):
            texture_coefficients(two, "432", [4], weights)
    for none in (two[:, :0], torch.eye(3)):
        with pytest.raises(ShapeError, match=r"orientations have shape .*: needs \[..., grain, 3, 3\], some grains"):
            texture_coefficients(none, "432", [4])
    with pytest.raises(ShapeError, match=r"first orientations have shape \(3,\): needs \[..., 3, 3\]"):
        disorientation(torch.ones(3), torch.eye(3), "432")


@pytest.mark.usefixtures("unchecked_annotations")
def test_what_is_no_orientation() -> None:
    eye = torch.eye(3)
    for wrong in (5 * eye, -eye, eye * math.nan):
        with pytest.raises(ShapeError, match="second orientations hold a matrix that is not a rotation"):
            disorientation(eye, wrong, "432")
        with pytest.raises(ShapeError, match="orientations hold a matrix that is not a rotation"):
            equivalent_orientations(wrong, "432")
    with pytest.raises(ShapeError, match=r"disorientation: input has dtype torch.int64"):
        disorientation(eye.long(), eye.long(), "432")
    with pytest.raises(ShapeError, match=r"first is torch.float32, second torch.float64: convert one of them"):
        disorientation(eye, eye.double(), "432")
    with pytest.raises(ShapeError, match=r"orientations have shape \(2, 2\): needs"):
        equivalent_orientations(torch.eye(2), "432")
    with pytest.raises(ShapeError, match="rotations are of type ndarray: give a tensor"):
        wigner_d(1, np.eye(3))  # pyright: ignore[reportArgumentType]
    grains, two = torch.zeros(1, 2, 2, 2, dtype=torch.long), rotations(2)[None]
    for number in (-1, 2):
        grains[0, 0, 0, 1] = number
        with pytest.raises(ShapeError, match=r"grains hold numbers from .* orientations of 2 grains in a sample"):
            boundary_disorientation(grains, two, "432")
    with pytest.raises(ShapeError, match=r"grains have shape \(2, 2, 2\), orientations \(1, 2, 3, 3\): needs"):
        boundary_disorientation(grains[0], two, "432")


def test_character_at_half_a_turn() -> None:
    """``sin((l + 1/2) w) / sin(w / 2)`` at w = 0 and w = pi, where a formula may stumble."""
    assert [multiplicity("2", degree) for degree in range(4)] == [1, 1, 3, 3]
    assert math.isclose(float(wigner_d(3, torch.diag(torch.tensor([1.0, -1.0, -1.0]))).trace()), -1, abs_tol=1e-6)
