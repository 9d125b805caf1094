"""Does a train step of P4CNN cost more than one of the same network built from torch.nn.Conv2d at the same width?

P4CNN of 10 fields has 40 maps a layer; the plain twin has 40 channels. Same arithmetic, so what is measured is the
cost of expanding the filters, of BatchNorm3d against BatchNorm2d, and of the group pool.
"""

from collections.abc import Callable

import torch
from torch.nn import functional as F

import equivision as ev
from benchmarks._measure import interleave, save, show, summary


def _step(net: torch.nn.Module, batch: int) -> Callable[[], object]:
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    images, labels = torch.rand(batch, 1, 28, 28), torch.randint(0, 10, (batch,))

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(net(images), labels).backward()
        optimizer.step()

    return step


def _inference(net: torch.nn.Module, batch: int) -> Callable[[], object]:
    net.eval()
    images = torch.rand(batch, 1, 28, 28)

    def run() -> None:
        with torch.no_grad():
            net(images)

    return run


def main() -> None:
    torch.manual_seed(0)
    results = {}
    for kind, build, batch, rounds in (
        ("train step", _step, 16, 60),
        ("train step", _step, 64, 30),
        ("train step", _step, 256, 12),
        ("inference", _inference, 1, 100),
        ("inference", _inference, 16, 60),
        ("inference", _inference, 256, 20),
    ):
        nets = {"plain": ev.create_model("z2cnn", width=40), "p4cnn": ev.create_model("p4cnn", width=10)}
        timed = interleave({name: build(net, batch) for name, net in nets.items()}, rounds=rounds)
        results[f"{kind}, batch {batch}"] = measured = summary(timed, baseline="plain")
        show(f"{kind}, batch {batch}", measured)
    print("written to", save("train_step", results))


if __name__ == "__main__":
    main()
