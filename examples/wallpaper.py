"""Kernels with the symmetry of a wallpaper: textures are known when they are turned, but not which way they lie.

python examples/wallpaper.py [SEEDS STEPS]
"""

import sys

import torch
from torch import Tensor, nn

import equivision as ev
from equivision.data import wallpaper_textures

SEEDS, STEPS = [int(number) for number in sys.argv[1:]] or [1, 60]
CLASSES = ["p2", "pm", "pmm", "p4m"]


def network(group: str | None, width: int, num_classes: int) -> nn.Module:
    layers: list[nn.Module] = []
    for before, after in ((1, width), (width, width), (width, 2 * width)):
        layers += [nn.AvgPool2d(2)] if before > 1 else []
        if group is None:
            layers.append(nn.Conv2d(before, after, 5, padding=2, bias=False))
        else:
            layers.append(ev.nn.WallpaperConv2d(before, after, 5, group=group, padding=2, bias=False))
        layers += [nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2 * width, num_classes))


def trained(net: nn.Module, images: Tensor, labels: Tensor) -> nn.Module:
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.02, total_steps=STEPS)
    for _ in range(STEPS):
        batch = torch.randperm(len(images))[:50]
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(images[batch]), labels[batch]).backward()
        optimizer.step()
        schedule.step()
    return net.eval()


for seed in range(SEEDS):
    data = wallpaper_textures(500, groups=CLASSES, seed=seed)
    stripes = wallpaper_textures(200, groups=["pm"], seed=seed).images
    known, unknown = (torch.cat([half, half.rot90(1, (-2, -1))]) for half in stripes.split(100))
    way = torch.arange(2).repeat_interleave(100)  # upright or lying
    assert data.labels is not None
    for name, group, width in (("free kernels", None, 10), ("kernels under D4", "D4", 20)):
        torch.manual_seed(seed)
        net = trained(network(group, width, len(CLASSES)), data.images[:300], data.labels[:300])
        other, test, labels = trained(network(group, width, 2), known, way), data.images[300:], data.labels[300:]
        with torch.no_grad():
            tests = (net, test, labels), (net, test.rot90(1, (-2, -1)), labels), (other, unknown, way)
            right = [f"{(model(x).argmax(1) == y).float().mean():.1%}" for model, x, y in tests]
        print(f"{name}: upright {right[0]}, turned {right[1]}, which way {right[2]}", flush=True)
