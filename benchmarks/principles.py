"""What do layers beyond the group convolution cost beside Conv2d of the same real width?

Wallpaper-constrained kernels, deformable convolutions with constrained offsets beside those with free ones, sets of
images, frames that change from place to place.

    python -m benchmarks principles [--quick]
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from benchmarks._measure import Measured, Part, answer, forward, interleave, step, summary
from equivision.gauge import GaugeConv2d
from equivision.nn import DeformableGroupConv2d, WallpaperConv2d
from equivision.permutation import PermutationConv2d
from equivision.tasks import keep_freed_memory

KINDS = {"forward": forward, "forward and backward": step}
Contestants = Mapping[str, tuple[nn.Module, Tensor]]


class _Framed(nn.Module):
    """A gauge convolution with its frames."""

    def __init__(self, conv: GaugeConv2d, size: int) -> None:
        super().__init__()
        self.conv, self.frames = conv, torch.rand(size, size)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x, self.frames)


def wallpaper(width: int, size: int, batch: int, taps: int) -> Contestants:
    """Plane to plane: kernels that are written out, and sums over orbits of taps."""
    x = torch.randn(batch, width, size, size)
    found: dict[str, tuple[nn.Module, Tensor]] = {"Conv2d": (nn.Conv2d(width, width, taps, padding=taps // 2), x)}
    for group in ("C4", "D4"):
        for algorithm in ("expand", "sums"):
            conv = WallpaperConv2d(width, width, taps, group=group, padding=taps // 2, algorithm=algorithm)
            found[f"{group}, {algorithm}"] = (conv, x)
    return found


def deformable(width: int, size: int, batch: int, taps: int) -> Contestants:
    """Offsets that turn with the picture, and free ones, which are those over C1."""
    x = torch.randn(batch, width, size, size)
    found: dict[str, tuple[nn.Module, Tensor]] = {"Conv2d": (nn.Conv2d(width, width, taps, padding=taps // 2), x)}
    for group, order in (("C1", 1), ("C4", 4), ("D4", 8)):
        conv = DeformableGroupConv2d(width // order, width // order, taps, group=group, padding=taps // 2)
        found[group] = (conv, x.unflatten(1, (-1, order)))
    return found


def sets(width: int, size: int, batch: int, taps: int) -> Contestants:
    """Four images each: in any order, beside images that know nothing of each other."""
    x = torch.randn(batch, 4, width, size, size)
    alone = nn.Sequential(nn.Flatten(0, 1), nn.Conv2d(width, width, taps, padding=taps // 2))
    convs = {group: PermutationConv2d(width, width, taps, group=group, padding=taps // 2) for group in ("S4", "S2wrS2")}
    return {"Conv2d": (alone, x)} | {group: (conv, x) for group, conv in convs.items()}


def frames(width: int, size: int, batch: int, taps: int) -> Contestants:
    """Scalars and vectors in frames of their own."""
    x, fields = torch.randn(batch, width, size, size), f"{width // 2} A + {width // 4} E1"
    conv = GaugeConv2d(fields, fields, taps, padding=taps // 2)
    return {"Conv2d": (nn.Conv2d(width, width, taps, padding=taps // 2), x), "gauge": (_Framed(conv, size), x)}


def measure(contestants: Contestants, kind: str, rounds: int) -> Measured:
    """All of them, beside Conv2d."""
    keep_freed_memory()
    calls = {name: KINDS[kind](layer, x) for name, (layer, x) in contestants.items()}
    return summary(interleave(calls, rounds=rounds), baseline="Conv2d")


def parts(quick: bool) -> dict[str, Part]:
    """Every kind of layer, forward, and forward and backward; wallpapers at several widths."""
    size, batch, rounds, widths = (8, 1, 2, (8,)) if quick else (28, 16, 21, (32, 64, 128, 256))
    made = [(wallpaper, taps, width) for taps in (3, 5) for width in widths]
    made += [(deformable, 3, min(64, widths[-1])), (sets, 3, min(64, widths[-1])), (frames, 5, min(64, widths[-1]))]
    found: dict[str, Part] = {}
    for make, taps, width in made:
        for kind in KINDS:
            title = f"{make.__name__} {taps}x{taps}, {width} channels, {kind}"
            found[title] = lambda title=title, make=make, taps=taps, width=width, kind=kind: {
                title: measure(make(width, size, batch, taps), kind, rounds)
            }
    return found


if __name__ == "__main__":
    answer("principles", __doc__, parts)
