"""Deep scale-spaces: a picture at increasing blur, and convolutions whose taps lie further apart with it."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from equivision._numbers import check_count
from equivision.errors import ConfigError, ShapeError
from equivision.filters import discrete_gaussian, scale_windows
from equivision.functional._checks import check_floating
from equivision.nn._base import Guarantee, Movable, uniform_
from equivision.scale._functional import scale_space_conv2d


def _check_base(base: int) -> None:
    if isinstance(base, bool) or not isinstance(base, int) or base < 2:
        raise ConfigError(f"base={base!r}: give a whole number of at least 2, by which taps can be spread")


class ScaleSpaceLift(Movable):
    """From an image to its scale-space: slot k is blurred as far as an image shrunk by ``base^k`` needs.

    The blur is the discrete Gaussian of variance ``zero_scale^2 (base^2k - 1)``. Nothing is thrown away: all slots
    keep the size. There are no parameters.

    Args:
        num_scales: slots.
        base: ratio of one scale and the one before it, whole.
        zero_scale: blur that the image has to begin with: the standard deviation of its pixels, in pixels.

    Shape:
        ``[B, C, H, W]`` to ``[B, C, num_scales, H, W]``.

    Equivariance: approximate: an image blurred and shrunk by ``base`` gives the shrunk maps, one scale earlier; the
    last slot has no partner.

    Raises:
        ConfigError: an argument is out of range.
        ShapeError: the input is no batch of images.

    Source: Worrall & Welling 2019, section 4 and eq. 14.

    >>> ScaleSpaceLift(3)(torch.randn(2, 1, 28, 28)).shape
    torch.Size([2, 1, 3, 28, 28])
    """

    equivariance: Guarantee = "approximate"

    def __init__(self, num_scales: int, *, base: int = 2, zero_scale: float = 0.25) -> None:
        super().__init__()
        check_count("num_scales", num_scales)
        _check_base(base)
        if not isinstance(zero_scale, int | float) or not 0 < zero_scale < float("inf"):
            raise ConfigError(f"zero_scale={zero_scale!r}: give a positive number of pixels")
        self.num_scales, self.base, self.zero_scale = num_scales, base, zero_scale
        for k, variance in enumerate(self.variances):
            number = len(discrete_gaussian(variance))
            self.register_buffer(f"taps{k}", torch.empty(number, dtype=torch.float64), persistent=False)
        self.reset_parameters()

    def fill_tables(self) -> None:
        """Compute the taps."""
        for k, variance in enumerate(self.variances):
            self.get_buffer(f"taps{k}").copy_(torch.tensor(discrete_gaussian(variance), device="cpu"))

    @property
    def variances(self) -> tuple[float, ...]:
        """Variance of the blur of every slot, in pixels squared."""
        return tuple(self.zero_scale**2 * (self.base ** (2 * k) - 1) for k in range(self.num_scales))

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch channel scale height w"]:
        """Blur."""
        if x.ndim != 4:
            raise ShapeError(f"ScaleSpaceLift: input has shape {tuple(x.shape)}; needs [batch, channel, height, width]")
        check_floating(x, "ScaleSpaceLift")
        return torch.stack([self._blur(x, self.get_buffer(f"taps{k}").to(x)) for k in range(self.num_scales)], 2)

    def _blur(self, x: Tensor, taps: Float[Tensor, " taps"]) -> Float[Tensor, "batch channel height width"]:
        if len(taps) == 1:
            return x
        kernel = taps.expand(x.shape[1], 1, 1, len(taps))
        x = F.conv2d(x, kernel, padding="same", groups=x.shape[1])
        return F.conv2d(x, kernel.mT, padding="same", groups=x.shape[1])

    def extra_repr(self) -> str:
        return f"{self.num_scales}, base={self.base}, zero_scale={self.zero_scale}"


class ScaleSpaceConv2d(Movable):
    """Convolution of a scale-space: at scale k the taps lie ``base^k`` pixels apart.

    ``y[o, k](t) = sum_{c, e, p} x[c, k + e](t + base^k p) psi[o, c, e](p)``. Zeros are padded so that the size stays.

    Args:
        in_channels: fields of the input.
        out_channels: fields of the output.
        kernel_size: taps of a side, odd.
        extent: how many neighbouring scales a kernel covers: its own and the next larger ones.
        base: ratio of one scale and the one before it, whole.
        bias: whether every field has one.
        device, dtype: of the parameters.

    Shape:
        ``[B, in_channels, S, H, W]`` to ``[B, out_channels, S, H, W]``, any number of scales.

    Equivariance: exact on an unbounded grid under ``(L f)(t, k) = f(base t, k + 1)``, which keeps every ``base``-th
    pixel and moves up one scale; so it is away from the border, and from the scales that see beyond the last.

    Raises:
        ConfigError: an argument is out of range.
        ShapeError: the input does not fit.

    Source: Worrall & Welling 2019, eq. 19.

    >>> ScaleSpaceConv2d(4, 8, 3, extent=2)(torch.randn(2, 4, 3, 9, 9)).shape
    torch.Size([2, 8, 3, 9, 9])
    """

    equivariance: Guarantee = "approximate"
    bias: Tensor | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        extent: int = 1,
        base: int = 2,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        for name, count in (("in_channels", in_channels), ("out_channels", out_channels), ("extent", extent)):
            check_count(name, count)
        _check_base(base)
        scale_windows(kernel_size, (1.0,))  # an odd number
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, kernel_size
        self.extent, self.base = extent, base
        shape = (out_channels, in_channels, extent, kernel_size, kernel_size)
        self.weight = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.empty(out_channels, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights so that activations keep their variance through a ReLU; biases are 0."""
        uniform_(self.weight, 2 / (self.in_channels * self.extent * self.kernel_size**2))
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(
        self, x: Float[Tensor, "batch in_channels scale height width"]
    ) -> Float[Tensor, "batch channel scale height width"]:
        """Convolve."""
        return scale_space_conv2d(x, self.weight, self.bias, base=self.base)

    def extra_repr(self) -> str:
        parts = [f"{self.in_channels}, {self.out_channels}, {self.kernel_size}"]
        parts += [f"extent={self.extent}"] if self.extent != 1 else []
        parts += [f"base={self.base}"] if self.base != 2 else []
        parts += ["bias=False"] if self.bias is None else []
        return ", ".join(parts)
