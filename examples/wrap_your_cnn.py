"""Make a plain network of your own exactly invariant: a second network writes its weights for each image."""

import torch
from torch import nn

import equivision as ev
from equivision.data import named_variant, random_split, read_digits


def plain() -> nn.Sequential:
    """Any network of convolutions, pools, activations and linear layers."""
    return nn.Sequential(
        nn.Conv2d(1, 12, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(12, 16, 4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 9, 10),
    )  # fmt: skip


def train(net: nn.Module, rate: float, epochs: int) -> None:
    """Adam on upright digits."""
    optimizer = torch.optim.Adam(net.parameters(), rate)
    for _ in range(epochs):
        for batch in torch.randperm(len(digits)).split(50):
            loss = nn.functional.cross_entropy(net(digits.images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    net.eval()


torch.manual_seed(0)
digits, test = random_split(read_digits(), (1400, 397))
assert digits.labels is not None
assert test.labels is not None
labels = digits.labels
alone = plain()
wrapped = ev.hyper.HyperEquivariantCNN(plain(), input_shape=(1, 28, 28), light=4)  # three lines:
train(alone, 0.003, 8)  # build it,
train(wrapped, 0.001, 8)  # train it, use it

for name, net in (("plain", alone), ("wrapped", wrapped)):
    print(f"{name}: {sum(p.numel() for p in net.parameters()):,} parameters")
    with torch.no_grad():
        for variant in ("upright", "rotated90"):
            images = named_variant(variant).apply(test.images, test.index)
            accuracy = (net(images).argmax(1) == test.labels).float().mean()
            print(f"{name}, {variant:<10} accuracy {accuracy:.1%}")
ev.testing.assert_equivariant(wrapped, test.images[:50], group=ev.groups.cyclic(4))
