"""Digits bent out of shape, few labels, a turned test set: taps that move help, and they must turn with the picture.

python examples/deformable.py [SEEDS STEPS]
"""

import sys

import torch
from torch import nn

import equivision as ev
from equivision.data import deformed, random_split, read_digits

SEEDS, STEPS = [int(number) for number in sys.argv[1:]] or [1, 100]


def network(group: str, width: int, *, moves: bool) -> nn.Module:
    conv = ev.nn.DeformableGroupConv2d if moves else ev.nn.GroupConv2d
    layers: list[nn.Module] = [ev.nn.LiftConv2d(1, width, 5, group=group, padding=2, bias=False)]
    for before in (width, 2 * width):
        layers += [nn.BatchNorm3d(before), nn.ReLU(), nn.MaxPool3d((1, 2, 2))]
        layers.append(conv(before, 2 * width, 3, group=group, padding=1, bias=False))
    layers += [nn.BatchNorm3d(2 * width), nn.ReLU(), ev.nn.GroupPool()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2 * width, 10))


def trained(net: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> nn.Module:
    offsets = [value for name, value in net.named_parameters() if "offset" in name]
    others = [value for name, value in net.named_parameters() if "offset" not in name]
    rates = [0.02, 0.004][: 1 + bool(offsets)]  # taps move more slowly than kernels change
    groups = [{"params": values} for values in (others, offsets) if values]
    optimizer = torch.optim.Adam(groups)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=STEPS)
    for _ in range(STEPS):
        batch = torch.randperm(len(images))[:50]
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(images[batch]), labels[batch]).backward()
        optimizer.step()
        schedule.step()
    return net.eval()


NETWORKS = {
    "rigid under C4": ("C4", 9, False),
    "deformable, free": ("C1", 16, True),
    "deformable under C4": ("C4", 8, True),
}
for seed in range(SEEDS):
    train, test = random_split(deformed(read_digits(), amplitude=2.0, length=20.0, seed=seed), (200, 600), seed=seed)
    assert train.labels is not None
    for name, (group, width, moves) in NETWORKS.items():
        torch.manual_seed(seed)
        net = trained(network(group, width, moves=moves), train.images, train.labels)
        with torch.no_grad():
            answers = [net(images).argmax(1) for images in (test.images, test.images.rot90(1, (-2, -1)))]
        right = [f"{(answer == test.labels).float().mean():.1%}" for answer in answers]
        print(f"{name}: upright {right[0]}, turned {right[1]}", flush=True)
