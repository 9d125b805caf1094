"""Write the table of multiplications of docs/guide/cost.md, counted by ``ev.cost``; ``--check`` only compares."""

import math
import sys
from pathlib import Path
from typing import Any

from torch import nn

sys.path.insert(0, str(Path(__file__).parent))
from _page import ROOT, update
from benchmark_tables import rows

import equivision as ev

PAGE = ROOT / "docs" / "guide" / "cost.md"
FIELDS, TAPS, SIDE = 32, 3, 14
GROUPS = ("C2", "C4", "C8", "D4", "D8")


def macs(layer: nn.Module, slots: int | None = None) -> int:
    """Products for one feature map of the layer."""
    channels: int = layer.in_channels  # pyright: ignore[reportAssignmentType]
    return ev.cost(layer, (channels, *([slots] if slots else []), SIDE, SIDE)).macs


def plain(channels: int) -> int:
    """Products of an ordinary convolution."""
    return macs(nn.Conv2d(channels, channels, TAPS, padding=TAPS // 2))


def layers(name: str) -> dict[str, nn.Module]:
    """The ways to compute a group convolution, and the separable ones."""
    options: dict[str, Any] = {"group": name, "padding": TAPS // 2}
    shape = FIELDS, FIELDS, TAPS
    return {
        "expanded": ev.nn.GroupConv2d(*shape, algorithm="expand", **options),
        "Fourier basis": ev.nn.GroupConv2d(*shape, algorithm="fourier", **options),
        "separable g": ev.nn.SeparableGroupConv2d(*shape, variant="g", algorithm="factored", **options),
        "separable gc": ev.nn.SeparableGroupConv2d(*shape, variant="gc", algorithm="factored", **options),
    }


def ratio(own: int, other: int) -> str:
    """How many times as many."""
    found = own / other
    return f"{found:.0f}" if found >= 9.5 else f"{found:.2g}"


def same_features() -> str:
    """Beside a convolution with a channel for every field: |G|^2 times as many products, expanded."""
    lines = []
    for name in GROUPS:
        order = ev.groups.planar(name).order
        lines.append((name, str(order), *(ratio(macs(one, order), plain(FIELDS)) for one in layers(name).values())))
    return rows(("group", "order", *layers("C2")), lines)


def same_parameters() -> str:
    """Beside a convolution with as many parameters, and beside one with a channel for every slot of a field."""
    lines = []
    for name in GROUPS:
        order = ev.groups.planar(name).order
        both = [macs(layers(name)[way], order) for way in ("expanded", "Fourier basis")]
        as_many, as_wide = plain(round(FIELDS * math.sqrt(order))), plain(FIELDS * order)
        lines.append((name, str(order), *(ratio(one, other) for other in (as_many, as_wide) for one in both)))
    head = ("equal parameters: expanded", "Fourier basis", "equal real width: expanded", "Fourier basis")
    return rows(("group", "order", *head), lines)


def main() -> None:
    update(PAGE, {"same features": same_features(), "same parameters": same_parameters()}, "mac_table.py")


if __name__ == "__main__":
    main()
