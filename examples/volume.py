"""The eight pieces of four cubes, two of them mirror images: learned in one pose, recognised in all 24.

python examples/volume.py [SEEDS STEPS]
"""

import sys

import torch
from torch import Tensor, nn

import equivision as ev
from equivision.nn import BatchNorm3d
from equivision.volume import GroupConv3d, LiftConv3d

SEEDS, STEPS = [int(number) for number in sys.argv[1:]] or [1, 80]
PIECES = {
    "straight": "000 001 002 003", "square": "000 001 010 011", "L": "000 001 002 010", "T": "000 001 002 011",
    "S": "000 001 011 012", "branch": "000 001 010 100", "left": "000 001 011 111", "right": "100 101 111 011",
}  # fmt: skip


def examples(count: int) -> tuple[Tensor, Tensor]:  # pieces at random places among noise, in the pose of the table
    volumes, kinds = 0.1 * torch.randn(count, 1, 5, 5, 5), torch.arange(count) % len(PIECES)
    for volume, kind in zip(volumes, kinds.tolist(), strict=True):
        cubes = torch.tensor([[int(digit) for digit in cube] for cube in list(PIECES.values())[kind].split()])
        room = 5 - cubes.amax(0)
        volume[0, *(cubes + (torch.rand(3) * room).long()).T] += 1
    return volumes, kinds


def network(group: str | None, width: int) -> nn.Module:
    if group is None:
        first, second, pool = nn.Conv3d(1, width, 4, padding=1), nn.Conv3d(width, width, 1), nn.Identity()
    else:
        first, second = LiftConv3d(1, width, 4, group=group, padding=1), GroupConv3d(width, width, 1, group=group)
        pool = ev.nn.GroupPool()
    layers = (first, BatchNorm3d(width), nn.ReLU(), second, BatchNorm3d(width), nn.ReLU(), pool)
    return nn.Sequential(*layers, nn.AdaptiveMaxPool3d(1), nn.Flatten(), nn.Linear(width, len(PIECES)))


NETWORKS = {"plain": (None, 24), "rotations (O)": ("O", 8), "rotations and reflections (Oh)": ("Oh", 6)}
for seed in range(SEEDS):
    for name, kind in NETWORKS.items():
        torch.manual_seed(seed)
        net = network(*kind)
        optimizer = torch.optim.Adam(net.parameters(), 0.03)
        for _ in range(STEPS):
            volumes, kinds = examples(16)
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(volumes), kinds).backward()
            optimizer.step()
        volumes, kinds = examples(80)
        report = ev.audit(net, volumes, group="O", labels=kinds, layers=False)
        turned = sum(element.accuracy or 0 for element in report.elements) / 24
        with torch.no_grad():
            screws = (net.eval()(volumes).argmax(1) == kinds)[kinds >= 6].float().mean()
        print(f"{name}: {report.accuracy:.1%} as learned, of the screws {screws:.1%}; {turned:.1%} in all 24 poses")
