"""The layers as their formulas are printed: sums over taps and group elements, one product at a time.

Nothing here turns an array. A group element moves a *point*, by its 2x2 matrix in coordinates (x right, y up), and
kernels are read at the moved point. Slow, plain, independent of index tables.
"""

from itertools import product

import numpy as np
from numpy.typing import NDArray

from equivision.groups import PlanarGroup

Array = NDArray[np.float64]
Pair = tuple[int, int]


def read(kernel: Array, g: int, group: PlanarGroup, tap: Pair) -> float:
    """``psi(g^-1 p)`` for the point p of a tap, counted from the centre of the kernel."""
    rows, columns = kernel.shape
    row, column = tap[0] - (rows - 1) / 2, tap[1] - (columns - 1) / 2
    x, y = group.matrix(group.inverse(g)) @ np.array([column, -row])
    return float(kernel[round(-y + (rows - 1) / 2), round(x + (columns - 1) / 2)])


def value(image: Array, row: int, column: int) -> float:
    """The image with zeros outside."""
    inside = 0 <= row < image.shape[0] and 0 <= column < image.shape[1]
    return float(image[row, column]) if inside else 0.0


def out_size(size: Pair, kernel: Pair, stride: int, padding: int, dilation: int) -> Pair:
    rows, columns = (
        (n + 2 * padding - dilation * (k - 1) - 1) // stride + 1 for n, k in zip(size, kernel, strict=True)
    )
    return rows, columns


def taps(kernel: Array) -> list[Pair]:
    return list(product(range(kernel.shape[-2]), range(kernel.shape[-1])))


def correlate(image: Array, kernel: Array, g: int, group: PlanarGroup, t: Pair, s: int, p: int, d: int) -> float:
    """``sum_p x(p) psi(g^-1 (p - t))`` at one output position t."""
    return sum(
        value(image, t[0] * s - p + d * tap[0], t[1] * s - p + d * tap[1]) * read(kernel, g, group, tap)
        for tap in taps(kernel)
    )


def lift(x: Array, psi: Array, bias: Array, group: PlanarGroup, stride: int, padding: int, dilation: int) -> Array:
    """``y[o, h](t) = b[o] + sum_{c, p} x[c](p) psi[o, c](h^-1 (p - t))``."""
    size = out_size(x.shape[-2:], psi.shape[-2:], stride, padding, dilation)
    y = np.zeros((len(x), len(psi), group.order, *size))
    for b, o, h, i, j in np.ndindex(*y.shape):
        y[b, o, h, i, j] = bias[o] + sum(
            correlate(x[b, c], psi[o, c], h, group, (i, j), stride, padding, dilation) for c in range(x.shape[1])
        )
    return y


def convolve(x: Array, psi: Array, bias: Array, group: PlanarGroup, stride: int, padding: int, dilation: int) -> Array:
    """``y[o](t, h) = b[o] + sum_{c, h', p} x[c](p, h') psi[o, c](h^-1 h', h^-1 (p - t))``."""
    size = out_size(x.shape[-2:], psi.shape[-2:], stride, padding, dilation)
    y = np.zeros((len(x), len(psi), group.order, *size))
    for b, o, h, i, j in np.ndindex(*y.shape):
        total = bias[o]
        for c, k in product(range(x.shape[1]), range(group.order)):
            slot = group.product(group.inverse(h), k)
            total += correlate(x[b, c, k], psi[o, c, slot], h, group, (i, j), stride, padding, dilation)
        y[b, o, h, i, j] = total
    return y


def separable(
    x: Array, k: Array, w: Array, bias: Array, group: PlanarGroup, stride: int, padding: int, dilation: int
) -> Array:
    """``y[o](t, h) = b[o] + sum_{c, h'} w[o, c](h^-1 h') sum_p x[c](p, h') k[o, c](h^-1 (p - t))``.

    With one k for each pair (o, c), the g kind (Lengyel & van Gemert, eqs. 5 and 6); with ``k[o, 0]`` for all c, the gc
    kind (eqs. 11 and 12).
    """
    size = out_size(x.shape[-2:], k.shape[-2:], stride, padding, dilation)
    y = np.zeros((len(x), len(k), group.order, *size))
    for b, o, h, i, j in np.ndindex(*y.shape):
        total = bias[o]
        for c, g in product(range(x.shape[1]), range(group.order)):
            kernel = k[o, c if k.shape[1] > 1 else 0]
            share = w[o, c, group.product(group.inverse(h), g)]
            total += share * correlate(x[b, c, g], kernel, h, group, (i, j), stride, padding, dilation)
        y[b, o, h, i, j] = total
    return y


def sigmoid(value: float) -> float:
    return float(1 / (1 + np.exp(-value)))


def attentive(
    x: Array, psi: Array, squeeze: Array, excite: Array, spatial: Array, bias: Array, group: PlanarGroup, stride: int,
    padding: int, dilation: int,
) -> Array:  # fmt: skip
    """``y[o](t, h) = b[o] + sum_{c, s} B[o, h, s](t) A[o, h, c, s] z[o, h, c, s](t)``, one output map at a time."""
    size = out_size(x.shape[-2:], psi.shape[-2:], stride, padding, dilation)
    places = list(product(range(size[0]), range(size[1])))
    y = np.zeros((len(x), len(psi), group.order, *size))
    for b, o, h in product(range(len(x)), range(len(psi)), range(group.order)):
        y[b, o, h] = bias[o]
        for s in range(x.shape[2]):
            slot = group.product(group.inverse(h), s)
            z = np.zeros((x.shape[1], *size))
            for c, t in product(range(x.shape[1]), places):
                z[c][t] = correlate(x[b, c, s], psi[o, c, slot], h, group, t, stride, padding, dilation)
            z *= channel_gates(z, squeeze[o, :, :, slot], excite[o, :, :, slot])[:, None, None]
            seen, half = (z.mean(0), z.max(0)), spatial.shape[-1] // 2
            for t in places:
                score = sum(correlate(seen[i], spatial[o, i, slot], h, group, t, 1, half, 1) for i in range(len(seen)))
                y[b, o, h][t] += sigmoid(score) * z[(slice(None), *t)].sum()
    return y


def channel_gates(z: Array, squeeze: Array, excite: Array) -> Array:
    """``sigmoid(M(mean z) + M(max z))``, where ``M(v)[c] = sum_r excite[c, r] max(sum_c' squeeze[r, c'] v[c'], 0)``."""
    gates = np.zeros(len(z))
    for c in range(len(z)):
        score = 0.0
        for pooled in (z.mean((1, 2)), z.max((1, 2))):
            for r in range(len(squeeze)):
                score += excite[c, r] * max(sum(squeeze[r, d] * pooled[d] for d in range(len(z))), 0.0)
        gates[c] = sigmoid(score)
    return gates


def project(x: Array, psi: Array, bias: Array, group: PlanarGroup, stride: int, padding: int, dilation: int) -> Array:
    """``y[o](t) = b[o] + sum_{c, h, p} x[c](p, h) psi[o, c](h^-1 (p - t))``."""
    size = out_size(x.shape[-2:], psi.shape[-2:], stride, padding, dilation)
    y = np.zeros((len(x), len(psi), *size))
    for b, o, i, j in np.ndindex(*y.shape):
        y[b, o, i, j] = bias[o] + sum(
            correlate(x[b, c, h], psi[o, c], h, group, (i, j), stride, padding, dilation)
            for c, h in product(range(x.shape[1]), range(group.order))
        )
    return y


def transpose(x: Array, psi: Array, bias: Array, group: PlanarGroup, stride: int, padding: int, dilation: int) -> Array:
    """``y[o](g) = b[o] + sum_h sum_c x[c](h) psi[c, o](h^-1 g)``: every input value paints a moved kernel."""
    kernel = psi.shape[-2:]
    size = tuple(
        (n - 1) * stride - 2 * padding + dilation * (k - 1) + 1 for n, k in zip(x.shape[-2:], kernel, strict=True)
    )
    y = np.zeros((len(x), psi.shape[1], group.order, *size)) + bias[:, None, None, None]
    for b, c, h, i, j in np.ndindex(*x.shape):
        for o, s, tap in product(range(psi.shape[1]), range(group.order), taps(psi)):
            row, column = i * stride - padding + dilation * tap[0], j * stride - padding + dilation * tap[1]
            if 0 <= row < size[0] and 0 <= column < size[1]:
                slot = group.product(group.inverse(h), s)
                y[b, o, s, row, column] += x[b, c, h, i, j] * read(psi[c, o, slot], h, group, tap)
    return y


def linear(x: Array, w: Array, bias: Array, group: PlanarGroup) -> Array:
    """``y[o, g] = b[o] + sum_{c, h} w[o, c, g^-1 h] x[c, h]``."""
    y = np.zeros((len(x), len(w), group.order))
    for b, o, g in np.ndindex(*y.shape):
        y[b, o, g] = bias[o] + sum(
            w[o, c, group.product(group.inverse(g), h)] * x[b, c, h]
            for c, h in product(range(x.shape[1]), range(group.order))
        )
    return y


def move(x: Array, g: int, group: PlanarGroup) -> Array:
    """``(L_g f)(p, h) = f(g^-1 p, g^-1 h)`` for square maps on the group, point by point."""
    y = np.zeros_like(x)
    for b, c, h in np.ndindex(*x.shape[:3]):
        source = x[b, c, group.product(group.inverse(g), h)]
        for tap in taps(source):
            y[b, c, h][tap] = read(source, g, group, tap)
    return y


def wallpaper(
    x: Array, weight: Array, bias: Array, group: PlanarGroup, size: Pair, stride: int, padding: int, dilation: int
) -> Array:
    """``y[o](t) = b[o] + sum_{c, p} x[c](t + p) K[o, c](p)``, with one number for all points of an orbit.

    Orbits are found by moving points, and are numbered by their distance from the centre, then in reading order.
    """
    middle = np.array([(k - 1) / 2 for k in size])
    places = [(tap[1] - middle[1], middle[0] - tap[0]) for tap in product(*map(range, size))]
    orbits: list[set[int]] = []
    for point in places:
        moved = [group.matrix(g) @ np.array(point) for g in range(group.order)]
        orbit = {int(np.argmin([np.hypot(*(there - q)) for q in places])) for there in moved}
        orbits += [] if orbit in orbits else [orbit]
    orbits.sort(key=lambda orbit: (round(float(np.hypot(*places[min(orbit)])), 9), min(orbit)))
    kernel = np.zeros((*weight.shape[:2], len(places)))
    for number, orbit in enumerate(orbits):
        for tap in orbit:
            kernel[:, :, tap] = weight[:, :, number]
    kernel = kernel.reshape(*weight.shape[:2], *size)
    y = np.zeros((len(x), len(weight), *out_size(x.shape[-2:], size, stride, padding, dilation)))
    for b, o, i, j in np.ndindex(*y.shape):
        y[b, o, i, j] = bias[o] + sum(
            correlate(x[b, c], kernel[o, c], group.identity, group, (i, j), stride, padding, dilation)
            for c in range(x.shape[1])
        )
    return y


def bilinear(image: Array, row: float, column: float) -> float:
    """The image between its pixels: each corner of the cell counts by the area on the other side, outside it is 0."""
    top, left = int(np.floor(row)), int(np.floor(column))
    down, right = row - top, column - left
    return sum(
        (down if i else 1 - down) * (right if j else 1 - right) * value(image, top + i, left + j)
        for i, j in product((0, 1), (0, 1))
    )


def moved_tap(tap: Pair, g: int, group: PlanarGroup, size: Pair) -> Pair:
    """The tap at the point ``g^-1 p`` of the point p of a tap."""
    numbers = np.arange(size[0] * size[1], dtype=np.float64).reshape(size)
    row, column = divmod(round(read(numbers, g, group, tap)), size[1])
    return row, column


def offsets(
    x: Array, psi: Array, bias: Array, group: PlanarGroup, stride: int, padding: int, dilation: int
) -> Array:  # fmt: skip
    """``D[j](t) = mean_h R_h b[h^-1 j] + sum_{c, h, u} R_h psi[h^-1 j, c](h^-1 u) x[c, h](t + u)``.

    For x without a group axis, ``[B, C, 1, H, W]``, every element sees the same map, and the sum over h is a mean.
    """
    size, order = psi.shape[-2:], group.order
    share = 1 if x.shape[2] == order else 1 / order
    y = np.zeros((len(x), size[0] * size[1], 2, *out_size(x.shape[-2:], size, stride, padding, dilation)))
    for b, j, h in product(range(len(x)), range(y.shape[1]), range(order)):
        row, column = moved_tap(divmod(j, size[1]), h, group, size)
        source = 2 * (row * size[1] + column)
        for t in product(*map(range, y.shape[-2:])):
            vector = bias[source : source + 2] / order
            for c in range(x.shape[1]):
                image = x[b, c, h if x.shape[2] == order else 0]
                kernels = psi[source : source + 2, c]
                found = [correlate(image, kernel, h, group, t, stride, padding, dilation) for kernel in kernels]
                vector = vector + share * np.array(found)
            y[(b, j, slice(None), *t)] += group.matrix(h) @ vector
    return y


def deformable(
    x: Array, offset: Array, psi: Array, bias: Array, group: PlanarGroup, stride: int, padding: int, dilation: int
) -> Array:
    """``y[o](t, h) = b[o] + sum_{c, h', j} x[c](t + q_j + D_j(t), h') psi[o, c](h^-1 h', h^-1 q_j)``.

    For x without a group axis, ``[B, C, 1, H, W]``, so is psi, ``[O, C, 1, kh, kw]``.
    """
    y = np.zeros((len(x), len(psi), group.order, *offset.shape[-2:]))
    for b, o, h, row, column in np.ndindex(*y.shape):
        y[b, o, h, row, column] = bias[o]
        for (c, s), tap in product(np.ndindex(*x.shape[1:3]), taps(psi)):
            slot = group.product(group.inverse(h), s) if x.shape[2] > 1 else 0
            right, up = offset[b, tap[0] * psi.shape[-1] + tap[1], :, row, column]
            place = (
                row * stride - padding + dilation * tap[0] - up,
                column * stride - padding + dilation * tap[1] + right,
            )
            y[b, o, h, row, column] += bilinear(x[b, c, s], *place) * read(psi[o, c, slot], h, group, tap)
    return y
