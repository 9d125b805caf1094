"""The one definition of the equivariance error."""

import math

import pytest
import torch

from equivision import functional
from equivision.groups import cyclic, dihedral
from equivision.testing import random_input


def test_relative_error() -> None:
    a, b = torch.tensor([3.0, 0.0]), torch.tensor([0.0, 4.0])
    assert float(functional.relative_error(a, b)) == pytest.approx(5 / 4)
    assert float(functional.relative_error(b, b)) == 0
    assert float(functional.relative_error(torch.zeros(2), torch.zeros(2))) == 0
    assert math.isinf(float(functional.relative_error(a, torch.zeros(2))))
    assert math.isnan(float(functional.relative_error(torch.tensor([math.nan]), torch.ones(1))))


def test_elements() -> None:
    x = random_input(1, (4, 4))
    assert list(functional.equivariance_error(torch.relu, x, group=dihedral(2))) == [1, 2, 3]
    assert list(functional.equivariance_error(torch.relu, x, group=cyclic(1))) == [0]
    assert list(functional.equivariance_error(torch.relu, x, group=dihedral(4), elements=(5, 2))) == [5, 2]


def test_value() -> None:
    x = random_input(1, (4, 4))
    ramp = torch.arange(4.0).double()
    errors = functional.equivariance_error(lambda z: z * ramp, x, group=cyclic(2))
    turned = torch.rot90(x, 2, (-2, -1))
    expected = (turned * (ramp - ramp.flip(0))).norm() / (turned * ramp.flip(0)).norm()
    assert float(errors[1]) == pytest.approx(float(expected))


def test_is_differentiable() -> None:
    weight = torch.randn(1, 1, 3, 3, dtype=torch.float64, requires_grad=True)
    x = random_input(1, (5, 5))
    errors = functional.equivariance_error(lambda z: torch.nn.functional.conv2d(z, weight), x, group=cyclic(4))
    (gradient,) = torch.autograd.grad(sum(errors.values()), weight)
    assert gradient.abs().max() > 0
