"""What the tests of this folder share: predictors without any symmetry, and images that have one."""

from typing import Any

import torch
from torch import Tensor, nn

from equivision.canonical import EnergyNetwork, OrbitEnergy
from equivision.functional import act
from equivision.groups import PlanarGroup, cyclic, dihedral
from equivision.testing import random_input, randomize_

GRID = (cyclic(1), cyclic(2), cyclic(4), dihedral(1), dihedral(2), dihedral(4))
OUTPUTS = ("invariant", "plane", "regular")
SIZES = ((9, 9), (8, 8))
D4 = dihedral(4)


class Slots(nn.Module):
    """Maps on a group from an ordinary convolution: no symmetry at all."""

    def __init__(self, order: int, *, values: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2 * order, 3)
        self.order, self.values = order, values

    def forward(self, x: Tensor) -> Tensor:
        """Maps, or their values at one pixel."""
        maps = torch.tanh(self.conv(x)).unflatten(1, (2, self.order))
        return maps[..., 0, 1] if self.values else maps


def plain_cnn(output: str, group: PlanarGroup) -> nn.Module:
    """A network of random weights that gives an output of this kind, without its symmetry."""
    if output == "regular":
        return randomize_(Slots(group.order).double().eval())
    layers = [nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3), nn.Tanh(), nn.Conv2d(3, 3, 3, bias=False)]
    head = [] if output == "plane" else [nn.Tanh(), nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(12, 5)]
    return randomize_(nn.Sequential(*layers, *head).double().eval())


def energies(group: PlanarGroup) -> dict[str, nn.Module]:
    """An equivariant network, and a plain one that scores every copy; random weights and running statistics."""
    layers = (nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Tanh(), nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(16, 1))
    found = {"own": EnergyNetwork(2, group=group, width=4), "orbit": OrbitEnergy(nn.Sequential(*layers), group=group)}
    return {name: randomize_(energy.double().eval()) for name, energy in found.items()}


def images(size: tuple[int, int]) -> Tensor:
    """Random images; one with half-turn symmetry, one that is symmetric under all of D4, one all black."""
    x = random_input(2, size, batch=6)
    turned = x[:1] + x[:1].rot90(2, (-2, -1))
    symmetric = torch.stack([act(x[1:2], g, D4) for g in range(8)]).sum(0)
    return torch.cat([turned, symmetric, torch.zeros_like(x[:1]), x[2:]])


def moved(y: Any, g: int, group: PlanarGroup, output: str) -> Any:
    """The action on an output."""
    return y if output == "invariant" else act(y, g, group)
