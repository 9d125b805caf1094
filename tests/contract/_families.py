"""Rows of the families beside the plane and space: sets, scales, and frames that change from place to place."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from equivision import gauge, permutation, scale
from equivision.filters import HermiteBasis
from equivision.functional import act
from equivision.groups import PlanarGroup, special_orthogonal
from equivision.reps import parse, restricted
from tests.contract._case import C4, D4, GROUPS, Case, moved_by

#: A set of four members is permuted as D4 permutes the corners of a square; all of S4: tests/permutation.
CORNERS = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])


def _corners(g: int) -> tuple[int, ...]:
    """Where the element takes each corner."""
    moved = (CORNERS @ D4.matrix(g).T).round()
    return tuple(int(np.flatnonzero((corner == CORNERS).all(1))[0]) for corner in moved)


def _permuted(x: Tensor, g: int) -> Tensor:
    return permutation.permute(x, _corners(g))


def _still(x: Tensor, g: int) -> Tensor:
    return x


def _sets() -> Iterator[Case]:
    images = ((4, 2, 6, 5), (4, 2, 5, 5))
    rows: tuple[tuple[str, partial[nn.Module], tuple[tuple[int, ...], ...], bool], ...] = (
        ("linear", partial(permutation.PermutationLinear, 3, 4, group="S4"), ((4, 3),), True),
        ("blocks", partial(permutation.PermutationLinear, 3, 4, group="S2wrS2", bias=False), ((4, 3),), True),
        ("conv", partial(permutation.PermutationConv2d, 2, 3, 3, group="S4", padding="same"), images, True),
        ("strided", partial(permutation.PermutationConv2d, 2, 3, 2, group="S4", stride=2, bias=False), images, True),
        ("any", partial(permutation.PermutationLayer, partial(nn.Conv2d, 2, 3, 3), group="S4"), images, True),
        ("each", partial(permutation.MemberWise, nn.Conv2d(2, 3, 2), nn.BatchNorm2d(3), nn.ReLU()), images, True),
        ("mean", partial(permutation.SetPool), images, False),
        ("max", partial(permutation.SetPool, "max", group="S4"), ((4, 3),), False),
    )
    for name, make, shapes, moves in rows:
        # the blocks of S2wrS2 are neighbours in number, which the corners of a square, in this order, are not
        act_in = _permuted if name != "blocks" else partial(_reordered, order=(0, 2, 1, 3))
        yield Case(
            f"{make.func.__name__}-{name}", make, D4, None, shapes=shapes, act_in=act_in,
            act_out=act_in if moves else _still, repr_builds=name not in ("any", "each"), freezes=False,
        )  # fmt: skip


def _reordered(x: Tensor, g: int, order: tuple[int, ...]) -> Tensor:
    """Members stand for the corners in another order, so that opposite corners make a block."""
    corners = _corners(g)
    place = {corner: member for member, corner in enumerate(order)}
    return permutation.permute(x, tuple(place[corners[corner]] for corner in order))


def _slots(x: Tensor, g: int, group: PlanarGroup) -> Tensor:
    """Images, and maps with a slot for each scale and element."""
    if x.ndim == 4:
        return act(x, g, group)
    maps = x.unflatten(2, (-1, group.order))
    return act(maps.flatten(1, 2), g, group).unflatten(1, maps.shape[1:3]).flatten(2, 3)


def _scales() -> Iterator[Case]:
    """Exact where pixels move onto pixels; in scale approximate: tests/scale."""
    options: dict[str, Any] = {"scales": (1.0, 2.0), "basis": HermiteBasis(2)}
    sizes = ((9, 9), (8, 8), (8, 9))
    for group in GROUPS:
        slots = tuple((2, 2 * group.order, *size) for size in sizes)
        images = tuple((2, *size) for size in sizes)
        both = {**options, "group": group.name}
        rows: tuple[tuple[partial[nn.Module], tuple[tuple[int, ...], ...]], ...] = (
            (partial(scale.ScaleLiftConv2d, 2, 2, 5, padding=1, **both), images),
            (partial(scale.ScaleConv2d, 2, 2, 5, extent=2, padding="same", **both), slots),
            (partial(scale.ScaleSteerableConv2d, 2, 2, 3, **both), images),
            (partial(scale.ScaleSpaceLift, 2, zero_scale=0.5), images),
            (partial(scale.ScalePool, "norm"), slots),
        )
        for make, shapes in rows:
            kind = make.func.__name__
            yield Case(
                f"{kind}-{group}", make, group, None, shapes=shapes, act_in=partial(_slots, group=group),
                act_out=partial(_spaces if kind == "ScaleSpaceLift" else _slots, group=group),
                freezes=kind == "ScalePool", guarantee="exact" if kind == "ScalePool" else "approximate",
            )  # fmt: skip


def _spaces(x: Tensor, g: int, group: PlanarGroup) -> Tensor:
    """Maps with a slot for each scale alone."""
    return act(x.flatten(1, 2), g, group).unflatten(1, x.shape[1:3])


class InFrames(nn.Module):
    """A gauge layer with the frames, or the stencil, that it is given."""

    def __init__(self, inside: nn.Module, frames: Tensor | gauge.Stencil) -> None:
        super().__init__()
        self.inside, self.frames = inside, frames

    def forward(self, x: Tensor) -> Tensor:
        return self.inside(x, self.frames.to(x.dtype))


FIELDS = "A + 2 E1 + E2"


def _frames() -> Iterator[Case]:
    """Pictures with their fields, in the same frame everywhere; other frames: tests/gauge."""
    fields = parse(FIELDS, special_orthogonal())
    frame = torch.zeros(7, 7, dtype=torch.float64)
    moved = partial(moved_by, group=C4, rep=restricted(fields, C4))
    conv = partial(gauge.GaugeConv2d, fields, fields, 3, padding=1)
    yield Case(
        "GaugeConv2d", lambda: InFrames(conv(), frame), C4, None, shapes=((fields.size, 7, 7),), act_in=moved,
        act_out=moved, repr_builds=False, freezes=False,
    )  # fmt: skip
    yield Case(
        "GaugeSequential", lambda: InFrames(gauge.GaugeSequential(conv(), conv()), frame), C4, None,
        shapes=((fields.size, 7, 7),), act_in=moved, act_out=moved, repr_builds=False, freezes=False,
    )  # fmt: skip
    yield Case(
        "GaugeConv", lambda: InFrames(gauge.GaugeConv(fields, fields), _rings()), C4, None,
        shapes=((fields.size, 24, 1),), act_in=_around, act_out=_around, repr_builds=False, freezes=False,
    )  # fmt: skip


def _rings() -> gauge.Stencil:
    """Points on three parallels of the sphere, in frames along them: a turn about the axis keeps both."""
    angle = torch.arange(8, dtype=torch.float64) * torch.pi / 4
    height = torch.tensor([-0.6, 0.1, 0.7], dtype=torch.float64)[:, None]
    width = (1 - height**2).sqrt()
    points = torch.stack([width * angle.cos(), width * angle.sin(), height.expand(-1, 8)], -1).flatten(0, 1)
    east = torch.stack([-angle.sin(), angle.cos(), torch.zeros_like(angle)], -1).repeat(3, 1)
    axes = torch.stack([east, torch.linalg.cross(points, east)], 1)
    return gauge.sphere_stencil(points, axes, 0.9)


def _around(x: Tensor, g: int) -> Tensor:
    """A quarter of each parallel further."""
    return x.unflatten(2, (3, 8)).roll(2 * g, 3).flatten(2, 3)


def families() -> Iterator[Case]:
    """Few rows: what these layers are like otherwise is tested beside them."""
    yield from _sets()
    yield from _scales()
    yield from _frames()
