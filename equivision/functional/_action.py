"""The reference action of a group on images, volumes and feature maps, and rotation of images by any angle."""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from equivision.errors import ConfigError, GroupMismatchError, ShapeError
from equivision.functional._checks import check_floating, without_autocast
from equivision.groups import OrthogonalGroup, PlanarGroup, PlaneGroup, PointGroup, SpatialGroup, parse_plane, spatial
from equivision.kernels import channels_last, is_channels_last
from equivision.reps import Representation, regular

#: A number, or (flips, degrees) for SO(2) and O(2).
Element = int | tuple[int, float]
_AXES = {1: ("channel", "batch, channels"), 2: ("group", "batch, channel, group")}
_MODES = ("nearest", "bilinear", "bicubic")
_OUTSIDE = ("zeros", "border", "reflection")


def _laid_out_as(moved: Tensor, x: Tensor) -> Tensor:
    """Lay out in memory as x was (contiguous or channels_last), so that ``view`` works on what has been moved, too."""
    if x.is_contiguous():
        return moved.contiguous()
    if x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last):
        return moved.contiguous(memory_format=torch.channels_last)
    if x.ndim == 5 and is_channels_last(x):
        return channels_last(moved)
    return moved


def act_plane(x: Tensor, g: Any, group: PlaneGroup) -> Tensor:
    """Move the last two axes by element g: reverse the rows if it flips, then turn counter-clockwise.

    Raises:
        GroupMismatchError: g rotates by an angle that is not a multiple of 90 degrees.
    """
    if isinstance(group, PlanarGroup):
        flips, turns = group.split(g)[0], group.quarter_turns(g)
    else:
        flips, turns = group.quarter_turns(g)
    moved = torch.flip(x, (-2,)) if flips else x
    return torch.rot90(moved, turns, (-2, -1))


def act_space(x: Tensor, g: int, group: PointGroup) -> Tensor:
    """Move the last three axes by element g: exchange and reverse them, :meth:`PointGroup.grid_move`.

    Raises:
        GroupMismatchError: g does not map the voxel grid onto itself.
    """
    order, flips = group.grid_move(g)
    first = x.ndim - 3
    moved = x.permute(*range(first), *(first + axis for axis in order))
    return torch.flip(moved, [first + axis for axis in flips])


def _act_fibre(x: Tensor, g: Element, rep: Representation, axis: int) -> Tensor:
    """Apply rho(g) along axis 1 or 2."""
    if x.shape[axis] != rep.size:
        what, layout = _AXES[axis]
        raise ShapeError(
            f"x has shape {tuple(x.shape)}: axis {axis} must be the {what} axis of size {rep.size} for {rep!r}, as in "
            f"[{layout}, height, width]"
        )
    if rep.is_permutation and isinstance(g, int):
        return x.index_select(axis, torch.tensor(rep.permutation(g), device=x.device))
    matrix = torch.tensor(rep.matrix(g), dtype=x.dtype, device=x.device)
    return torch.einsum("ij,bj...->bi..." if axis == 1 else "ij,bcj...->bci...", matrix, x)


def act(
    x: Tensor, g: Element, group: SpatialGroup | OrthogonalGroup | str, rep: Representation | None = None
) -> Tensor:
    """Apply element ``g``: the action that "equivariant" refers to everywhere in this library.

    The number of axes says what x is:

    ============================================  ======================================================
    ``[batch, feature]``                          invariants: unchanged
    ``[batch, channel, group]``                   values on the group: the group axis is permuted
    ``[batch, channel, height, width]``           plane maps: moved in the plane; with ``rep``, channels by it, too
    ``[batch, channel, group, height, width]``    maps on the group: both, ``(L_g f)(h) = g . f(g^-1 h)``
    ============================================  ======================================================

    For a point group of space maps have depth before height: volumes are 5-d, and maps on the group 6-d.

    Args:
        x: tensor of one of the shapes above.
        g: element of ``group``; must map the grid onto itself where x has spatial axes. One of SO(2) or O(2) is a pair
            (flips, degrees).
        group: C_n or D_n, SO(2) or O(2), or a point group of space, as a group or its name.
        rep: how the group axis moves, by default by the regular representation; or the channels of plane maps or
            volumes, by default not at all.

    Returns:
        The moved tensor, in the memory format of x where that is contiguous or channels_last.

    Raises:
        ShapeError: x has another number of axes, or its group axis the wrong length.
        GroupMismatchError: g is off the grid.

    >>> act(torch.tensor([[[[1, 2], [3, 4]]]]), 1, "C4").tolist()
    [[[[2, 4], [1, 3]]]]
    """
    group = _acting(group)
    group.check_element(g)  # pyright: ignore[reportArgumentType]
    if rep is not None and rep.group != group:
        raise GroupMismatchError(f"rep={rep!r} is a representation of {rep.group.name}, not of {group.name}")
    if x.ndim == 2:
        return x
    if isinstance(group, PointGroup):
        return _act_in_space(x, group.check_element(g), group, rep)  # pyright: ignore[reportArgumentType]
    if x.ndim == 4:
        moved = x if rep is None else _act_fibre(x, g, rep, 1)
        return _laid_out_as(act_plane(moved, g, group), x)
    if x.ndim in (3, 5):
        moved = _act_fibre(x, g, regular(group) if rep is None else rep, 2)  # pyright: ignore[reportArgumentType]
        return moved if x.ndim == 3 else _laid_out_as(act_plane(moved, g, group), x)
    raise ShapeError(f"x has {x.ndim} axes, shape {tuple(x.shape)}: act knows tensors of 2, 3, 4 or 5 axes")


def _acting(group: SpatialGroup | OrthogonalGroup | str) -> PlaneGroup | PointGroup:
    if isinstance(group, OrthogonalGroup) or (isinstance(group, str) and group.upper() in ("SO2", "O2")):
        return parse_plane(group)
    return spatial(group)


def _act_in_space(x: Tensor, g: int, group: PointGroup, rep: Representation | None) -> Tensor:
    if x.ndim == 5:
        return act_space(x if rep is None else _act_fibre(x, g, rep, 1), g, group).contiguous()
    if x.ndim in (3, 6):
        moved = _act_fibre(x, g, regular(group) if rep is None else rep, 2)
        return moved if x.ndim == 3 else act_space(moved, g, group).contiguous()
    raise ShapeError(
        f"x has {x.ndim} axes, shape {tuple(x.shape)}: for {group.name}, which acts on space, act knows tensors of 2, "
        "3, 5 or 6 axes"
    )


def rotate(
    x: Float[Tensor, "batch channel height width"],
    degrees: float | Float[Tensor, " batch"],
    *,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
) -> Float[Tensor, "batch channel height width"]:
    """Rotate images counter-clockwise about their centre by any angle, one for all or one each.

    At multiples of 90 degrees (square images) this is ``torch.rot90`` to rounding; in between the image is
    interpolated. Images in half precision are interpolated in float32, also under autocast.

    Args:
        x: images.
        degrees: angle, or one angle for each image.
        mode: ``"nearest"``, ``"bilinear"`` or ``"bicubic"``.
        padding_mode: what lies outside: ``"zeros"``, ``"border"`` or ``"reflection"``.

    Raises:
        ConfigError: unknown mode or padding mode, or an angle that is not finite.
        ShapeError: x is not 4-d or holds whole numbers, or the number of angles is not the number of images.

    >>> x = torch.arange(16.0).reshape(1, 1, 4, 4)
    >>> torch.allclose(rotate(x, 90.0), torch.rot90(x, 1, (-2, -1)), atol=1e-5)
    True
    """
    if x.ndim != 4:
        raise ShapeError(f"x has shape {tuple(x.shape)}: rotate needs [batch, channel, height, width]")
    check_floating(x, "rotate")
    for name, value, known in (("mode", mode, _MODES), ("padding_mode", padding_mode, _OUTSIDE)):
        if value not in known:
            raise ConfigError(f"{name}={value!r} is not known: choose one of {', '.join(map(repr, known))}")
    angles = torch.as_tensor(degrees, dtype=torch.float64, device="cpu").reshape(-1)
    if angles.numel() not in (1, x.shape[0]):
        raise ShapeError(
            f"degrees has {angles.numel()} entries for {x.shape[0]} images: give one angle, or one an image"
        )
    if not torch.compiler.is_compiling() and not all(map(math.isfinite, angles.tolist())):
        raise ConfigError(f"degrees={degrees}: give finite angles")
    if not x.shape[0]:
        return x.clone()  # torch makes no grid for no images
    radians = torch.deg2rad(angles.expand(x.shape[0]))
    cos, sin = torch.cos(radians), torch.sin(radians)
    zero, ratio = torch.zeros_like(cos), x.shape[-2] / x.shape[-1]
    theta = torch.stack([torch.stack([cos, -sin * ratio, zero], -1), torch.stack([sin / ratio, cos, zero], -1)], -2)
    wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x  # half precision cannot tell pixels apart
    with without_autocast(x):
        grid = torch.nn.functional.affine_grid(theta.to(wide), list(x.shape), align_corners=False)
        turned = torch.nn.functional.grid_sample(wide, grid, mode=mode, padding_mode=padding_mode, align_corners=False)
    return turned.to(x.dtype)
