import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equivision.errors import ShapeError
from equivision.groups import FiniteGroup, cyclic, dihedral
from equivision.reps import fourier_matrix, fourier_transform, inverse_fourier_transform, irreps, regular
from tests.groups._catalogue import GROUPS, SMALL


def random_functions(group: FiniteGroup, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(*shape, group.order))


def convolve(f: np.ndarray, h: np.ndarray, group: FiniteGroup) -> np.ndarray:
    """(f * h)(g) = sum_k f(k) h(k^-1 g), by loops."""
    result = np.zeros(group.order)
    for g in range(group.order):
        for k in range(group.order):
            result[g] += f[k] * h[group.product(group.inverse(k), g)]
    return result


@pytest.mark.parametrize("group", GROUPS, ids=str)
class TestTransform:
    def test_is_the_sum_of_the_docstring(self, group: FiniteGroup) -> None:
        f = random_functions(group, 2, 3)
        for rho, found in zip(irreps(group), fourier_transform(f, group), strict=True):
            expected = sum(f[..., g, None, None] * rho.matrix(g) for g in range(group.order))
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)

    def test_inverse_returns_the_function(self, group: FiniteGroup) -> None:
        for f in (random_functions(group), random_functions(group, 2, 3), random_functions(group, 0)):
            found = inverse_fourier_transform(fourier_transform(f, group), group)
            assert found.shape == f.shape
            np.testing.assert_allclose(found, f, rtol=0, atol=1e-12)

    def test_plancherel(self, group: FiniteGroup) -> None:
        f, h = random_functions(group, 2)
        pairs = zip(irreps(group), fourier_transform(f, group), fourier_transform(h, group), strict=True)
        total = sum(rho.multiplicity * (a * b).sum() for rho, a, b in pairs) / group.order
        assert total == pytest.approx(f @ h, rel=1e-12, abs=1e-12)

    def test_convolution_becomes_a_product(self, group: FiniteGroup) -> None:
        f, h = random_functions(group, 2)
        products = [a @ b for a, b in zip(fourier_transform(f, group), fourier_transform(h, group), strict=True)]
        for found, expected in zip(fourier_transform(convolve(f, h, group), group), products, strict=True):
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11)

    def test_moving_the_function_multiplies_from_the_left(self, group: FiniteGroup) -> None:
        f = random_functions(group)
        for g in range(group.order):
            moved = fourier_transform(f[regular(group).permutation(g)], group)
            for rho, before, after in zip(irreps(group), fourier_transform(f, group), moved, strict=True):
                np.testing.assert_allclose(after, rho.matrix(g) @ before, rtol=0, atol=1e-12)


@pytest.mark.parametrize("group", GROUPS, ids=str)
class TestMatrix:
    def test_is_orthogonal(self, group: FiniteGroup) -> None:
        Q = fourier_matrix(group)
        assert Q.shape == (group.order, group.order)
        np.testing.assert_allclose(Q @ Q.T, np.eye(group.order), rtol=0, atol=1e-12)

    def test_block_diagonalises_the_regular_representation(self, group: FiniteGroup) -> None:
        Q = fourier_matrix(group)
        copies = [rho for rho in irreps(group) for _ in range(rho.multiplicity)]
        total = copies[0]
        for rho in copies[1:]:
            total = total + rho  # the documented block order
        for g in range(group.order):
            np.testing.assert_allclose(Q @ regular(group).matrix(g) @ Q.T, total.matrix(g), rtol=0, atol=1e-12)

    def test_holds_the_columns_of_the_coefficients(self, group: FiniteGroup) -> None:
        f = random_functions(group)
        stacked = []
        for rho, coefficient in zip(irreps(group), fourier_transform(f, group), strict=True):
            step = rho.size // rho.multiplicity
            stacked += [np.sqrt(rho.size / group.order) * coefficient[:, j] for j in range(0, rho.size, step)]
        np.testing.assert_allclose(fourier_matrix(group) @ f, np.concatenate(stacked), rtol=0, atol=1e-12)


def test_matrix_is_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        fourier_matrix(cyclic(4))[0, 0] = 1


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.data())
def test_round_trip_of_awkward_numbers(data: st.DataObject) -> None:
    group = data.draw(st.sampled_from(SMALL))
    numbers = st.floats(-1e6, 1e6)
    f = data.draw(st.lists(numbers, min_size=group.order, max_size=group.order))
    found = inverse_fourier_transform(fourier_transform(f, group), group)
    np.testing.assert_allclose(found, f, rtol=0, atol=1e-12 * max(1.0, *np.abs(f)) * group.order)


def test_cyclic_groups_give_the_discrete_fourier_transform() -> None:
    f = random_functions(cyclic(8))
    spectrum = np.fft.rfft(f)
    by_name = dict(zip([rho.name for rho in irreps(cyclic(8))], fourier_transform(f, cyclic(8)), strict=True))
    assert by_name["A"].item() == pytest.approx(spectrum[0].real)
    assert by_name["B"].item() == pytest.approx(spectrum[4].real)
    for k in (1, 2, 3):  # rho turns by +k r, the usual transform by -k r
        cos, sin = spectrum[k].real, -spectrum[k].imag
        np.testing.assert_allclose(by_name[f"E{k}"], [[cos, -sin], [sin, cos]], atol=1e-12)


@pytest.mark.parametrize("shape", [(), (7,), (8, 3)], ids=str)
def test_wrong_number_of_values(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"f has shape \(.*\); the last axis must hold one value for each of the 8 el"):
        fourier_transform(np.zeros(shape), dihedral(4))


@pytest.mark.parametrize("wrong", [[], [np.zeros((1, 1))] * 5, [np.zeros(3)] * 5, [np.zeros((1, 1))] * 4])
def test_wrong_coefficients(wrong: list[np.ndarray]) -> None:
    with pytest.raises(ShapeError, match=r"coefficients have matrices of shapes .*; D4 needs one per irrep, of shapes"):
        inverse_fourier_transform(wrong, dihedral(4))
