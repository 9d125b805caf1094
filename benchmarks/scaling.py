"""How does the time of a 3x3 group convolution grow with width, image size and batch, and with the order of the group?

The real width, fields times order of the group, is the same for all groups and for ``torch.nn.Conv2d``, so all move
the same values, and by the definition of the group convolution all have the same number of products.

    python -m benchmarks scaling [--quick] [--only width size batch]
"""

from typing import NamedTuple

import torch
from torch import nn

import equivision as ev
from benchmarks._measure import Measured, Part, answer, forward, interleave, step, summary

GROUPS = ("C2", "C4", "D2", "D4")
#: What varies, and through which values; the rest is as in BASE.
SWEEPS = {"width": (16, 32, 64, 128, 256, 512), "size": (7, 14, 28, 56), "batch": (1, 4, 16, 64)}
QUICK = {"width": (8, 16), "size": (5, 7), "batch": (1, 2)}


class Layer(NamedTuple):
    """A layer with as many maps before as after, and its input."""

    width: int
    size: int
    batch: int


BASE = Layer(width=256, size=14, batch=16)


def contestants(layer: Layer) -> dict[str, tuple[nn.Module, torch.Tensor]]:
    """The ordinary convolution and those on groups, each with its own view of one input."""
    maps = torch.randn(layer.batch, layer.width, layer.size, layer.size)
    made: dict[str, tuple[nn.Module, torch.Tensor]] = {
        "Conv2d": (nn.Conv2d(layer.width, layer.width, 3, padding=1, bias=False), maps)
    }
    for name in GROUPS:
        order = ev.groups.planar(name).order
        fields = layer.width // order
        conv = ev.nn.GroupConv2d(fields, fields, 3, group=name, padding=1, bias=False)
        made[name] = (conv, maps.unflatten(1, (fields, order)))
    return made


def measure(layer: Layer, sweep: str, rounds: int) -> dict[str, Measured]:
    """Forward, and forward with backward."""
    results = {}
    made = contestants(layer)
    for kind, build in (("forward", forward), ("forward and backward", step)):
        timed = interleave({name: build(*pair) for name, pair in made.items()}, rounds=rounds)
        measured = summary(timed, baseline="Conv2d")
        about = {"sweep": sweep, "kind": kind, **layer._asdict()}
        results[f"{sweep} {getattr(layer, sweep)}, {kind}"] = measured | about
    return results


def parts(quick: bool) -> dict[str, Part]:
    """One part for each quantity that varies."""
    base, rounds = (Layer(8, 5, 1), 3) if quick else (BASE, 12)

    def sweep(name: str) -> dict[str, Measured]:
        found = {}
        for value in (QUICK if quick else SWEEPS)[name]:
            found |= measure(base._replace(**{name: value}), name, rounds)
        return found

    return {name: lambda name=name: sweep(name) for name in SWEEPS}


def main() -> None:
    answer("scaling", __doc__, parts)


if __name__ == "__main__":
    main()
