"""Ask a plain network to be equivariant while it learns, and see how far it gets."""

import torch
from torch import nn

import equivision as ev
from equivision.data import named_variant, random_split, read_digits
from equivision.implicit import ImplicitEquivariance, rotations


def plain() -> nn.Sequential:
    """Any network; here one of two convolutions."""
    return nn.Sequential(
        nn.AvgPool2d(2), nn.Conv2d(1, 16, 5), nn.BatchNorm2d(16), nn.ELU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3),
        nn.BatchNorm2d(32), nn.ELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
    )  # fmt: skip


def train(beta: float) -> tuple[nn.Module, ImplicitEquivariance]:
    """Cross-entropy of upright digits and turned copies, and the loss of two layers with weight beta."""
    torch.manual_seed(0)
    net = plain()
    implicit = ImplicitEquivariance(net, ["3", "7"], rotations(4), feature_groups=4, beta=beta)
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    for _ in range(5):
        for batch in torch.randperm(len(digits)).split(50):
            output, loss, _ = implicit(digits.images[batch])
            total = nn.functional.cross_entropy(output, labels[batch].repeat(implicit.copies)) + loss
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
    return net.eval(), implicit


digits, test = random_split(read_digits(), (900, 897))
assert digits.labels is not None
assert test.labels is not None
labels = digits.labels
for beta in (0.0, 0.2):
    net, implicit = train(beta)
    turned = named_variant("rotated90").apply(test.images, test.index)
    with torch.no_grad():
        accuracy = (net(turned).argmax(1) == test.labels).float().mean()
        differences = implicit(test.images).differences
    report = ev.audit(net, test.images[:50], group="C4", pooled_outputs=implicit.pooled_outputs, angles=())
    pooled = {layer.name: max(layer.max_errors or (0.0,)) for layer in report.layers if "pooled" in layer.name}
    print(f"beta {beta}: accuracy on turned digits {accuracy:.1%}")
    print("  loss of the layers", {name: f"{float(value):.1e}" for name, value in differences.items()})
    print("  largest relative error", {name: f"{value:.2f}" for name, value in pooled.items()})
