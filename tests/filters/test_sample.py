"""Kernels moved by any angle: exact where the grid allows it, close elsewhere, in every mode."""

import numpy as np
import pytest

from equivision.errors import ConfigError
from equivision.filters import grid_action, sampling_matrices
from equivision.groups import PlanarGroup, cyclic, dihedral

MODES = ("nearest", "bilinear", "bicubic", "fourier")  # those that leave an unmoved kernel as it is
SIZES = (1, 2, 3, 4, 5, 6, 7)
GROUPS = [dihedral(n) for n in (1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20)] + [cyclic(n) for n in (1, 2, 4, 8, 9)]


def blob(size: int, x: float, y: float, width: float = 1.6) -> np.ndarray:
    """A smooth bump at x to the right and y up of the centre."""
    along = np.arange(size) - (size - 1) / 2
    return np.exp(-((along[None, :] - x) ** 2 + (-along[:, None] - y) ** 2) / (2 * width**2))


def relative(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


@pytest.mark.parametrize("mask", ["none", "disk", "smooth"])
@pytest.mark.parametrize("mode", [*MODES, "bspline"])
@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_elements_of_the_grid_move_exactly(group: PlanarGroup, mode: str, mask: str) -> None:
    """For every k on the grid and every g: first g, then k is kg."""
    exact = [k for k in range(group.order) if 4 * group.split(k)[1] % group.rotations == 0]
    for size in SIZES:
        for renormalize in (False, True):
            matrices = sampling_matrices(group, size, mode=mode, mask=mask, renormalize=renormalize)  # type: ignore[arg-type]
            images = matrices.transpose(0, 2, 1).reshape(group.order, size**2, size, size)
            for k in exact:
                moved = grid_action(images, group, k)
                np.testing.assert_allclose(images[group.table[k]], moved, rtol=0, atol=1e-12)


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_elements_of_the_grid_move_harmonics_exactly(group: PlanarGroup) -> None:
    exact = [k for k in range(group.order) if 4 * group.split(k)[1] % group.rotations == 0]
    for size in SIZES:
        matrices = sampling_matrices(group, size, mode="steerable")
        images = matrices.transpose(0, 2, 1).reshape(group.order, -1, size, size)
        for k in exact:
            np.testing.assert_allclose(images[group.table[k]], grid_action(images, group, k), rtol=0, atol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_without_a_mask_the_grid_group_only_permutes(mode: str) -> None:
    random = np.random.default_rng(0)
    for size in SIZES:
        kernel = random.normal(size=(size, size))
        group = dihedral(4)
        for g in range(8):
            moved = sampling_matrices(group, size, mode=mode)[g] @ kernel.reshape(-1)  # type: ignore[arg-type]
            np.testing.assert_array_equal(moved.reshape(size, size), grid_action(kernel, group, g))


@pytest.mark.parametrize(
    ("mode", "tolerance"), [("nearest", 0.25), ("bilinear", 0.07), ("bicubic", 0.03), ("fourier", 0.001)]
)
@pytest.mark.parametrize("size", [20, 21])
def test_a_bump_arrives_where_the_element_takes_it(mode: str, tolerance: float, size: int) -> None:
    group = dihedral(10)
    for g in range(group.order):
        x, y = group.matrix(g) @ [4.0, 1.0]
        moved = sampling_matrices(group, size, mode=mode)[g] @ blob(size, 4.0, 1.0).reshape(-1)  # type: ignore[arg-type]
        assert relative(moved.reshape(size, size), blob(size, x, y)) < tolerance


def test_a_wrong_direction_is_noticed() -> None:
    group = cyclic(10)
    x, y = group.matrix(1) @ [4.0, 1.0]
    moved = sampling_matrices(group, 21, mode="fourier")[9] @ blob(21, 4.0, 1.0).reshape(-1)
    assert relative(moved.reshape(21, 21), blob(21, x, y)) > 0.5


@pytest.mark.parametrize(
    ("mode", "whole", "disk"),
    [
        ("nearest", (1.0, 0.92, 0.87), (1.0, 1.0, 1.0)),
        ("bilinear", (0.65, 0.61, 0.615), (0.745, 0.655, 0.71)),
        ("bicubic", (0.79, 0.78, 0.78), (0.855, 0.81, 0.89)),
    ],
)
def test_what_is_lost_at_45_degrees_and_given_back(
    mode: str, whole: tuple[float, ...], disk: tuple[float, ...]
) -> None:
    """The known ratios of mean squares of random kernels of 3, 5 and 7 taps."""
    for mask, expected in (("none", whole), ("disk", disk)):
        for size, ratio in zip((3, 5, 7), expected, strict=True):
            for renormalize in (False, True):
                matrices = sampling_matrices(cyclic(8), size, mode=mode, mask=mask, renormalize=renormalize)  # type: ignore[arg-type]
                found = np.linalg.norm(matrices[1]) / np.linalg.norm(matrices[0])
                assert found == pytest.approx(1 if renormalize else ratio, abs=0.011)


def test_nearest_of_three_taps_is_a_representation_of_c8_only() -> None:
    """At multiples of 45 degrees the ring of eight moves on; at other angles powers do not compose."""
    for n, is_one in ((8, True), (5, False), (6, False), (7, False), (12, False), (16, False)):
        matrices = sampling_matrices(cyclic(n), 3, mode="nearest")
        powers = np.einsum("gij,hjk->ghik", matrices, matrices)
        assert np.allclose(powers, matrices[cyclic(n).table]) == is_one


def test_linear_kernels_are_turned_without_error_by_linear_interpolation() -> None:
    """Away from the border, where nothing is read outside."""
    size, group = 11, cyclic(7)
    along = np.arange(size) - 5.0
    x, y = np.meshgrid(along, -along)
    inside = np.hypot(x, y) < 4
    for g in range(group.order):
        moved = sampling_matrices(group, size, mode="bilinear")[g] @ (2 * x + 3 * y).reshape(-1)
        back_x, back_y = np.einsum("ij,jhw->ihw", group.matrix(g).T, np.stack([x, y]))
        np.testing.assert_allclose(moved.reshape(size, size)[inside], (2 * back_x + 3 * back_y)[inside], atol=1e-12)


def test_shears_keep_the_size_and_can_be_undone() -> None:
    """A bump that stays inside loses nothing."""
    group, kernel = cyclic(36), blob(25, 2.0, 3.0).reshape(-1)
    for g in range(5):
        there, back = (sampling_matrices(group, 25, mode="fourier")[k] for k in (g, -g))
        assert np.linalg.norm(there @ kernel) == pytest.approx(np.linalg.norm(kernel), rel=2e-4)
        assert relative(back @ there @ kernel, kernel) < 2e-3


def test_values_are_kept_and_read_only() -> None:
    assert sampling_matrices(cyclic(8), 5) is sampling_matrices(cyclic(8), 5)
    with pytest.raises(ValueError, match="read-only"):
        sampling_matrices(cyclic(8), 5)[0] = 0


@pytest.mark.parametrize(
    ("size", "options", "message"),
    [
        (3, {"mode": "cubic"}, "mode='cubic' is not known: choose one of nearest, bilinear, bicubic, fourier"),
        (3, {"mask": "ring"}, "mask='ring' is not known: choose one of none, disk, smooth"),
        (0, {}, "kernel_size=0: give a whole number of at least 1"),
        (True, {}, "kernel_size=True: give a whole number"),
    ],
)
def test_mistakes(size: int, options: dict[str, str], message: str, unchecked_annotations: None) -> None:
    with pytest.raises(ConfigError, match=message):
        sampling_matrices(cyclic(8), size, **options)  # type: ignore[arg-type]
