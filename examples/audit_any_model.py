"""Train an ordinary and an equivariant network on upright digits, and audit both onto the page audit.html."""

import torch
from torch import nn

import equivision as ev
from equivision.audit import write_html
from equivision.data import ImageData, random_split, read_digits

C4 = ev.groups.cyclic(4)


def plain() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 12, 5, bias=False), nn.BatchNorm2d(12), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3, bias=False), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(24, 48, 3, bias=False), nn.BatchNorm2d(48), nn.ReLU(),
        nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(48, 10),
    )  # fmt: skip


def equivariant() -> nn.Module:
    # half as many fields as the other network has channels: about the same number of parameters
    return nn.Sequential(
        ev.nn.LiftConv2d(1, 6, 5, group=C4, bias=False), nn.BatchNorm3d(6), nn.ReLU(), nn.MaxPool3d((1, 2, 2)),
        ev.nn.GroupConv2d(6, 12, 3, group=C4, bias=False), nn.BatchNorm3d(12), nn.ReLU(), nn.MaxPool3d((1, 2, 2)),
        ev.nn.GroupConv2d(12, 24, 3, group=C4, bias=False), nn.BatchNorm3d(24), nn.ReLU(),
        ev.nn.GroupPool(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(24, 10),
    )  # fmt: skip


def train(net: nn.Module, data: ImageData, epochs: int = 3) -> nn.Module:
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    assert data.labels is not None
    for _ in range(epochs):
        for batch in torch.randperm(len(data)).split(50):
            loss = nn.functional.cross_entropy(net(data.images[batch]), data.labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net


if __name__ == "__main__":
    torch.manual_seed(0)
    digits, test = random_split(read_digits(), (1400, 100))
    reports = {}
    for name, build in (("plain", plain), ("equivariant", equivariant)):
        net = train(build(), digits)
        reports[name] = ev.audit(net, test.images, labels=test.labels, group="C4", name=name)
        print(f"{name}: {reports[name].summary}")
    assert reports["plain"].verdict == "not equivariant"
    assert reports["equivariant"].verdict == "exact"
    print(f"written to {write_html(reports, 'audit.html')}")
