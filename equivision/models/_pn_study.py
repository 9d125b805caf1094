"""The networks of the classification study over C_n of many orders: CNN, P4, P5, P6, P7, P8, P12, P16 and D4.

Five 3x3 convolutions that keep the size, a pool after each: 33-17-9-5-3-1. All have about 393,000 parameters. Source:
Barabanshchikova & Sinha, A study on group equivariant CNNs, section 4.1, with what only their code says.
"""

from collections.abc import Sequence
from typing import Literal, get_args

from jaxtyping import Float
from torch import Tensor, nn

from equivision._numbers import check_count
from equivision.errors import ConfigError
from equivision.filters._sample import Interpolation, Mask
from equivision.groups import PlanarGroup, planar
from equivision.models._parts import check_plain, doubled_widths
from equivision.models._registry import register
from equivision.nn import BatchNorm3d, GroupConv2d, GroupPool, LiftConv2d, MaxPool2d

Padding = Literal["exact", "printed"]
_CNN = (16, 32, 64, 128, 256)
#: Fields of the five convolutions, by the name of the group.
_STUDY = {
    "C4": (8, 16, 32, 64, 128),
    "C5": (8, 16, 32, 64, 94),
    "C6": (8, 16, 32, 64, 72),
    "C7": (8, 16, 16, 64, 75),
    "C8": (4, 16, 16, 64, 64),
    "C12": (4, 16, 32, 32, 64),
    "C16": (4, 8, 16, 32, 64),
    "D4": (4, 16, 16, 64, 64),
}


class PnNet(nn.Module):
    """Five convolutions, each with batch norm, max pool and ReLU; the last pool is over space and group; linear.

    Args:
        widths: fields of the five convolutions.
        group: C_n or D_n of any order; None builds the plain network from ``torch.nn.Conv2d``.
        in_channels: channels of the images.
        num_classes: number of logits.
        interpolation, mask: how kernels move by angles off the grid, as in :class:`equivision.nn.LiftConv2d`.
        padding: how 28 pixels become 33, a size on which every pool is centred, by repeating the edge. ``"exact"``:
            three pixels on all sides, then the mean of each 2x2 window. ``"printed"``, as in the study: two before and
            three after, which shifts the image by half a pixel, so that turning it changes the logits.

    Shape:
        ``[B, in_channels, 28, 28]`` to ``[B, num_classes]``; sizes of 12, 28, 44, ... pixels are exact.

    Equivariance: logits are invariant under the elements that move the pixel grid onto itself, and approximately so
    under the others; with the printed padding what follows it is so; none for the plain network.

    Raises:
        ConfigError: an argument is out of range.
    """

    def __init__(
        self,
        widths: Sequence[int],
        group: PlanarGroup | None,
        *,
        in_channels: int = 1,
        num_classes: int = 10,
        interpolation: Interpolation = "nearest",
        mask: Mask = "none",
        padding: Padding = "exact",
    ) -> None:
        super().__init__()
        _check(widths, padding, in_channels=in_channels, num_classes=num_classes)
        self.pad = nn.Sequential(nn.ReplicationPad2d(3), nn.AvgPool2d(2, stride=1))
        if padding == "printed":
            self.pad = nn.Sequential(nn.ReplicationPad2d((2, 3, 2, 3)))
        layers: list[nn.Module] = []
        for i, (before, after) in enumerate(zip((in_channels, *widths[:-1]), widths, strict=True)):
            layers += _block(before, after, group, first=i == 0, interpolation=interpolation, mask=mask)
            layers += [] if i == len(widths) - 1 else [_pool(group)]
            layers.append(nn.ReLU())
        self.features = nn.Sequential(*layers)
        self.invariant = nn.Identity() if group is None else GroupPool("max")
        self.largest = nn.AdaptiveMaxPool2d(1)
        self.classifier = nn.Linear(widths[-1], num_classes)

    def forward(self, x: Float[Tensor, "batch in_channels height width"]) -> Float[Tensor, "batch num_classes"]:
        """Class logits."""
        return self.classifier(self.largest(self.invariant(self.features(self.pad(x)))).flatten(1))


def _block(
    before: int, after: int, group: PlanarGroup | None, *, first: bool, interpolation: Interpolation, mask: Mask
) -> list[nn.Module]:
    """A convolution, drawn as in the study, and its batch norm; the plain one as torch draws it."""
    if group is None:
        return [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after)]
    kind = LiftConv2d if first else GroupConv2d
    conv = kind(before, after, 3, group=group, padding=1, interpolation=interpolation, mask=mask)
    nn.init.normal_(conv.weight, std=(before * after) ** -0.5)
    if conv.bias is not None:
        nn.init.constant_(conv.bias, 0.01)
    return [conv, BatchNorm3d(after)]


def _pool(group: PlanarGroup | None) -> nn.Module:
    if group is None:
        return nn.MaxPool2d(3, stride=2, padding=1)
    return MaxPool2d(3, group=group, stride=2, padding=1)


def _check(widths: Sequence[int], padding: str, **counts: int) -> None:
    for name, value in counts.items():
        check_count(name, value)
    if isinstance(widths, str) or len(widths) != 5:
        raise ConfigError(f"widths={widths!r}: give five whole numbers, one for each convolution")
    for i, width in enumerate(widths):
        check_count(f"widths[{i}]", width)
    if padding not in get_args(Padding):
        raise ConfigError(f"padding={padding!r} is not known: choose 'exact' or 'printed'")


def _study_widths(group: PlanarGroup) -> tuple[int, ...]:
    """Those of the study; for a group that it has not, those of its CNN divided by the root of the order."""
    return _STUDY.get(group.name, tuple(max(1, round(width / group.order**0.5)) for width in _CNN))


@register
def pn_z2cnn(
    group: PlanarGroup | str = "C1",
    width: int | None = None,
    in_channels: int = 1,
    num_classes: int = 10,
    widths: Sequence[int] | None = None,
    padding: Padding = "exact",
) -> PnNet:
    """The plain network of the study: ordinary convolutions, so the group must be C1. 395,882 parameters.

    Args:
        group: C1.
        width: channels of the first convolution, doubled after every pool; None: those of the study, 16 to 256.
        in_channels: channels of the images.
        num_classes: number of logits.
        widths: channels of all five convolutions, instead of ``width``.
        padding: as in :class:`PnNet`.

    Raises:
        ConfigError: the group is another one, or an argument is out of range.

    >>> sum(p.numel() for p in pn_z2cnn().parameters())
    395882
    """
    check_plain(group, "pn_z2cnn", "pn_cnn")
    chosen = doubled_widths(width, widths, _CNN)
    return PnNet(chosen, None, in_channels=in_channels, num_classes=num_classes, padding=padding)


@register
def pn_cnn(
    group: PlanarGroup | str = "C8",
    width: int | None = None,
    in_channels: int = 1,
    num_classes: int = 10,
    widths: Sequence[int] | None = None,
    interpolation: Interpolation = "nearest",
    mask: Mask = "none",
    padding: Padding = "exact",
) -> PnNet:
    """The study's network over any C_n or D_n: P4, P5, P6, P7, P8, P12 and P16 (C_n), and D4.

    Args:
        group: a group or its name, such as ``"C8"``; exact for the elements that move the pixel grid onto itself.
        width: fields of the first convolution, doubled after every pool; None: those of the study, which keep the
            number of parameters between 392,473 (C7) and 395,362 (C6); for other groups, those of its CNN divided by
            the root of the order.
        in_channels: channels of the images.
        num_classes: number of logits.
        widths: fields of all five convolutions, instead of ``width``.
        interpolation: how kernels move by angles off the grid. The study takes the nearest tap, which moves 3x3 kernels
            by 45 degrees without loss, but by 60 degrees does not; ``"bilinear"`` is fairer to other groups than C8.
        mask: what the kernels are multiplied by before they move; nothing in the study.
        padding: as in :class:`PnNet`.

    Raises:
        ConfigError: an argument is out of range.
        GroupMismatchError: the group does not act on images.

    >>> sum(p.numel() for p in pn_cnn("C6").parameters())
    395362
    """
    acting = planar(group)
    chosen = doubled_widths(width, widths, _study_widths(acting))
    return PnNet(
        chosen, acting, in_channels=in_channels, num_classes=num_classes, interpolation=interpolation, mask=mask,
        padding=padding,
    )  # fmt: skip
