"""Change of resolution that commutes with rotations and reflections: blur and stride, upsampling."""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from equivision._numbers import check_count
from equivision.errors import ConfigError
from equivision.functional._checks import PADDING_MODES, check_floating
from equivision.functional._pool import _over_space


def gaussian_taps(kernel_size: int, sigma: float, *, dtype: torch.dtype = torch.float64) -> Float[Tensor, " taps"]:
    """Sampled Gaussian of ``kernel_size`` taps, centred (between two taps when even), summing to 1."""
    offsets = torch.arange(kernel_size, dtype=torch.float64) - (kernel_size - 1) / 2
    weights = torch.exp(-0.5 * (offsets / sigma) ** 2)
    return (weights / weights.sum()).to(dtype)


def blur_window(size: int, stride: int, sigma: float) -> tuple[int, int]:
    """Taps and padding of a blur that covers 2.5 sigma and whose windows are centred on a map of ``size`` pixels.

    ``ceil(size / stride)`` windows leave out ``size - (windows - 1) stride`` pixels; the taps have the parity of that
    number, so the padding is the same on both sides: this is how the blur stays centred on every size, where a learned
    kernel cannot.
    """
    windows = -(-size // stride)
    inner = size - (windows - 1) * stride
    taps = max(inner, math.ceil(5 * sigma))
    taps += (taps - inner) % 2
    return taps, (taps - inner) // 2


def check_blur(stride: int, sigma: float | None, padding_mode: str) -> None:
    """Raise ConfigError for options that :func:`blur_pool2d` does not take."""
    whole = isinstance(stride, int) and not isinstance(stride, bool) and stride >= 1
    wide = sigma is None or (isinstance(sigma, (int, float)) and math.isfinite(sigma) and sigma > 0)
    if not whole or not wide or padding_mode not in PADDING_MODES:
        raise ConfigError(
            f"stride={stride!r}, sigma={sigma!r}, padding_mode={padding_mode!r}: "
            "stride must be a whole number of at least 1, sigma positive, "
            f"padding_mode one of {', '.join(PADDING_MODES)}"
        )


def blur_pool2d(
    x: Float[Tensor, "batch channel *rest"],
    stride: int = 2,
    *,
    sigma: float | None = None,
    padding_mode: str = "reflect",
) -> Float[Tensor, "batch channel *out"]:
    """Low-pass filter with an isotropic Gaussian, then keep every ``stride``-th pixel, centred on the map.

    The number of taps follows the size, so that samples are centred on every map: n pixels become ``ceil(n / stride)``.

    Args:
        x: ``[B, C, H, W]`` or ``[B, C, G, H, W]``.
        stride: step.
        sigma: width of the Gaussian in pixels; by default half the stride, and nothing is blurred with stride 1.
        padding_mode: what lies outside the map; maps too small to be reflected are continued by their edge.

    Equivariance: exact for C1, C2, C4, D1, D2, D4, at every size; approximate for other angles, with a far smaller
    error than a plain stride.

    Raises:
        ConfigError: an option is not valid.
        ShapeError: x has no two spatial axes, or holds whole numbers.

    Source: Zhang 2019 (anti-aliased pooling); the rule for the taps is ours.
    """
    check_blur(stride, sigma, padding_mode)
    check_floating(x, "BlurPool2d")
    if stride == 1 and sigma is None:
        return x
    width = 0.5 * stride if sigma is None else sigma

    def along(maps: Tensor, axis: int) -> Tensor:
        taps, border = blur_window(maps.shape[axis], stride, width)
        mode = padding_mode if padding_mode == "zeros" or border < maps.shape[axis] else "replicate"
        kernel = gaussian_taps(taps, width, dtype=maps.dtype).to(maps.device)
        shape, pad = ((taps, 1), (0, 0, border, border)) if axis == -2 else ((1, taps), (border, border, 0, 0))
        padded = F.pad(maps, pad, mode="constant" if mode == "zeros" else mode)
        steps = (stride, 1) if axis == -2 else (1, stride)
        weight = kernel.view(1, 1, *shape).expand(maps.shape[1], 1, *shape)
        return F.conv2d(padded, weight, stride=steps, groups=maps.shape[1])

    return _over_space(x, lambda maps: along(along(maps, -2), -1), "BlurPool2d")


def check_upsample(scale_factor: int, mode: str) -> None:
    """Raise ConfigError for options that :func:`upsample2d` does not take."""
    check_count("scale_factor", scale_factor)
    if mode not in ("nearest", "bilinear"):
        raise ConfigError(f"mode={mode!r} is not known: choose 'nearest' or 'bilinear'")


def upsample2d(
    x: Float[Tensor, "batch channel *rest"],
    scale_factor: int = 2,
    mode: Literal["nearest", "bilinear"] = "bilinear",
    *,
    size: tuple[int, int] | None = None,
) -> Float[Tensor, "batch channel *out"]:
    """Enlarge plane maps or group maps by a whole factor, or to a size.

    Args:
        x: ``[B, C, H, W]`` or ``[B, C, G, H, W]``.
        scale_factor: whole number; height and width are multiplied by it.
        mode: ``"nearest"`` or ``"bilinear"``.
        size: new height and width, instead of the factor; bilinear only, as nearest pixels are not centred then.

    Equivariance: exact for C1, C2, C4, D1, D2, D4, at every size.

    Raises:
        ConfigError: the factor is not a positive whole number, the mode is unknown, or not bilinear with a size.
    """
    check_upsample(scale_factor, mode)
    check_floating(x, "Upsample2d")
    if size is not None and mode != "bilinear":
        raise ConfigError(
            f"size={tuple(size)} with mode={mode!r}: to any size only 'bilinear' is exact; give that mode"
        )
    aligned = None if mode == "nearest" else False
    factor = float(scale_factor) if size is None else None

    def enlarge(maps: Tensor) -> Tensor:
        return F.interpolate(maps, size, factor, mode, aligned)

    return _over_space(x, enlarge, "Upsample2d")
