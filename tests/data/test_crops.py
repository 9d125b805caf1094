"""Crops are what the formula says, and turn with the image."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from equivision.data import context_side, crop_and_resize
from equivision.errors import ConfigError, ShapeError

SQUARES = [  # centre, side, size: enlarged, as it is, shrunk; inside, across the border, outside
    ((7.3, 5.1), 4.0, 9),
    ((6.0, 6.5), 5.0, 5),
    ((5.2, 7.7), 11.3, 4),
    ((0.4, 12.6), 9.0, 16),
    ((-30.0, 5.0), 6.0, 3),
]


def slow_crop(image: Tensor, centre: tuple[float, float], side: float, size: int, fill: Tensor) -> Tensor:
    """The formula by loops: every pixel near enough counts, with the colour ``fill`` outside."""
    channels, height, width = image.shape
    scale = side / size
    reach = max(scale, 1.0)
    crop = torch.zeros(channels, size, size, dtype=image.dtype)
    for row, column in itertools.product(range(size), repeat=2):
        x = centre[0] - side / 2 + (column + 0.5) * scale
        y = centre[1] - side / 2 + (row + 0.5) * scale
        total = 0.0
        for j in range(math.floor(y - reach) - 1, math.ceil(y + reach) + 1):
            for i in range(math.floor(x - reach) - 1, math.ceil(x + reach) + 1):
                near = (1 - abs(j + 0.5 - y) / reach, 1 - abs(i + 0.5 - x) / reach)
                weight = max(near[0], 0.0) * max(near[1], 0.0)
                inside = 0 <= j < height and 0 <= i < width
                crop[:, row, column] += weight * (image[:, j, i] if inside else fill)
                total += weight
        crop[:, row, column] /= total
    return crop


@pytest.mark.parametrize(("centre", "side", "size"), SQUARES)
def test_the_formula(centre: tuple[float, float], side: float, size: int) -> None:
    image, fill = torch.rand(3, 13, 15, dtype=torch.float64), torch.tensor([0.2, 0.5, 0.9], dtype=torch.float64)
    torch.testing.assert_close(
        crop_and_resize(image, centre, side, size, fill), slow_crop(image, centre, side, size, fill), atol=1e-12, rtol=0
    )


@pytest.mark.parametrize(("centre", "side", "size"), SQUARES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(12, 17), (13, 13)])
def test_the_crop_of_a_turned_image_is_the_turned_crop(
    centre: tuple[float, float], side: float, size: int, dtype: torch.dtype, shape: tuple[int, int]
) -> None:
    image = torch.rand(3, *shape, dtype=dtype)
    crop = crop_and_resize(image, centre, side, size)
    x, y = centre
    for quarters in range(1, 4):
        x, y = y, (shape[1] if quarters % 2 else shape[0]) - x  # a quarter counter-clockwise
        turned = crop_and_resize(torch.rot90(image, quarters, (-2, -1)), (x, y), side, size)
        torch.testing.assert_close(turned, torch.rot90(crop, quarters, (-2, -1)), atol=1e-5, rtol=0)
    mirrored = crop_and_resize(image.flip(-1), (shape[1] - centre[0], centre[1]), side, size)
    torch.testing.assert_close(mirrored, crop.flip(-1), atol=1e-5, rtol=0)
    wrong = crop_and_resize(torch.rot90(image, 1, (-2, -1)), centre, side, size)
    if centre[0] > 0:
        assert (wrong - torch.rot90(crop, 1, (-2, -1))).abs().max() > 0.01


def test_whole_pixels_are_taken_as_they_are() -> None:
    image = torch.randint(0, 256, (3, 9, 11), dtype=torch.uint8)
    torch.testing.assert_close(
        crop_and_resize(image, (6.0, 4.0), 6.0, 6), image[:, 1:7, 3:9].float() / 255, atol=1e-6, rtol=0
    )


def test_a_crop_of_subpixels_is_linear_on_a_slope() -> None:
    slope = torch.arange(20.0, dtype=torch.float64).expand(1, 20, 20) + 0.5  # the value is x
    crop = crop_and_resize(slope, (9.3, 10.0), 4.0, 10)
    expected = 9.3 - 2 + (torch.arange(10, dtype=torch.float64) + 0.5) * 0.4
    torch.testing.assert_close(crop[0], expected.expand(10, 10))


def test_fine_stripes_do_not_alias() -> None:
    """They are grey from afar; bilinear interpolation of single pixels would find stripes that are not there."""
    stripes = (torch.arange(90) % 2).double().expand(1, 90, 90)
    crop = crop_and_resize(stripes, (45.0, 45.0), 80.0, 30)
    assert (crop - 0.5).abs().max() < 0.06
    single = stripes[0, 45, (5 + (torch.arange(30) + 0.5) * 80 / 30).long()]
    assert single.std() > 0.4


def test_outside_is_the_mean_of_the_image() -> None:
    image = torch.randint(0, 256, (3, 10, 14), dtype=torch.uint8)
    crop = crop_and_resize(image, (-50.0, 3.0), 8.0, 5)
    mean = image.double().mean((1, 2)) / 255
    torch.testing.assert_close(crop.double(), mean[:, None, None].expand(3, 5, 5), atol=1e-6, rtol=0)
    assert (crop_and_resize(image, (-50.0, 3.0), 8.0, 5, fill=0.25) == 0.25).all()


def test_context() -> None:
    assert context_side(30.0, 10.0) == pytest.approx(math.sqrt(50 * 30))


@pytest.mark.usefixtures("unchecked_annotations")
def test_errors() -> None:
    image = torch.rand(3, 8, 8)
    with pytest.raises(ShapeError, match=r"image has shape \(8, 8\)"):
        crop_and_resize(image[0], (4.0, 4.0), 4.0, 4)
    with pytest.raises(ShapeError, match=r"type torch.int64: crop_and_resize needs bytes or floats"):
        crop_and_resize(image.long(), (4.0, 4.0), 4.0, 4)
    for centre, side, size in (((4.0, math.nan), 4.0, 4), ((4.0, 4.0), 0.0, 4), ((4.0, 4.0), 4.0, 0)):
        with pytest.raises(ConfigError, match="the centre must be finite, side and size positive"):
            crop_and_resize(image, centre, side, size)
