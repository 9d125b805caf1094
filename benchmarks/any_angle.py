"""What does a layer on C8 or D8 cost beside an ordinary convolution of the same real width?

5x5 kernels, 28x28 pixels, batch 16, 64 and 128 real channels. ``interpolated`` is ``GroupConv2d`` with bilinear
kernels, ``harmonics`` the same with steerable ones, ``steerable`` is ``SteerableConv2d`` between regular fields,
``irreps`` is ``SteerableConv2d`` between fields of SO(2) or O(2) of about that width. The exact layers on C4 and D4
that compute the same way stand beside them.

``wide`` parts are 3x3 layers of 512 channels on 14x14 pixels, by both algorithms of ``GroupConv2d``: for many channels
the C4 or D4 inside is worth its Fourier transform, and the layer is cheaper than an ordinary one.

    python -m benchmarks any_angle [--quick]
"""

import torch
from torch import nn

import equivision.nn as evnn
from benchmarks._measure import Measured, Part, answer, forward, interleave, step, summary
from equivision.groups import planar

IRREPS = {
    ("C8", 64): "16 A + 12 E1 + 8 E2 + 4 E3",
    ("C8", 128): "32 A + 24 E1 + 16 E2 + 8 E3",
    ("D8", 64): "12 A1 + 4 A2 + 12 E1 + 8 E2 + 4 E3",
    ("D8", 128): "24 A1 + 8 A2 + 24 E1 + 16 E2 + 8 E3",
}


class _Flat(nn.Module):
    """A layer on fields that takes flattened channels."""

    def __init__(self, layer: nn.Module, order: int) -> None:
        super().__init__()
        self.layer, self.order = layer, order

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give the channels their group axis, and take it away again."""
        return self.layer(x.unflatten(1, (-1, self.order))).flatten(1, 2)


def measure(name: str, width: int, *, size: int, batch: int, rounds: int) -> dict[str, Measured]:
    """One group and width."""
    group = planar(name)
    exact = planar(f"{name[0]}4")
    fields, whole = width // group.order, "O2" if group.reflections else "SO2"
    text, irreps = f"{fields} regular", IRREPS[name, width]

    def group_conv(of: str, **options: str) -> nn.Module:
        n = width // planar(of).order
        return _Flat(evnn.GroupConv2d(n, n, 5, group=of, padding=2, **options), planar(of).order)  # pyright: ignore[reportArgumentType]

    layers = {
        "Conv2d": nn.Conv2d(width, width, 5, padding=2),
        f"exact {exact.name}": group_conv(exact.name, algorithm="expand"),
        "interpolated": group_conv(name),
        "harmonics": group_conv(name, interpolation="steerable"),
        "steerable": evnn.SteerableConv2d(text, text, 5, group=name, padding=2),
        "irreps": evnn.SteerableConv2d(irreps, irreps, 5, group=whole, padding=2),
    }
    x = torch.randn(batch, width, size, size)
    timed = interleave({kind: step(layer, x) for kind, layer in layers.items()}, rounds=rounds)
    return {f"{name} 5x5, {width} channels, {size}x{size}, batch {batch}": summary(timed, baseline="Conv2d")}


def measure_wide(name: str, *, channels: int, size: int, batch: int, rounds: int) -> dict[str, Measured]:
    """One group, 3x3."""
    order = planar(name).order
    layers: dict[str, nn.Module] = {"Conv2d": nn.Conv2d(channels, channels, 3, padding=1)}
    for algorithm in ("expand", "fourier", "auto"):
        fields = channels // order
        conv = evnn.GroupConv2d(
            fields, fields, 3, group=name, padding=1, algorithm=algorithm, interpolation="steerable"
        )
        layers[algorithm] = _Flat(conv, order)
    x, results = torch.randn(batch, channels, size, size), {}
    for kind, run in {"forward": forward, "forward and backward": step}.items():
        timed = interleave({what: run(layer, x) for what, layer in layers.items()}, rounds=rounds)
        results[f"{name} 3x3, {channels} channels, {size}x{size}, {kind}"] = summary(timed, baseline="Conv2d")
    return results


def parts(quick: bool) -> dict[str, Part]:
    """Both groups at both widths."""
    cases = [(name, width) for name in ("C8", "D8") for width in (64, 128)]
    shape = {"size": 9, "batch": 2, "rounds": 2} if quick else {"size": 28, "batch": 16, "rounds": 25}
    found: dict[str, Part] = {
        f"{name} {width}": lambda name=name, width=width: measure(name, width, **shape)
        for name, width in (cases[:1] if quick else cases)
    }
    wide = {"channels": 16, "size": 5, "batch": 2, "rounds": 2} if quick else {
        "channels": 512, "size": 14, "batch": 16, "rounds": 11
    }  # fmt: skip
    for name in ("C8", "D8", "C16"):
        found[f"{name} wide"] = lambda name=name: measure_wide(name, **wide)
    return found


def main() -> None:
    answer("any_angle", __doc__, parts)


if __name__ == "__main__":
    main()
