"""Convolutions over scales against their formulas, one product at a time."""

from itertools import product

import numpy as np
import pytest
import torch

from equivision.filters import HermiteBasis
from equivision.groups import PlanarGroup, planar
from equivision.scale import ScaleConv2d, ScaleLiftConv2d, ScaleSpaceConv2d
from equivision.testing import randomize_
from tests.oracle._slow import value

SCALES = (1.0, 1.5, 2.5)


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (1, 3), (2, 1), (1, 4)])
@pytest.mark.parametrize("extent", [None, 1, 2, 3])
def test_scale_convolutions(extent: int | None, stride: int, padding: int) -> None:
    """``extent`` None: from an image."""
    options = {"scales": SCALES, "stride": stride, "padding": padding}
    conv = ScaleLiftConv2d(2, 2, 7, **options) if extent is None else ScaleConv2d(2, 2, 7, extent=extent, **options)
    randomize_(conv.double())
    x = torch.randn(1, 2, *(() if extent is None else (3,)), 8, 7, dtype=torch.float64)
    fast = conv(x)[0].detach().numpy()
    basis, weight = HermiteBasis().sample(7, SCALES), conv.weight.detach().numpy()
    image, bias = x[0].numpy(), conv.bias.detach().numpy()
    slow = np.zeros(fast.shape)
    for o, s, row, column in product(*map(range, fast.shape)):
        slow[o, s, row, column] = bias[o]
        for c, e, i, j in product(range(2), range(extent or 1), range(7), range(7)):
            if s + e >= len(SCALES) and extent is not None:
                continue
            plane = image[c] if extent is None else image[c, s + e]
            numbers = weight[o, c] if extent is None else weight[o, c, e]
            kernel = sum(numbers[f] * basis[f, s, i, j] for f in range(len(basis)))
            slow[o, s, row, column] += kernel * value(plane, row * stride - padding + i, column * stride - padding + j)
    np.testing.assert_allclose(fast, slow, rtol=0, atol=1e-12)


@pytest.mark.parametrize("extent", [None, 1, 2])
@pytest.mark.parametrize("name", ["C3", "D4"])
def test_convolutions_over_scales_and_orientations(extent: int | None, name: str) -> None:
    """``psi(h^-1 p / s) / s^2``, every function asked for at the turned places; slots of both axes by loops."""
    group, scales, basis = planar(name), (1.5, 2.5), HermiteBasis(2)
    options = {"scales": scales, "group": group, "basis": basis, "padding": 1}
    conv = ScaleLiftConv2d(1, 2, 5, **options) if extent is None else ScaleConv2d(1, 2, 5, extent=extent, **options)
    randomize_(conv.double())
    slots = () if extent is None else (2 * group.order,)
    x = torch.randn(1, 1, *slots, 5, 4, dtype=torch.float64)
    fast = conv(x)[0].detach().unflatten(1, (2, group.order)).numpy()
    norms = np.linalg.norm(_drawn(basis, group, 0, scales, 0), axis=0)
    weight, bias = conv.weight.detach().numpy(), conv.bias.detach().numpy()
    kernels = {(s, h): _drawn(basis, group, h, scales, s) / norms for s, h in product(range(2), range(group.order))}
    slow = np.zeros(fast.shape)
    padded = np.pad(x[0, 0].numpy(), [(0, 0)] * len(slots) + [(1, 1), (1, 1)])
    for o, s, h, row, column in product(*map(range, fast.shape)):
        slow[o, s, h, row, column] = bias[o]
        for e, seen in product(range(extent or 1), range(group.order if extent else 1)):
            if s + e >= 2:
                continue
            between = group.product(group.inverse(h), seen)
            numbers = weight[o, 0] if extent is None else weight[o, 0, e * group.order + between]
            plane = padded if extent is None else padded[(s + e) * group.order + seen]
            kernel = (kernels[s, h] @ numbers).reshape(5, 5)
            slow[o, s, h, row, column] += (kernel * plane[row : row + 5, column : column + 5]).sum()
    np.testing.assert_allclose(fast, slow, rtol=0, atol=1e-12)


def _drawn(basis: HermiteBasis, group: PlanarGroup, h: int, scales: tuple[float, ...], s: int) -> np.ndarray:
    """The functions at scale number s, moved by h, ``[tap, function]``."""
    along, reach = np.arange(5) - 2.0, 2 / scales[-1]
    window = int(2 * scales[s] / scales[-1] + 1e-9)
    rows = []
    for up, right in product(-along, along):
        x, y = group.matrix(group.inverse(h)) @ (right, up) / scales[s]
        inside = max(abs(up), abs(right)) <= window
        rows.append(basis.values(np.array([x]), np.array([y]), reach)[:, 0] * inside / scales[s] ** 2)
    return np.array(rows)


@pytest.mark.parametrize("extent", [1, 2])
@pytest.mark.parametrize("base", [2, 3])
def test_scale_space_convolution(extent: int, base: int) -> None:
    conv = randomize_(ScaleSpaceConv2d(2, 2, 3, extent=extent, base=base).double())
    x = torch.randn(1, 2, 3, 6, 5, dtype=torch.float64)
    fast = conv(x)[0].detach().numpy()
    weight, bias = conv.weight.detach().numpy(), conv.bias.detach().numpy()
    slow = np.zeros(fast.shape)
    for o, k, row, column in product(*map(range, fast.shape)):
        slow[o, k, row, column] = bias[o]
        for c, e, i, j in product(range(2), range(extent), range(3), range(3)):
            if k + e < 3:
                place = (row + base**k * (i - 1), column + base**k * (j - 1))
                slow[o, k, row, column] += weight[o, c, e, i, j] * value(x[0, c, k + e].numpy(), *place)
    np.testing.assert_allclose(fast, slow, rtol=0, atol=1e-12)
