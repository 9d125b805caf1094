"""Does a train step of P4CNN cost more than one of the same network built from torch.nn.Conv2d at the same width?

P4CNN of 10 fields has 40 maps a layer; the plain twin has 40 channels. Same arithmetic, so what is measured is the
cost of expanding the filters, of BatchNorm3d against BatchNorm2d, and of the group pool.

    python -m benchmarks train_step [--quick]
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

import equivision as ev
from benchmarks._measure import Measured, Part, answer, forward, interleave, summary, train_step

KINDS: dict[str, Callable[[nn.Module, Tensor], Callable[[], object]]] = {
    "train step": train_step,
    "inference": lambda net, images: forward(net.eval(), images),
}


def measure(kind: str, rounds: Mapping[int, int]) -> dict[str, Measured]:
    """One kind of pass at several batch sizes, each with a number of rounds."""
    results = {}
    for batch, number in rounds.items():
        images = torch.rand(batch, 1, 28, 28)
        nets = {"plain": ev.create_model("z2cnn", width=40), "p4cnn": ev.create_model("p4cnn", width=10)}
        timed = interleave({name: KINDS[kind](net, images) for name, net in nets.items()}, rounds=number)
        results[f"{kind}, batch {batch}"] = summary(timed, baseline="plain")
    return results


def parts(quick: bool) -> dict[str, Part]:
    """Both kinds."""
    rounds = {"train step": {16: 60, 64: 30, 256: 12}, "inference": {1: 100, 16: 60, 256: 20}}
    if quick:
        rounds = {kind: {2: 4} for kind in rounds}
    return {kind: lambda kind=kind, number=number: measure(kind, number) for kind, number in rounds.items()}


def main() -> None:
    answer("train_step", __doc__, parts)


if __name__ == "__main__":
    main()
