"""Convolution with kernels that are themselves invariant under a point group."""

from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from equivision.errors import ConfigError, ShapeError
from equivision.filters import orbit_basis
from equivision.functional._checks import Size2, check_fields, pair, without_autocast
from equivision.functional._conv import convolve, fitted
from equivision.groups import PlanarGroup

OrbitAlgorithm = Literal["auto", "expand", "sums"]
_ALGORITHMS = ("auto", "expand", "sums")
# Measured on a CPU (docs/benchmarks.md): from here on the multiplications saved outweigh the sums over orbits.
_MANY_CHANNELS = 128


def check_orbit_algorithm(algorithm: str, group: PlanarGroup) -> None:
    """Raise ConfigError unless the algorithm is known, and can do with the group."""
    if algorithm not in _ALGORITHMS:
        raise ConfigError(f"algorithm={algorithm!r} is not known: choose one of {', '.join(map(repr, _ALGORITHMS))}")
    if algorithm == "sums" and not group.is_on_grid:
        raise ConfigError(
            f"algorithm='sums' adds the taps of an orbit up, but {group.name} does not permute taps: choose 'auto' or "
            "'expand', or C1, C2, C4, D1, D2 or D4"
        )


def basis_of(group: PlanarGroup, kernel_size: tuple[int, int]) -> Float[Tensor, "orbits taps"]:
    """:func:`equivision.filters.orbit_basis` as a tensor; modules keep it as a buffer so that it is built once."""
    return torch.from_numpy(orbit_basis(group, kernel_size).copy())


def orbits_of(group: PlanarGroup, kernel_size: tuple[int, int]) -> tuple[int, ...]:
    """The number of the orbit of every tap; on the grid only, where a tap lies in one."""
    return tuple(orbit_basis(group, kernel_size).argmax(axis=0).tolist())


def wallpaper_filters(
    weight: Float[Tensor, "out_channels in_channels orbits"],
    group: PlanarGroup,
    kernel_size: Size2,
    basis: Float[Tensor, "orbits taps"] | None = None,
) -> Float[Tensor, "out_channels in_channels kh kw"]:
    """Kernels from one number for each orbit of taps: ``K(g p) = K(p)`` for all elements g.

    Raises:
        ShapeError: the weight has not one number for each orbit.

    >>> from equivision.groups import dihedral
    >>> wallpaper_filters(torch.tensor([[[1.0, 2.0, 3.0]]]), dihedral(4), 3)[0, 0].tolist()
    [[3.0, 2.0, 3.0], [2.0, 1.0, 2.0], [3.0, 2.0, 3.0]]
    """
    taps = pair(kernel_size, "kernel_size", least=1)
    basis = basis_of(group, taps).to(weight.device) if basis is None else basis
    if weight.ndim != 3 or weight.shape[2] != len(basis):
        raise ShapeError(
            f"weight has shape {tuple(weight.shape)}; kernels of {taps[0]} x {taps[1]} taps under {group.name} need "
            f"[out_channels, in_channels, {len(basis)}], one number for each orbit"
        )
    with without_autocast(weight):
        return (weight @ basis.to(weight.dtype)).unflatten(2, taps)


def wallpaper_conv2d(
    x: Float[Tensor, "batch in_channels height width"],
    weight: Float[Tensor, "out_channels in_channels_per_group orbits"],
    bias: Float[Tensor, " out_channels"] | None = None,
    *,
    group: PlanarGroup,
    kernel_size: Size2,
    stride: Size2 = 1,
    padding: Size2 | str = 0,
    dilation: Size2 = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    strict: bool = True,
    basis: Float[Tensor, "orbits taps"] | None = None,
    orbits: tuple[int, ...] | None = None,
    algorithm: OrbitAlgorithm = "auto",
) -> Float[Tensor, "batch out_channels out_height out_width"]:
    """Correlate with kernels that are invariant under a point group: ``y(t) = sum_p x(t + p) K(p)``, ``K(g p) = K(p)``.

    Args:
        x: maps on the plane.
        weight: one number for each orbit of taps, from the centre outwards (:func:`equivision.filters.orbit_basis`).
        bias: one number for each output channel.
        group: C_n or D_n with n = 1, 2, 3, 4 or 6.
        kernel_size: taps of a side.
        stride, padding, dilation, groups, padding_mode: as in :class:`torch.nn.Conv2d`.
        strict: raise GridError where stride and size cannot be exact.
        basis, orbits: :func:`basis_of` and :func:`orbits_of` the group and kernel size, to save building them.
        algorithm: ``"expand"`` puts the kernels together and convolves; ``"sums"`` adds the pixels of every orbit up
            first and multiplies then, which takes 3 multiplications instead of 9 for 3x3 under D4, and more memory;
            ``"auto"`` takes sums on a CPU where they pay, from 128 output channels on.

    Equivariance: plane to plane, ``f(g x) = g f(x)``; exact for the elements that move the pixel grid onto itself.

    Raises:
        ShapeError: x is not an image, or weights do not fit.
        GridError: stride and size leave the sampled positions off centre.
        ConfigError: the algorithm is not known, or not for this group.
    """
    check_orbit_algorithm(algorithm, group)
    taps = pair(kernel_size, "kernel_size", least=1)
    if x.ndim != 4:
        raise ShapeError(f"WallpaperConv2d: input has shape {tuple(x.shape)}; needs [batch, channel, height, width]")
    check_fields(bias, weight, weight.shape[0], groups, "WallpaperConv2d")
    basis = basis_of(group, taps).to(weight.device) if basis is None else basis
    options: dict[str, Any] = {
        "layer": "WallpaperConv2d", "group": group, "stride": stride, "padding": padding, "dilation": dilation,
        "padding_mode": padding_mode, "strict": strict,
    }  # fmt: skip
    if algorithm == "sums" or (algorithm == "auto" and _sums_pay(x, weight, group, groups, basis)):
        orbits = orbits_of(group, taps) if orbits is None else orbits
        return _by_sums(x, weight, bias, orbits, taps, groups, options)
    return convolve(x, wallpaper_filters(weight, group, taps, basis), bias, groups=groups, **options)


def _sums_pay(x: Tensor, weight: Tensor, group: PlanarGroup, groups: int, basis: Tensor) -> bool:
    """Whether each sum is used by many output channels, and there are far fewer orbits than taps."""
    enough = weight.shape[0] // groups >= _MANY_CHANNELS and 2 * basis.shape[0] < basis.shape[1]
    return enough and group.is_on_grid and x.device.type == "cpu"


def _by_sums(
    x: Tensor, weight: Tensor, bias: Tensor | None, orbits: tuple[int, ...], taps: tuple[int, int], groups: int,
    options: dict[str, Any],
) -> Tensor:  # fmt: skip
    """One map for each input channel and orbit, then a 1x1 convolution."""
    x, window = fitted(x, weight, taken=weight.shape[1] * groups, taps=taps, **options)
    (down, right), (above, left), (rows, columns) = window
    x = F.pad(x, (left, left, above, above)) if above or left else x
    height = (x.shape[2] - rows * (taps[0] - 1) - 1) // down + 1
    width = (x.shape[3] - columns * (taps[1] - 1) - 1) // right + 1
    sums: list[Tensor | None] = [None] * weight.shape[2]
    for tap, orbit in enumerate(orbits):
        i, j = rows * (tap // taps[1]), columns * (tap % taps[1])
        seen = x[:, :, i : i + down * (height - 1) + 1 : down, j : j + right * (width - 1) + 1 : right]
        before = sums[orbit]
        sums[orbit] = seen if before is None else before + seen
    maps = torch.stack([one for one in sums if one is not None], dim=2).flatten(1, 2)
    return F.conv2d(maps, weight.flatten(1)[:, :, None, None], bias, groups=groups)
