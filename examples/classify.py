"""Train a small equivariant network on upright digits for a few seconds; it then knows the turned ones as well."""

import torch
from torch import nn

import equivision as ev
from equivision.data import named_variant, random_split, read_digits

torch.manual_seed(0)
net = nn.Sequential(
    ev.nn.LiftConv2d(1, 6, 5, group="C4", bias=False), nn.BatchNorm3d(6), nn.ReLU(),
    nn.MaxPool3d((1, 2, 2)),
    ev.nn.GroupConv2d(6, 12, 3, group="C4", bias=False), nn.BatchNorm3d(12), nn.ReLU(),
    nn.MaxPool3d((1, 2, 2)),
    ev.nn.GroupConv2d(12, 24, 3, group="C4", bias=False), nn.BatchNorm3d(24), nn.ReLU(),
    ev.nn.GroupPool(), nn.AdaptiveMaxPool2d(1), nn.Flatten(),
    nn.Linear(24, 10),
)  # fmt: skip

train, test = random_split(read_digits(), (1400, 397))
assert train.labels is not None
assert test.labels is not None
optimizer = torch.optim.Adam(net.parameters(), 0.01)
for epoch in range(3):
    total = 0.0
    for batch in torch.randperm(len(train)).split(50):
        loss = nn.functional.cross_entropy(net(train.images[batch]), train.labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(batch) / len(train)
    print(f"epoch {epoch + 1}: loss {total:.3f}")

net.eval()
with torch.no_grad():
    for name in ("upright", "rotated90", "rotated"):
        images = named_variant(name).apply(test.images, test.index)
        accuracy = (net(images).argmax(1) == test.labels).float().mean()
        print(f"{name:<10} accuracy {accuracy:.1%}")
ev.testing.assert_equivariant(net, test.images, group=ev.groups.cyclic(4))
