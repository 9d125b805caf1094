"""Seven convolutions for rotated MNIST whose last one gives a map for every class: attentive networks and DREN.

Valid convolutions take 28 pixels to 1: 28-26-24-(pool)12-10-8-6-4-1. There is no linear layer; dropout follows the
first and the third to sixth convolution. After Cohen & Welling 2016; sources: Romero et al. 2020 and Li et al. 2017,
with the code published with either.
"""

from collections.abc import Callable
from typing import Literal, get_args

from jaxtyping import Float
from torch import Tensor, nn

from equivision._numbers import check_count
from equivision.errors import ConfigError
from equivision.groups import PlanarGroup
from equivision.models._registry import register
from equivision.nn import (
    AttentiveGroupConv2d,
    AttentiveLiftConv2d,
    BatchNorm3d,
    ChannelAttention2d,
    CoAttention2d,
    GroupConv2d,
    GroupPool,
    LiftConv2d,
    MaxPool2d,
    ProjectConv2d,
    SpatialAttention2d,
)
from equivision.nn._base import grid_group

Attention = Literal["none", "products", "input", "co"]
Head = Literal["max", "decycle"]
_KERNELS = (3, 3, 3, 3, 3, 3, 4)


class ClassMapNet(nn.Module):
    """Seven convolutions with ReLUs and one 2x2 pool after the second; class scores are the mean of the last maps.

    Args:
        width: fields of every convolution but the last, which has one for every class.
        group: acts exactly.
        in_channels: channels of the images.
        num_classes: number of logits.
        attention: ``"products"``: attentive convolutions; ``"input"``: attention over channels, then over positions, on
            the input of every convolution; ``"co"``: co-attention on their input; ``"none"``.
        head: ``"max"``: the maximum over the slots of the last convolution; ``"decycle"``: the last convolution is a
            :class:`~equivision.nn.ProjectConv2d`.
        norm: batch norm after every convolution but the last, and convolutions without biases.
        dropout: share of the numbers that are dropped in training.

    Shape:
        ``[B, in_channels, 28, 28]`` to ``[B, num_classes]``; the scores of larger images are averaged over space; those
        whose size is 0 modulo 2 are exact.

    Equivariance: exact: logits are invariant under every element of the group.

    Raises:
        ConfigError: an argument is out of range.
    """

    def __init__(
        self,
        width: int,
        group: PlanarGroup,
        in_channels: int,
        num_classes: int,
        *,
        attention: Attention = "none",
        head: Head = "max",
        norm: bool = True,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        if attention not in get_args(Attention):
            raise ConfigError(f"attention={attention!r} is not known: choose one of {', '.join(get_args(Attention))}")
        if head not in get_args(Head):
            raise ConfigError(f"head={head!r} is not known: choose 'max' or 'decycle'")
        for name, value in (("width", width), ("in_channels", in_channels), ("num_classes", num_classes)):
            check_count(name, value)
        convolution = _CONVOLUTIONS[attention]
        layers: list[nn.Module] = []
        for i, taps in enumerate(_KERNELS[:-1]):
            fields = in_channels if i == 0 else width
            layers += [convolution(fields, width, taps, group, lift=i == 0, bias=not norm)]
            layers += [BatchNorm3d(width)] if norm else []
            layers += [nn.ReLU(), MaxPool2d(2, group=group) if i == 1 else nn.Dropout(dropout)]
        if head == "max":
            last = convolution(width, num_classes, _KERNELS[-1], group, lift=False, bias=not norm)
            layers += [last, GroupPool("max")]
        else:
            layers.append(ProjectConv2d(width, num_classes, _KERNELS[-1], group=group, bias=not norm))
        self.class_maps = nn.Sequential(*layers)
        self.mean = nn.AdaptiveAvgPool2d(1)

    def forward(self, x: Float[Tensor, "batch in_channels height width"]) -> Float[Tensor, "batch num_classes"]:
        """Class logits."""
        return self.mean(self.class_maps(x)).flatten(1)


def _ordinary(fields: int, out: int, taps: int, group: PlanarGroup, *, lift: bool, bias: bool) -> nn.Module:
    return (LiftConv2d if lift else GroupConv2d)(fields, out, taps, group=group, bias=bias)


def _on_products(fields: int, out: int, taps: int, group: PlanarGroup, *, lift: bool, bias: bool) -> nn.Module:
    return (AttentiveLiftConv2d if lift else AttentiveGroupConv2d)(fields, out, taps, group=group, bias=bias)


def _on_input(fields: int, out: int, taps: int, group: PlanarGroup, *, lift: bool, bias: bool) -> nn.Module:
    """The image is looked at from farther away: the attention over its positions has dilation 4."""
    where = {"group": group, "on_group": not lift}
    channels, positions = ChannelAttention2d(fields, **where), SpatialAttention2d(7, **where, dilation=4 if lift else 1)
    return nn.Sequential(channels, positions, _ordinary(fields, out, taps, group, lift=lift, bias=bias))


def _co_attended(fields: int, out: int, taps: int, group: PlanarGroup, *, lift: bool, bias: bool) -> nn.Module:
    attention = CoAttention2d(fields, group=group, on_group=not lift)
    return nn.Sequential(attention, _ordinary(fields, out, taps, group, lift=lift, bias=bias))


_CONVOLUTIONS: dict[str, Callable[..., nn.Module]] = {
    "none": _ordinary, "products": _on_products, "input": _on_input, "co": _co_attended,
}  # fmt: skip


@register
def alpha_p4cnn(
    group: PlanarGroup | str = "C4", width: int = 10, in_channels: int = 1, num_classes: int = 10
) -> ClassMapNet:
    """Attentive group convolutions, the full form, on all seven layers. 73,130 parameters at width 10, as printed.

    It costs about twice the multiplications of :func:`p4cnn` and on a CPU some forty times its time.

    Source: Romero et al. 2020 (alpha-P4CNN).

    >>> sum(p.numel() for p in alpha_p4cnn().parameters())
    73130
    """
    return ClassMapNet(width, grid_group(group), in_channels, num_classes, attention="products")


@register
def f_p4cnn(
    group: PlanarGroup | str = "C4", width: int = 10, in_channels: int = 1, num_classes: int = 10
) -> ClassMapNet:
    """Attention over channels and positions on the input of every convolution. 29,462 parameters at width 10.

    Source: Romero et al. 2020 (the f- form, on input feature maps).

    >>> sum(p.numel() for p in f_p4cnn().parameters())
    29462
    """
    return ClassMapNet(width, grid_group(group), in_channels, num_classes, attention="input")


@register
def a_p4cnn(
    group: PlanarGroup | str = "C4", width: int = 9, in_channels: int = 1, num_classes: int = 10
) -> ClassMapNet:
    """Co-attention on the input of every convolution. 20,746 parameters at width 9.

    20.76 k are printed; the width that gives exactly these could not be recovered. 10, that of the other networks, has
    24,851.

    Source: Romero & Hoogendoorn 2020 (a-P4CNN), in the form that Romero et al. 2020 compare with.

    >>> sum(p.numel() for p in a_p4cnn().parameters())
    20746
    """
    return ClassMapNet(width, grid_group(group), in_channels, num_classes, attention="co")


@register
def dren(
    group: PlanarGroup | str = "C4", width: int = 10, in_channels: int = 1, num_classes: int = 10, head: Head = "max"
) -> ClassMapNet:
    """The deep rotation equivariant network: a cycle layer, isotonic layers, and a maximum or a decycle layer.

    Cycle, isotonic and decycle layers are :class:`~equivision.nn.LiftConv2d`, :class:`~equivision.nn.GroupConv2d` and
    :class:`~equivision.nn.ProjectConv2d`. With the maximum over the slots, r-Z2CNN-max-x4 of the study, it has 24,560
    parameters (25 k are printed); with ``head="decycle"``, r-Z2CNNx4, 19,760 (20 k).

    Source: Li et al. 2017.

    >>> [sum(p.numel() for p in dren(head=head).parameters()) for head in ("max", "decycle")]
    [24560, 19760]
    """
    return ClassMapNet(
        width, grid_group(group), in_channels, num_classes, head=head, norm=False, dropout=0.2
    )  # fmt: skip
