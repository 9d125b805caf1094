"""Enlarging and shrinking pictures about their centre."""

from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from equivision.errors import ConfigError, ShapeError
from equivision.functional._checks import check_floating

RescaleMode = Literal["nearest", "bilinear", "bicubic"]


def rescale(
    x: Float[Tensor, "batch channel height width"],
    factor: float | Float[Tensor, " batch"],
    *,
    mode: RescaleMode = "bicubic",
    antialias: bool = True,
) -> Float[Tensor, "batch channel height width"]:
    """Enlarge images about their centre by any factor, one for all or one each; the canvas keeps its size.

    ``(L_s x)(p) = x(p / s)``. What lies outside the picture is 0. Rows and columns are resampled one after the other.

    Args:
        x: images.
        factor: s, or one for each image; less than 1 shrinks.
        mode: ``"nearest"``, ``"bilinear"`` or ``"bicubic"`` (Keys' kernel with a = -0.5, as in Pillow).
        antialias: where the picture shrinks, widen the kernel in proportion, as Pillow does; ``"nearest"`` does not.

    Raises:
        ConfigError: unknown mode, or a factor that is not positive and finite.
        ShapeError: x is not 4-d or holds whole numbers, or the number of factors is not the number of images.

    >>> x = torch.ones(1, 1, 4, 4)
    >>> rescale(x, 0.5, mode="nearest")[0, 0].int().tolist()
    [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    if x.ndim != 4:
        raise ShapeError(f"x has shape {tuple(x.shape)}: rescale needs [batch, channel, height, width]")
    check_floating(x, "rescale")
    if mode not in get_args(RescaleMode):
        raise ConfigError(f"mode={mode!r} is not known: choose one of {', '.join(map(repr, get_args(RescaleMode)))}")
    factors = torch.as_tensor(factor, dtype=torch.float64, device="cpu").reshape(-1)
    if factors.numel() not in (1, x.shape[0]):
        raise ShapeError(
            f"factor has {factors.numel()} entries for {x.shape[0]} images: give one factor, or one an image"
        )
    if not bool(((factors > 0) & factors.isfinite()).all()):
        raise ConfigError(f"factor={factor}: give positive, finite factors")
    rows, columns = (_matrices(n, factors, mode, antialias).to(x) for n in x.shape[-2:])
    return rows[:, None] @ x @ columns[:, None].mT


def _matrices(
    size: int, factors: Float[Tensor, " batch"], mode: RescaleMode, antialias: bool
) -> Float[Tensor, "batch size size"]:
    """What each new pixel takes from each old one, along an axis."""
    stretch = (1 / factors).clamp_min(1.0) if antialias and mode != "nearest" else torch.ones_like(factors)
    stretch = stretch[:, None, None]
    middle = (size - 1) / 2
    pixels = torch.arange(size, dtype=torch.float64) - middle
    source = pixels[:, None] / factors[:, None, None] + middle
    reach = int(2 * float(stretch.max())) + 2
    around = torch.arange(-reach, reach + 1) + source.floor()  # also pixels outside, which are 0
    total = _weights((around - source) / stretch, mode).sum(-1, keepdim=True)
    return _weights((torch.arange(size) - source) / stretch, mode) / total


def _weights(distance: Tensor, mode: RescaleMode) -> Tensor:
    """The kernel of an interpolation, at distances in pixels."""
    d = distance.abs()
    if mode == "nearest":
        return ((distance >= -0.5) & (distance < 0.5)).to(d.dtype)
    if mode == "bilinear":
        return (1 - d).clamp_min(0)
    near, far = 1.5 * d**3 - 2.5 * d**2 + 1, -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
    return torch.where(d < 1, near, torch.where(d < 2, far, torch.zeros_like(d)))
