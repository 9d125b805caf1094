"""The rotation loss in both forms, and the measure of table 1."""

import pytest
import torch
from torch import nn

from equivision.errors import ConfigError
from equivision.hyper import HyperEquivariantCNN, equivariance_difference, rotation_loss

MAIN = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 36, 4))


class Blind(nn.Module):
    """A trunk that does not see turns."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([x.mean((1, 2, 3)), x.std((1, 2, 3)), x.amax((1, 2, 3))], 1)


def test_corrected_loss_is_zero_for_weights_that_turn_and_the_printed_one_for_weights_that_do_not() -> None:
    x = torch.rand(3, 1, 8, 8, dtype=torch.float64)
    exact = HyperEquivariantCNN(MAIN, input_shape=(1, 8, 8)).double()
    assert rotation_loss(exact, x) < 1e-28
    assert rotation_loss(exact, x, form="printed") > 1e-4
    blind = HyperEquivariantCNN(MAIN, Blind(), input_shape=(1, 8, 8), combiner="none").double()
    assert rotation_loss(blind, x, form="printed") < 1e-28
    assert rotation_loss(blind, x) > 1e-4


def test_loss_lowers_the_error_of_a_network_without_combiner() -> None:
    x = torch.rand(8, 1, 8, 8)
    net = HyperEquivariantCNN(MAIN, input_shape=(1, 8, 8), combiner="none")
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    losses = []
    for _ in range(30):
        loss = rotation_loss(net, x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.usefixtures("unchecked_annotations")
def test_errors() -> None:
    net = HyperEquivariantCNN(MAIN, input_shape=(1, 8, 8))
    with pytest.raises(ConfigError, match="form='other' is not known"):
        rotation_loss(net, torch.rand(1, 1, 8, 8), form="other")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="upright=0, turned=0"):
        equivariance_difference(0, 0)
    with pytest.raises(ConfigError, match="upright=nan"):
        equivariance_difference(float("nan"), 50.0)
    with pytest.raises(ConfigError, match="net=Sequential generates no parameters"):
        rotation_loss(MAIN, torch.rand(1, 1, 8, 8))  # type: ignore[arg-type]


def test_difference_of_the_study() -> None:
    assert equivariance_difference(75.27, 75.68) == pytest.approx(0.27, abs=0.005)
    assert equivariance_difference(96.03, 96.03) == 0
