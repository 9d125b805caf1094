"""What does a whole network cost beside the ordinary network of the same real width?

The plain twin has the same architecture: every field is replaced by as many ordinary channels as the group has elements
(benchmarks/_plain.py). Separable networks compete with a dense twin, and with one whose convolutions are split into a
pointwise and a depthwise one. Frozen networks have their filters expanded and their batch norms folded, twins too.
Train steps are measured in both memory layouts; the baseline is the contiguous twin.

    python -m benchmarks networks [--quick] [--only "p4cnn inference" ...]
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

import equivision as ev
from benchmarks._measure import Measured, Part, answer, forward, interleave, summary, train_step
from benchmarks._plain import plain_twin

KINDS = ("inference", "train step")


@dataclass(frozen=True)
class Contest:
    """A network, the images that it sees, and how often it is timed."""

    name: str
    model: str
    arguments: dict[str, Any]
    image: tuple[int, int, int]
    batch: int = 16
    rounds: int = 20

    def networks(self) -> dict[str, nn.Module]:
        """The network and its plain twins."""
        made = {"equivariant": ev.create_model(self.model, **self.arguments)}
        made["plain"] = plain_twin(made["equivariant"])
        if self.model.startswith("gc_"):
            made["plain separable"] = plain_twin(made["equivariant"], separable=True)
        return made


def contests(*, quick: bool) -> Iterator[Contest]:
    """What is compared."""
    digits, photos = (1, 28, 28), (3, 32, 32)
    if quick:
        yield Contest("p4cnn", "p4cnn", {"width": 2}, digits, 2, 4)
        yield Contest("resnet18 D4", "resnet18", {"group": "D4", "width": 2}, photos, 2, 4)
        yield Contest("gc_p4cnn", "gc_p4cnn", {"width": 2}, digits, 2, 4)
        return
    yield Contest("p4cnn", "p4cnn", {}, digits, rounds=40)
    yield Contest("gc_p4cnn", "gc_p4cnn", {}, digits, rounds=40)
    yield Contest("p4mcnn", "p4mcnn", {}, digits, rounds=40)
    yield Contest("resnet18 C4", "resnet18", {"group": "C4", "width": 16}, photos)
    yield Contest("resnet18 D4", "resnet18", {"group": "D4", "width": 8}, photos)
    yield Contest("resnet18 D4, twice as wide", "resnet18", {"group": "D4", "width": 16}, photos, 8, 10)
    yield Contest("p4m_resnet44", "p4m_resnet44", {}, photos, 4, 10)
    yield Contest("gc_p4m_resnet44", "gc_p4m_resnet44", {}, photos, 2, 8)


def inference(networks: dict[str, nn.Module], images: Tensor) -> dict[str, Callable[[], object]]:
    """All networks as they are and frozen; a frozen one must compute the same."""
    runs = {}
    for name, network in networks.items():
        network(images)  # running statistics that are not those of a new network
        frozen = ev.freeze(network.eval(), example=images)
        with torch.no_grad():
            torch.testing.assert_close(frozen(images), network(images), rtol=1e-3, atol=1e-3)
        runs |= {name: forward(network, images), f"{name}, frozen": forward(frozen, images)}
    return runs


def measure(contest: Contest, kind: str) -> dict[str, Measured]:
    """All networks in turns."""
    networks, images = contest.networks(), torch.randn(contest.batch, *contest.image)
    costs = {name: ev.cost(network, contest.image) for name, network in networks.items()}
    if kind == "inference":
        runs = inference(networks, images)
    else:
        last = images.to(memory_format=torch.channels_last)
        runs = {name: train_step(network, images) for name, network in networks.items()}
        runs |= {f"{name}, channels last": train_step(network, last) for name, network in networks.items()}
    measured = summary(interleave(runs, rounds=contest.rounds), baseline="plain")
    sizes = {name: {"parameters": cost.parameters, "macs": cost.macs} for name, cost in costs.items()}
    title = f"{contest.name}, {kind}"
    return {title: measured | {"network": contest.name, "kind": kind, "batch": contest.batch, "sizes": sizes}}


def parts(quick: bool) -> dict[str, Part]:
    """One part for each network and kind."""
    return {
        f"{contest.name} {kind}": lambda contest=contest, kind=kind: measure(contest, kind)
        for contest in contests(quick=quick)
        for kind in KINDS
    }


def main() -> None:
    answer("networks", __doc__, parts)


if __name__ == "__main__":
    main()
