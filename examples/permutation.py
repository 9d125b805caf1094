"""Sensors that can be exchanged: a network on sets does not mind their order, not even where it should.

python examples/permutation.py [SEEDS STEPS IMAGES [mnist]]"""

import sys

import torch
from torch import nn

from equivision.data import ImageData, odd_sensors, read_digits, read_mnist, sensor_sets
from equivision.permutation import MemberWise, PermutationConv2d, PermutationLinear, SetPool

SEEDS, STEPS, IMAGES = [int(word) for word in sys.argv[1:4]] or [1, 60, 100]


def on_sets(group: str, width: int, *readout: nn.Module, shape: tuple[int, int] = (5, 1)) -> nn.Module:
    return nn.Sequential(
        nn.AvgPool2d(2), nn.Unflatten(1, shape), PermutationConv2d(shape[1], width, 3, group=group, padding=1),
        MemberWise(nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)),
        PermutationConv2d(width, 2 * width, 3, group=group, padding=1),
        MemberWise(nn.BatchNorm2d(2 * width), nn.ReLU(), nn.AdaptiveMaxPool2d(2), nn.Flatten()), *readout,
    )  # fmt: skip


def plain(channels: int, outputs: int) -> nn.Module:  # a set of one: an ordinary network
    return on_sets("S1", 16, nn.Flatten(), nn.Linear(128, outputs), shape=(1, channels))


def report(name: str, net: nn.Module, train: ImageData, *tests: ImageData, drawn: bool = False) -> None:
    schedule = torch.optim.lr_scheduler.OneCycleLR(torch.optim.Adam(net.parameters()), 0.01, total_steps=STEPS)
    for _ in range(STEPS):
        part, order = train.take(torch.randint(len(train), (50,))), torch.randperm(5) if drawn else torch.arange(5)
        moved = order.argsort() if len(train.class_names) == 5 else torch.arange(10)  # the label moves with the sensor
        schedule.optimizer.zero_grad()
        nn.functional.cross_entropy(net(part.images[:, order]), moved[part.labels]).backward()
        schedule.optimizer.step()
        schedule.step()
    shares = [(net.eval()(test.images).argmax(1) == test.labels).float().mean() for test in tests]
    print(f"{name}: {', '.join(f'{share:.1%}' for share in shares)}", flush=True)


for seed in range(SEEDS):
    torch.manual_seed(seed)
    source = read_mnist() if "mnist" in sys.argv else read_digits()
    known, new = (source.take(part) for part in torch.randperm(len(source))[: IMAGES + 500].split([IMAGES, 500]))
    sets = sensor_sets(known, shuffled=False), sensor_sets(new, shuffled=False), sensor_sets(new)
    for drawn in (False, True):
        report(f"scene, plain{' with orders drawn' * drawn}", plain(5, 10), *sets, drawn=drawn)
    report("scene, S5", on_sets("S5", 12, SetPool(), nn.Linear(96, 10)), *sets)
    sets = odd_sensors(known), odd_sensors(new)
    for drawn in (False, True):
        report(f"which is odd, plain{' with orders drawn' * drawn}", plain(5, 5), *sets, drawn=drawn)
    alone = MemberWise(plain(1, 1), nn.Flatten(0))
    report("which is odd, each alone", nn.Sequential(nn.Unflatten(1, (5, 1)), alone), *sets)
    report("which is odd, S5", on_sets("S5", 12, PermutationLinear(96, 1, group="S5"), nn.Flatten()), *sets)
    sets = odd_sensors(known, question="first"), odd_sensors(new, question="first")
    for name, net in {"plain": plain(5, 2), "S5": on_sets("S5", 12, SetPool(), nn.Linear(96, 2))}.items():
        report(f"is the first odd, {name}", net, *sets)
    report("is the first odd, S1xS4", on_sets("S1xS4", 8, SetPool(), nn.Linear(64, 2)), *sets)
