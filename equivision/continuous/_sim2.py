"""Separable continuous convolutions over turns and scalings."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from equivision.continuous._conv import ContinuousConv
from equivision.continuous._elements import Elements, pull_back, relative
from equivision.continuous._siren import Siren
from equivision.continuous._taps import inside_disk


class SeparableContinuousConv2d(ContinuousConv):
    """Group convolution over turns and scalings whose continuous kernel is a product of three.

    ``k[o, c](x, r, s) = k_r[o, c](r) k_s[o](s) k_x[o](x)``, each a :class:`Siren`: of the turn r (cosine and sine), of
    the logarithm of the scale s, of the place x in the unit disk. First a 1x1 convolution over all fields and elements,
    ``z[o](h) = mean over h' of sum_c k_r[o, c](h^-1 h') k_s[o](h^-1 h') f[c](h')``, then for every field and element
    one spatial kernel, ``y[o](t, h) = 1/s^2 sum_p k_x[o](h^-1(p - t)) z[o](p, h)``. Without turns, k_r is a function of
    the scale.

    Args:
        in_channels: fields of the input.
        out_channels: fields of the output.
        kernel_size: taps of a row; those in the unit disk count. 1 leaves the spatial part out.
        num_rotations: angles; 1 for scalings alone.
        scales: enlargements, ascending; the spatial kernel of the largest fills the window.
        padding: pixels on each side; half the kernel by default.
        bias: whether every field has one.
        hidden, num_hidden, omega: of the kernels, as in :class:`Siren`.
        device, dtype: of the parameters.

    Shape:
        ``[B, in_channels, n, H, W]`` to ``[B, out_channels, m, H', W']``; n and m are the numbers of elements.

    Equivariance: for elements ``source`` and ``target`` that g maps onto themselves, ``f(L_g x) = L_g f(x)``: exact for
    turns by multiples of 90 degrees, approximate for other turns. Scalings map no finite choice of elements onto
    itself: approximate, and none beyond the smallest and the largest scale.

    Raises:
        ConfigError: a count or an option is out of range.
        ShapeError: the input is no feature map on ``source``.

    Source: Knigge, Romero & Bekkers 2022, eqs. of section 3.2.

    >>> layer = SeparableContinuousConv2d(4, 6, 7, num_rotations=8, scales=(1.0, 1.5))
    >>> layer(torch.randn(2, 4, 16, 9, 9)).shape
    torch.Size([2, 6, 16, 9, 9])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        num_rotations: int,
        scales: Sequence[float] = (1.0,),
        padding: int | None = None,
        bias: bool = True,
        hidden: int = 64,
        num_hidden: int = 1,
        omega: float = 10.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        where: dict[str, Any] = {"device": device, "dtype": dtype}
        super().__init__(
            in_channels, out_channels, kernel_size, num_rotations=num_rotations, scales=scales, padding=padding,
            bias=bias, **where,
        )  # fmt: skip
        options: dict[str, Any] = {"hidden": hidden, "num_hidden": num_hidden, "omega": omega, **where}
        turns, several = num_rotations > 1, len(self.scales) > 1
        first = num_rotations if turns else len(self.scales)
        self.mixing = Siren(2 if turns else 1, in_channels * out_channels, variance=first / in_channels, **options)
        self.scaling = (
            Siren(1, out_channels, variance=float(len(self.scales)), **options) if turns and several else None
        )
        spatial = Siren(2, out_channels, variance=2 / self.taps.num_taps, **options)
        self.spatial = spatial if kernel_size > 1 else None

    def _mixing(self, source: Elements, target: Elements) -> Float[Tensor, "out_channels m in_channels n"]:
        between = relative(target, source)
        span = max(math.log(self.scales[-1] / self.scales[0]), 1e-3)
        scales = (between.log_scales / span)[..., None]
        values = self.mixing(between.turns() if self.num_rotations > 1 else scales)
        values = values.unflatten(-1, (self.out_channels, self.in_channels)).permute(2, 0, 3, 1)
        if self.scaling is None:
            return values
        return values * self.scaling(scales).permute(2, 0, 1)[:, :, None]

    def _spatial(self, target: Elements, spatial: Siren) -> Float[Tensor, "out_channels m size size"]:
        places = pull_back(self.taps.places(target.angles.dtype), target)
        values = spatial(places) * inside_disk(places) * torch.exp(-2 * target.log_scales)[:, None, None]
        return self.taps.bank(values.permute(2, 0, 1))

    def forward(
        self,
        x: Float[Tensor, "batch in_channels group height width"],
        source: Elements | None = None,
        target: Elements | None = None,
    ) -> Float[Tensor, "batch out_channels group2 h w"]:
        """Convolve from the elements of ``source`` to those of ``target``; None stands for :meth:`grid`."""
        source = self.grid() if source is None else source
        target = self.grid() if target is None else target
        self._check(x, source)
        mixing = (self._mixing(source, target) * source.shares).flatten(2).flatten(0, 1)[..., None, None]
        x = x.flatten(1, 2)
        if self.spatial is None:
            return self._convolve(x, mixing)
        z = torch.nn.functional.conv2d(x, mixing.to(x.dtype))
        bank = self._spatial(target, self.spatial).flatten(0, 1)[:, None]
        return self._convolve(z, bank, groups=len(bank))
