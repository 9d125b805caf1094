"""Convolutions over scales against their formulas, one product at a time."""

from itertools import product

import numpy as np
import pytest
import torch

from equivision.filters import HermiteBasis
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
