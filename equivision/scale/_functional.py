"""Stateless convolutions over scales, with explicit weights."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from equivision._numbers import check_count
from equivision.errors import ShapeError
from equivision.functional._checks import check_dtypes, without_autocast
from equivision.functional._grid import check_grid
from equivision.groups import PlanarGroup, planar


def scale_lift_conv2d(
    x: Float[Tensor, "batch in_channels height width"],
    weight: Float[Tensor, "out_channels in_channels functions"],
    bias: Float[Tensor, " out_channels"] | None = None,
    *,
    basis: Float[Tensor, "functions slots size size"],
    group: PlanarGroup | str = "C1",
    windows: Sequence[int] | None = None,
    stride: int = 1,
    padding: int = 0,
    strict: bool = True,
) -> Float[Tensor, "batch out_channels slots h w"]:
    """Convolve an image with the same kernel at every scale, and in every orientation.

    ``y[o, s, h] = sum_c x[c] * sum_f weight[o, c, f] basis[f, s, h]``

    Args:
        x: images.
        weight: coefficients of the functions.
        bias: one number for each output field.
        basis: functions at every scale, moved by every element of the group, as
            :meth:`equivision.filters.ScaleBasis.sample` gives them.
        group: C_n or D_n.
        windows: taps of a side that count at each scale, odd; by default all. What lies outside is not computed.
        stride, padding: as in :func:`torch.nn.functional.conv2d`, for the largest kernel; kernels of all scales have
            the same centres.
        strict: raise GridError where stride and size cannot be exact under the quarter turns and flips of the group.

    Raises:
        ShapeError: x is no image with that many channels, is smaller than the kernel, or differs in dtype; basis or
            windows are not for that group, those scales and that many functions.
        GridError: stride and size leave the sampled positions off centre.
    """
    window = _Window("ScaleLiftConv2d", planar(group), basis.shape[-1], stride, padding, strict)
    _check(x, 4, weight.shape[1], weight, window.layer)
    window.check_functions(basis, weight.shape[-1], windows)
    window.check(x)
    kernels = weight[:, :, None, None]  # the same in every orientation, of one slot
    pieces = [(x, kernels)] * (basis.shape[1] // window.group.order)
    return _at_all_scales(pieces, bias, basis, windows, window)


def scale_conv2d(
    x: Float[Tensor, "batch in_channels slots height width"],
    weight: Float[Tensor, "out_channels in_channels seen functions"],
    bias: Float[Tensor, " out_channels"] | None = None,
    *,
    basis: Float[Tensor, "functions slots size size"],
    group: PlanarGroup | str = "C1",
    windows: Sequence[int] | None = None,
    stride: int = 1,
    padding: int = 0,
    strict: bool = True,
    table: Int[Tensor, "order seen"] | None = None,
) -> Float[Tensor, "batch out_channels slots h w"]:
    """Convolve maps on scales and orientations.

    ``y[o, s, h] = sum_{c, e, h'} x[c, s + e, h'] * sum_f weight[o, c, e, h^-1 h', f] basis[f, s, h]``. Every output
    sees ``extent`` scales, its own and the next larger ones, in all orientations; beyond the largest there is 0.

    Args:
        x: maps on as many slots as the basis has, ``s * order + h``.
        weight: coefficients of the functions, for each step between scales and each element of the group,
            ``e * order + h``.
        table: :func:`slot_table` of the group and the extent, to save building it.
        bias, basis, group, windows, stride, padding, strict: as in :func:`scale_lift_conv2d`.

    Raises:
        ShapeError: x is no map with that many channels and slots, is smaller than the kernel, or differs in dtype;
            weight, basis or windows are not for that group, those scales and that many functions.
        GridError: stride and size leave the sampled positions off centre.

    Source: Sosnovik, Szmaja & Smeulders 2020, eq. 10.
    """
    window = _Window("ScaleConv2d", planar(group), basis.shape[-1], stride, padding, strict)
    order, seen = window.group.order, weight.shape[2]
    _check(x, 5, weight.shape[1], weight, window.layer, basis.shape[1], order)
    window.check_functions(basis, weight.shape[-1], windows)
    if not seen or seen % order:
        raise ShapeError(
            f"{window.layer}: weight has shape {tuple(weight.shape)}; needs [out, in, scales that are seen x {order} "
            f"of {window.group.name}, functions]"
        )
    window.check(x)
    table = slot_table(window.group, seen // order).to(weight.device) if table is None else table
    kernels = weight.index_select(2, table.reshape(-1)).unflatten(2, table.shape)
    pieces: list[tuple[Tensor, Tensor]] = []
    for first in range(0, basis.shape[1], order):
        maps = x[:, :, first : first + seen]
        pieces.append((maps.flatten(1, 2), kernels[:, :, :, : maps.shape[2]]))
    return _at_all_scales(pieces, bias, basis, windows, window)


def slot_table(group: PlanarGroup, extent: int) -> Int[Tensor, "order seen"]:
    """Which part of a kernel an output in orientation h sees of a slot: ``table[h, e * order + h'] = e * order +
    h^-1 h'``.
    """
    slots = torch.from_numpy(group.table[group.inverses])
    return torch.cat([slots + e * group.order for e in range(extent)], 1)


def scale_space_conv2d(
    x: Float[Tensor, "batch in_channels scales height width"],
    weight: Float[Tensor, "out_channels in_channels extent size size"],
    bias: Float[Tensor, " out_channels"] | None = None,
    *,
    base: int = 2,
) -> Float[Tensor, "batch out_channels scales height width"]:
    """Convolve a scale-space with taps that lie further apart at larger scales.

    ``y[o, k](t) = sum_{c, e, p} x[c, k + e](t + base^k p) weight[o, c, e](p)``, with 0 outside the picture and beyond
    the largest scale.

    Args:
        x: maps on the scales ``base^0, base^1, base^2, ...``.
        weight: kernels with an odd number of taps a side, for each step between scales.
        bias: one number for each output field.
        base: ratio of one scale and the one before it.

    Raises:
        ShapeError: x is no map with that many channels, or differs in dtype.
        ConfigError: base is not at least 1.

    Source: Worrall & Welling 2019, eq. 19.
    """
    _check(x, 5, weight.shape[1], weight, "ScaleSpaceConv2d")
    check_count("base", base)
    maps = []
    for k in range(x.shape[2]):
        seen = x[:, :, k : k + weight.shape[2]]
        kernel = weight[:, :, : seen.shape[2]].flatten(1, 2)
        maps.append(F.conv2d(seen.flatten(1, 2), kernel, bias, padding="same", dilation=base**k))
    return torch.stack(maps, 2)


class _Window(NamedTuple):
    """Where the kernels of a layer lie: the largest has ``size`` taps a side, and all have the same centres."""

    layer: str
    group: PlanarGroup
    size: int
    stride: int
    padding: int
    strict: bool

    def check_functions(self, basis: Tensor, functions: int, windows: Sequence[int] | None) -> None:
        """Check that there is one of so many functions for every slot, and a window for every scale."""
        slots = basis.shape[1] if basis.ndim == 4 else 0
        if not slots or slots % self.group.order or len(basis) != functions:
            raise ShapeError(
                f"{self.layer}: basis has shape {tuple(basis.shape)}; needs [{functions} function(s), scales x "
                f"{self.group.order} of {self.group.name}, size, size]"
            )
        scales = slots // self.group.order
        if windows is not None and (
            len(windows) != scales or any(taps % 2 != self.size % 2 or not 0 < taps <= self.size for taps in windows)
        ):
            raise ShapeError(
                f"{self.layer}: windows={windows!r}: give a number of taps for each of {scales} scale(s), odd, at most "
                f"{self.size}"
            )

    def check(self, x: Tensor) -> None:
        """Check that the largest kernel fits, and that it is centred."""
        if min(x.shape[-2:]) + 2 * self.padding < self.size:
            raise ShapeError(
                f"{self.layer}: input of {x.shape[-2]} x {x.shape[-1]} with padding={self.padding} is smaller than the "
                f"kernel of {self.size}: use more padding, a smaller kernel_size or a larger input"
            )
        if self.strict:
            height_width = x.shape[-2], x.shape[-1]
            options = [(n, n) for n in (self.size, self.stride, self.padding)]
            check_grid(self.layer, self.group, height_width, *options, odd=True)


def _at_all_scales(
    pieces: Sequence[tuple[Tensor, Tensor]],
    bias: Tensor | None,
    basis: Tensor,
    windows: Sequence[int] | None,
    window: _Window,
) -> Float[Tensor, "batch out_channels slots h w"]:
    """Convolve, for every scale, what is seen there with its kernels ``[out, in, order or 1, slots, functions]``."""
    order, size = window.group.order, window.size
    bias = None if bias is None else bias.repeat_interleave(order)
    maps: list[Tensor] = []
    for s, (x, kernels) in enumerate(pieces):
        taps = size if windows is None else windows[s]
        border = (size - taps) // 2
        inner = slice(border, border + taps)
        with without_autocast(x):
            functions = basis[:, s * order : (s + 1) * order, inner, inner].to(kernels)
            bank = torch.einsum("ocgsf,fghw->ogcshw", kernels, functions).flatten(2, 3).flatten(0, 1)
        y = _convolve(x, bank, bias, size, window.stride, window.padding)
        maps.append(y.unflatten(1, (-1, order)))
    return torch.cat(maps, 2)


def _convolve(
    x: Tensor, kernel: Tensor, bias: Tensor | None, size: int, stride: int, padding: int
) -> Float[Tensor, "batch out h w"]:
    """Convolve with a kernel in the middle of a window of ``size`` taps."""
    border = padding - (size - kernel.shape[-1]) // 2
    if border < 0:
        x = x[..., -border : x.shape[-2] + border, -border : x.shape[-1] + border]
    return F.conv2d(x, kernel, bias, stride=stride, padding=max(border, 0))


def _check(
    x: Tensor, ndim: int, channels: int, weight: Tensor, layer: str, slots: int | None = None, order: int = 1
) -> None:
    if x.ndim != ndim or x.shape[1] != channels or (slots is not None and x.shape[2] != slots):
        middle = "" if ndim == 4 else "scale, " if slots is None else f"{slots // order} scale(s), "
        middle = middle if order == 1 else f"{slots} slot(s), one for each scale and element of the group, "
        raise ShapeError(
            f"{layer}: input has shape {tuple(x.shape)}; needs [batch, {channels} channel(s), {middle}height, width]"
        )
    check_dtypes(x, weight, layer)
