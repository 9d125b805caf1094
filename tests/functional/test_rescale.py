"""Enlarging and shrinking about the centre."""

import numpy as np
import pytest
import torch
from PIL import Image

from equivision.errors import ConfigError, ShapeError
from equivision.functional import rescale


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(5, 8), (8, 5)])
def test_a_factor_of_1_changes_nothing(mode: str, size: tuple[int, int]) -> None:
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    torch.testing.assert_close(rescale(x, 1.0, mode=mode), x, rtol=0, atol=1e-15)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [14, 20])
def test_shrinking_is_that_of_pillow(mode: str, size: int) -> None:
    """Away from the border, where Pillow leaves out what lies outside."""
    x = torch.rand(28, 28)
    box = slice((28 - size) // 2, (28 + size) // 2)
    ours = rescale(x[None, None], size / 28, mode=mode)[0, 0, box, box]
    theirs = np.array(Image.fromarray(x.numpy()).resize((size, size), Image.Resampling[mode.upper()]))
    np.testing.assert_allclose(ours[3:-3, 3:-3].numpy(), theirs[3:-3, 3:-3], atol=1e-6)


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
def test_enlarging_is_that_of_torch(mode: str) -> None:
    """Of torch's bicubic kernel another parameter is fixed, so smooth images are compared."""
    line = torch.linspace(-2, 2, 24, dtype=torch.float64)
    x = torch.exp(-(line[:, None] ** 2) - 0.5 * line**2)[None, None]
    ours = rescale(x, 2.0, mode=mode)
    options = {} if mode == "nearest" else {"align_corners": False}
    theirs = torch.nn.functional.interpolate(x, scale_factor=2.0, mode=mode, **options)[..., 12:36, 12:36]
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12 if mode != "bicubic" else 0.02)


def test_every_image_has_its_own_factor() -> None:
    x = torch.randn(3, 2, 9, 9, dtype=torch.float64)
    factors = torch.tensor([0.4, 1.0, 1.7])
    together = rescale(x, factors)
    for i, factor in enumerate(factors.tolist()):
        torch.testing.assert_close(together[i : i + 1], rescale(x[i : i + 1], factor), rtol=0, atol=1e-14)


def test_the_centre_stays_and_there_is_nothing_outside() -> None:
    x = torch.ones(1, 1, 28, 28, dtype=torch.float64)
    small = rescale(x, 0.5)[0, 0]
    torch.testing.assert_close(small, small.flip(0, 1), rtol=0, atol=1e-14)
    assert float(small[14, 14]) == pytest.approx(1, abs=1e-12)
    assert float(small[:5].abs().max()) < 1e-12


def test_gradients() -> None:
    x = torch.randn(2, 1, 5, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: rescale(x, torch.tensor([0.6, 1.3])), x)


def test_without_antialiasing_small_images_alias() -> None:
    x = torch.randn(1, 1, 32, 32, dtype=torch.float64)
    sharp, smooth = rescale(x, 0.4, antialias=False), rescale(x, 0.4)
    assert float(smooth.std()) < 0.6 * float(sharp.std())


@pytest.mark.usefixtures("unchecked_annotations")
def test_errors() -> None:
    x = torch.zeros(2, 1, 4, 4)
    for make, error, message in (
        (lambda: rescale(x[0], 1.0), ShapeError, r"x has shape \(1, 4, 4\): rescale needs \[batch, channel"),
        (lambda: rescale(x.int(), 1.0), ShapeError, "rescale: input has dtype torch.int32"),
        (lambda: rescale(x, 1.0, mode="area"), ConfigError, "mode='area' is not known: choose one of 'nearest', 'bil"),
        (lambda: rescale(x, torch.ones(3)), ShapeError, "factor has 3 entries for 2 images: give one factor"),
        (lambda: rescale(x, 0.0), ConfigError, "factor=0.0: give positive, finite factors"),
    ):
        with pytest.raises(error, match=message):
            make()
