"""Gauge convolutions against their formulas, one neighbour at a time, with complex numbers for what turns."""

from itertools import product

import numpy as np
import pytest
import torch

from equivision.gauge import (
    GaugeConv,
    GaugeConv2d,
    frame_vectors,
    random_frames,
    sphere_points,
    sphere_stencil,
    stereographic_frames,
)
from equivision.testing import randomize_
from tests.oracle._slow import Array

FIELDS, FREQUENCIES = "2 A + E1 + E2", (0, 0, 1, 2)


def starts() -> list[int]:
    return [0, 1, 2, 4]


def field(values: Array, start: int, frequency: int) -> complex:
    return complex(values[start], values[start + 1] if frequency else 0.0)


def parts(block: Array, n: int, m: int) -> tuple[complex, complex]:
    """The map ``z -> a z + b conj(z)`` that a block of a kernel is, from frequency m to n."""
    if n and m:
        (p, q), (r, s) = block
        return complex(p + s, r - q) / 2, complex(p - s, r + q) / 2
    if n:
        return complex(block[0, 0], block[1, 0]), 0j
    return complex(block[0, 0], -block[0, 1] if m else 0.0), 0j


@pytest.mark.parametrize("size", [3, 4])
@torch.no_grad()
def test_pixels(size: int) -> None:
    """``y_p = sum_q K(angle of q - p in frame p) R(-a_p) R(a_q) x_q``."""
    border = 1
    conv = randomize_(GaugeConv2d(FIELDS, FIELDS, size, padding=border).double())
    x, frames = torch.randn(1, 6, 5, 4, dtype=torch.float64), random_frames(5, 4)
    out = torch.nn.functional.pad(frames, (0, 3 - size, 0, 3 - size))  # an even kernel leaves one row and column less
    fast = conv(x, frames, out)[0].numpy()
    kernel, bias = conv.filters().numpy(), conv.channel_bias().numpy()
    angle, values = frames.numpy(), x[0].numpy()
    slow = np.zeros(fast.shape)
    fields = list(zip(starts(), FREQUENCIES, strict=True))
    for row, column, (o, n), (i, m) in product(range(fast.shape[1]), range(fast.shape[2]), fields, fields):
        found, here = 0j, angle[row, column]
        for j, k in product(range(size), range(size)):
            r, c = row - border + j, column - border + k
            if 0 <= r < 5 and 0 <= c < 4:
                straight, mirrored = parts(kernel[o : o + 1 + (n > 0), i : i + 1 + (m > 0), j, k], n, m)
                # at the angle phi of a tap both turn with n - m and n + m; in the frame that angle is phi - a_p
                straight, mirrored = straight * np.exp(-1j * (n - m) * here), mirrored * np.exp(-1j * (n + m) * here)
                carried = np.exp(1j * m * (angle[r, c] - here)) * field(values[:, r, c], i, m)
                found += straight * carried + mirrored * np.conj(carried)
        slow[o, row, column] += found.real + (bias[o] if i == 0 else 0.0)
        if n:
            slow[o + 1, row, column] += found.imag
    np.testing.assert_allclose(fast, slow, rtol=0, atol=1e-12)


def rotation(start: Array, end: Array) -> Array:
    """The turn of space along the great circle from one point to another (Rodrigues)."""
    axis = np.cross(start, end)
    sin, cos = np.linalg.norm(axis), start @ end
    x, y, z = axis / sin
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + sin * cross + (1 - cos) * cross @ cross


@pytest.mark.parametrize("rings", [1, 3])
@torch.no_grad()
def test_sphere(rings: int) -> None:
    count, radius = 24, 0.9
    conv = randomize_(GaugeConv(FIELDS, FIELDS, rings=rings).double())
    points = sphere_points(count)
    turns = frame_vectors(random_frames(count, 1)[:, 0])
    frames = turns @ stereographic_frames(points, (0.2, 0.0, 1.0))
    x = torch.randn(1, 6, count, 1, dtype=torch.float64)
    fast = conv(x, sphere_stencil(points, frames, radius))[0, :, :, 0].numpy()
    where, axes, values = points.numpy(), frames.numpy(), x[0, :, :, 0].numpy()
    weight, own = conv.weight.numpy(), torch.einsum("n,noi->oi", conv.own_weight, conv.own_basis).numpy()
    slow = own @ values + (conv.bias @ conv.constants).numpy()[:, None]
    for p, q in product(range(count), range(count)):
        distance = np.arccos(where[p] @ where[q]) if p != q else np.inf
        if distance > radius:
            continue
        carried = rotation(where[q], where[p]) @ axes[q, 0]
        transport = np.arctan2(axes[p, 1] @ carried, axes[p, 0] @ carried)
        direction = np.arctan2(axes[p, 1] @ where[q], axes[p, 0] @ where[q])
        matrix = sum(share(distance / radius, ring, rings) * weight[ring] for ring in range(rings))
        along = np.zeros(6)
        for start, k in zip(starts(), FREQUENCIES, strict=True):
            z = field(values[:, q], start, k) * np.exp(1j * k * (transport - direction))
            along[start : start + 1 + (k > 0)] = [z.real, z.imag][: 1 + (k > 0)]
        answer = matrix @ along * 2 / (count * (1 - np.cos(radius)))
        for start, k in zip(starts(), FREQUENCIES, strict=True):
            z = field(answer, start, k) * np.exp(1j * k * direction)
            slow[start : start + 1 + (k > 0), p] += [z.real, z.imag][: 1 + (k > 0)]
    np.testing.assert_allclose(fast, slow, rtol=0, atol=1e-12)


def share(distance: float, ring: int, rings: int) -> float:
    """How much a ring counts: linear between the middles of rings, constant beyond the outermost."""
    middles = (np.arange(rings) + 0.5) / rings
    return float(np.interp(distance, middles, np.eye(rings)[ring]))
