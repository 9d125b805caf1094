"""The orbit-Fourier algorithm on a CPU: tiles that stay in the cache, compiled loops around ordinary matrix products.

A tile is a few images, or some rows of one. It is packed with its border, gathered and transformed (nine numbers for
each pixel of a 3 x 3 kernel, but only for the tile), multiplied block by block, and transformed back into the output.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from equivision.groups import PlanarGroup
from equivision.groups._base import IntArray
from equivision.kernels._format import empty_like_format
from equivision.kernels._loops import KINDS, loop
from equivision.kernels._plan import OrbitPlan, Window, orbit_plan
from equivision.kernels._threads import spread

Pair = tuple[int, int]
#: Bytes of gathered numbers in one tile, about what a core keeps near; pixels in one tile, for the matrix products.
TILE_BYTES, TILE_PIXELS, FEWEST_PIXELS = 16 << 20, 1024, 32
#: Pixels, input fields and columns (fields times taps) in one product of the weight gradient.
GRADIENT_PIXELS, GRADIENT_FIELDS, GRADIENT_COLUMNS = 784, 16, 576


class Tile(NamedTuple):
    """``images`` images from ``image`` on, ``rows`` rows of their output from ``row`` on."""

    image: int
    images: int
    row: int
    rows: int


@dataclass(frozen=True)
class Layout:
    """Where the numbers of every block lie in a flat array: ``[row i, pixel, inner j, length]``, block after block."""

    plan: OrbitPlan
    pixels: int
    length: int
    inner: bool

    def _width(self, block: int) -> int:
        """Numbers at one pixel of one row of a block."""
        size = self.plan.blocks[block]
        return (size.inner if self.inner else size.outer) * self.length

    @cached_property
    def bounds(self) -> list[int]:
        """Where each block starts, and the end."""
        sizes = [b.rows * self.pixels * self._width(i) for i, b in enumerate(self.plan.blocks)]
        return [0, *np.cumsum(sizes).tolist()]

    @cached_property
    def addresses(self) -> tuple[IntArray, IntArray]:
        """First number and distance between pixels, for each row of the basis."""
        start, step = [], []
        for i, (block, bound) in enumerate(zip(self.plan.blocks, self.bounds, strict=False)):
            width = self._width(i)
            for row in range(block.rows):
                for part in range(width // self.length):
                    start.append(bound + row * self.pixels * width + part * self.length)
                    step.append(width)
        return np.array(start), np.array(step)

    def matrices(self, flat: Tensor) -> Iterator[Tensor]:
        """Each block as ``[rows * pixels, inner * length]``."""
        for i, (first, last) in enumerate(pairwise(self.bounds)):
            yield flat[first:last].view(-1, self._width(i))


@dataclass(frozen=True)
class WeightLayout:
    """Where the transformed weights lie: ``[outer k, output field, inner j, length]``, block after block."""

    plan: OrbitPlan
    outputs: int
    length: int

    @cached_property
    def bounds(self) -> list[int]:
        return [0, *np.cumsum([b.outer * self.outputs * b.inner * self.length for b in self.plan.blocks]).tolist()]

    @cached_property
    def addresses(self) -> tuple[IntArray, IntArray]:
        start, step = [], []
        for block, bound in zip(self.plan.blocks, self.bounds, strict=False):
            width = block.inner * self.length
            for k in range(block.outer):
                for j in range(block.inner):
                    start.append(bound + k * self.outputs * width + j * self.length)
                    step.append(width)
        return np.array(start), np.array(step)

    def matrices(self, flat: Tensor) -> Iterator[Tensor]:
        """Each block as ``[outer * outputs, inner * length]``."""
        for block, (first, last) in zip(self.plan.blocks, pairwise(self.bounds), strict=True):
            yield flat[first:last].view(-1, block.inner * self.length)


def shares(total: int, most: int) -> list[Pair]:
    """Ranges of about equal length, at most so long, and a whole number of them for every thread where that can be."""
    if not total:
        return []
    threads = torch.get_num_threads()
    parts = threads * -(-total // (most * threads))
    step = -(-total // parts)
    return [(first, min(first + step, total)) for first in range(0, total, step)]


@lru_cache(maxsize=512)
def _layout(group: PlanarGroup, kernel_size: Pair, pixels: int, length: int, inner: bool) -> Layout:
    return Layout(orbit_plan(group, kernel_size), pixels, length, inner)


@dataclass(frozen=True)
class Gather:
    """One sliding window over one feature map: what a tile reads and where.

    Attributes:
        group: of the feature map.
        kernel_size: taps (rows, columns).
        out: rows and columns of the output.
        stride: of the window.
        corner: rows and columns of border before the feature map; negative where it is cut off.
        dilation: of the window.
        spread: the feature map has this many steps from pixel to pixel, with zeros between.
    """

    group: PlanarGroup
    kernel_size: Pair
    out: Pair
    stride: Pair
    corner: Pair
    dilation: Pair
    spread: Pair = (1, 1)

    @cached_property
    def plan(self) -> OrbitPlan:
        return orbit_plan(self.group, self.kernel_size)

    @cached_property
    def offsets(self) -> tuple[IntArray, IntArray]:
        """Row and column of ``h p`` in the window, ``[taps, order]`` each."""
        rows, columns = np.divmod(self.plan.taps, self.kernel_size[1])
        return np.ascontiguousarray(rows * self.dilation[0]), np.ascontiguousarray(columns * self.dilation[1])

    @property
    def taps(self) -> int:
        return self.kernel_size[0] * self.kernel_size[1]

    def frame_shape(self, tile: Tile, channels: int) -> tuple[int, int, int, int, int]:
        counts = (tile.rows, self.out[1])
        rows, columns = (
            (n - 1) * s + d * (k - 1) + 1
            for n, s, d, k in zip(counts, self.stride, self.dilation, self.kernel_size, strict=True)
        )
        return self.group.order, tile.images, rows, columns, channels

    def tiles(self, images: int, pixels: int) -> list[Tile]:
        """Cut the output of so many images into tiles of about so many pixels."""
        height, width = self.out
        if height * width <= pixels:
            return [Tile(b, last - b, 0, height) for b, last in shares(images, max(1, pixels // (height * width)))]
        rows = shares(height, max(1, pixels // width))
        return [Tile(b, 1, r, last - r) for b in range(images) for r, last in rows]

    def loop(self, dtype: str) -> Any:
        """What packs and gathers; compiled by the first call, so call it before threads do."""
        return loop(f"fill{kind_of(self.plan)}", dtype)

    def fill(self, x: np.ndarray, tile: Tile, scratch: "Scratch", panel: np.ndarray, layout: Layout) -> None:
        """Pack a tile of ``x [B, C, G, H, W]`` and gather it into a panel."""
        dtype = str(x.dtype)
        shape = self.frame_shape(tile, x.shape[1])
        frame = scratch.tensor("frame", int(np.prod(shape)), _dtype(x)).numpy().reshape(shape)
        first_row = tile.row * self.stride[0]
        at = (tile.image, first_row, *self.corner, *self.spread)
        self.loop(dtype)(x, frame, at, *self.offsets, panel, *layout.addresses, tile.rows, self.out[1], *self.stride)


def kind_of(plan: OrbitPlan) -> str:
    return KINDS[len(plan.basis), max(b.inner for b in plan.blocks)]


def _dtype(x: np.ndarray) -> torch.dtype:
    return torch.float32 if x.dtype == np.float32 else torch.float64


class Scratch:
    """Arrays that a thread uses again for every tile, and that are kept for the next call.

    Fresh memory costs a page fault for every 4 KiB, which would take longer than the arithmetic.
    """

    _idle: ClassVar[list["Scratch"]] = []

    def __init__(self) -> None:
        self._kept: dict[tuple[str, torch.dtype], Tensor] = {}

    def tensor(self, name: str, size: int, dtype: torch.dtype) -> Tensor:
        """The first ``size`` numbers of the array of that name."""
        key = (name, dtype)
        if key not in self._kept or self._kept[key].numel() < size:
            self._kept[key] = torch.empty(size, dtype=dtype)
        return self._kept[key][:size]

    @classmethod
    @contextmanager
    def borrow(cls) -> Iterator["Scratch"]:
        """One that no other thread uses."""
        scratch = cls._idle.pop() if cls._idle else cls()
        try:
            yield scratch
        finally:
            cls._idle.append(scratch)


def with_scratch(work: Callable[[Any, Scratch], None]) -> Callable[[Any], None]:
    def run(piece: Any) -> None:
        with Scratch.borrow() as scratch:
            work(piece, scratch)

    return run


def multiply(a: Tensor, weight: Tensor) -> Tensor:
    """``a @ weight.T``; oneDNN's product is twice as fast as ``torch.mm`` on some machines, and no slower on others."""
    if a.dtype == torch.float32 and torch.backends.mkldnn.is_available():
        return torch.ops.mkldnn._linear_pointwise(a, weight, None, "none", [], "")
    return F.linear(a, weight)


def mixed_weights(weight: Tensor, index: IntArray, plan: OrbitPlan, scratch: Scratch) -> list[Tensor]:
    """Transformed weights of ``weight [O, C, G * T]``, one matrix for each block."""
    outputs, channels = weight.shape[:2]
    layout = WeightLayout(plan, outputs, index.shape[0] * channels)
    flat = scratch.tensor("weights", layout.bounds[-1], weight.dtype)
    given, mix, filled = weight.numpy(), plan.mix.astype(str(flat.numpy().dtype)), flat.numpy()
    run = loop("mix_weights", str(filled.dtype))

    def fill(bounds: Pair) -> None:
        run(given, index, mix, *layout.addresses, filled, *bounds)

    spread(fill, shares(outputs, 16))
    return list(layout.matrices(flat))


def _spare(x: Tensor, y: Tensor, weight: Tensor, order: int) -> int:
    """Bytes for the tiles of all threads that keep a layer at 1.4 times the memory of an ordinary convolution.

    That holds input, output and expanded weights; this holds input, output, weights and transformed weights.
    """
    return int(0.4 * (x.nbytes + y.nbytes) + (1.4 * order - 2) * weight.nbytes)


def _pixels(most: int, spare: int, bytes_of_one: int) -> int:
    """Pixels of a tile, so that one tile for every thread fits into the spare bytes."""
    return max(FEWEST_PIXELS, min(most, spare // (torch.get_num_threads() * bytes_of_one)))


def _apply(x: Tensor, gather: Gather, weight: Tensor, index: IntArray, bias: Tensor | None, y: Tensor) -> Tensor:
    """Gather, multiply and scatter every tile of ``x`` into ``y``."""
    plan, outputs, length = gather.plan, weight.shape[0], gather.taps * x.shape[1]
    order, given, written = gather.group.order, x.numpy(), y.numpy()
    offset = torch.zeros(outputs, dtype=x.dtype) if bias is None else bias.contiguous()
    scatter = loop(f"scatter{kind_of(plan)}", str(given.dtype))
    gather.loop(str(given.dtype))

    def run(tile: Tile, scratch: Scratch, matrices: list[Tensor]) -> None:
        pixels = tile.images * tile.rows * gather.out[1]
        into = _layout(gather.group, gather.kernel_size, pixels, length, True)
        panel = scratch.tensor("panel", into.bounds[-1], x.dtype)
        gather.fill(given, tile, scratch, panel.numpy(), into)
        products = [multiply(a, w) for a, w in zip(into.matrices(panel), matrices, strict=True)]
        out = _layout(gather.group, gather.kernel_size, pixels, outputs, False)
        rows, steps = row_views(products, out.bounds, out.addresses)
        scatter(*rows, steps, written, tile.image, tile.images, tile.row, tile.rows, offset.numpy())

    number = order * x.element_size()
    most = min(TILE_PIXELS, TILE_BYTES // (number * length))
    pixels = _pixels(most, _spare(x, y, weight, order), number * (length + x.shape[1] + outputs))
    with Scratch.borrow() as ours:
        matrices = mixed_weights(weight, index, plan, ours)
        spread(with_scratch(partial(run, matrices=matrices)), gather.tiles(x.shape[0], pixels))
    return y


def row_views(
    products: list[Tensor], bounds: list[int], addresses: tuple[IntArray, IntArray]
) -> tuple[list[np.ndarray], IntArray]:
    """Every row of the basis from its first number on, in products that are the blocks of a layout; and its steps."""
    starts, steps = addresses
    flat = [product.numpy().reshape(-1) for product in products]
    blocks = np.searchsorted(bounds, starts, side="right") - 1
    return [flat[i][start - bounds[i] :] for i, start in zip(blocks, starts, strict=True)], steps


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, group: PlanarGroup, window: Window) -> Tensor:
    """Group convolution of ``x [B, C, G, H, W]`` with ``weight [O, C, G, kh, kw]``, float32 or float64."""
    kernel_size = (weight.shape[-2], weight.shape[-1])
    out = window.out_size((x.shape[-2], x.shape[-1]), kernel_size)
    gather = Gather(group, kernel_size, out, window.stride, window.padding, window.dilation)
    y = empty_like_format(x, weight.shape[0], gather.out)
    return _apply(x, gather, weight.flatten(2), gather.plan.weights, bias, y)


def input_gradient(grad: Tensor, x: Tensor, weight: Tensor, group: PlanarGroup, window: Window) -> Tensor:
    """Gradient for x: a convolution of ``grad`` with the weights read backwards."""
    kernel_size = (weight.shape[-2], weight.shape[-1])
    reach = [d * (k - 1) - p for k, p, d in zip(kernel_size, window.padding, window.dilation, strict=True)]
    size, corner = (x.shape[-2], x.shape[-1]), (reach[0], reach[1])
    gather = Gather(group, kernel_size, size, (1, 1), corner, window.dilation, window.stride)
    y = empty_like_format(x, x.shape[1], size)
    return _apply(grad, gather, weight.flatten(2).transpose(0, 1), gather.plan.adjoint, None, y)


def weight_gradient(grad: Tensor, x: Tensor, weight: Tensor, group: PlanarGroup, window: Window) -> Tensor:
    """Gradient for the weights: products of the transformed output gradient with the gathered input.

    Threads share out the input fields, so that each sums over all pixels by itself. A large output gradient is
    transformed in parts.
    """
    kernel_size = (weight.shape[-2], weight.shape[-1])
    gather = Gather(
        group, kernel_size, (grad.shape[-2], grad.shape[-1]), window.stride, window.padding, window.dilation
    )
    plan, taps, (outputs, channels) = gather.plan, gather.taps, weight.shape[:2]
    ranges = shares(channels, max(GRADIENT_FIELDS, 16 * (GRADIENT_COLUMNS // (16 * taps))))
    spare, number = _spare(x, grad, weight, group.order), group.order * x.element_size()
    pixels = _pixels(GRADIENT_PIXELS, spare, number * ((taps + 1) * ranges[0][1] + 2 * outputs))
    tiles = gather.tiles(x.shape[0], pixels)
    layout = WeightLayout(plan, outputs, taps * channels)
    mixed = torch.zeros(layout.bounds[-1], dtype=weight.dtype)
    wholes = [m.view(len(m), -1, channels) for m in layout.matrices(mixed)]
    given = x.numpy()
    gather.loop(str(given.dtype))

    def run(bounds: Pair, scratch: Scratch, tiles: list[Tile], transformed: list[list[Tensor]]) -> None:
        first, last = bounds
        length = taps * (last - first)
        part = WeightLayout(plan, outputs, length)
        total = scratch.tensor("total", part.bounds[-1], x.dtype).zero_()
        for tile, rows in zip(tiles, transformed, strict=True):
            pixels = tile.images * tile.rows * gather.out[1]
            into = _layout(group, kernel_size, pixels, length, True)
            panel = scratch.tensor("panel", into.bounds[-1], x.dtype)
            gather.fill(given[:, first:last], tile, scratch, panel.numpy(), into)
            for sums, a, b in zip(part.matrices(total), rows, into.matrices(panel), strict=True):
                sums += multiply(a.t(), b.t())
        for whole, sums in zip(wholes, part.matrices(total), strict=True):
            whole[:, :, first:last] += sums.view(len(sums), -1, last - first)

    room = spare // 2 + x.nbytes  # the gradient for x comes later, so its place is free
    count = max(torch.get_num_threads(), room // (pixels * number * outputs))
    for first in range(0, len(tiles), count):
        chosen = tiles[first : first + count]
        spread(with_scratch(partial(run, tiles=chosen, transformed=_transformed(grad, group, chosen))), ranges)
    return unmixed_weights(mixed, layout, weight).view(weight.shape)


def unmixed_weights(mixed: Tensor, layout: WeightLayout, weight: Tensor) -> Tensor:
    """Gradient of ``weight``, flattened to ``[O, C, G * T]``, from that of its transform."""
    plan = layout.plan
    result = torch.empty_like(weight.flatten(2), memory_format=torch.contiguous_format)
    given, written = mixed.numpy(), result.numpy()
    mix, run = plan.mix.astype(str(given.dtype)), loop("unmix_weights", str(given.dtype))

    def fill(bounds: Pair) -> None:
        run(given, plan.weights, mix, *layout.addresses, written, *bounds)

    spread(fill, shares(layout.outputs, 16))
    return result


def _transformed(grad: Tensor, group: PlanarGroup, tiles: list[Tile]) -> list[list[Tensor]]:
    """Every tile of the output gradient in the Fourier basis, one matrix for each block."""
    outputs, size = grad.shape[1], (grad.shape[-2], grad.shape[-1])
    gather = Gather(group, (1, 1), size, (1, 1), (0, 0), (1, 1))
    given = grad.numpy()
    gather.loop(str(given.dtype))
    found: dict[Tile, list[Tensor]] = {}

    def run(tile: Tile, scratch: Scratch) -> None:
        layout = _layout(group, (1, 1), tile.images * tile.rows * size[1], outputs, False)
        flat = torch.empty(layout.bounds[-1], dtype=grad.dtype)
        gather.fill(given, tile, scratch, flat.numpy(), layout)
        found[tile] = list(layout.matrices(flat))

    spread(with_scratch(run), tiles)
    return [found[tile] for tile in tiles]
