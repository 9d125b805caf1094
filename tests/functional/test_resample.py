"""Blur and stride: centred on every size, a proper low-pass filter, and worth having between the grid angles."""

import pytest
import torch
from torch import Tensor

from equivision import functional
from equivision.errors import ConfigError
from equivision.functional._resample import blur_window
from equivision.groups import cyclic, dihedral
from equivision.testing import assert_equivariant, random_input, relative_error

D4 = dihedral(4)


class TestBlurPool:
    @pytest.mark.parametrize("stride", [1, 2, 3, 4])
    def test_exact_at_every_size(self, stride: int) -> None:
        for size in range(max(stride, 2), 41 if stride == 2 else 20):
            x = random_input(1, (size, size))
            output = functional.blur_pool2d(x, stride)
            assert output.shape[-2:] == (-(-size // stride), -(-size // stride))
            if output.numel() > 2:
                assert_equivariant(lambda x: functional.blur_pool2d(x, stride), x, group=D4)

    def test_maps_on_the_group(self) -> None:
        x = random_input(2, (9, 6), D4)
        pooled = functional.blur_pool2d(x)
        assert pooled.shape == (2, 2, 8, 5, 3)
        torch.testing.assert_close(pooled[:, :, 3], functional.blur_pool2d(x[:, :, 3]), rtol=0, atol=0)

    @pytest.mark.parametrize("padding_mode", ["reflect", "replicate", "circular"])
    @pytest.mark.parametrize("sigma", [0.3, 1.0, 2.0])
    def test_a_constant_stays_as_it_is(self, sigma: float, padding_mode: str) -> None:
        for size in (1, 2, 5, 8, 13):
            x = torch.full((1, 1, size, size), 3.0, dtype=torch.float64)
            pooled = functional.blur_pool2d(x, sigma=sigma, padding_mode=padding_mode)
            torch.testing.assert_close(pooled, torch.full_like(pooled, 3.0), rtol=0, atol=1e-14)

    def test_without_a_stride_it_blurs_where_a_width_is_given(self) -> None:
        x = random_input(1, (9, 8))
        assert torch.equal(functional.blur_pool2d(x, 1), x)
        blurred = functional.blur_pool2d(x, 1, sigma=1.0)
        assert blurred.shape == x.shape
        assert float(blurred.std()) < 0.5 * float(x.std())
        assert_equivariant(lambda x: functional.blur_pool2d(x, 1, sigma=1.0), x[..., :8], group=D4)

    def kernel(self, size: int, sigma: float) -> Tensor:
        """What one output pixel in the middle reads."""
        x = torch.zeros(1, 1, size, size, dtype=torch.float64, requires_grad=True)
        pooled = functional.blur_pool2d(x, sigma=sigma, padding_mode="zeros")
        middle = pooled.shape[-1] // 2
        (read,) = torch.autograd.grad(pooled[0, 0, middle, middle], x)
        return read[0, 0]

    @pytest.mark.parametrize("size", [21, 22])
    def test_kernel_is_an_isotropic_gaussian(self, size: int) -> None:
        read, sigma = self.kernel(size, 1.0), 1.0
        assert float(read.sum()) == pytest.approx(1, abs=1e-14)
        weights = read[read > 0]
        rows, columns = torch.nonzero(read > 0).double().T
        centre_row, centre_column = (
            (read.sum(1) @ torch.arange(size).double()),
            (read.sum(0) @ torch.arange(size).double()),
        )
        radius2 = (rows - centre_row) ** 2 + (columns - centre_column) ** 2
        torch.testing.assert_close(weights.log() - weights.log().max(), -(radius2 - radius2.min()) / (2 * sigma**2))

    def test_windows_are_centred(self) -> None:
        for size in range(1, 60):
            for stride in (1, 2, 3, 4, 5):
                taps, padding = blur_window(size, stride, 0.5 * stride)
                windows = -(-size // stride)
                assert (windows - 1) * stride + taps == size + 2 * padding
                assert padding >= 0
                assert taps >= 5 * 0.5 * stride - 1e-9

    @pytest.mark.parametrize("sharpness", [0.6, 0.8])
    def test_far_smaller_error_than_a_bare_stride_between_grid_angles(self, sharpness: float) -> None:
        assert self.error_at_45_degrees("blur", sharpness) < 0.6 * self.error_at_45_degrees("stride", sharpness)

    def test_no_difference_on_smooth_images(self) -> None:
        ratio = self.error_at_45_degrees("blur", 5.0) / self.error_at_45_degrees("stride", 5.0)
        assert ratio == pytest.approx(1, abs=0.15)

    def error_at_45_degrees(self, how: str, smoothness: float) -> float:
        """Relative error of ``f(rotate x) = rotate f(x)`` in the disk, for noise blurred by ``smoothness`` pixels."""

        def reduce(x: Tensor) -> Tensor:
            return functional.blur_pool2d(x, 2, sigma=1.0) if how == "blur" else x[..., ::2, ::2]

        size = 97
        noise = random_input(1, (size, size), batch=3)
        image = smooth(noise, smoothness)
        turned = reduce(functional.rotate(image, 45.0, mode="bicubic"))
        expected = functional.rotate(reduce(image), 45.0, mode="bicubic")
        axis = torch.linspace(-1, 1, turned.shape[-1], dtype=torch.float64)
        disk = (axis[:, None] ** 2 + axis[None, :] ** 2) < 0.8**2
        return float(relative_error(turned * disk, expected * disk))


def smooth(x: Tensor, sigma: float) -> Tensor:
    offsets = torch.arange(-int(4 * sigma) - 1, int(4 * sigma) + 2, dtype=torch.float64)
    taps = torch.exp(-0.5 * (offsets / sigma) ** 2)
    taps = taps / taps.sum()
    x = torch.nn.functional.conv2d(x, taps.view(1, 1, -1, 1), padding=(len(taps) // 2, 0))
    return torch.nn.functional.conv2d(x, taps.view(1, 1, 1, -1), padding=(0, len(taps) // 2))


class TestUpsample:
    @pytest.mark.parametrize("mode", ["nearest", "bilinear"])
    @pytest.mark.parametrize("factor", [1, 2, 3])
    def test_shape_and_mean(self, mode, factor: int) -> None:
        x = random_input(2, (5, 6), cyclic(4))
        enlarged = functional.upsample2d(x, factor, mode)
        assert enlarged.shape == (2, 2, 4, 5 * factor, 6 * factor)
        inner = torch.ones(1, 1, 5, 5, dtype=torch.float64)
        torch.testing.assert_close(
            functional.upsample2d(inner, factor, mode), torch.ones(1, 1, 5 * factor, 5 * factor).double()
        )

    def test_nearest_repeats_pixels(self) -> None:
        x = random_input(1, (3, 4))
        repeated = x.repeat_interleave(2, -1).repeat_interleave(2, -2)
        assert torch.equal(functional.upsample2d(x, 2, "nearest"), repeated)

    @pytest.mark.parametrize("size", [(8, 8), (9, 13), (15, 14), (3, 5)])
    def test_to_any_size_it_is_centred(self, size: tuple[int, int]) -> None:
        def enlarge(x: Tensor) -> Tensor:  # the size turns with the map
            turned = x.shape[-2:] == (5, 4)
            return functional.upsample2d(x, size=size[::-1] if turned else size)

        for x in (random_input(2, (4, 5)), random_input(2, (4, 5), D4)):
            assert enlarge(x).shape == (*x.shape[:-2], *size)
            assert_equivariant(enlarge, x, group=D4)

    def test_only_bilinear_goes_to_any_size(self) -> None:
        with pytest.raises(ConfigError, match=r"size=\(9, 9\) with mode='nearest': .* 'bilinear'"):
            functional.upsample2d(random_input(1, (5, 5)), mode="nearest", size=(9, 9))
