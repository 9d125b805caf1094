"""Convolutions over any finite choice of elements, with kernels that are functions of coordinates."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equivision._numbers import check_count
from equivision.continuous._elements import Elements, check_scales, grid_elements, pull_back, relative
from equivision.continuous._siren import Siren, working_dtype
from equivision.continuous._taps import Taps, inside_disk
from equivision.errors import ConfigError, ShapeError
from equivision.functional._checks import check_dtypes
from equivision.nn._base import Guarantee


class ContinuousConv(nn.Module):
    """What the continuous convolutions share: counts, taps, bias, the elements that they assume when given none."""

    equivariance: Guarantee = "approximate"
    bias: Tensor | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        num_rotations: int,
        reflections: bool = False,
        scales: Sequence[float] = (1.0,),
        padding: int | None = None,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        counts = {"in_channels": in_channels, "out_channels": out_channels, "num_rotations": num_rotations}
        for name, count in counts.items():
            check_count(name, count)
        self.in_channels, self.out_channels, self.num_rotations = in_channels, out_channels, num_rotations
        self.reflections, self.scales = reflections, check_scales(scales)
        self.taps = Taps(kernel_size, self.scales[-1], device=device)
        self.kernel_size = kernel_size
        self.padding = kernel_size // 2 if padding is None else padding
        if not isinstance(self.padding, int) or self.padding < 0:
            raise ConfigError(f"padding={padding!r}: give a whole number of at least 0, or None for half the kernel")
        self.bias = nn.Parameter(torch.zeros(out_channels, device=device, dtype=dtype)) if bias else None

    @property
    def num_elements(self) -> int:
        """Number of elements of the whole group, as it is sampled."""
        return self.num_rotations * len(self.scales) * (2 if self.reflections else 1)

    def _like(self) -> Tensor:
        """A parameter, whose device and dtype the elements take."""
        return next(self.parameters())

    def grid(self) -> Elements:
        """The whole group, sampled at equally spaced angles from 0 on: what is assumed where no elements are given."""
        like = self._like()
        return grid_elements(
            self.num_rotations, reflections=self.reflections, scales=self.scales, device=like.device,
            dtype=working_dtype(like),
        )  # fmt: skip

    def _check(self, x: Tensor, source: Elements | None) -> None:
        name, ndim = type(self).__name__, 4 if source is None else 5
        if x.ndim != ndim or x.shape[1] != self.in_channels:
            layout = "height, width" if source is None else "group, height, width"
            raise ShapeError(
                f"{name}: input has shape {tuple(x.shape)}; needs [batch, {self.in_channels} channel(s), {layout}]"
            )
        if source is not None and x.shape[2] != len(source.angles):
            raise ShapeError(
                f"{name}: input has {x.shape[2]} slot(s) on its group axis, but source has {len(source.angles)} "
                "element(s): give the elements that the input was computed at"
            )
        check_dtypes(x, self._like(), name)

    def _convolve(self, x: Tensor, bank: Tensor, groups: int = 1) -> Float[Tensor, "batch channel group h w"]:
        """Convolve planes with a bank whose outputs are channels times elements, and add the bias."""
        y = torch.nn.functional.conv2d(x, bank.to(x.dtype), padding=self.padding, groups=groups)
        y = y.unflatten(1, (self.out_channels, -1))
        return y if self.bias is None else y + self.bias.to(y.dtype)[:, None, None, None]

    def extra_repr(self) -> str:
        parts = [f"{self.in_channels}, {self.out_channels}, {self.kernel_size}, num_rotations={self.num_rotations}"]
        parts += ["reflections=True"] if self.reflections else []
        parts += [f"scales={self.scales}"] if self.scales != (1.0,) else []
        parts += [f"padding={self.padding}"] if self.padding != self.kernel_size // 2 else []
        parts += ["bias=False"] if self.bias is None else []
        return ", ".join(parts)


class ContinuousLiftConv2d(ContinuousConv):
    """Lifting convolution with a continuous kernel: from a picture to a feature map on chosen elements.

    ``y[o](t, h) = 1/s^2 sum_{c, p} x[c](p) k[o, c](h^-1(p - t))``, s the scale of h, with k a :class:`Siren` in the
    unit disk, 0 outside of it.

    Args:
        in_channels: channels of the picture.
        out_channels: fields of the output.
        kernel_size: taps of a row; those in the unit disk count.
        num_rotations: angles of the whole group, as it is sampled.
        reflections: whether there are reflections.
        scales: enlargements, ascending; the kernel of the largest fills the window.
        padding: pixels on each side; half the kernel by default, which keeps the size where it is odd.
        bias: whether every field has one.
        hidden, num_hidden, omega: of the kernel, as in :class:`Siren`.
        device, dtype: of the parameters.

    Shape:
        ``[B, in_channels, H, W]`` and n elements to ``[B, out_channels, n, H', W']``.

    Equivariance: for elements ``target`` that g maps onto themselves, ``f(L_g x) = L_g f(x)``: exact for those g that
    move the pixel grid onto itself, approximate for the others.

    Raises:
        ConfigError: a count or an option is out of range.
        ShapeError: the input is no picture of so many channels.

    Source: Romero & Lohit 2022; Knigge et al. 2022, for scales.

    >>> layer = ContinuousLiftConv2d(1, 4, 5, num_rotations=8)
    >>> layer(torch.randn(2, 1, 9, 9)).shape
    torch.Size([2, 4, 8, 9, 9])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        num_rotations: int,
        reflections: bool = False,
        scales: Sequence[float] = (1.0,),
        padding: int | None = None,
        bias: bool = True,
        hidden: int = 32,
        num_hidden: int = 1,
        omega: float = 10.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        where: dict[str, Any] = {"device": device, "dtype": dtype}
        super().__init__(
            in_channels, out_channels, kernel_size, num_rotations=num_rotations, reflections=reflections,
            scales=scales, padding=padding, bias=bias, **where,
        )  # fmt: skip
        variance = 2 / (in_channels * self.taps.num_taps)
        self.kernel = Siren(
            2, in_channels * out_channels, hidden=hidden, num_hidden=num_hidden, omega=omega, variance=variance, **where
        )

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"], target: Elements | None = None
    ) -> Float[Tensor, "batch out_channels group h w"]:
        """Lift to the elements of ``target``; None stands for :meth:`grid`."""
        self._check(x, None)
        target = self.grid() if target is None else target
        places = pull_back(self.taps.places(target.angles.dtype), target)
        values = self.kernel(places) * inside_disk(places) * torch.exp(-2 * target.log_scales)[:, None, None]
        values = values.unflatten(-1, (self.out_channels, self.in_channels)).permute(2, 0, 3, 1)
        return self._convolve(x, self.taps.bank(values).flatten(0, 1))


class ContinuousGroupConv2d(ContinuousConv):
    """Group convolution with a continuous kernel, between any two choices of elements.

    ``y[o](t, g) = sum_{c, g', p} w(g') f[c](p, g') k[o, c](g^-1(p - t), g^-1 g')``, where the w(g') are the weights of
    the elements, divided by their sum: a mean over the group. k is a :class:`Siren` of the place, of cosine and sine of
    the angle and, with reflections, of the sign of ``g^-1 g'``.

    Args:
        in_channels: fields of the input.
        out_channels: fields of the output.
        kernel_size: taps of a row; those in the unit disk count.
        num_rotations, reflections, padding, bias, hidden, num_hidden, omega, device, dtype: as in
            :class:`ContinuousLiftConv2d`.

    Shape:
        ``[B, in_channels, n, H, W]`` and m elements to ``[B, out_channels, m, H', W']``.

    Equivariance: for elements ``source`` and ``target`` that g maps onto themselves, ``f(L_g x) = L_g f(x)``: exact for
    those g that move the pixel grid onto itself, approximate for the others. For other elements, none.

    Raises:
        ConfigError: a count or an option is out of range.
        ShapeError: the input is no feature map on ``source``.

    Source: Romero & Lohit 2022. The angle enters as cosine and sine: the angle itself jumps at half a turn.

    >>> layer = ContinuousGroupConv2d(4, 6, 5, num_rotations=8)
    >>> layer(torch.randn(2, 4, 8, 9, 9)).shape
    torch.Size([2, 6, 8, 9, 9])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        num_rotations: int,
        reflections: bool = False,
        padding: int | None = None,
        bias: bool = True,
        hidden: int = 32,
        num_hidden: int = 1,
        omega: float = 10.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        where: dict[str, Any] = {"device": device, "dtype": dtype}
        super().__init__(
            in_channels, out_channels, kernel_size, num_rotations=num_rotations, reflections=reflections,
            padding=padding, bias=bias, **where,
        )  # fmt: skip
        variance = 2 * self.num_elements / (in_channels * self.taps.num_taps)  # the mean over slots divides by them
        self.kernel = Siren(
            5 if reflections else 4, in_channels * out_channels, hidden=hidden, num_hidden=num_hidden, omega=omega,
            variance=variance, **where,
        )  # fmt: skip

    def kernels(self, source: Elements, target: Elements) -> Float[Tensor, "out_channels m in_channels n size size"]:
        """The kernels between all slots, without the weights of the elements."""
        places = pull_back(self.taps.places(target.angles.dtype), target)
        between = relative(target, source)
        parts = [between.turns(), between.mirrors[..., None]] if self.reflections else [between.turns()]
        movement = torch.cat(parts, -1)
        m, n, taps = len(target.angles), len(source.angles), self.taps.num_taps
        points = [places[:, None].expand(m, n, taps, -1), movement[:, :, None].expand(m, n, taps, -1)]
        values = self.kernel(torch.cat(points, -1))
        values = values.unflatten(-1, (self.out_channels, self.in_channels)).permute(3, 0, 4, 1, 2)
        return self.taps.bank(values)

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
        bank = self.kernels(source, target) * source.shares[:, None, None]
        return self._convolve(x.flatten(1, 2), bank.flatten(2, 3).flatten(0, 1))


class ElementPool(nn.Module):
    """Pool over the elements of a feature map, by their weights.

    Args:
        mode: ``"mean"``, weighted; or ``"max"`` over the elements whose weight is not 0.

    Shape:
        ``[B, C, n, H, W]`` and n elements to ``[B, C, H, W]``.

    Equivariance: ``f(L_g x) = g f(x)`` for elements that g maps onto themselves.

    Raises:
        ConfigError: unknown mode.

    >>> ElementPool()(torch.ones(1, 2, 4, 3, 3), grid_elements(4)).shape
    torch.Size([1, 2, 3, 3])
    """

    equivariance: Guarantee = "exact"

    def __init__(self, mode: str = "mean") -> None:
        super().__init__()
        if mode not in ("mean", "max"):
            raise ConfigError(f"mode={mode!r} is not known: choose 'mean' or 'max'")
        self.mode = mode

    def forward(
        self, x: Float[Tensor, "batch channel group height width"], elements: Elements
    ) -> Float[Tensor, "batch channel height width"]:
        """Pool."""
        if x.ndim != 5 or x.shape[2] != len(elements.angles):
            raise ShapeError(
                f"ElementPool: input has shape {tuple(x.shape)}; needs [batch, channel, group, height, width] with "
                f"{len(elements.angles)} element(s) on the group axis"
            )
        if self.mode == "mean":
            return torch.einsum("bcghw,g->bchw", x, elements.shares.to(x.dtype))
        return x.masked_fill(elements.weights[:, None, None] == 0, -math.inf).amax(2)

    def extra_repr(self) -> str:
        return repr(self.mode)
