"""The error of lifted features by angle: falls with the number of orientations, down to that of interpolation."""

import math
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

import equivision.nn as evnn
from equivision.functional import blur_pool2d, relative_error, rotate
from equivision.groups import cyclic

MODES: dict[str, dict[str, Any]] = {
    "nearest": {"interpolation": "nearest", "mask": "none"},
    "bilinear, raw": {"interpolation": "bilinear", "mask": "none"},
    "bilinear": {"interpolation": "bilinear"},
    "bicubic": {"interpolation": "bicubic"},
    "fourier": {"interpolation": "fourier"},
    "bspline, raw": {"interpolation": "bspline", "mask": "none"},
    "bspline": {"interpolation": "bspline"},
    "steerable": {"interpolation": "steerable"},
}
ORDERS = (4, 8, 16, 32)
SIZE = 41


def pictures(*, sigma: float = 0.0, size: int = SIZE) -> Tensor:
    """Plane waves of at most 0.1 cycles a pixel; or noise, blurred by a Gaussian."""
    generator = torch.Generator().manual_seed(0)
    along = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    if sigma:
        return _blurred(torch.randn(2, 1, size, size, generator=generator, dtype=torch.float64), sigma)
    radius, angle, phase = torch.rand(3, 2, 32, 1, 1, generator=generator, dtype=torch.float64)
    across, down = (0.1 * radius.sqrt() * turn(2 * math.pi * angle) for turn in (torch.cos, torch.sin))
    waves = across * along[None, :] + down * along[:, None] + phase
    return torch.cos(2 * math.pi * waves).mean(1, keepdim=True)


def _blurred(noise: Tensor, sigma: float) -> Tensor:
    frequency = torch.fft.fftfreq(noise.shape[-1], dtype=torch.float64)
    low_pass = torch.exp(-2 * (math.pi * sigma) ** 2 * (frequency[:, None] ** 2 + frequency[None, :] ** 2))
    return torch.fft.ifft2(torch.fft.fft2(noise) * low_pass).real


def inside(size: int) -> Tensor:
    """The disk on which errors are measured."""
    along = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    return (along[:, None] ** 2 + along**2 <= (0.35 * size) ** 2).double()


def lifting(n: int, kernel_size: int = 5, **options: Any) -> evnn.LiftConv2d:
    torch.manual_seed(0)
    group = cyclic(n)
    return evnn.LiftConv2d(1, 6, kernel_size, group=group, padding=kernel_size // 2, bias=False, **options).double()


@cache
@torch.no_grad()
def error(mode: str, n: int, degrees: float, kernel_size: int = 7) -> float:
    """Of the maximum over orientations of a lifted picture that turns by an angle."""
    layer, x = lifting(n, kernel_size, **MODES[mode]), pictures()
    upright, turned = (torch.relu(layer(image)).amax(2) for image in (x, rotate(x, degrees, mode="bicubic")))
    moved = rotate(upright, degrees, mode="bicubic")
    return float(relative_error(turned * inside(SIZE), moved * inside(SIZE)))


@pytest.mark.parametrize("mode", MODES)
def test_error_half_way_between_orientations_falls_with_their_number_to_a_floor(mode: str) -> None:
    errors = [error(mode, n, 180 / n) for n in ORDERS]
    assert all(fine < 0.85 * coarse for coarse, fine in pairwise(errors)), errors
    assert errors[2] < 0.45 * errors[0], errors
    assert errors[-1] > 0.003, "interpolation of the pictures alone is more than that"


@pytest.mark.parametrize("mode", MODES)
def test_error_at_an_orientation_is_nothing_at_quarter_turns_and_falls_to_a_floor_elsewhere(mode: str) -> None:
    assert error(mode, 4, 90.0) <= 1e-12
    errors = [error(mode, n, 360 / n) for n in ORDERS[1:]]
    assert errors[-1] < errors[0], errors
    assert errors[-1] > 0.003


def test_what_turns_out_of_the_corners_is_what_a_mask_saves() -> None:
    for mode in ("bilinear", "bspline"):
        assert error(mode, 8, 45.0) < 0.7 * error(f"{mode}, raw", 8, 45.0)


@torch.no_grad()
def test_the_closed_form_of_the_error_between_orientations() -> None:
    """``E(n)^2 = sum_m |c_m|^2 4 sin^2(m pi / 2n) / sum_m |c_m|^2``, c_m the responses by their frequencies."""
    x, disk = pictures(), inside(SIZE)
    options = {"interpolation": "steerable"}
    energy = (torch.fft.rfft(lifting(64, 7, **options)(x), dim=2).abs().square() * disk).sum((0, 1, 3, 4))
    energy[1:] *= 2  # m and -m
    m = torch.arange(len(energy))
    foretold = []
    for n in ORDERS:
        law = float(((energy * 4 * torch.sin(m * math.pi / (2 * n)) ** 2).sum() / energy.sum()).sqrt())
        layer = lifting(n, 7, **options)
        upright, turned = (layer(image).flatten(1, 2) for image in (x, rotate(x, 180 / n, mode="bicubic")))
        found = float(relative_error(turned * disk, rotate(upright, 180 / n, mode="bicubic") * disk))
        assert found == pytest.approx(law, rel=0.1)
        foretold.append(law)
    assert all(0.45 < fine / coarse < 0.55 for coarse, fine in pairwise(foretold))


@torch.no_grad()
def test_blur_before_a_stride_is_worth_most_where_pictures_have_fine_detail() -> None:
    layer, size = lifting(8, 5, interpolation="steerable"), 65

    def after(end: Any, x: Tensor) -> float:
        upright, turned = (end(torch.relu(layer(image))) for image in (x, rotate(x, 45.0, mode="bicubic")))
        moved = rotate(upright.roll(1, 2).flatten(1, 2), 45.0, mode="bicubic").unflatten(1, (-1, 8))
        disk = inside(upright.shape[-1])
        return float(relative_error(turned * disk, moved * disk))

    gains = []
    for sigma in (0.8, 1.2, 2.0):
        x = pictures(sigma=sigma, size=size)
        plain, soft = after(lambda y: y[..., ::2, ::2], x), after(blur_pool2d, x)
        assert soft < plain
        gains.append(plain / soft)
    assert gains[0] > gains[1] > gains[2] > 1
    assert gains[0] > 2
