"""The 13-layer network for small colour images, over any exact group."""

import math

from jaxtyping import Float
from torch import Tensor, nn

from equivision._numbers import check_count
from equivision.groups import PlanarGroup
from equivision.models._registry import register
from equivision.nn import BatchNorm3d, GroupConv2d, GroupPool, LiftConv2d, MaxPool2d
from equivision.nn._base import grid_group


class CNN13(nn.Module):
    """Nine convolutions with batch norm and leaky ReLU, two 2x2 pools with dropout, mean over group and space, linear.

    Three 3x3 convolutions with ``width`` fields, pool, three with twice as many, pool, a valid 3x3 one with four times
    as many, 1x1 ones with twice as many and with ``width``. Batch norm is in the place of weight normalisation with
    mean-only batch norm, and the noise on the images is left to training.

    Args:
        width: fields of the first convolutions.
        group: acts exactly.
        in_channels: channels of the images.
        num_classes: number of logits.

    Shape:
        ``[B, in_channels, 32, 32]`` to ``[B, num_classes]``; other sizes of 0 modulo 4, from 12 on, are exact too.

    Equivariance: exact: logits are invariant under every element of the group.

    Raises:
        GridError: the size is not 0 modulo 4.
        ConfigError: an argument is out of range.

    Source: Laine & Aila 2017, table 5.
    """

    def __init__(self, width: int, *, group: PlanarGroup | str, in_channels: int = 3, num_classes: int = 10) -> None:
        super().__init__()
        for name, value in (("width", width), ("in_channels", in_channels), ("num_classes", num_classes)):
            check_count(name, value)
        self.group = grid_group(group)
        lift = LiftConv2d(in_channels, width, 3, group=self.group, padding=1, bias=False)
        self.features = nn.Sequential(
            lift, *_norm(width), *self._conv(width, width), *self._conv(width, width), *self._pool(),
            *self._conv(width, 2 * width), *self._conv(2 * width, 2 * width), *self._conv(2 * width, 2 * width),
            *self._pool(),
            *self._conv(2 * width, 4 * width, padding=0), *self._conv(4 * width, 2 * width, taps=1),
            *self._conv(2 * width, width, taps=1),
        )  # fmt: skip
        self.invariant = GroupPool("mean")
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(width, num_classes)

    def _conv(self, fields: int, out: int, *, taps: int = 3, padding: int | str = "same") -> list[nn.Module]:
        return [GroupConv2d(fields, out, taps, group=self.group, padding=padding, bias=False), *_norm(out)]

    def _pool(self) -> list[nn.Module]:
        return [MaxPool2d(2, group=self.group), nn.Dropout(0.5)]

    def forward(self, x: Float[Tensor, "batch in_channels height width"]) -> Float[Tensor, "batch num_classes"]:
        """Class logits."""
        return self.classifier(self.mean(self.invariant(self.features(x))).flatten(1))


def _norm(fields: int) -> list[nn.Module]:
    return [BatchNorm3d(fields), nn.LeakyReLU(0.1)]


@register
def cnn13(
    group: PlanarGroup | str = "C4", width: int | None = None, in_channels: int = 3, num_classes: int = 10
) -> CNN13:
    """The 13-layer network; over C1 it is the plain one, of 3,121,802 parameters.

    The default width, ``128 / sqrt(|G|)``, gives about as many. The studies that use its group versions as baselines
    (Romero & Lohit 2022) print no counts for them, and neither does Laine & Aila 2017 for the plain one.

    >>> sum(p.numel() for p in cnn13(group="C1").parameters())
    3121802
    """
    fields = max(1, round(128 / math.sqrt(grid_group(group).order))) if width is None else width
    return CNN13(fields, group=group, in_channels=in_channels, num_classes=num_classes)
