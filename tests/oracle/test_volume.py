"""Convolutions of volumes against their formulas, one product at a time; elements move points by their matrices."""

from itertools import product

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from equivision.groups import PointGroup, point_group
from equivision.volume import group_conv3d, lift_conv3d, project_conv3d

Array = NDArray[np.float64]
Voxel = tuple[int, int, int]
# kernel, stride, padding, size: odd and even kernels
WINDOWS = [(3, 1, 1, 2), (2, 1, 0, 3), (2, 2, 1, 2)]


def read(kernel: Array, g: int, group: PointGroup, tap: Voxel) -> float:
    """``psi(g^-1 p)`` for the point p of a tap, counted from the centre: y and z run against their axes."""
    middle = (np.array(kernel.shape) - 1) / 2
    z, y, x = (middle - tap)[0], (middle - tap)[1], (tap - middle)[2]
    x, y, z = group.matrix(group.inverse(g)) @ np.array([x, y, z])
    i, j, k = np.rint(np.array([middle[0] - z, middle[1] - y, middle[2] + x])).astype(int)
    return float(kernel[i, j, k])


def correlate(volume: Array, kernel: Array, g: int, group: PointGroup, t: Voxel, stride: int, padding: int) -> float:
    """``sum_p x(p) psi(g^-1 (p - t))`` at one output position t; zeros lie outside."""
    total = 0.0
    for tap in product(*map(range, kernel.shape)):
        place = tuple(stride * start - padding + step for start, step in zip(t, tap, strict=True))
        if all(0 <= n < size for n, size in zip(place, volume.shape, strict=True)):
            total += float(volume[place]) * read(kernel, g, group, (tap[0], tap[1], tap[2]))
    return total


def empty(x: Array, psi: Array, slots: tuple[int, ...], stride: int, padding: int) -> Array:
    out = [(n + 2 * padding - k) // stride + 1 for n, k in zip(x.shape[-3:], psi.shape[-3:], strict=True)]
    return np.zeros((len(x), len(psi), *slots, *out))


def lift(x: Array, psi: Array, bias: Array, group: PointGroup, *window: int) -> Array:
    y = empty(x, psi, (group.order,), *window)
    for b, o, h, *t in np.ndindex(*y.shape):
        parts = (correlate(x[b, c], psi[o, c], h, group, (t[0], t[1], t[2]), *window) for c in range(x.shape[1]))
        y[(b, o, h, *t)] = bias[o] + sum(parts)
    return y


def convolve(x: Array, psi: Array, bias: Array, group: PointGroup, *window: int) -> Array:
    y = empty(x, psi, (group.order,), *window)
    for b, o, h, *t in np.ndindex(*y.shape):
        y[(b, o, h, *t)] = bias[o]
        for c, k in product(range(x.shape[1]), range(group.order)):
            kernel = psi[o, c, group.product(group.inverse(h), k)]
            y[(b, o, h, *t)] += correlate(x[b, c, k], kernel, h, group, (t[0], t[1], t[2]), *window)
    return y


def project(x: Array, psi: Array, bias: Array, group: PointGroup, *window: int) -> Array:
    y = empty(x, psi, (), *window)
    for b, o, *t in np.ndindex(*y.shape):
        y[(b, o, *t)] = bias[o]
        for c, k in product(range(x.shape[1]), range(group.order)):
            y[(b, o, *t)] += correlate(x[b, c, k], psi[o, c], k, group, (t[0], t[1], t[2]), *window)
    return y


def random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64)


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("group", [point_group("23"), point_group("-42m")], ids=str)
def test_layers_are_their_formulas(group: PointGroup, window: tuple[int, int, int, int]) -> None:
    k, stride, padding, n = window
    size, taps, order, options = (n,) * 3, (k,) * 3, group.order, {"stride": stride, "padding": padding}
    x, psi, bias = random(1, 2, *size), random(2, 2, *taps), random(2)
    slow = lift(x.numpy(), psi.numpy(), bias.numpy(), group, stride, padding)
    np.testing.assert_allclose(lift_conv3d(x, psi, bias, group=group, **options).numpy(), slow, rtol=0, atol=1e-12)
    f = random(1, 1, order, *size)
    slow = project(f.numpy(), psi[:, :1].numpy(), bias.numpy(), group, stride, padding)
    fast = project_conv3d(f, psi[:, :1], bias, group=group, **options)
    np.testing.assert_allclose(fast.numpy(), slow, rtol=0, atol=1e-12)
    if order < 12:  # the number of products is the square of the order
        psi, bias = random(1, 1, order, *taps), random(1)
        slow = convolve(f.numpy(), psi.numpy(), bias.numpy(), group, stride, padding)
        fast = group_conv3d(f, psi, bias, group=group, **options)
        np.testing.assert_allclose(fast.numpy(), slow, rtol=0, atol=1e-12)
