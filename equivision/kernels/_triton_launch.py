"""What surrounds the Triton kernels: weights to blocks and back, memory layout, tile sizes, grids.

Imported on first use only, because it needs triton.
"""

import math
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any, NamedTuple

import torch
import triton
import triton.knobs
from torch import Tensor

from equivision.filters._permute import Pair
from equivision.groups import PlanarGroup
from equivision.kernels._format import channels_last
from equivision.kernels._plan import Window, orbit_plan
from equivision.kernels._triton_kernels import convolve_kernel, transform_kernel, weight_gradient_kernel

INTERPRETED: bool = triton.knobs.runtime.interpret
#: Whether every size tries all tile sizes when it first occurs (the fastest is kept on disk), or takes the first one.
TUNE: bool = os.environ.get("EQUIVISION_TUNE", "1") != "0"
#: Programs that a weight gradient is split into, so that a large GPU is busy even with few fields.
PROGRAMS = 256


class Geometry(NamedTuple):
    """The integers of a group convolution; ``kernel_size`` is (rows, columns)."""

    group: PlanarGroup
    kernel_size: Pair
    window: Window
    groups: int


def _tiles(size: int, tile: int) -> int:
    """How many tiles cover so many elements."""
    return -(-size // tile)


def _configs(order: int) -> list[triton.Config]:
    """Tile sizes (BO output fields, BP pixels, BI input fields), warps and pipeline stages to choose among.

    All |G| sums of a tile stay in registers: 128 x 32 float32 sums of D4 take half of a Hopper core's registers, so it
    is one program of eight warps, or two of four, at a time. Those that need too much shared memory drop out by
    themselves; the first fits every dtype.
    """
    if INTERPRETED:
        return [triton.Config({"BO": 16, "BP": 64, "BI": 16})]
    sizes = {
        8: [(64, 32, 16, 4, 2), (64, 32, 32, 4, 2), (128, 32, 32, 8, 2), (64, 64, 32, 8, 2), (64, 64, 32, 8, 3),
            (128, 32, 16, 8, 2), (64, 64, 16, 8, 3), (32, 32, 32, 4, 2)],
        4: [(64, 64, 32, 4, 2), (64, 64, 32, 4, 3), (128, 64, 32, 8, 3), (128, 64, 64, 8, 2), (64, 64, 64, 4, 2),
            (128, 32, 32, 4, 3), (32, 32, 32, 4, 3)],
        2: [(64, 64, 32, 4, 2), (128, 128, 32, 8, 3), (128, 64, 64, 4, 3), (128, 128, 64, 8, 2), (64, 64, 64, 4, 3),
            (32, 64, 32, 4, 4)],
    }  # fmt: skip
    return [
        triton.Config({"BO": bo, "BP": bp, "BI": bi}, num_warps=warps, num_stages=stages)
        for bo, bp, bi, warps, stages in sizes[order][: None if TUNE else 1]
    ]


@lru_cache(maxsize=16)
def _tuned(kernel: Any, order: int) -> Any:
    """A kernel that tries the tile sizes once for every size and keeps the fastest; the dtype is part of the key."""
    key = ["in_fields", "out_fields", "size_class", "stride_y", "UP_Y", "KH", "KW", "CYCLIC", "PRECISION"]
    known = [name for name in key if name in kernel.arg_names]
    return triton.autotune(configs=_configs(order), key=known, cache_results=True)(kernel)


@lru_cache(maxsize=64)
def _to_blocks(
    group: PlanarGroup, kernel_size: Pair, adjoint: bool, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """The matrix that takes a kernel's (slot, tap) axes to (block row, tap), ``[order * taps, order * taps]``.

    Entries are 0 and plus or minus a power of two, so no dtype rounds them.
    """
    plan = orbit_plan(group, kernel_size)
    index = torch.from_numpy(plan.adjoint if adjoint else plan.weights)  # [taps, order]
    mix = torch.from_numpy(plan.mix[: group.order]).to(dtype)
    taps = index.shape[0]
    matrix = torch.zeros(group.order, taps, group.order * taps, dtype=dtype)
    for row in range(group.order):
        matrix[row].scatter_(1, index, mix[row].expand(taps, -1))
    return matrix.flatten(0, 1).to(device)


def blocks_of(weight: Tensor, group: PlanarGroup, *, adjoint: bool = False, groups: int = 1) -> Tensor:
    """Fourier blocks of a kernel ``[O, C, G, kh, kw]``, or of the kernel of the adjoint convolution.

    Returns:
        ``[order, taps, O, C]``, where O and C have changed places for the adjoint; rows as in ``plan.mix[:order]``.
    """
    if adjoint:
        weight = weight.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)
    out_fields, in_fields, order, *size = weight.shape
    matrix = _to_blocks(group, (size[0], size[1]), adjoint, weight.dtype, weight.device)
    return (matrix @ weight.reshape(out_fields * in_fields, -1).T).view(order, -1, out_fields, in_fields)


def weight_of(blocks: Tensor, group: PlanarGroup, kernel_size: Pair) -> Tensor:
    """The transpose of :func:`blocks_of` (not its inverse), as gradients need it."""
    order, taps, out_fields, in_fields = blocks.shape
    matrix = _to_blocks(group, kernel_size, False, blocks.dtype, blocks.device)
    weight = blocks.reshape(order * taps, -1).T @ matrix
    return weight.view(out_fields, in_fields, order, *kernel_size)


def _fields_last(x: Tensor) -> Tensor:
    """The same numbers with neighbouring fields side by side in memory; a copy unless it is so already."""
    return x if x.stride(1) == 1 or x.shape[1] == 1 else channels_last(x)


def _image_strides(x: Tensor) -> tuple[int, int, int, int]:
    """Steps from image to image, slot to slot, row to row, column to column of ``[B, C, G, H, W]``."""
    return x.stride(0), x.stride(2), x.stride(3), x.stride(4)


def _size_class(pixels: int) -> int:
    """Sizes within a factor of two share their tile sizes."""
    return pixels.bit_length()


def _fractional(padding: Pair, up: Pair) -> tuple[Pair, Pair]:
    """``bias >= 0`` and ``offset`` with ``(t - padding) / up = (t + bias) / up - offset`` on both axes."""
    offset = tuple(-(-p // u) for p, u in zip(padding, up, strict=True))
    bias = tuple(o * u - p for o, p, u in zip(offset, padding, up, strict=True))
    return (bias[0], bias[1]), (offset[0], offset[1])


def _run_convolve(
    x: Tensor, blocks: Tensor, out_size: Pair, geometry: Geometry, precision: str, up: Pair = (1, 1)
) -> Tensor:
    """Launch ``convolve_kernel``."""
    group, groups, out_fields = geometry.group, geometry.groups, blocks.shape[2]
    x = _fields_last(x)
    out = x.new_empty((x.shape[0], *out_size, group.order, out_fields)).permute(0, 4, 3, 1, 2)
    if out.numel() == 0:
        return out
    pixels = x.shape[0] * math.prod(map(_tiles, out_size, up))
    per_group = out_fields // groups
    bias, offset = _fractional(geometry.window.padding, up)

    def grid(meta: dict[str, Any]) -> tuple[int, int]:
        tiles = _tiles(pixels, meta["BP"]) * _tiles(per_group, meta["BO"])
        return tiles * up[0] * up[1], groups

    with _on(x.device):
        _tuned(convolve_kernel, group.order)[grid](
            x, blocks, out, x.shape[0], x.shape[3], x.shape[4], *out_size, x.shape[1] // groups, per_group,
            *_image_strides(x), *_image_strides(out), blocks.stride(0), blocks.stride(1), blocks.stride(1) // groups,
            *geometry.window.stride, *bias, *offset, *geometry.window.dilation, _size_class(pixels),
            UP_Y=up[0], UP_X=up[1], KH=geometry.kernel_size[0], KW=geometry.kernel_size[1], ORDER=group.order,
            CYCLIC=not group.reflections, PRECISION="interpreted" if INTERPRETED else precision,
        )  # fmt: skip
    return out


def _transformed(x: Tensor, group: PlanarGroup) -> Tensor:
    """``[B, C, G, H, W]``, fields last, to ``[order, B * H * W, C]``: transformed over the group at every pixel."""
    images, fields, order, rows, columns = x.shape
    out = x.new_empty((order, images * rows * columns, fields))
    tile = (32, 64)
    grid = (_tiles(out.shape[1], tile[0]), _tiles(fields, tile[1]))
    with _on(x.device):
        transform_kernel[grid](
            x, out, out.shape[1], fields, out.stride(0), rows * columns, *_image_strides(x), columns,
            ORDER=order, CYCLIC=not group.reflections, BP=tile[0], BO=tile[1],
        )  # fmt: skip
    return out


def _on(device: torch.device) -> AbstractContextManager[object]:
    """Triton launches on the current device."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def _as_they_are(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Without autocast: the caller has chosen the dtypes."""

    def run(x: Tensor, *args: Any, **options: Any) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return function(x, *args, **options)

    return run


@_as_they_are
def convolve(x: Tensor, weight: Tensor, geometry: Geometry, precision: str) -> Tensor:
    """The group convolution."""
    size = geometry.window.out_size((x.shape[3], x.shape[4]), geometry.kernel_size)
    return _run_convolve(x, blocks_of(weight, geometry.group), size, geometry, precision)


@_as_they_are
def input_gradient(grad: Tensor, weight: Tensor, size: Pair, geometry: Geometry, precision: str) -> Tensor:
    """Its gradient by the input: a group convolution again, with the inverted kernel and a fractional step."""
    stride, padding, dilation = geometry.window
    rows, columns = (d * (k - 1) - p for k, d, p in zip(geometry.kernel_size, dilation, padding, strict=True))
    turned = geometry._replace(window=Window((1, 1), (rows, columns), dilation))
    blocks = blocks_of(weight, geometry.group, adjoint=True, groups=geometry.groups)
    return _run_convolve(grad, blocks, size, turned, precision, stride)


@_as_they_are
def weight_gradient(grad: Tensor, x: Tensor, geometry: Geometry, precision: str) -> Tensor:
    """Its gradient by the weight, summed in float32 in a fixed order."""
    group, groups, kernel_size = geometry.group, geometry.groups, geometry.kernel_size
    x, turned = _fields_last(x), _transformed(_fields_last(grad), group)
    in_fields, out_fields, pixels = x.shape[1] // groups, turned.shape[2] // groups, turned.shape[1]
    taps = kernel_size[0] * kernel_size[1]
    tiles = taps * groups * _tiles(out_fields * in_fields, 64 * 64)
    splits = max(1, min(_tiles(PROGRAMS, tiles), pixels // 512))
    partial = x.new_empty((splits, group.order, taps, out_fields * groups, in_fields), dtype=torch.float32)

    def grid(meta: dict[str, Any]) -> tuple[int, int, int]:
        return taps * _tiles(out_fields, meta["BO"]) * _tiles(in_fields, meta["BI"]), groups, splits

    with _on(x.device):
        _tuned(weight_gradient_kernel, group.order)[grid](
            x, turned, partial, x.shape[0], x.shape[3], x.shape[4], grad.shape[3], grad.shape[4], in_fields, out_fields,
            *_image_strides(x), turned.stride(0), turned.stride(1), *partial.stride()[:3], out_fields * in_fields,
            *(n for pair in geometry.window for n in pair), _size_class(pixels), splits,
            KH=kernel_size[0], KW=kernel_size[1], ORDER=group.order, CYCLIC=not group.reflections,
            PRECISION="interpreted" if INTERPRETED else precision,
        )  # fmt: skip
    return weight_of(partial.sum(0), group, kernel_size).to(x.dtype)
