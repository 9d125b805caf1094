"""What does equivariance as a loss cost in training, and what do feature groups of several sizes save in inference?

python -m benchmarks implicit [--quick]
"""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

import equivision as ev
from benchmarks._measure import Measured, Part, answer, forward, interleave, summary, train_step
from equivision.implicit import ImplicitEquivariance, rotations
from equivision.tasks import keep_freed_memory

BATCH, SIZE = 32, 28
#: Feature groups, and how many: as many for all kinds of the same largest size.
KINDS = {"4": 32, "4-2-1": 32, "8": 16, "8-4-2": 16, "8-4-2-1": 16}


def implicit_step(net: nn.Module, images: torch.Tensor, *, eighths: bool = False) -> Callable[[], object]:
    """One step of Adam on the cross entropy of images and moved copies and the loss of all layers."""
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    labels = torch.randint(0, 10, (len(images),))
    implicit = ImplicitEquivariance(net, transforms=rotations(8 if eighths else 4), beta=0.1)

    def run() -> None:
        output, loss, _ = implicit(images)
        optimizer.zero_grad()
        (F.cross_entropy(output, labels.repeat(2)) + loss).backward()
        optimizer.step()

    return run


def measure_training(width: int, rounds: int, batch: int) -> Measured:
    """Steps of the same network with and without the loss."""
    keep_freed_memory()
    nets = [ev.create_model("ien_cnn", width=width) for _ in range(4)]
    x = torch.rand(batch, 1, SIZE, SIZE)
    contestants = {
        "plain step": train_step(nets[0], x),
        "augmentation": train_step(nets[1], torch.cat([x, x])),
        "with the loss, quarter turns": implicit_step(nets[2], x),
        "with the loss, eighth turns": implicit_step(nets[3], x, eighths=True),
    }
    return summary(interleave(contestants, rounds=rounds), baseline="plain step")


def measure_inference(rounds: int, batch: int) -> Measured:
    """Forward passes of networks with as many feature groups, of one size and of several."""
    keep_freed_memory()
    nets = {kind: ev.create_model("ien_cnn", width=width, feature_groups=kind).eval() for kind, width in KINDS.items()}
    x = torch.rand(batch, 1, SIZE, SIZE)
    found = summary(interleave({kind: forward(net, x) for kind, net in nets.items()}, rounds=rounds), baseline="4")
    macs = {kind: ev.cost(net, (1, SIZE, SIZE)).macs for kind, net in nets.items()}
    parameters = {kind: sum(p.numel() for p in net.parameters()) for kind, net in nets.items()}
    return {**found, "macs": macs, "parameters": parameters}


def parts(quick: bool) -> dict[str, Part]:
    """Training at a quarter, half and all of the study's width, and inference."""
    rounds, batch = (2, 2) if quick else (15, BATCH)
    widths = (8,) if quick else (8, 16, 32)
    training = {
        f"training-{width}": lambda width=width: {f"training, width {width}": measure_training(width, rounds, batch)}
        for width in widths
    }
    return {**training, "inference": lambda: {"inference": measure_inference(rounds, batch)}}


def main() -> None:
    answer("implicit", __doc__, parts)


if __name__ == "__main__":
    main()
