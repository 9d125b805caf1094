"""Pooling over the group, over its cosets, and over space."""

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from equivision._numbers import check_count
from equivision.errors import ConfigError, GroupMismatchError, ShapeError
from equivision.functional._checks import Size2, check_floating, each_axis
from equivision.functional._grid import check_fits, check_grid
from equivision.functional._layout import FieldLayout, check_group_values
from equivision.groups import FiniteGroup, PlanarGroup, SpatialGroup, Subgroup
from equivision.reps import Representation

PoolMode = Literal["max", "mean", "norm"]
_REDUCE: dict[str, Callable[[Tensor, int], Tensor]] = {
    "max": lambda x, dim: x.amax(dim),
    "mean": lambda x, dim: x.mean(dim),
    "norm": lambda x, dim: torch.linalg.vector_norm(x, dim=dim),
}


def check_pool_mode(mode: str) -> None:
    """Raise ConfigError unless mode is one of max, mean, norm."""
    if mode not in _REDUCE:
        raise ConfigError(f"mode={mode!r} is not a way to pool: choose one of {', '.join(map(repr, _REDUCE))}")


def group_pool(
    x: Float[Tensor, "batch channel group *space"], mode: PoolMode = "max"
) -> Float[Tensor, "batch channel *space"]:
    """Pool over the group axis: a map on the group becomes a map on the plane or in space (a vector becomes invariant).

    Args:
        x: ``[B, C, G, H, W]``, ``[B, C, G, D, H, W]`` or ``[B, C, G]``.
        mode: ``"max"``, ``"mean"``, or ``"norm"`` (Euclidean norm over the group).

    Equivariance: exact, ``f(L_g x) = g f(x)``.

    Raises:
        ShapeError: x has not 3, 5 or 6 axes.
        ConfigError: unknown mode.
    """
    check_pool_mode(mode)
    if x.ndim not in (3, 5, 6):
        raise ShapeError(
            f"GroupPool: input has shape {tuple(x.shape)}; needs [batch, channel, group, height, width] (in space with "
            "depth before height) or [batch, channel, group]"
        )
    return _REDUCE[mode](x, 2)


def coset_slots(subgroup: Subgroup) -> Int[Tensor, " order"]:
    """All elements of the group, left coset by left coset."""
    return torch.tensor([slot for coset in subgroup.left_cosets() for slot in coset])


def coset_pool(
    x: Float[Tensor, "batch channel group *space"],
    subgroup: Subgroup,
    mode: PoolMode = "max",
    slots: Int[Tensor, " order"] | None = None,
) -> Float[Tensor, "batch channel coset *space"]:
    """Pool over the left cosets ``gH``: ``(P f)(gH) = max_{k in gH} f(k)``, cosets in the order of ``left_cosets()``.

    Left cosets are the only choice that commutes with the group: right cosets do so for normal subgroups alone.

    Args:
        x: ``[B, C, G, H, W]``, ``[B, C, G, D, H, W]`` or ``[B, C, G]``.
        subgroup: H.
        mode: as in :func:`group_pool`.
        slots: :func:`coset_slots` of the subgroup, to save building it.

    Equivariance: exact, regular to ``quotient(subgroup)``.

    Raises:
        ShapeError: the group axis has the wrong length.

    Source: Cohen & Welling 2016, section 6.3; the G-CNN segmentation study, eq. 10.
    """
    check_pool_mode(mode)
    check_group_values(x, subgroup.group, "CosetPool")
    sorted_by_coset = x.index_select(2, slots if slots is not None else coset_slots(subgroup).to(x.device))
    return _REDUCE[mode](sorted_by_coset.unflatten(2, (subgroup.index, subgroup.order)), 3)


def character_signs(rep: Representation) -> Int[Tensor, " order"]:
    """The numbers of a representation of size 1, which are 1 and -1, for every element.

    Raises:
        ConfigError: the size is not 1.
        GroupMismatchError: the group is not finite.
    """
    if not isinstance(rep.group, FiniteGroup):
        raise GroupMismatchError(
            f"rep={rep!r}: features have one slot for each element, but {rep.group.name} has infinitely many: use "
            "InvariantMap or SteerableConv2d, or C_n and D_n"
        )
    if rep.size != 1:
        raise ConfigError(
            f"rep={rep.name!r} has size {rep.size}: a pool gives one number, so it needs a representation of size 1, "
            "such as 'sign', 'A2' or 'B1'; SteerableConv2d goes to larger ones"
        )
    return torch.from_numpy(rep.character).round().to(torch.int8)


def character_pool(
    x: Float[Tensor, "batch channel group *space"], rep: Representation, signs: Int[Tensor, " order"] | None = None
) -> Float[Tensor, "batch channel *space"]:
    """Mean over the group with the signs of a representation of size 1: ``(P f) = 1/|G| sum_h rho(h) f(h)``.

    It is the projection onto the part of f that rho moves. With the sign representation what is left changes its sign
    under reflections; with the trivial one it is the mean of :func:`group_pool`.

    Args:
        x: ``[B, C, G, H, W]``, ``[B, C, G, D, H, W]`` or ``[B, C, G]``.
        rep: representation of size 1.
        signs: :func:`character_signs` of it, to save building them.

    Equivariance: exact, regular to rho: ``f(L_g x) = rho(g) g f(x)``.

    Raises:
        ConfigError: the size of rep is not 1.
        ShapeError: the group axis has the wrong length, or values are whole numbers.
    """
    signs = character_signs(rep).to(x.device) if signs is None else signs
    check_group_values(x, rep.group, "CharacterPool")
    check_floating(x, "CharacterPool")
    return (x.movedim(2, -1) * signs).mean(-1)


def _check_spatial(x: Tensor, layer: str, axes: int = 2) -> None:
    if x.ndim not in (2 + axes, 3 + axes):
        where = "plane" if axes == 2 else "space"
        raise ShapeError(
            f"{layer}: input has shape {tuple(x.shape)}; needs {2 + axes} axes ({where}) or {3 + axes} (group)"
        )


def _over_space(x: Tensor, function: Callable[[Tensor], Tensor], layer: str, axes: int = 2) -> Tensor:
    """Apply a function of ``[B, maps, H, W]`` to 4-d or 5-d features; in space, of ``[B, maps, D, H, W]`` to 5-d or 6-d
    ones.
    """
    _check_spatial(x, layer, axes)
    if x.ndim == 2 + axes:
        return function(x)
    layout = FieldLayout.of(x)
    return layout.unflatten(function(layout.flatten(x)))


def pool_space(
    x: Tensor, layer: str, pool: Callable[..., Tensor], group: SpatialGroup, kernel_size: int | tuple[int, ...],
    stride: int | tuple[int, ...] | None, padding: int | tuple[int, ...], strict: bool,
) -> Tensor:  # fmt: skip
    """A pool of torch over the plane, or over space, where its windows are centred."""
    axes = group.dimension
    _check_spatial(x, layer, axes)
    window = each_axis(kernel_size, "kernel_size", axes=axes, least=1)
    border = each_axis(padding, "padding", axes=axes)
    step = window if stride is None else each_axis(stride, "stride", axes=axes, least=1)
    if any(2 * p > k for p, k in zip(border, window, strict=True)):
        raise ConfigError(f"{layer}: padding={border} is more than half of kernel_size={window}: use less padding")
    size = tuple(x.shape[-axes:])
    check_fits(layer, size, window, border)
    if strict:
        check_grid(layer, group, size, window, step, border, pooling=True)
    return _over_space(x, lambda maps: pool(maps, window, step, border), layer, axes)


def max_pool2d(
    x: Float[Tensor, "batch channel *rest"],
    kernel_size: Size2,
    *,
    group: PlanarGroup,
    stride: Size2 | None = None,
    padding: Size2 = 0,
    strict: bool = True,
) -> Float[Tensor, "batch channel *out"]:
    """Spatial max pooling of plane maps ``[B, C, H, W]`` or group maps ``[B, C, G, H, W]`` that keeps the symmetry.

    Equivariance: exact where ``(n + 2 padding - kernel_size) mod stride == 0``, for the elements of ``group`` that move
    the pixel grid onto itself; approximate for the others.

    Raises:
        GridError: the windows are not centred on the map, along an axis that the group reverses or mixes.
    """
    return pool_space(x, "MaxPool2d", F.max_pool2d, group, kernel_size, stride, padding, strict)


def avg_pool2d(
    x: Float[Tensor, "batch channel *rest"],
    kernel_size: Size2,
    *,
    group: PlanarGroup,
    stride: Size2 | None = None,
    padding: Size2 = 0,
    strict: bool = True,
) -> Float[Tensor, "batch channel *out"]:
    """Spatial mean pooling; as :func:`max_pool2d`."""
    return pool_space(x, "AvgPool2d", F.avg_pool2d, group, kernel_size, stride, padding, strict)


def centered_window(size: int, stride: int) -> tuple[int, int]:
    """Window and padding of a pool from ``size`` to ``ceil(size / stride)`` pixels that is centred on the map.

    The window is ``stride`` pixels wide, or one more: it has the parity of the pixels that the steps leave over, so the
    padding is the same on both sides.
    """
    left = size - (-(-size // stride) - 1) * stride
    padding = (stride - left + 1) // 2
    return left + 2 * padding, padding


def centered_max_pool2d(
    x: Float[Tensor, "batch channel *rest"], stride: int = 2
) -> Float[Tensor, "batch channel *out"]:
    """Spatial max pooling whose windows follow the size, so that they are centred on every map.

    Along each axis n pixels become ``ceil(n / stride)``; the window is ``stride`` pixels wide or one more, whichever
    leaves the same padding on both sides. With a stride of 2 that is 2x2 on even sizes, and 3x3 with a padding of 1
    on odd ones.

    Args:
        x: ``[B, C, H, W]`` or ``[B, C, G, H, W]``.
        stride: step.

    Equivariance: exact for C1, C2, C4, D1, D2, D4, at every size.

    Raises:
        ConfigError: stride is no whole number of at least 1.
        ShapeError: x has not 4 or 5 axes.
    """
    check_count("stride", stride)
    (rows, above), (columns, left) = (centered_window(n, stride) for n in x.shape[-2:])
    return _over_space(x, lambda maps: F.max_pool2d(maps, (rows, columns), stride, (above, left)), "CenteredMaxPool2d")
