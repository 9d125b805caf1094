"""Four networks of one shape and as many parameters: on turns and scales, on either, on neither."""

from dataclasses import dataclass
from typing import Any

from torch import nn

import equivision as ev
from equivision.filters import HermiteBasis

#: Pixels of the smallest kernels of the first layer and of those after it, which see half the resolution; the ratio of
#: a scale and the one before it; taps of a side at the largest scale.
FIRST, LATER, RATIO = 1.0, 0.7, 2**0.5
TAPS, PLAIN_TAPS = (11, 7, 7), (7, 5, 5)


@dataclass(frozen=True)
class Network:
    """A row of the table: ``fields`` of the three convolutions; without scales, ordinary convolutions."""

    name: str
    group: str
    num_scales: int
    fields: tuple[int, int, int]

    def conv(self, place: int, before: int, after: int) -> nn.Module:
        """A convolution that keeps the size."""
        if not self.num_scales:
            taps = PLAIN_TAPS[place]
            return nn.Conv2d(before, after, taps, padding=taps // 2, bias=False)
        smallest = LATER if place else FIRST
        three = [smallest * RATIO**i for i in range(3)]
        options: dict[str, Any] = {
            "scales": three if self.num_scales == 3 else three[1:2], "group": self.group, "basis": HermiteBasis(2),
            "padding": "same", "bias": False,
        }  # fmt: skip
        kind = ev.scale.ScaleConv2d if place else ev.scale.ScaleLiftConv2d
        return kind(before, after, TAPS[place], **options)

    def build(self) -> nn.Module:
        """The network, not trained: the largest over all slots and places is what is classified."""
        layers: list[nn.Module] = []
        for place, (before, after) in enumerate(zip((1, *self.fields), self.fields, strict=False)):
            norm = ev.nn.BatchNorm3d(after) if self.num_scales else nn.BatchNorm2d(after)
            layers += [ev.nn.BlurPool2d(2)] if place else []
            layers += [self.conv(place, before, after), norm, nn.ReLU()]
        layers += [ev.scale.ScalePool("max")] if self.num_scales else []
        return nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(self.fields[-1], 10))


NETWORKS = (
    Network("turns and scales", "C8", 3, (4, 6, 16)),
    Network("turns", "C8", 1, (4, 6, 16)),
    Network("scales", "C1", 3, (11, 22, 33)),
    Network("neither", "C1", 0, (6, 11, 15)),
)
BY_NAME = {network.name: network for network in NETWORKS}
