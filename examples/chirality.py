"""Left- and right-handed shapes: networks invariant under reflections see no difference, one with a signed pool does.

python examples/chirality.py [SEEDS STEPS IMAGES ...]
"""

import sys

import torch
from torch import nn

import equivision as ev
from equivision.data import chiral_shapes, mirrored, pool

SEEDS, STEPS, *COUNTS = [int(number) for number in sys.argv[1:]] or [1, 40, 100]


def plain() -> nn.Module:
    layers: list[nn.Module] = []
    for before, after in ((1, 8), (8, 16), (16, 32)):
        conv = nn.Conv2d(before, after, 5, padding=2, bias=False)
        layers += [conv, nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 1))


def on_group(group: str, width: int, pool: nn.Module, *, odd: bool = False) -> nn.Module:
    layers: list[nn.Module] = [ev.nn.LiftConv2d(1, width, 5, group=group, padding=2, bias=False)]
    for before, after in ((width, 2 * width), (2 * width, 4 * width)):
        conv = ev.nn.GroupConv2d(before, after, 5, group=group, padding=2, bias=False)
        layers += [nn.BatchNorm3d(before), nn.ReLU(), nn.MaxPool3d((1, 2, 2)), conv]
    layers += [nn.BatchNorm3d(4 * width), nn.ReLU(), nn.MaxPool3d((1, 2, 2)), pool]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * width, 1, bias=not odd))


NETWORKS = {
    "plain": plain,
    "invariant under D4": lambda: on_group("D4", 3, ev.nn.GroupPool()),
    "invariant under C4": lambda: on_group("C4", 4, ev.nn.GroupPool()),
    "signed under D4": lambda: on_group("D4", 3, ev.nn.CharacterPool("sign", group="D4"), odd=True),
}
for count, seed in ((count, seed) for count in COUNTS for seed in range(SEEDS)):
    data = chiral_shapes(count + 500, seed=seed)
    train, test = data.take(range(count)), data.take(range(count, count + 500))
    test = pool(test, mirrored(test, partners=(1, 0)))
    assert train.labels is not None
    assert test.labels is not None
    for name, build in NETWORKS.items():
        torch.manual_seed(seed)
        net, steps = build(), 0
        optimizer = torch.optim.Adam(net.parameters(), 0.01)
        while steps < STEPS:
            for batch in torch.randperm(count).split(50):
                logit, left = net(train.images[batch])[:, 0], train.labels[batch].float()
                optimizer.zero_grad()
                nn.functional.binary_cross_entropy_with_logits(logit, left).backward()
                optimizer.step()
                steps += 1
        with torch.no_grad():
            right = (net.eval()(test.images)[:, 0] > 0) == test.labels.bool()
        print(f"{name}: {right.float().mean():.1%} with {count} images, seed {seed}")
