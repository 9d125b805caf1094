"""Inner loops of the orbit-Fourier algorithm on a CPU, compiled by numba when they are first used.

Only :mod:`equivision.kernels._cpu` imports this module: numba is an extra.

Every function works on a piece of the data, takes preallocated arrays and holds no lock, so that several threads can
run it. Channels are innermost: all arithmetic is on contiguous runs of them.

Shapes: G order of the group, T taps, C fields, q pixels of the piece. ``frame`` is a padded piece of a feature map,
``[G, images, rows, columns, C]``. ``panel`` is flat; row r of the basis at pixel q is at ``start[r] + q * step[r]``.
"""

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numba import float32, float64, int64, njit, void
from numba.types import UniTuple  # pyright: ignore[reportAttributeAccessIssue]

#: Columns of an output row that are transformed before they are written.
COLUMNS = 32
#: Input fields whose weights are transformed together.
FIELDS = 256

# No annotations below: numba has its own types.


def _pack(x, frame, first_image, first_row, top, left, spread_y, spread_x):
    """Copy a piece of ``x [B, C, G, H, W]`` into a frame; zeros outside, and between pixels when they are spread.

    Frame row r is row ``(first_row + r - top) / spread_y`` of x, column s is column ``(s - left) / spread_x``.
    """
    G, images, rows, columns, C = frame.shape
    H, W = x.shape[3], x.shape[4]
    first = -(left // spread_x) if left < 0 else 0
    last = W
    while last > 0 and (last - 1) * spread_x + left >= columns:
        last -= 1
    for g in range(G):
        for b in range(images):
            for r in range(rows):
                y = first_row + r - top
                line = frame[g, b, r]
                inside = y >= 0 and y % spread_y == 0 and y // spread_y < H
                if not inside or spread_x > 1 or left != 0 or columns > W:
                    line[:] = 0
                if inside:
                    source = x[first_image + b, :, g, y // spread_y]
                    for z in range(first, last):
                        for c in range(C):
                            line[z * spread_x + left, c] = source[c, z]


def _gather2(frame, rows_at, columns_at, panel, start, step, height, width, stride_y, stride_x):
    """For every output pixel and tap: read each slot at its rotated place, transform over the group, store the rows."""
    images, C, T = frame.shape[1], frame.shape[4], rows_at.shape[0]
    for b in range(images):
        for y in range(height):
            for x in range(width):
                q = (b * height + y) * width + x
                for p in range(T):
                    f0 = frame[0, b, y * stride_y + rows_at[p, 0], x * stride_x + columns_at[p, 0]]
                    f1 = frame[1, b, y * stride_y + rows_at[p, 1], x * stride_x + columns_at[p, 1]]
                    u0 = panel[start[0] + q * step[0] + p * C :]
                    u1 = panel[start[1] + q * step[1] + p * C :]
                    for c in range(C):
                        u0[c] = f0[c] + f1[c]
                        u1[c] = f0[c] - f1[c]


def _gather_klein(frame, rows_at, columns_at, panel, start, step, height, width, stride_y, stride_x):
    """The same for D2: slots (f, r) at ``2 f + r``."""
    images, C, T = frame.shape[1], frame.shape[4], rows_at.shape[0]
    for b in range(images):
        for y in range(height):
            for x in range(width):
                q = (b * height + y) * width + x
                for p in range(T):
                    f0 = frame[0, b, y * stride_y + rows_at[p, 0], x * stride_x + columns_at[p, 0]]
                    f1 = frame[1, b, y * stride_y + rows_at[p, 1], x * stride_x + columns_at[p, 1]]
                    f2 = frame[2, b, y * stride_y + rows_at[p, 2], x * stride_x + columns_at[p, 2]]
                    f3 = frame[3, b, y * stride_y + rows_at[p, 3], x * stride_x + columns_at[p, 3]]
                    u0 = panel[start[0] + q * step[0] + p * C :]
                    u1 = panel[start[1] + q * step[1] + p * C :]
                    u2 = panel[start[2] + q * step[2] + p * C :]
                    u3 = panel[start[3] + q * step[3] + p * C :]
                    for c in range(C):
                        s0 = f0[c] + f2[c]
                        s1 = f1[c] + f3[c]
                        d0 = f0[c] - f2[c]
                        d1 = f1[c] - f3[c]
                        u0[c] = s0 + s1
                        u1[c] = d0 + d1
                        u2[c] = s0 - s1
                        u3[c] = d0 - d1


def _gather4(frame, rows_at, columns_at, panel, start, step, height, width, stride_y, stride_x):
    """The same for C4."""
    images, C, T = frame.shape[1], frame.shape[4], rows_at.shape[0]
    for b in range(images):
        for y in range(height):
            for x in range(width):
                q = (b * height + y) * width + x
                for p in range(T):
                    f0 = frame[0, b, y * stride_y + rows_at[p, 0], x * stride_x + columns_at[p, 0]]
                    f1 = frame[1, b, y * stride_y + rows_at[p, 1], x * stride_x + columns_at[p, 1]]
                    f2 = frame[2, b, y * stride_y + rows_at[p, 2], x * stride_x + columns_at[p, 2]]
                    f3 = frame[3, b, y * stride_y + rows_at[p, 3], x * stride_x + columns_at[p, 3]]
                    u0 = panel[start[0] + q * step[0] + p * C :]
                    u1 = panel[start[1] + q * step[1] + p * C :]
                    u2 = panel[start[2] + q * step[2] + p * C :]
                    u3 = panel[start[3] + q * step[3] + p * C :]
                    for c in range(C):
                        a = f0[c] + f2[c]
                        b1 = f1[c] + f3[c]
                        u0[c] = a + b1
                        u1[c] = a - b1
                        u2[c] = f0[c] - f2[c]
                        u3[c] = f1[c] - f3[c]


def _gather8(frame, rows_at, columns_at, panel, start, step, height, width, stride_y, stride_x):
    """The same for D4: slots (f, r) at ``4 f + r``."""
    images, C, T = frame.shape[1], frame.shape[4], rows_at.shape[0]
    for b in range(images):
        for y in range(height):
            for x in range(width):
                q = (b * height + y) * width + x
                for p in range(T):
                    f0 = frame[0, b, y * stride_y + rows_at[p, 0], x * stride_x + columns_at[p, 0]]
                    f1 = frame[1, b, y * stride_y + rows_at[p, 1], x * stride_x + columns_at[p, 1]]
                    f2 = frame[2, b, y * stride_y + rows_at[p, 2], x * stride_x + columns_at[p, 2]]
                    f3 = frame[3, b, y * stride_y + rows_at[p, 3], x * stride_x + columns_at[p, 3]]
                    f4 = frame[4, b, y * stride_y + rows_at[p, 4], x * stride_x + columns_at[p, 4]]
                    f5 = frame[5, b, y * stride_y + rows_at[p, 5], x * stride_x + columns_at[p, 5]]
                    f6 = frame[6, b, y * stride_y + rows_at[p, 6], x * stride_x + columns_at[p, 6]]
                    f7 = frame[7, b, y * stride_y + rows_at[p, 7], x * stride_x + columns_at[p, 7]]
                    u0 = panel[start[0] + q * step[0] + p * C :]
                    u1 = panel[start[1] + q * step[1] + p * C :]
                    u2 = panel[start[2] + q * step[2] + p * C :]
                    u3 = panel[start[3] + q * step[3] + p * C :]
                    u4 = panel[start[4] + q * step[4] + p * C :]
                    u5 = panel[start[5] + q * step[5] + p * C :]
                    u6 = panel[start[6] + q * step[6] + p * C :]
                    u7 = panel[start[7] + q * step[7] + p * C :]
                    for c in range(C):
                        s0 = f0[c] + f4[c]
                        s1 = f1[c] + f5[c]
                        s2 = f2[c] + f6[c]
                        s3 = f3[c] + f7[c]
                        d0 = f0[c] - f4[c]
                        d1 = f1[c] - f5[c]
                        d2 = f2[c] - f6[c]
                        d3 = f3[c] - f7[c]
                        u0[c] = (s0 + s2) + (s1 + s3)
                        u1[c] = (d0 + d2) + (d1 + d3)
                        u2[c] = (s0 + s2) - (s1 + s3)
                        u3[c] = (d0 + d2) - (d1 + d3)
                        u4[c] = s0 - s2
                        u5[c] = d3 - d1
                        u6[c] = s1 - s3
                        u7[c] = d0 - d2


pack, gather2, gather_klein, gather4, gather8 = (
    njit(nogil=True, fastmath=True, error_model="numpy")(inspect.unwrap(written))
    for written in (_pack, _gather2, _gather_klein, _gather4, _gather8)
)


def _fill2(x, frame, at, rows_at, columns_at, panel, start, step, height, width, stride_y, stride_x):
    """Pack, then gather: ``at`` holds first image and row, corner, and spread."""
    pack(x, frame, at[0], at[1], at[2], at[3], at[4], at[5])
    gather2(frame, rows_at, columns_at, panel, start, step, height, width, stride_y, stride_x)


def _fill_klein(x, frame, at, rows_at, columns_at, panel, start, step, height, width, stride_y, stride_x):
    """Pack, then gather: ``at`` holds first image and row, corner, and spread."""
    pack(x, frame, at[0], at[1], at[2], at[3], at[4], at[5])
    gather_klein(frame, rows_at, columns_at, panel, start, step, height, width, stride_y, stride_x)


def _fill4(x, frame, at, rows_at, columns_at, panel, start, step, height, width, stride_y, stride_x):
    """Pack, then gather: ``at`` holds first image and row, corner, and spread."""
    pack(x, frame, at[0], at[1], at[2], at[3], at[4], at[5])
    gather4(frame, rows_at, columns_at, panel, start, step, height, width, stride_y, stride_x)


def _fill8(x, frame, at, rows_at, columns_at, panel, start, step, height, width, stride_y, stride_x):
    """Pack, then gather: ``at`` holds first image and row, corner, and spread."""
    pack(x, frame, at[0], at[1], at[2], at[3], at[4], at[5])
    gather8(frame, rows_at, columns_at, panel, start, step, height, width, stride_y, stride_x)


def _store(slots, y, image, row, first, columns):
    """Copy ``slots [G, columns, O]`` into columns of one row of ``y [B, O, G, H, W]``, along its faster axis."""
    target = y[image, :, :, row, first : first + columns]
    if y.strides[4] < y.strides[1]:
        for o in range(target.shape[0]):
            for g in range(target.shape[1]):
                for s in range(columns):
                    target[o, g, s] = slots[g, s, o]
    else:
        for s in range(columns):
            for o in range(target.shape[0]):
                for g in range(target.shape[1]):
                    target[o, g, s] = slots[g, s, o]


store = njit(nogil=True, fastmath=True, error_model="numpy")(inspect.unwrap(_store))


def _scatter2(r0, r1, step, y, first_image, images, first_row, rows, bias):
    """Transform rows back to slots, add the bias, and write a piece of ``y [B, O, G, H, W]``."""
    channels, width = y.shape[1], y.shape[4]
    slots = np.empty((2, COLUMNS, channels), y.dtype)
    for b in range(images):
        for r in range(rows):
            for first in range(0, width, COLUMNS):
                columns = min(COLUMNS, width - first)
                for s in range(columns):
                    q = (b * rows + r) * width + first + s
                    u0 = r0[q * step[0] :]
                    u1 = r1[q * step[1] :]
                    out0 = slots[0, s]
                    out1 = slots[1, s]
                    for o in range(channels):
                        out0[o] = u0[o] + u1[o] + bias[o]
                        out1[o] = u0[o] - u1[o] + bias[o]
                store(slots, y, first_image + b, first_row + r, first, columns)


def _scatter_klein(r0, r1, r2, r3, step, y, first_image, images, first_row, rows, bias):
    """The same for D2."""
    channels, width = y.shape[1], y.shape[4]
    slots = np.empty((4, COLUMNS, channels), y.dtype)
    for b in range(images):
        for r in range(rows):
            for first in range(0, width, COLUMNS):
                columns = min(COLUMNS, width - first)
                for s in range(columns):
                    q = (b * rows + r) * width + first + s
                    u0 = r0[q * step[0] :]
                    u1 = r1[q * step[1] :]
                    u2 = r2[q * step[2] :]
                    u3 = r3[q * step[3] :]
                    out0 = slots[0, s]
                    out1 = slots[1, s]
                    out2 = slots[2, s]
                    out3 = slots[3, s]
                    for o in range(channels):
                        s0 = u0[o] + u2[o] + bias[o]
                        s1 = u0[o] - u2[o] + bias[o]
                        d0 = u1[o] + u3[o]
                        d1 = u1[o] - u3[o]
                        out0[o] = s0 + d0
                        out1[o] = s1 + d1
                        out2[o] = s0 - d0
                        out3[o] = s1 - d1
                store(slots, y, first_image + b, first_row + r, first, columns)


def _scatter4(r0, r1, r2, r3, step, y, first_image, images, first_row, rows, bias):
    """The same for C4."""
    channels, width = y.shape[1], y.shape[4]
    slots = np.empty((4, COLUMNS, channels), y.dtype)
    for b in range(images):
        for r in range(rows):
            for first in range(0, width, COLUMNS):
                columns = min(COLUMNS, width - first)
                for s in range(columns):
                    q = (b * rows + r) * width + first + s
                    u0 = r0[q * step[0] :]
                    u1 = r1[q * step[1] :]
                    u2 = r2[q * step[2] :]
                    u3 = r3[q * step[3] :]
                    out0 = slots[0, s]
                    out1 = slots[1, s]
                    out2 = slots[2, s]
                    out3 = slots[3, s]
                    for o in range(channels):
                        even = u0[o] + u1[o] + bias[o]
                        odd = u0[o] - u1[o] + bias[o]
                        out0[o] = even + u2[o]
                        out1[o] = odd + u3[o]
                        out2[o] = even - u2[o]
                        out3[o] = odd - u3[o]
                store(slots, y, first_image + b, first_row + r, first, columns)


def _scatter8(r0, r1, r2, r3, r4, r5, r6, r7, step, y, first_image, images, first_row, rows, bias):
    """The same for D4."""
    channels, width = y.shape[1], y.shape[4]
    slots = np.empty((8, COLUMNS, channels), y.dtype)
    for b in range(images):
        for r in range(rows):
            for first in range(0, width, COLUMNS):
                columns = min(COLUMNS, width - first)
                for s in range(columns):
                    q = (b * rows + r) * width + first + s
                    u0 = r0[q * step[0] :]
                    u1 = r1[q * step[1] :]
                    u2 = r2[q * step[2] :]
                    u3 = r3[q * step[3] :]
                    u4 = r4[q * step[4] :]
                    u5 = r5[q * step[5] :]
                    u6 = r6[q * step[6] :]
                    u7 = r7[q * step[7] :]
                    out0 = slots[0, s]
                    out1 = slots[1, s]
                    out2 = slots[2, s]
                    out3 = slots[3, s]
                    out4 = slots[4, s]
                    out5 = slots[5, s]
                    out6 = slots[6, s]
                    out7 = slots[7, s]
                    for o in range(channels):
                        even = u0[o] + u2[o] + bias[o]
                        odd = u0[o] - u2[o] + bias[o]
                        s0 = even + u4[o]
                        s1 = odd + u6[o]
                        s2 = even - u4[o]
                        s3 = odd - u6[o]
                        even = u1[o] + u3[o]
                        odd = u1[o] - u3[o]
                        d0 = even + u7[o]
                        d1 = odd - u5[o]
                        d2 = even - u7[o]
                        d3 = odd + u5[o]
                        out0[o] = s0 + d0
                        out1[o] = s1 + d1
                        out2[o] = s2 + d2
                        out3[o] = s3 + d3
                        out4[o] = s0 - d0
                        out5[o] = s1 - d1
                        out6[o] = s2 - d2
                        out7[o] = s3 - d3
                store(slots, y, first_image + b, first_row + r, first, columns)


def _mix_weights(weight, index, mix, start, step, mixed, first, last):
    """Fourier transform of ``weight [O, C, G * T]`` over the oriented slots, into the rows that the products read.

    Product e of output o and tap p fills ``C`` numbers from ``start[e] + o * step[e] + p * C`` in ``mixed``.
    """
    T, G = index.shape
    C, entries, products = weight.shape[1], weight.shape[2], mix.shape[0]
    turned = np.empty((entries, min(C, FIELDS) + 16), weight.dtype)  # no power of two: lines would share cache sets
    for o in range(first, last):
        for start_c in range(0, C, FIELDS):
            count = min(FIELDS, C - start_c)
            for c in range(count):
                for i in range(entries):
                    turned[i, c] = weight[o, start_c + c, i]
            for p in range(T):
                at = index[p]
                for e in range(products):
                    row = mixed[start[e] + o * step[e] + p * C + start_c :]
                    m = mix[e]
                    v0, v1 = turned[at[0]], turned[at[1]]
                    if G == 2:
                        for c in range(count):
                            row[c] = m[0] * v0[c] + m[1] * v1[c]
                    else:
                        v2, v3 = turned[at[2]], turned[at[3]]
                        if G == 4:
                            for c in range(count):
                                row[c] = m[0] * v0[c] + m[1] * v1[c] + m[2] * v2[c] + m[3] * v3[c]
                        else:
                            v4, v5, v6, v7 = turned[at[4]], turned[at[5]], turned[at[6]], turned[at[7]]
                            for c in range(count):
                                low = m[0] * v0[c] + m[1] * v1[c] + m[2] * v2[c] + m[3] * v3[c]
                                row[c] = low + m[4] * v4[c] + m[5] * v5[c] + m[6] * v6[c] + m[7] * v7[c]


def _unmix_weights(mixed, index, mix, start, step, grad, first, last):
    """Adjoint of :func:`_mix_weights`: the gradient of the weights from that of their transform."""
    T, G = index.shape
    C, entries, products = grad.shape[1], grad.shape[2], mix.shape[0]
    turned = np.empty((entries, C + 16), grad.dtype)
    for o in range(first, last):
        for p in range(T):
            for t in range(G):
                target = turned[index[p, t]]
                for e in range(products):
                    factor = mix[e, t]
                    row = mixed[start[e] + o * step[e] + p * C :]
                    if e == 0:
                        for c in range(C):
                            target[c] = factor * row[c]
                    elif factor != 0:
                        for c in range(C):
                            target[c] += factor * row[c]
        for c in range(C):
            for i in range(entries):
                grad[o, c, i] = turned[i, c]


_LOOPS: dict[str, Callable[..., None]] = {
    "fill2": _fill2,
    "fill_klein": _fill_klein,
    "fill4": _fill4,
    "fill8": _fill8,
    "scatter2": _scatter2,
    "scatter_klein": _scatter_klein,
    "scatter4": _scatter4,
    "scatter8": _scatter8,
    "mix_weights": _mix_weights,
    "unmix_weights": _unmix_weights,
}
#: The loops of a group, by (order, largest block): D2 and C4 both have four elements.
KINDS = {(2, 1): "2", (4, 1): "_klein", (4, 2): "4", (8, 2): "8"}


def compiled(function: Callable[..., None], signature: tuple[Any, ...]) -> Any:
    """The function as machine code, which is kept on disk."""
    written = inspect.unwrap(function)  # shape-checking import hooks wrap functions; numba needs what was written
    options = {"nogil": True, "fastmath": True, "error_model": "numpy"}
    try:
        return njit(void(*signature), cache=True, **options)(written)
    except RuntimeError:  # there is no folder to write to, so every process compiles again
        return njit(void(*signature), **options)(written)


@lru_cache(maxsize=64)
def loop(name: str, dtype: str) -> Any:
    """One compiled loop for float32 or float64 arrays."""
    real = float32 if dtype == "float32" else float64
    flat, ints = real[::1], int64[::1]
    table, values = int64[:, ::1], real[:, ::1]
    n = int64
    frame, maps = real[:, :, :, :, ::1], real[:, :, :, :, :]
    if name.startswith("fill"):
        signature = (maps, frame, UniTuple(n, 6), table, table, flat, ints, ints, n, n, n, n)
    elif name.startswith("scatter"):
        rows = (flat,) * int("4" if name[7:] == "_klein" else name[7:])
        signature = (*rows, ints, maps, n, n, n, n, flat)
    elif name == "mix_weights":
        signature = (real[:, :, :], table, values, ints, ints, flat, n, n)
    else:
        signature = (flat, table, values, ints, ints, real[:, :, :], n, n)
    return compiled(_LOOPS[name], signature)
