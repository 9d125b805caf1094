"""Functions that can be drawn at any scale."""

import math
import pickle

import numpy as np
import pytest

from equivision.errors import ConfigError
from equivision.filters import HermiteBasis, LogPolarBasis, ScaleBasis, discrete_gaussian, grid_action, scale_windows
from equivision.groups import dihedral

BASES = [HermiteBasis(), HermiteBasis(2, (1.0, 0.5), 9), HermiteBasis.type_b(49), LogPolarBasis(), LogPolarBasis(3)]


@pytest.mark.parametrize("basis", BASES, ids=repr)
def test_functions_are_float64_of_norm_1_at_the_smallest_scale_and_built_once(basis: ScaleBasis) -> None:
    drawn = basis.sample(13, [3.0, 4.2, 6.0])
    assert drawn.dtype == np.float64
    assert drawn.shape[1:] == (3, 13, 13)
    np.testing.assert_allclose(np.linalg.norm(drawn[:, 0].reshape(len(drawn), -1), axis=1), 1, rtol=1e-12)
    assert basis.sample(13, (3.0, 4.2, 6.0)) is drawn
    with pytest.raises(ValueError, match="read-only"):
        drawn[0, 0, 0, 0] = 1.0


@pytest.mark.parametrize("basis", BASES, ids=repr)
def test_a_basis_is_a_value(basis: ScaleBasis) -> None:
    copy = pickle.loads(pickle.dumps(basis))
    assert copy == basis == eval(repr(basis))
    assert hash(copy) == hash(basis)


def test_hermite_functions_are_those_of_the_formula() -> None:
    """He_0 = 1, He_1 = x, He_2 = x^2 - 1, y up, divided by the squared scale and by the norm at the smallest."""
    scales, order = (1.0, 2.0), [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0)]
    drawn = HermiteBasis(2).sample(13, scales)
    polynomials = (lambda x: 1.0, lambda x: x, lambda x: x**2 - 1)
    for f, (i, j) in enumerate(order):
        slow = np.zeros((2, 13, 13))
        for s, scale in enumerate(scales):
            for row in range(13):
                for column in range(13):
                    x, y = column - 6, 6 - row
                    if max(abs(x), abs(y)) <= 6 * scale / 2:
                        bell = math.exp(-(x**2 + y**2) / (2 * scale**2)) / scale**2
                        slow[s, row, column] = polynomials[i](x / scale) * polynomials[j](y / scale) * bell
        np.testing.assert_allclose(drawn[f], slow / np.linalg.norm(slow[0]), rtol=0, atol=1e-14)


@pytest.mark.parametrize("basis", [HermiteBasis(), LogPolarBasis()], ids=repr)
def test_functions_at_twice_the_scale_are_the_same_at_twice_the_place(basis: ScaleBasis) -> None:
    """Exactly so for functions that are sampled at points."""
    drawn = basis.sample(41, (5.0, 10.0))
    every_second = drawn[:, 1, ::2, ::2]
    inner = drawn[:, 0, 10:31, 10:31]
    error = np.linalg.norm(4 * every_second - inner) / np.linalg.norm(inner)
    assert error < (1e-12 if basis.points == 1 else 0.25)


@pytest.mark.parametrize("basis", BASES, ids=repr)
def test_what_the_grid_has_moves_taps_and_the_rest_is_drawn(basis: ScaleBasis) -> None:
    group, scales = dihedral(8), (2.0, 3.0)
    drawn = basis.sample(11, scales, group).reshape(-1, 2, 16, 11, 11)
    np.testing.assert_array_equal(drawn[:, :, 0], basis.sample(11, scales))
    for k in (group.element(f, 2 * r) for f in range(2) for r in range(4)):
        for g in range(16):
            moved = grid_action(drawn[:, :, g], dihedral(4), dihedral(4).element(k // 8, k % 8 // 2))
            np.testing.assert_allclose(drawn[:, :, group.product(k, g)], moved, rtol=0, atol=1e-12)
    assert min(np.abs(drawn[:, :, 1] - drawn[:, :, g]).max() for g in (0, 2, 3)) > 0.1


def test_a_function_that_vanishes_at_the_smallest_scale_has_norm_1_at_the_largest() -> None:
    drawn = HermiteBasis(1).sample(3, (1.0, 2.0))
    assert not drawn[1:, 0].any()
    np.testing.assert_allclose(np.linalg.norm(drawn[1:, 1].reshape(2, -1), axis=1), 1, rtol=1e-12)
    assert np.isfinite(LogPolarBasis().sample(1, (1.0,))).all()


def test_log_polar_functions_are_steered_by_scale() -> None:
    """Enlarging by s turns the coefficients of cosine and sine by k log s: where the rings overlap, and 1/s of it."""
    basis, s = LogPolarBasis(), 1.5
    radius, phi = np.linspace(1.0, 1.9, 7), np.linspace(0.1, 3.0, 7)
    x, y = radius * np.cos(phi), radius * np.sin(phi)
    plain, enlarged = basis.values(x, y, 2.0), basis.values(x / s, y / s, 2.0)
    for f, k in enumerate(np.tile(basis.frequencies, basis.num_angles)):
        cosine, sine = plain[2 * f : 2 * f + 2]
        turned = math.cos(k * math.log(s)) * cosine + math.sin(k * math.log(s)) * sine
        np.testing.assert_allclose(enlarged[2 * f], s * turned, rtol=0, atol=1e-13)
    assert np.abs(plain).max() > 0.1


def test_type_b_has_as_many_widths_as_it_needs() -> None:
    basis = HermiteBasis.type_b(49, mult=2.0)
    assert basis.widths == (1.0, 0.5, 0.25, 0.125)
    assert len(basis.sample(7, (1.0,))) == 49
    assert HermiteBasis.type_b(3).widths == (1.0,)


def test_windows_grow_with_the_scale() -> None:
    assert scale_windows(13, [1.5 * 3 ** (i / 2) for i in range(3)]) == (5, 7, 13)
    assert scale_windows(13, (5.0, 7.0, 9.0, 11.0, 13.0)) == (5, 7, 9, 11, 13)
    drawn = HermiteBasis().sample(13, (1.5, 4.5))
    assert np.count_nonzero(drawn[0, 0]) == 25


@pytest.mark.parametrize("variance", [0.0, 0.1875, 0.9375, 4.0, 40.0])
def test_discrete_gaussian(variance: float) -> None:
    taps = discrete_gaussian(variance)
    places = np.arange(len(taps)) - len(taps) // 2
    assert taps.sum() == pytest.approx(1, abs=1e-14)
    assert np.array_equal(taps, taps[::-1])
    assert taps @ places**2 == pytest.approx(variance, abs=1e-6)


def test_discrete_gaussians_are_a_semigroup() -> None:
    twice, once = np.convolve(discrete_gaussian(0.5), discrete_gaussian(1.3)), discrete_gaussian(1.8)
    border = (len(twice) - len(once)) // 2
    np.testing.assert_allclose(twice[border : len(twice) - border], once, rtol=0, atol=1e-8)


def test_errors() -> None:
    for make, message in (
        (lambda: HermiteBasis(-1), "order=-1: give a whole number of at least 0"),
        (lambda: HermiteBasis(widths=()), r"widths=\(\): give positive numbers"),
        (lambda: HermiteBasis(1, num_functions=4), "num_functions=4: give a whole number from 1 to 3"),
        (lambda: HermiteBasis.type_b(9, mult=1.0), "mult=1.0: give a number of more than 1"),
        (lambda: LogPolarBasis(0), "num_angles=0: give a whole number of at least 1"),
        (lambda: LogPolarBasis(sigma=0.0), "sigma=0.0: give a positive number of radians"),
        (lambda: LogPolarBasis(frequencies=(0.0,)), r"frequencies=\(0.0,\): give positive numbers"),
        (lambda: LogPolarBasis(hole=1.0), "hole=1.0: give a share of the radius, between 0 and 1"),
        (lambda: HermiteBasis().sample(4, (1.0,)), "kernel_size=4: give an odd whole number"),
        (lambda: HermiteBasis().sample(5, (2.0, 1.0)), r"scales=\(2.0, 1.0\): give positive numbers in ascending"),
        (lambda: scale_windows(5, ()), r"scales=\(\): give positive numbers in ascending order"),
        (lambda: discrete_gaussian(-1.0), "variance=-1.0: give a number of at least 0"),
    ):
        with pytest.raises(ConfigError, match=message):
            make()
    with pytest.raises(NotImplementedError):
        ScaleBasis().values(np.zeros(1), np.zeros(1), 1.0)
