import pytest
import torch
from torch import Tensor, nn

import equivision as ev


@pytest.fixture
def images() -> Tensor:
    return torch.randn(6, 1, 9, 9, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def plain() -> nn.Module:
    """The honest control: an ordinary network."""
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(4, 3, 3), nn.Flatten(), nn.Linear(3 * 49, 5)
    )


@pytest.fixture
def equivariant() -> nn.Module:
    """The same with C4 built in."""
    return nn.Sequential(
        ev.nn.LiftConv2d(1, 4, 3, group="C4", padding=1),
        nn.BatchNorm3d(4),
        nn.ReLU(inplace=True),
        ev.nn.GroupConv2d(4, 3, 3, group="C4"),
        ev.nn.GroupPool(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(3, 5),
    )
