"""A plain network knows upright digits only; a canonicaliser in front of it makes its answers invariant, exactly."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import equivision as ev
from equivision.data import named_variant, random_split, read_digits

torch.manual_seed(0)
train, test = random_split(read_digits(), (1400, 397))
assert train.labels is not None
assert test.labels is not None


def fit(net: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], epochs: int) -> None:
    assert train.labels is not None
    optimizer = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], 0.01)
    for _ in range(epochs):
        for batch in torch.randperm(len(train)).split(50):
            optimizer.zero_grad()
            loss(train.images[batch], train.labels[batch]).backward()
            optimizer.step()
    net.eval()


def canonical_loss(x: Tensor, y: Tensor) -> Tensor:
    logits, frame = net.train()(x)
    return F.cross_entropy(logits, y) + frame.prior_loss()


def show(name: str, net: nn.Module) -> None:
    for variant in ("upright", "rotated90"):
        with torch.no_grad():
            right = net(named_variant(variant).apply(test.images, test.index)).argmax(1) == test.labels
        print(f"{name}, {variant}: {right.float().mean():.1%}")


cnn = nn.Sequential(
    nn.Conv2d(1, 8, 5, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(8, 16, 3, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, bias=False), nn.BatchNorm2d(32), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(),
    nn.Linear(32, 10),
)  # fmt: skip
fit(cnn, lambda x, y: F.cross_entropy(cnn(x), y), epochs=4)
show("plain", cnn)

energy = ev.canonical.EnergyNetwork(1, group="C4")
net = ev.canonical.CanonicalizedNetwork(cnn, ev.canonical.Canonicalizer(energy), frozen=True)
fit(net, canonical_loss, epochs=4)
show("canonicalized", ev.canonical.OutputOnly(net))
print(f"left as they are: {net(test.images)[1].identity_fraction():.1%}")

logits, turned = (net(x)[0] for x in (test.images, test.images.rot90(1, (-2, -1))))
assert torch.equal(logits, turned)
