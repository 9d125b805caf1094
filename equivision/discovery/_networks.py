"""Small networks to try a symmetry with: three convolutions, pools, one linear layer; the parameters are matched."""

import bisect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equivision.continuous import CKResNet
from equivision.groups import PermutationGroup, PlanarGroup
from equivision.nn import BatchNorm3d, BlurPool2d, GroupConv2d, GroupPool, LiftConv2d
from equivision.permutation import MemberWise, PermutationConv2d, SetPool
from equivision.scale import ScaleConv2d, ScaleLiftConv2d, ScalePool

#: Taps of a side of the three convolutions; fields of each, in widths.
_KERNELS, _FIELDS = (5, 5, 3), (1, 1, 2)


class _QuarterTurn(nn.Module):
    """Turn the input by 90 degrees: what follows has the symmetry that it had, turned."""

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch channel width height"]:
        return x.rot90(1, (-2, -1))


def parameters_of(network: nn.Module) -> int:
    """Number of learned parameters."""
    return sum(p.numel() for p in network.parameters())


def matched(build: Callable[[int], nn.Module], parameters: int) -> nn.Module:
    """The network of the width whose number of parameters is nearest to the one asked for."""

    def count(width: int) -> int:
        return parameters_of(build(width))

    most = 1
    while count(most) < parameters:  # networks much larger than asked for are never built
        most *= 2
    above = bisect.bisect_left(range(1, most), parameters, key=count) + 1
    return build(min((max(above - 1, 1), above), key=lambda width: abs(count(width) - parameters)))


def _layers(convs: Sequence[nn.Module], norms: Sequence[nn.Module], pool: Callable[[], nn.Module]) -> list[nn.Module]:
    """Convolution, norm, ReLU; half the resolution between."""
    layers: list[nn.Module] = []
    for i, (conv, norm) in enumerate(zip(convs, norms, strict=True)):
        layers += [pool()] if i else []
        layers += [conv, norm, nn.ReLU()]
    return layers


def _head(features: int, num_classes: int, pool: type[nn.Module] = nn.AdaptiveAvgPool2d) -> list[nn.Module]:
    return [pool(1), nn.Flatten(), nn.Linear(features, num_classes)]


def planar_network(
    width: int, group: PlanarGroup, in_channels: int, num_classes: int, *, turned: bool = False
) -> nn.Module:
    """Logits that are invariant under a group of the plane, or under the same one turned by 90 degrees."""
    fields = [width * part for part in _FIELDS]
    convs: list[nn.Module] = []
    for before, after, taps in zip((in_channels, *fields), fields, _KERNELS, strict=False):
        conv = GroupConv2d if convs else LiftConv2d
        convs.append(conv(before, after, taps, group=group, padding=taps // 2, bias=False))
    first = [_QuarterTurn()] if turned else []
    layers = _layers(convs, [BatchNorm3d(n) for n in fields], BlurPool2d)
    return nn.Sequential(*first, *layers, GroupPool("max"), *_head(fields[-1], num_classes))


def scale_network(width: int, scales: Sequence[float], in_channels: int, num_classes: int) -> nn.Module:
    """Logits that change little when the picture is enlarged or shrunk."""
    fields = [width * part for part in _FIELDS]
    options: dict[str, Any] = {"scales": scales, "padding": "same", "bias": False}
    convs: list[nn.Module] = []
    for before, after, taps in zip((in_channels, *fields), fields, _KERNELS, strict=False):
        conv = ScaleConv2d if convs else ScaleLiftConv2d
        convs.append(conv(before, after, 2 * taps - 1, **options))
    layers = _layers(convs, [BatchNorm3d(n) for n in fields], BlurPool2d)
    head = _head(fields[-1], num_classes, nn.AdaptiveMaxPool2d)  # a mean over space would grow with what it sees
    return nn.Sequential(*layers, ScalePool("max"), *head)


def permutation_network(width: int, group: PermutationGroup, in_channels: int, num_classes: int) -> nn.Module:
    """Logits that are invariant when channels are exchanged."""
    fields = [width * part for part in _FIELDS]
    pairs = zip((in_channels // group.degree, *fields), fields, _KERNELS, strict=False)
    convs = [PermutationConv2d(i, o, k, group=group, padding=k // 2, bias=False) for i, o, k in pairs]
    layers = _layers(convs, [MemberWise(nn.BatchNorm2d(n)) for n in fields], lambda: MemberWise(BlurPool2d()))
    pool = [SetPool("mean", group=group), nn.Flatten(1, 2)]
    return nn.Sequential(
        nn.Unflatten(1, (group.degree, -1)), *layers, *pool, *_head(fields[-1] * len(group.orbits), num_classes)
    )  # fmt: skip


def partial_network(width: int, in_channels: int, num_classes: int) -> nn.Module:
    """A network that learns, layer by layer, how much of the turns and reflections it respects."""
    return CKResNet(
        (width, width, 2 * width), in_channels=in_channels, num_classes=num_classes, kernel_size=5, num_rotations=8,
        reflections=True, hidden=16,
    )  # fmt: skip


def logits_of(network: nn.Module, x: Tensor, batch: int = 256) -> Tensor:
    """Logits in eval mode, without gradients, batch after batch."""
    network.eval()
    with torch.no_grad():
        return torch.cat([network(part) for part in x.split(batch)])
