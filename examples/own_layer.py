"""A layer that this library knows nothing about, and the battery of tests that it inherits.

Run the tests with: pytest examples/own_layer.py
"""

import torch
from torch import Tensor, nn

import equivision as ev

D4 = ev.groups.dihedral(4)


class SqueezeExcite(nn.Module):
    """Weigh every field by a number that a small network computes from the means of all fields (Hu et al. 2018)."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.channels, self.hidden = channels, hidden
        self.gate = nn.Sequential(nn.Linear(channels, hidden), nn.SiLU(), nn.Linear(hidden, channels), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        weight = self.gate(x.mean((2, 3, 4)))  # a mean over group and space is invariant
        return x * weight[:, :, None, None, None]


class SlotGate(nn.Module):
    """Looks harmless, is wrong: a learned number for each slot prefers some orientations to others."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(8))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight[:, None, None]


class TestSqueezeExcite(ev.testing.LayerBattery):
    group = D4

    def layer(self) -> nn.Module:
        return SqueezeExcite(4, 2)

    def inputs(self) -> list[Tensor]:
        return [ev.testing.random_input(4, size, D4) for size in ((4, 4), (5, 5))]


if __name__ == "__main__":
    x = ev.testing.random_input(4, (5, 5), D4)
    ev.testing.assert_equivariant(ev.testing.randomize_(SqueezeExcite(4, 2).double()), x, group=D4)
    print("SqueezeExcite is equivariant")
    ev.testing.assert_equivariant(SlotGate().double(), x, group=D4)  # all ones: the mistake does not show
    try:
        ev.testing.assert_equivariant(ev.testing.randomize_(SlotGate().double()), x, group=D4)
    except AssertionError as error:
        print(f"SlotGate is caught: {error}")
