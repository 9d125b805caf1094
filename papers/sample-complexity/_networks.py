"""A group convolutional network and an ordinary one with as many parameters."""

import bisect

from torch import nn

import equivision as ev

PARAMETERS, CLASSES = 2800, 3
#: Taps of a side of the three convolutions; fields of each, in widths.
TAPS, FIELDS = (5, 5, 3), (1, 1, 2)


def network(group: str, width: int) -> nn.Module:
    """Three convolutions, blurred between; the largest over the group and over all places is what is classified."""
    layers: list[nn.Module] = []
    for place, taps in enumerate(TAPS):
        before, after = FIELDS[place - 1] * width if place else 1, FIELDS[place] * width
        conv = ev.nn.GroupConv2d if place else ev.nn.LiftConv2d
        layers += [ev.nn.BlurPool2d(2)] if place else []
        layers.append(conv(before, after, taps, group=group, padding=taps // 2, bias=False, interpolation="steerable"))
        layers += [ev.nn.BatchNorm3d(after), nn.ReLU()]
    head = [ev.nn.GroupPool("max"), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(FIELDS[-1] * width, CLASSES)]
    return nn.Sequential(*layers, *head)


def parameters_of(net: nn.Module) -> int:
    """Number of learned parameters."""
    return sum(p.numel() for p in net.parameters())


def matched(group: str, parameters: int = PARAMETERS) -> nn.Module:
    """The network of the width whose number of parameters is nearest to the one asked for."""

    def count(width: int) -> int:
        return parameters_of(network(group, width))

    above = bisect.bisect_left(range(1, 64), parameters, key=count) + 1
    return network(group, min((max(above - 1, 1), above), key=lambda width: abs(count(width) - parameters)))
