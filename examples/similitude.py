"""Find a picture again that was turned and shrunk: features of networks that nobody trained, with and without poses.

python examples/similitude.py [PICTURES]
"""

import sys
from typing import Any

import torch
from torch import Tensor, nn

import equivision as ev
from equivision.data import Variant, read_digits
from equivision.filters import HermiteBasis

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 60
RATIO = 2**0.5
SCALES = [1.2 * RATIO**i for i in range(4)]  # of the kernels, in pixels


def network(group: str, scales: list[float], width: int) -> nn.Module:
    """As many numbers for a picture, whatever the group and the scales."""
    options: dict[str, Any] = {"group": group, "basis": HermiteBasis(2), "padding": "same"}
    return nn.Sequential(
        ev.scale.ScaleLiftConv2d(1, width, 21, scales=scales, **options), nn.ReLU(),
        ev.scale.ScaleConv2d(width, 32, 11, scales=[s / 2 for s in scales], **options), nn.ReLU(),
        ev.scale.ScalePool("max"), nn.AdaptiveMaxPool2d(1), nn.Flatten(),
    ).eval()  # fmt: skip


@torch.no_grad()
def features(net: nn.Module, x: Tensor) -> Tensor:
    return torch.cat([net(part) for part in x.split(20)])


upright = Variant(scale=0.95).apply(read_digits().images[:COUNT])
moved = Variant("uniform", scale=(0.5, 0.95), seed=1).apply(read_digits().images[:COUNT])
kinds = {
    "turns and scales": ("C8", SCALES),
    "turns": ("C8", SCALES[2:3]),
    "scales": ("C1", SCALES),
    "neither": ("C1", SCALES[2:3]),
}
for name, (group, scales) in kinds.items():
    torch.manual_seed(0)
    net = network(group, scales, 2)
    known, asked = features(net, upright), features(net, moved)
    spread = known.std(0)
    order = torch.cdist(asked / spread, known / spread).argsort(1)
    rank = (order == torch.arange(COUNT)[:, None]).int().argmax(1)
    print(f"{name}: {(rank == 0).float().mean():.0%} first, {(rank < 5).float().mean():.0%} among the first five")
