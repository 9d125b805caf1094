"""The pointwise group convolution (1 x 1, stride 1, no border) of contiguous feature maps.

No gathering is needed, so pixels stay innermost as they are: the transform over the group runs along them, and every
product ``weights @ rows`` comes out in the order of the output. A tile is a few images.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from equivision.groups import PlanarGroup
from equivision.groups._base import IntArray
from equivision.kernels._cpu import (
    Pair,
    Scratch,
    WeightLayout,
    kind_of,
    mixed_weights,
    multiply,
    row_views,
    shares,
    unmixed_weights,
    with_scratch,
)
from equivision.kernels._plan import OrbitPlan, Window, orbit_plan
from equivision.kernels._pointwise_loops import pointwise_loop
from equivision.kernels._threads import spread

#: Pixels of one tile, for the matrix products.
TILE_PIXELS = 400


def applies(x: Tensor, kernel_size: Pair, window: Window) -> bool:
    """Whether a convolution of ``x [B, C, G, H, W]`` is of this form."""
    plain = kernel_size == (1, 1) and window.stride == (1, 1) and window.padding == (0, 0)
    return plain and x.is_contiguous() and x.numel() > 0


@dataclass(frozen=True)
class RowLayout:
    """Where the rows of the basis lie in a flat array: ``[part, field, row i, pixel]``, block after block."""

    plan: OrbitPlan
    fields: int
    pixels: int
    inner: bool

    @cached_property
    def parts(self) -> list[int]:
        return [b.inner if self.inner else b.outer for b in self.plan.blocks]

    @cached_property
    def bounds(self) -> list[int]:
        sizes = [n * self.fields * b.rows * self.pixels for n, b in zip(self.parts, self.plan.blocks, strict=True)]
        return [0, *np.cumsum(sizes).tolist()]

    @cached_property
    def addresses(self) -> tuple[IntArray, IntArray]:
        """First number and distance between fields, for each row of the basis."""
        start, step = [], []
        for count, block, bound in zip(self.parts, self.plan.blocks, self.bounds, strict=False):
            width = block.rows * self.pixels
            for i in range(block.rows):
                for part in range(count):
                    start.append(bound + part * self.fields * width + i * self.pixels)
                    step.append(width)
        return np.array(start), np.array(step)

    def matrices(self, flat: Tensor) -> Iterator[Tensor]:
        """Each block as ``[parts * fields, rows * pixels]``."""
        for block, (first, last) in zip(self.plan.blocks, pairwise(self.bounds), strict=True):
            yield flat[first:last].view(-1, block.rows * self.pixels)


def _maps(x: Tensor) -> np.ndarray:
    """``[B, C, G, pixels]``."""
    return x.flatten(3).numpy()


def _apply(x: Tensor, group: PlanarGroup, weight: Tensor, index: IntArray, bias: Tensor | None) -> Tensor:
    plan = orbit_plan(group, (1, 1))
    (images, fields), outputs, size = x.shape[:2], weight.shape[0], x.shape[3] * x.shape[4]
    y = x.new_empty((images, outputs, *x.shape[2:]))
    given, written = _maps(x), _maps(y)
    offset = torch.zeros(outputs, dtype=x.dtype) if bias is None else bias.contiguous()
    kind, dtype = kind_of(plan), str(given.dtype)
    analyse, synthesise = (pointwise_loop(f"{name}{kind}", dtype) for name in ("analyse", "synthesise"))

    def run(bounds: Pair, scratch: Scratch, matrices: list[Tensor]) -> None:
        first, count = bounds[0], bounds[1] - bounds[0]
        into = RowLayout(plan, fields, count * size, inner=True)
        rows = scratch.tensor("panel", into.bounds[-1], x.dtype)
        analyse(given, first, count, 0, fields, rows.numpy(), *into.addresses)
        products = [multiply(w, u.t()) for w, u in zip(matrices, into.matrices(rows), strict=True)]
        out = RowLayout(plan, outputs, count * size, inner=False)
        starts, steps = row_views(products, out.bounds, out.addresses)
        synthesise(*starts, steps, written, first, count, offset.numpy())

    with Scratch.borrow() as ours:
        matrices = mixed_weights(weight, index, plan, ours)
        spread(with_scratch(partial(run, matrices=matrices)), _tiles(images, size))
    return y


def _tiles(images: int, size: int) -> list[Pair]:
    """Ranges of images of about :data:`TILE_PIXELS` pixels."""
    return shares(images, max(1, TILE_PIXELS // size))


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, group: PlanarGroup, window: Window) -> Tensor:
    """Group convolution of ``x [B, C, G, H, W]`` with ``weight [O, C, G, 1, 1]``."""
    return _apply(x, group, weight.flatten(2), orbit_plan(group, (1, 1)).weights, bias)


def input_gradient(grad: Tensor, x: Tensor, weight: Tensor, group: PlanarGroup, window: Window) -> Tensor:
    """Gradient for x."""
    turned = weight.flatten(2).transpose(0, 1)
    return _apply(grad.contiguous(), group, turned, orbit_plan(group, (1, 1)).adjoint, None)


def weight_gradient(grad: Tensor, x: Tensor, weight: Tensor, group: PlanarGroup, window: Window) -> Tensor:
    """Gradient for the weights: each thread sums over its own images, always the same, and these sums are added."""
    plan = orbit_plan(group, (1, 1))
    (images, fields), outputs, size = x.shape[:2], weight.shape[0], x.shape[3] * x.shape[4]
    given, turned = _maps(x), _maps(grad.contiguous())
    layout = WeightLayout(plan, outputs, fields)
    analyse = pointwise_loop(f"analyse{kind_of(plan)}", str(given.dtype))

    def add(total: Tensor, first: int, count: int, scratch: Scratch) -> None:
        into = RowLayout(plan, fields, count * size, inner=True)
        out = RowLayout(plan, outputs, count * size, inner=False)
        rows = scratch.tensor("panel", into.bounds[-1], x.dtype)
        gradients = scratch.tensor("gradients", out.bounds[-1], x.dtype)
        analyse(given, first, count, 0, fields, rows.numpy(), *into.addresses)
        analyse(turned, first, count, 0, outputs, gradients.numpy(), *out.addresses)
        for part, a, b in zip(layout.matrices(total), out.matrices(gradients), into.matrices(rows), strict=True):
            part += multiply(a, b)

    def run(piece: tuple[Tensor, Pair], scratch: Scratch) -> None:
        total, (first, last) = piece
        step = max(1, TILE_PIXELS // size)
        for image in range(first, last, step):
            add(total.zero_() if image == first else total, image, min(step, last - image), scratch)

    ranges = shares(images, images)
    sums = [torch.empty(layout.bounds[-1], dtype=x.dtype) for _ in ranges]
    spread(with_scratch(run), list(zip(sums, ranges, strict=True)))
    for other in sums[1:]:
        sums[0] += other
    return unmixed_weights(sums[0], layout, weight).view(weight.shape)
