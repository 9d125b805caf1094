"""The network that kernels are."""

import math

import pytest
import torch

from equivision.continuous import Siren
from equivision.errors import ConfigError, ShapeError
from equivision.testing import assert_copies, assert_exports, assert_gradcheck, assert_state_dict, randomize_


def test_formula() -> None:
    kernel = randomize_(Siren(3, 2, hidden=5, num_hidden=2, omega=4.0).double())
    x = torch.randn(7, 3, dtype=torch.float64)
    h = x
    for layer in list(kernel.layers)[:-1]:
        h = torch.sin(4.0 * (h @ layer.weight.T + layer.bias))
    torch.testing.assert_close(kernel(x), h @ kernel.layers[-1].weight.T + kernel.layers[-1].bias)
    assert len(kernel.layers) == 4


@pytest.mark.parametrize("num_hidden", [1, 3])
@pytest.mark.parametrize("variance", [1.0, 0.01])
def test_values_have_the_variance_that_was_asked_for(num_hidden: int, variance: float) -> None:
    """At every place alike, the origin too, over the draws."""
    x = torch.tensor([[0.0, 0.0], [1.0, 0.0], [-0.3, 0.4]])
    draws = torch.stack([Siren(2, 16, hidden=32, num_hidden=num_hidden, variance=variance)(x) for _ in range(150)])
    found = draws.detach().square().mean((0, 2)) / variance
    torch.testing.assert_close(found, torch.ones(3), atol=0.15, rtol=0)


def test_frequencies_grow_with_omega() -> None:
    x = torch.linspace(-1, 1, 200)[:, None]

    def roughness(omega: float) -> float:
        torch.manual_seed(0)
        y = Siren(1, 32, omega=omega)(x).detach()
        return float((y.diff(dim=0).square().mean() / y.square().mean()).sqrt())

    assert roughness(1.0) < roughness(10.0) < roughness(50.0)


def test_half_precision_around_it_does_not_blur_the_phases() -> None:
    kernel, x = Siren(2, 4), torch.rand(9, 2)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(kernel(x), kernel(x).float())
        inside = kernel(x)
    assert torch.equal(inside, kernel(x))


def test_life_after_training() -> None:
    kernel, x = randomize_(Siren(2, 3, hidden=4).double()), torch.randn(5, 2, dtype=torch.float64)
    assert_copies(kernel, x)
    assert_exports(kernel, x)
    assert_gradcheck(kernel, x)
    assert Siren(2, 3).bfloat16()(x.bfloat16()).dtype == torch.float32
    assert_state_dict(lambda: Siren(2, 3), x)


def test_reset() -> None:
    kernel = Siren(2, 3)
    before = [p.detach().clone() for p in kernel.parameters()]
    kernel.reset_parameters()
    last = [p.detach() for p in kernel.parameters()]
    assert all(not torch.equal(a, b) for a, b in zip(before[:-1], last[:-1], strict=True))
    assert float(last[1].abs().max()) <= math.pi / kernel.omega


@pytest.mark.usefixtures("unchecked_annotations")
class TestErrors:
    @pytest.mark.parametrize("name", ["in_features", "out_features", "hidden", "num_hidden"])
    def test_counts(self, name: str) -> None:
        arguments = {"in_features": 2, "out_features": 3, name: 0}
        with pytest.raises(ConfigError, match=f"{name}=0: give a whole number of at least 1"):
            Siren(**arguments)

    @pytest.mark.parametrize("name", ["omega", "variance"])
    @pytest.mark.parametrize("value", [0.0, -1.0, math.inf, math.nan])
    def test_numbers(self, name: str, value: float) -> None:
        with pytest.raises(ConfigError, match=f"{name}={value}: give a positive number"):
            Siren(2, 3, **{name: value})

    def test_coordinates(self) -> None:
        with pytest.raises(ShapeError, match=r"x has shape \(4, 3\); its last axis must hold 2 coordinate"):
            Siren(2, 3)(torch.rand(4, 3))
