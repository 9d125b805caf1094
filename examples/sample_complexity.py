"""How many labels does a symmetry save? Bars with a head, in four poses or in two that look different.

python examples/sample_complexity.py [SEEDS STEPS]
"""

import sys

import torch
from torch import nn

import equivision as ev
from equivision.data import oriented_shapes

SEEDS, STEPS = [int(number) for number in sys.argv[1:]] or [1, 100]
HEADS, LABELS = ["arrow", "hammer", "fork"], (12, 40)


def network(group: str, width: int) -> nn.Module:
    layers: list[nn.Module] = [ev.nn.LiftConv2d(1, width, 5, group=group, padding=2, bias=False)]
    for before, after in ((width, width), (width, 2 * width)):
        layers += [ev.nn.BatchNorm3d(before), nn.ReLU(), ev.nn.BlurPool2d(2)]
        layers.append(ev.nn.GroupConv2d(before, after, 3, group=group, padding=1, bias=False))
    head = [ev.nn.GroupPool("max"), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(2 * width, len(HEADS))]
    return nn.Sequential(*layers, ev.nn.BatchNorm3d(2 * width), nn.ReLU(), *head)


def pictures(kinds: list[str], count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    data = oriented_shapes(
        count, group="C4", within="C4", kinds=kinds, shapes=1, half=0.28, size=20, noise=0.3, seed=seed
    )
    return data.images, torch.as_tensor(data.labels)


def trained(net: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> nn.Module:
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.02, total_steps=STEPS)
    for _ in range(STEPS):
        batch = torch.randperm(len(images))[:32]
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(images[batch]), labels[batch]).backward()
        optimizer.step()
        schedule.step()
    return net.eval()


for kinds, views in ((HEADS, 4), ([f"double {head}" for head in HEADS], 2)):
    for name, group, width in (("C4", "C4", 5), ("plain", "C1", 10)):  # of 2,898 and 3,093 parameters
        right = torch.zeros(len(LABELS))
        for seed in range(SEEDS):
            (images, labels), (test, truth) = pictures(kinds, max(LABELS), seed), pictures(kinds, 400, 1000 + seed)
            for i, count in enumerate(LABELS):
                torch.manual_seed(seed)
                net = trained(network(group, width), images[:count], labels[:count])
                with torch.no_grad():
                    right[i] += (net(test).argmax(1) == truth).float().mean() / SEEDS
        known = ", ".join(f"{share:.0%} from {count}" for share, count in zip(right.tolist(), LABELS, strict=True))
        print(f"{views} views, {name}: {known} labels", flush=True)
