"""Stateless convolutions over scales, with explicit weights."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from equivision.errors import ShapeError
from equivision.functional._checks import check_dtypes, without_autocast


def scale_lift_conv2d(
    x: Float[Tensor, "batch in_channels height width"],
    weight: Float[Tensor, "out_channels in_channels functions"],
    bias: Float[Tensor, " out_channels"] | None = None,
    *,
    basis: Float[Tensor, "functions scales size size"],
    windows: Sequence[int] | None = None,
    stride: int = 1,
    padding: int = 0,
) -> Float[Tensor, "batch out_channels scales h w"]:
    """Convolve an image with the same kernel at every scale.

    ``y[o, s] = sum_c x[c] * sum_f weight[o, c, f] basis[f, s]``

    Args:
        x: images.
        weight: coefficients of the functions.
        bias: one number for each output field.
        basis: functions at every scale, as :meth:`equivision.filters.ScaleBasis.sample` gives them.
        windows: taps of a side that count at each scale, odd; by default all. What lies outside is not computed.
        stride, padding: as in :func:`torch.nn.functional.conv2d`, for the largest kernel; kernels of all scales have
            the same centres.

    Raises:
        ShapeError: x is no image with that many channels, is smaller than the kernel, or differs in dtype.
    """
    _check(x, 4, weight.shape[1], weight, "ScaleLiftConv2d")
    _check_room(x, basis.shape[-1], padding, "ScaleLiftConv2d")
    weight = weight[:, :, None]
    maps = [
        _convolve(x, _kernel(x, weight, basis, s, window), bias, basis.shape[-1], stride, padding)
        for s, window in enumerate(windows or [basis.shape[-1]] * basis.shape[1])
    ]
    return torch.stack(maps, 2)


def scale_conv2d(
    x: Float[Tensor, "batch in_channels scales height width"],
    weight: Float[Tensor, "out_channels in_channels extent functions"],
    bias: Float[Tensor, " out_channels"] | None = None,
    *,
    basis: Float[Tensor, "functions scales size size"],
    windows: Sequence[int] | None = None,
    stride: int = 1,
    padding: int = 0,
) -> Float[Tensor, "batch out_channels scales h w"]:
    """Convolve maps on scales: ``y[o, s] = sum_{c, e} x[c, s + e] * sum_f weight[o, c, e, f] basis[f, s]``.

    Every output sees ``extent`` scales, its own and the next larger ones; beyond the largest there is 0.

    Args:
        x: maps on as many scales as the basis has.
        weight: coefficients of the functions, for each step between scales.
        bias, basis, windows, stride, padding: as in :func:`scale_lift_conv2d`.

    Raises:
        ShapeError: x is no map with that many channels and scales, is smaller than the kernel, or differs in dtype.

    Source: Sosnovik, Szmaja & Smeulders 2020, eq. 10.
    """
    _check(x, 5, weight.shape[1], weight, "ScaleConv2d", basis.shape[1])
    _check_room(x, basis.shape[-1], padding, "ScaleConv2d")
    maps = []
    for s, window in enumerate(windows or [basis.shape[-1]] * basis.shape[1]):
        seen = x[:, :, s : s + weight.shape[2]]
        kernel = _kernel(x, weight[:, :, : seen.shape[2]], basis, s, window)
        maps.append(_convolve(seen.flatten(1, 2), kernel, bias, basis.shape[-1], stride, padding))
    return torch.stack(maps, 2)


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

    Source: Worrall & Welling 2019, eq. 19.
    """
    _check(x, 5, weight.shape[1], weight, "ScaleSpaceConv2d")
    maps = []
    for k in range(x.shape[2]):
        seen = x[:, :, k : k + weight.shape[2]]
        kernel = weight[:, :, : seen.shape[2]].flatten(1, 2)
        maps.append(F.conv2d(seen.flatten(1, 2), kernel, bias, padding="same", dilation=base**k))
    return torch.stack(maps, 2)


def _kernel(x: Tensor, weight: Tensor, basis: Tensor, s: int, window: int) -> Float[Tensor, "out seen window window"]:
    """The kernel at scale s, without the zeros around it."""
    border = (basis.shape[-1] - window) // 2
    functions = basis[:, s, border : border + window, border : border + window].to(weight)
    with without_autocast(x):
        return torch.einsum("ocef,fhw->ocehw", weight, functions).flatten(1, 2)


def _convolve(
    x: Tensor, kernel: Tensor, bias: Tensor | None, size: int, stride: int, padding: int
) -> Float[Tensor, "batch out h w"]:
    """Convolve with a kernel in the middle of a window of ``size`` taps."""
    border = padding - (size - kernel.shape[-1]) // 2
    if border < 0:
        x = x[..., -border : x.shape[-2] + border, -border : x.shape[-1] + border]
    return F.conv2d(x, kernel, bias, stride=stride, padding=max(border, 0))


def _check(x: Tensor, ndim: int, channels: int, weight: Tensor, layer: str, scales: int | None = None) -> None:
    if x.ndim != ndim or x.shape[1] != channels or (scales is not None and x.shape[2] != scales):
        middle = "" if ndim == 4 else "scale, " if scales is None else f"{scales} scale(s), "
        raise ShapeError(
            f"{layer}: input has shape {tuple(x.shape)}; needs [batch, {channels} channel(s), {middle}height, width]"
        )
    check_dtypes(x, weight, layer)


def _check_room(x: Tensor, size: int, padding: int, layer: str) -> None:
    if min(x.shape[-2:]) + 2 * padding < size:
        raise ShapeError(
            f"{layer}: input of {x.shape[-2]} x {x.shape[-1]} with padding={padding} is smaller than the kernel of "
            f"{size}: use more padding, a smaller kernel_size or a larger input"
        )
