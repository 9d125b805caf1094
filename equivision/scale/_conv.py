"""Convolutions whose kernels are drawn at several scales."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equivision.errors import ConfigError
from equivision.filters import HermiteBasis, LogPolarBasis, ScaleBasis, scale_windows
from equivision.nn._base import Guarantee, check_count, uniform_
from equivision.scale._functional import scale_conv2d, scale_lift_conv2d


class _ScaleConvBase(nn.Module):
    """What the convolutions over scales share: coefficients of functions that are drawn at every scale, once."""

    equivariance: Guarantee = "approximate"
    default_basis: ScaleBasis = HermiteBasis()
    functions: Tensor
    bias: Tensor | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        scales: Sequence[float],
        basis: ScaleBasis | None = None,
        stride: int = 1,
        padding: int | Literal["same"] = 0,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        for name, count in (("in_channels", in_channels), ("out_channels", out_channels), ("stride", stride)):
            check_count(name, count)
        self.windows = scale_windows(kernel_size, scales)
        self.scales = tuple(float(s) for s in scales)
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, kernel_size
        self.stride, self.padding = stride, kernel_size // 2 if padding == "same" else padding
        if isinstance(self.padding, bool) or not isinstance(self.padding, int) or self.padding < 0:
            raise ConfigError(f"padding={padding!r}: give a whole number of at least 0, or 'same'")
        self.basis = self.default_basis if basis is None else basis
        if not isinstance(self.basis, ScaleBasis):
            raise ConfigError(
                f"basis={basis!r}: give functions for all scales, such as equivision.filters.HermiteBasis()"
            )
        drawn = self._drawn()
        shape = (out_channels, in_channels, *self._extent(), drawn.shape[0])
        self.weight = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.empty(out_channels, device=device, dtype=dtype)) if bias else None
        self.register_buffer("functions", torch.empty(drawn.shape, dtype=drawn.dtype, device=device), persistent=False)
        self.reset_parameters()

    def _extent(self) -> tuple[int, ...]:
        """The axes of the weight between channels and functions."""
        return ()

    def _drawn(self) -> Float[Tensor, "functions scales size size"]:
        return torch.tensor(self.basis.sample(self.kernel_size, self.scales), device="cpu")

    @property
    def fan_in(self) -> float:
        """Number of products summed in one output value; functions count by the mean square of their norms."""
        seen = self.in_channels * (self.weight.shape[2] if self._extent() else 1)
        return seen * float(self._drawn().square().sum()) / len(self.scales)

    def reset_parameters(self) -> None:
        """Draw the weights so that activations keep their variance through a ReLU; biases are 0; draw the functions."""
        self.functions.copy_(self._drawn())
        uniform_(self.weight, 2 / max(self.fan_in, 1e-9))
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def _options(self) -> dict[str, Any]:
        return {"basis": self.functions, "windows": self.windows, "stride": self.stride, "padding": self.padding}

    def extra_repr(self) -> str:
        parts = [f"{self.in_channels}, {self.out_channels}, {self.kernel_size}, scales={self.scales}"]
        parts += [f"extent={self._extent()[0]}"] if self._extent() and self._extent() != (1,) else []
        parts += [f"basis={self.basis!r}"] if self.basis != self.default_basis else []
        parts += [
            f"{n}={getattr(self, n)}" for n, plain in (("stride", 1), ("padding", 0)) if getattr(self, n) != plain
        ]
        parts += ["bias=False"] if self.bias is None else []
        return ", ".join(parts)


class ScaleLiftConv2d(_ScaleConvBase):
    """From an image to a feature map on scales: every kernel is applied at all its scales.

    ``y[o, s](t) = sum_{c, p} x[c](p) s^-2 psi[o, c]((p - t) / s)``, where psi is a learned sum of functions that can be
    drawn at any scale.

    Args:
        in_channels: channels of the image.
        out_channels: fields, each with one map for every scale.
        kernel_size: taps of a side at the largest scale, odd; smaller scales have fewer, in proportion.
        scales: of the kernels, in pixels, ascending; for equivariance, each as many times the one before it.
        basis: the functions; :class:`~equivision.filters.HermiteBasis` by default.
        stride, padding, bias: as in :class:`torch.nn.Conv2d`; ``"same"`` pads half the largest kernel.
        device, dtype: of the parameters.

    Shape:
        ``[B, in_channels, H, W]`` to ``[B, out_channels, S, H', W']``.

    Equivariance: approximate: an image enlarged by the ratio of two scales gives the enlarged maps, one scale further.
    What moves beyond the first or last scale is lost. Translations: exact away from the border.

    Raises:
        ConfigError: an argument is out of range.
        ShapeError: the input does not fit.

    Source: Sosnovik, Szmaja & Smeulders 2020, eq. 9.

    >>> ScaleLiftConv2d(3, 16, 13, scales=(1.5, 2.1, 3.0), padding="same")(torch.randn(2, 3, 28, 28)).shape
    torch.Size([2, 16, 3, 28, 28])
    """

    def forward(self, x: Float[Tensor, "batch in_channels height width"]) -> Float[Tensor, "batch channel scale h w"]:
        """Convolve."""
        return scale_lift_conv2d(x, self.weight, self.bias, **self._options())


class ScaleConv2d(_ScaleConvBase):
    """Convolution of a feature map on scales.

    ``y[o, s](t) = sum_{c, e, p} x[c, s + e](p) s^-2 psi[o, c, e]((p - t) / s)``: every output sees its own scale and
    the ``extent - 1`` next larger ones.

    Args:
        in_channels: fields of the input.
        out_channels: fields of the output.
        kernel_size: taps of a side at the largest scale, odd.
        scales: those of the input.
        extent: how many neighbouring scales a kernel covers.
        basis, stride, padding, bias, device, dtype: as in :class:`ScaleLiftConv2d`.

    Shape:
        ``[B, in_channels, S, H, W]`` to ``[B, out_channels, S, H', W']``.

    Equivariance: approximate, as for :class:`ScaleLiftConv2d`; with ``extent`` above 1 the last ``extent - 1`` scales
    see zeros beyond the largest, so that they do not take part.

    Raises:
        ConfigError: an argument is out of range.
        ShapeError: the input does not fit.

    Source: Sosnovik, Szmaja & Smeulders 2020, eq. 10.

    >>> ScaleConv2d(4, 8, 7, scales=(1.0, 1.4, 2.0), extent=2)(torch.randn(2, 4, 3, 9, 9)).shape
    torch.Size([2, 8, 3, 3, 3])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        scales: Sequence[float],
        extent: int = 1,
        basis: ScaleBasis | None = None,
        stride: int = 1,
        padding: int | Literal["same"] = 0,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_count("extent", extent)
        number = len(scale_windows(kernel_size, scales))
        if extent > number:
            raise ConfigError(f"extent={extent}: there are {number} scale(s) only; give at most as many")
        self._num_steps = extent
        super().__init__(
            in_channels, out_channels, kernel_size, scales=scales, basis=basis, stride=stride, padding=padding,
            bias=bias, device=device, dtype=dtype,
        )  # fmt: skip

    def _extent(self) -> tuple[int, ...]:
        return (self._num_steps,)

    @property
    def extent(self) -> int:
        """How many neighbouring scales a kernel covers."""
        return self._num_steps

    def forward(
        self, x: Float[Tensor, "batch in_channels scale height width"]
    ) -> Float[Tensor, "batch channel scale h w"]:
        """Convolve."""
        return scale_conv2d(x, self.weight, self.bias, **self._options())


class ScaleSteerableConv2d(_ScaleConvBase):
    """Locally scale-invariant convolution: at every place, the response of the scale that responds most.

    ``y[o](t) = max_s sum_{c, p} x[c](p) s^-2 psi[o, c]((p - t) / s)``. With the functions of
    :class:`~equivision.filters.LogPolarBasis`, the default, it is the layer of SS-CNN; with those of
    :class:`~equivision.filters.HermiteBasis` that of the scalar network of SESN.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: taps of a side at the largest scale, odd.
        scales: of the kernels, in pixels, ascending.
        basis: the functions.
        stride, padding, bias, device, dtype: as in :class:`ScaleLiftConv2d`.

    Shape:
        ``[B, in_channels, H, W]`` to ``[B, out_channels, H', W']``.

    Equivariance: approximate: an image enlarged by the ratio of two scales gives the enlarged map, but for what
    responds most at the first or last scale. Which scale it was is forgotten.

    Raises:
        ConfigError: an argument is out of range.
        ShapeError: the input does not fit.

    Source: Ghosh & Gupta 2019; Sosnovik, Szmaja & Smeulders 2020 (scalar).

    >>> ScaleSteerableConv2d(3, 16, 9, scales=(5.0, 7.0, 9.0), padding="same")(torch.randn(2, 3, 28, 28)).shape
    torch.Size([2, 16, 28, 28])
    """

    default_basis = LogPolarBasis()

    def forward(self, x: Float[Tensor, "batch in_channels height width"]) -> Float[Tensor, "batch channel h w"]:
        """Convolve at all scales, and take the largest."""
        return scale_lift_conv2d(x, self.weight, self.bias, **self._options()).amax(2)
