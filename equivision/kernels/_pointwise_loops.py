"""Inner loops of the pointwise form, along the pixels of contiguous feature maps; see :mod:`._loops`."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from numba import float32, float64, int64

from equivision.kernels._loops import compiled

# Every function runs over images ``image`` to ``image + images`` and fields ``first`` to ``last``. A row of the basis
# lies at ``start[r] + (field - first) * step[r]``, one image after another.


def _analyse2(x, image, images, first, last, rows, start, step):
    """Transform the slots of ``x [B, C, G, Q]`` over the group, into rows."""
    Q = x.shape[3]
    for c in range(first, last):
        for b in range(images):
            f0, f1 = x[image + b, c, 0], x[image + b, c, 1]
            at = (c - first) * step[0] + b * Q
            u0, u1 = rows[start[0] + at :], rows[start[1] + at :]
            for q in range(Q):
                u0[q] = f0[q] + f1[q]
                u1[q] = f0[q] - f1[q]


def _analyse_klein(x, image, images, first, last, rows, start, step):
    """The same for D2."""
    Q = x.shape[3]
    for c in range(first, last):
        for b in range(images):
            f = x[image + b, c]
            f0, f1, f2, f3 = f[0], f[1], f[2], f[3]
            at = (c - first) * step[0] + b * Q
            u0, u1, u2, u3 = rows[start[0] + at :], rows[start[1] + at :], rows[start[2] + at :], rows[start[3] + at :]
            for q in range(Q):
                s0 = f0[q] + f2[q]
                s1 = f1[q] + f3[q]
                d0 = f0[q] - f2[q]
                d1 = f1[q] - f3[q]
                u0[q] = s0 + s1
                u1[q] = d0 + d1
                u2[q] = s0 - s1
                u3[q] = d0 - d1


def _analyse4(x, image, images, first, last, rows, start, step):
    """The same for C4."""
    Q = x.shape[3]
    for c in range(first, last):
        for b in range(images):
            f = x[image + b, c]
            f0, f1, f2, f3 = f[0], f[1], f[2], f[3]
            k = c - first
            u0, u1 = rows[start[0] + k * step[0] + b * Q :], rows[start[1] + k * step[1] + b * Q :]
            u2, u3 = rows[start[2] + k * step[2] + b * Q :], rows[start[3] + k * step[3] + b * Q :]
            for q in range(Q):
                even = f0[q] + f2[q]
                odd = f1[q] + f3[q]
                u0[q] = even + odd
                u1[q] = even - odd
                u2[q] = f0[q] - f2[q]
                u3[q] = f1[q] - f3[q]


def _analyse8(x, image, images, first, last, rows, start, step):
    """The same for D4."""
    Q = x.shape[3]
    for c in range(first, last):
        for b in range(images):
            f = x[image + b, c]
            f0, f1, f2, f3, f4, f5, f6, f7 = f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7]
            k = c - first
            u0, u1 = rows[start[0] + k * step[0] + b * Q :], rows[start[1] + k * step[1] + b * Q :]
            u2, u3 = rows[start[2] + k * step[2] + b * Q :], rows[start[3] + k * step[3] + b * Q :]
            u4, u5 = rows[start[4] + k * step[4] + b * Q :], rows[start[5] + k * step[5] + b * Q :]
            u6, u7 = rows[start[6] + k * step[6] + b * Q :], rows[start[7] + k * step[7] + b * Q :]
            for q in range(Q):
                s0 = f0[q] + f4[q]
                s1 = f1[q] + f5[q]
                s2 = f2[q] + f6[q]
                s3 = f3[q] + f7[q]
                d0 = f0[q] - f4[q]
                d1 = f1[q] - f5[q]
                d2 = f2[q] - f6[q]
                d3 = f3[q] - f7[q]
                u0[q] = (s0 + s2) + (s1 + s3)
                u1[q] = (d0 + d2) + (d1 + d3)
                u2[q] = (s0 + s2) - (s1 + s3)
                u3[q] = (d0 + d2) - (d1 + d3)
                u4[q] = s0 - s2
                u5[q] = d3 - d1
                u6[q] = s1 - s3
                u7[q] = d0 - d2


def _synthesise2(r0, r1, step, y, image, images, bias):
    """Transform rows back to slots, add the bias, and write ``y [B, O, G, Q]``."""
    Q = y.shape[3]
    for o in range(y.shape[1]):
        for b in range(images):
            u0, u1 = r0[o * step[0] + b * Q :], r1[o * step[1] + b * Q :]
            out = y[image + b, o]
            y0, y1 = out[0], out[1]
            for q in range(Q):
                y0[q] = u0[q] + u1[q] + bias[o]
                y1[q] = u0[q] - u1[q] + bias[o]


def _synthesise_klein(r0, r1, r2, r3, step, y, image, images, bias):
    """The same for D2."""
    Q = y.shape[3]
    for o in range(y.shape[1]):
        for b in range(images):
            at = o * step[0] + b * Q
            u0, u1, u2, u3 = r0[at:], r1[at:], r2[at:], r3[at:]
            out = y[image + b, o]
            y0, y1, y2, y3 = out[0], out[1], out[2], out[3]
            for q in range(Q):
                s0 = u0[q] + u2[q] + bias[o]
                s1 = u0[q] - u2[q] + bias[o]
                d0 = u1[q] + u3[q]
                d1 = u1[q] - u3[q]
                y0[q] = s0 + d0
                y1[q] = s1 + d1
                y2[q] = s0 - d0
                y3[q] = s1 - d1


def _synthesise4(r0, r1, r2, r3, step, y, image, images, bias):
    """The same for C4."""
    Q = y.shape[3]
    for o in range(y.shape[1]):
        for b in range(images):
            u0, u1 = r0[o * step[0] + b * Q :], r1[o * step[1] + b * Q :]
            u2, u3 = r2[o * step[2] + b * Q :], r3[o * step[3] + b * Q :]
            out = y[image + b, o]
            y0, y1, y2, y3 = out[0], out[1], out[2], out[3]
            for q in range(Q):
                even = u0[q] + u1[q] + bias[o]
                odd = u0[q] - u1[q] + bias[o]
                y0[q] = even + u2[q]
                y1[q] = odd + u3[q]
                y2[q] = even - u2[q]
                y3[q] = odd - u3[q]


def _synthesise8(r0, r1, r2, r3, r4, r5, r6, r7, step, y, image, images, bias):
    """The same for D4."""
    Q = y.shape[3]
    for o in range(y.shape[1]):
        for b in range(images):
            u0, u1 = r0[o * step[0] + b * Q :], r1[o * step[1] + b * Q :]
            u2, u3 = r2[o * step[2] + b * Q :], r3[o * step[3] + b * Q :]
            u4, u5 = r4[o * step[4] + b * Q :], r5[o * step[5] + b * Q :]
            u6, u7 = r6[o * step[6] + b * Q :], r7[o * step[7] + b * Q :]
            out = y[image + b, o]
            y0, y1, y2, y3, y4, y5, y6, y7 = out[0], out[1], out[2], out[3], out[4], out[5], out[6], out[7]
            for q in range(Q):
                even = u0[q] + u2[q] + bias[o]
                odd = u0[q] - u2[q] + bias[o]
                s0 = even + u4[q]
                s1 = odd + u6[q]
                s2 = even - u4[q]
                s3 = odd - u6[q]
                even = u1[q] + u3[q]
                odd = u1[q] - u3[q]
                d0 = even + u7[q]
                d1 = odd - u5[q]
                d2 = even - u7[q]
                d3 = odd + u5[q]
                y0[q] = s0 + d0
                y1[q] = s1 + d1
                y2[q] = s2 + d2
                y3[q] = s3 + d3
                y4[q] = s0 - d0
                y5[q] = s1 - d1
                y6[q] = s2 - d2
                y7[q] = s3 - d3


_LOOPS: dict[str, Callable[..., None]] = {
    "analyse2": _analyse2,
    "analyse_klein": _analyse_klein,
    "analyse4": _analyse4,
    "analyse8": _analyse8,
    "synthesise2": _synthesise2,
    "synthesise_klein": _synthesise_klein,
    "synthesise4": _synthesise4,
    "synthesise8": _synthesise8,
}


@lru_cache(maxsize=32)
def pointwise_loop(name: str, dtype: str) -> Any:
    """One compiled loop for float32 or float64 arrays."""
    real = float32 if dtype == "float32" else float64
    flat, ints, maps, n = real[::1], int64[::1], real[:, :, :, ::1], int64
    if name.startswith("analyse"):
        signature = (maps, n, n, n, n, flat, ints, ints)
    else:
        order = {"synthesise2": 2, "synthesise8": 8}.get(name, 4)
        signature = (*(flat,) * order, ints, maps, n, n, flat)
    return compiled(_LOOPS[name], signature)
