"""Write the table of docs/guide/wallpaper.md: how near kernels of a triangular lattice are; ``--check`` only compares.

A picture is a sum of plane waves of one length, in random directions, drawn in all poses of the group without
interpolation. Answers are those of untrained kernels in its middle.
"""

import math
import sys
from pathlib import Path

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parent))
from _page import ROOT, update
from benchmark_tables import rows

from equivision.functional import relative_error
from equivision.groups import PlanarGroup, planar
from equivision.nn import WallpaperConv2d

PAGE = ROOT / "docs" / "guide" / "wallpaper.md"
GROUP, TAPS, LENGTHS = planar("C6"), (3, 5, 7), (25, 12, 8)
KERNELS, PICTURES, WAVES = 64, 64, 8


def pictures(length: float, taps: int, group: PlanarGroup, g: int) -> Tensor:
    """Waves of a length in pixels, in the pose that an element gives them, ``[picture, 1, taps, taps]``."""
    generator = torch.Generator().manual_seed(0)
    angle, phase = 2 * math.pi * torch.rand(2, PICTURES, WAVES, 1, 1, generator=generator, dtype=torch.float64)
    line = torch.arange(taps, dtype=torch.float64) - taps // 2
    at = torch.stack(torch.meshgrid(line, -line, indexing="xy"), -1) @ torch.from_numpy(group.matrix(g).copy())
    along = angle.cos() * at[..., 0] + angle.sin() * at[..., 1]
    return torch.cos(2 * math.pi / length * along + phase).sum(1, keepdim=True)


@torch.no_grad()
def difference(name: str, length: float, taps: int) -> str:
    """How far answers move, relative to the answers: over all kernels and pictures, for the worst element."""
    torch.manual_seed(0)
    layer = WallpaperConv2d(1, KERNELS, taps, group=name, bias=False).double()
    answers = [layer(pictures(length, taps, GROUP, g)) for g in range(GROUP.order)]
    most = 100 * max(float(relative_error(answer, answers[0])) for answer in answers)
    return f"{most:.1f} %" if most < 10 else f"{most:.0f} %"


def table() -> str:
    """By the length of the waves and the taps of the kernel."""
    lines = [
        (f"{taps} x {taps}, {kind}", *(difference(name, length, taps) for length in LENGTHS))
        for taps in TAPS
        for kind, name in (("C6", "C6"), ("free", "C1"))
    ]
    return rows(("kernel", *(f"waves of {length} pixels" for length in LENGTHS)), lines)


if __name__ == "__main__":
    update(PAGE, {"triangular": table()}, "wallpaper_table.py")
