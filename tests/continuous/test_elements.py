"""Elements, against matrices."""

import itertools
import math

import numpy as np
import pytest
import torch

from equivision.continuous import Elements, grid_elements, log_spaced
from equivision.continuous._elements import pull_back, relative
from equivision.continuous._taps import Taps, disk
from equivision.errors import ConfigError
from equivision.groups import cyclic, dihedral


def matrix(elements: Elements, i: int) -> np.ndarray:
    """Turn after flip, enlarged: x to the right, y upwards."""
    angle, flip, log_scale = (float(part[i]) for part in elements[:3])
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return math.exp(log_scale) * turn @ np.diag([1.0, -1.0 if flip else 1.0])


def random_elements(num: int, seed: int) -> Elements:
    generator = torch.Generator().manual_seed(seed)
    angles, logs = torch.randn(2, num, generator=generator, dtype=torch.float64)
    flips = torch.randint(2, (num,), generator=generator).double()
    return Elements(angles, flips, logs, torch.ones_like(angles))


@pytest.mark.parametrize("group", [cyclic(1), cyclic(4), cyclic(6), dihedral(1), dihedral(4), dihedral(3)])
def test_the_grid_is_the_finite_group_in_its_order(group) -> None:
    found = grid_elements(group.rotations, reflections=group.reflections, dtype=torch.float64)
    assert len(found.angles) == group.order
    for g in range(group.order):
        np.testing.assert_allclose(matrix(found, g), group.matrix(g), atol=1e-15)


def test_scales_and_shift() -> None:
    found = grid_elements(4, scales=(1.0, 2.0), shift=0.5, dtype=torch.float64)
    assert found.angles.rad2deg().round().tolist() == [45, 135, 225, 315] * 2
    np.testing.assert_allclose(found.log_scales.exp(), [1.0] * 4 + [2.0] * 4)
    np.testing.assert_allclose(found.shares, [1 / 8] * 8)
    assert log_spaced(1, 1.0) == (1.0,)
    np.testing.assert_allclose(log_spaced(3, 1.74), [1.0, 1.74**0.5, 1.74])


def test_places_are_pulled_back_by_the_inverse() -> None:
    elements, places = random_elements(6, 0), torch.randn(5, 2, dtype=torch.float64)
    found = pull_back(places, elements)
    for i in range(6):
        np.testing.assert_allclose(found[i], places.numpy() @ np.linalg.inv(matrix(elements, i)).T, atol=1e-12)


def test_relative_elements_are_products() -> None:
    target, source = random_elements(5, 1), random_elements(7, 2)
    found = relative(target, source)
    for i, j in itertools.product(range(5), range(7)):
        product = np.linalg.inv(matrix(target, i)) @ matrix(source, j)
        scale = float(found.log_scales[i, j].exp())
        np.testing.assert_allclose(np.linalg.det(product), float(found.mirrors[i, j]) * scale**2)
        np.testing.assert_allclose(product[:, 0] / scale, found.turns()[i, j], atol=1e-12)


@pytest.mark.parametrize(("size", "inside"), [(1, 1), (3, 5), (4, 4), (5, 13), (7, 29), (9, 49)])
def test_taps_in_the_disk(size: int, inside: int) -> None:
    offsets, index = disk(size)
    assert len(offsets) == len(index) == inside
    taps = Taps(size, reach=2.0)
    square = taps.bank(torch.arange(1.0, inside + 1))
    assert square.shape == (size, size)
    assert int((square > 0).sum()) == inside
    assert torch.equal((square > 0).rot90(1), square > 0)
    assert float(taps.places(torch.float64).norm(dim=-1).max()) <= 2.0
    assert not taps.state_dict()


def test_the_first_tap_is_at_the_top() -> None:
    offsets, index = disk(3)
    assert (offsets[0].tolist(), int(index[0])) == ([0.0, 2.0], 1)
    assert (offsets[1].tolist(), int(index[1])) == ([-2.0, 0.0], 3)


@pytest.mark.usefixtures("unchecked_annotations")
class TestErrors:
    @pytest.mark.parametrize("scales", [(), (0.0, 1.0), (2.0, 1.0), (1.0, 1.0)])
    def test_scales(self, scales: tuple[float, ...]) -> None:
        with pytest.raises(ConfigError, match=r"scales=.*: give positive numbers in ascending order"):
            grid_elements(4, scales=scales)

    def test_ladder(self) -> None:
        with pytest.raises(ConfigError, match=r"largest=1.0: give a number greater than 1"):
            log_spaced(3, 1.0)
        with pytest.raises(ConfigError, match="num=0: give a whole number"):
            log_spaced(0, 2.0)

    def test_rotations(self) -> None:
        with pytest.raises(ConfigError, match="num_rotations=0: give a whole number"):
            grid_elements(0)

    def test_kernels_of_corners(self) -> None:
        with pytest.raises(ConfigError, match="kernel_size=2 has no tap in the unit disk, only corners"):
            disk(2)


@pytest.mark.usefixtures("unchecked_annotations")
@pytest.mark.parametrize("scales", [1.0, None, ("a",), (1.0, float("nan")), (float("nan"),), (1.0, float("inf"))])
def test_scales_that_are_no_enlargements(scales) -> None:
    with pytest.raises(ConfigError, match=r"scales=.*: give positive numbers in ascending order"):
        grid_elements(4, scales=scales)
    with pytest.raises(ConfigError, match="largest='2': give a number greater than 1"):
        log_spaced(3, "2")  # pyright: ignore[reportArgumentType]
