"""SiamFC and its relatives for targets that turn: plain, over C_n, and with feature groups.

The backbone is AlexNet without padding: stride 8, 127 pixels to 6, 255 to 22. On these two sizes every stride and
every window is centred, so nothing has to be changed for quarter turns to be exact: 127-59-29-25-12-10-8-6 and
255-123-61-57-28-26-24-22.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import nn

from equivision.errors import ConfigError
from equivision.filters._sample import Interpolation
from equivision.groups import PlanarGroup, planar
from equivision.implicit import FeatureGroupPool
from equivision.implicit._groups import FeatureGroups, pairs_of, sizes_of
from equivision.models._parts import check_counts, check_plain
from equivision.models._registry import register
from equivision.models._siamese import SiameseNetwork
from equivision.nn import BatchNorm3d, GroupConv2d, LiftConv2d, MaxPool2d


class _Stage(NamedTuple):
    """A convolution: its taps, stride and groups, and whether a pool follows it."""

    taps: int
    stride: int = 1
    groups: int = 1
    pool: bool = False


_STAGES = (
    _Stage(11, stride=2, pool=True),
    _Stage(5, groups=2, pool=True),
    _Stage(3),
    _Stage(3, groups=2),
    _Stage(3, groups=2),
)
#: Channels of the five convolutions, in units of those of the first: 96, 256, 384, 384, 256.
_RATIOS = (1, 8 / 3, 4, 4, 8 / 3)


def stage_widths(width: int, multiple: int) -> tuple[int, ...]:
    """Widths of the five convolutions: 1, 8/3, 4, 4 and 8/3 times the first, rounded to a multiple."""
    check_counts(width=width)
    return tuple(multiple * max(1, round(width * ratio / multiple)) for ratio in _RATIOS)


def alexnet_backbone(channels: Sequence[int], make: Callable[..., list[nn.Module]]) -> nn.Sequential:
    """Five stages: convolution, batch norm, ReLU, for the first two a pool; the last is the convolution alone."""
    stages = OrderedDict()
    for i, stage in enumerate(_STAGES):
        layers = make(channels[i], channels[i + 1], stage, first=i == 0, last=i == len(_STAGES) - 1)
        stages[f"stage{i + 1}"] = nn.Sequential(*layers)
    return nn.Sequential(stages)


def _plain(before: int, after: int, stage: _Stage, *, first: bool, last: bool) -> list[nn.Module]:
    del first
    conv = nn.Conv2d(before, after, stage.taps, stride=stage.stride, groups=stage.groups, bias=last)
    nn.init.kaiming_uniform_(conv.weight, nonlinearity="relu")
    if last:
        nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
        return [conv]
    pool = [nn.MaxPool2d(3, stride=2)] if stage.pool else []
    return [conv, nn.BatchNorm2d(after), nn.ReLU(), *pool]


def _over(group: PlanarGroup, interpolation: Interpolation) -> Callable[..., list[nn.Module]]:
    def make(before: int, after: int, stage: _Stage, *, first: bool, last: bool) -> list[nn.Module]:
        conv = (LiftConv2d if first else GroupConv2d)(
            before, after, stage.taps, group=group, stride=stage.stride, groups=stage.groups, bias=last,
            interpolation=interpolation,
        )  # fmt: skip
        if last:
            return [conv]
        pool = [MaxPool2d(3, group=group, stride=2)] if stage.pool else []
        return [conv, BatchNorm3d(after), nn.ReLU(), *pool]

    return make


def _grouped(
    groups: Sequence[FeatureGroups], group: PlanarGroup | str, in_channels: int, scale: float
) -> SiameseNetwork:
    """A plain backbone whose last channels are pooled over their feature groups."""
    pools = [FeatureGroupPool(one) for one in groups]
    backbone = alexnet_backbone((in_channels, *(pool.channels for pool in pools)), _plain)
    backbone.add_module("invariant", pools[-1])
    names = {f"backbone.stage{i + 1}": one for i, one in enumerate(groups)}
    return SiameseNetwork(backbone, group=group, scale=scale, feature_groups=names)


@register
def siamfc(
    group: PlanarGroup | str = "C1", width: int = 96, in_channels: int = 3, scale: float = 1e-3
) -> SiameseNetwork:
    """SiamFC, the plain tracker: AlexNet's five convolutions without padding, one correlation.

    Args:
        group: C1.
        width: channels of the first convolution; the others have 8/3, 4, 4 and 8/3 times as many.
        in_channels: channels of the images.
        scale: see :class:`SiameseNetwork`.

    Raises:
        ConfigError: the group is another one, or an argument is out of range.

    Source: Bertinetto et al. 2016, table 1.

    >>> sum(p.numel() for p in siamfc().parameters())
    2335202
    """
    check_plain(group, "siamfc", "re_siamfc")
    check_counts(in_channels=in_channels)
    backbone = alexnet_backbone((in_channels, *stage_widths(width, 2)), _plain)
    return SiameseNetwork(backbone, scale=scale)


@register
def re_siamfc(
    group: PlanarGroup | str = "C4",
    width: int = 48,
    in_channels: int = 3,
    scale: float = 1e-3,
    interpolation: Interpolation = "bilinear",
) -> SiameseNetwork:
    """RE-SiamFC: the same convolutions over C_n, and the template in n orientations.

    The winning orientation says by how much the target has turned since it was seen as the template. At the default
    width it has about the parameters of :func:`siamfc`, and twice its real channels.

    Args:
        group: C_n; exact for C1, C2 and C4.
        width: fields of the first convolution; the others have 8/3, 4, 4 and 8/3 times as many.
        in_channels: channels of the images.
        scale: see :class:`SiameseNetwork`.
        interpolation: how kernels move by angles off the grid.

    Raises:
        ConfigError: an argument is out of range.
        GroupMismatchError: the group is no C_n.
        GridError: (the network) images of a size on which strides are not centred; 127 and 255 are right, and others
            that differ from them by multiples of 8.

    Source: Gupta et al. 2021 (RE-SiamNet).

    >>> re_siamfc(width=6).backbone.stage5[0].group
    cyclic(4)
    """
    check_counts(in_channels=in_channels)
    acting = planar(group)
    backbone = alexnet_backbone((in_channels, *stage_widths(width, 2)), _over(acting, interpolation))
    return SiameseNetwork(backbone, group=acting, scale=scale)


@register
def ien_siamfc(
    group: PlanarGroup | str = "C4", width: int = 48, in_channels: int = 3, scale: float = 1e-3, orientations: int = 4
) -> SiameseNetwork:
    """IEN-SiamFC: plain convolutions with the real channels of :func:`re_siamfc`, in feature groups of equal size.

    Whether pooled features turn with the image is left to training, by a loss on the layers in ``feature_groups``; the
    correlated features are those of the last layer, pooled over every feature group. With no such loss it is a plain
    tracker of this width.

    Args:
        group: C_n: in which orientations the pooled template is searched for; C1 takes it as it is.
        width: feature groups of the first convolution; the others have 8/3, 4, 4 and 8/3 times as many.
        in_channels: channels of the images.
        scale: see :class:`SiameseNetwork`.
        orientations: channels in a feature group.

    Raises:
        ConfigError: an argument is out of range.

    Source: Khetan et al. 2021 (implicit equivariance), section 4.

    >>> ien_siamfc(width=6).feature_groups["backbone.stage2"]
    ((4, 16),)
    """
    check_counts(in_channels=in_channels, orientations=orientations)
    groups = [((orientations, count),) for count in stage_widths(width, 2)]
    return _grouped(groups, group, in_channels, scale)


@register
def het_siamfc(
    group: PlanarGroup | str = "C4",
    width: int = 48,
    in_channels: int = 3,
    scale: float = 1e-3,
    feature_groups: str = "4-2-1",
) -> SiameseNetwork:
    """Het-SiamFC: as :func:`ien_siamfc`, with feature groups of several sizes and so fewer channels.

    Half of the groups have the first size, a quarter the second, ..., the last two kinds have equally many: of 4, 2 and
    1 channels, 68.75 % of those of four each.

    Args:
        group: as in :func:`ien_siamfc`.
        width: feature groups of the first convolution, rounded to a multiple of 8, as are those of the others.
        in_channels: channels of the images.
        scale: see :class:`SiameseNetwork`.
        feature_groups: channels in a feature group, two to four falling sizes, such as ``"8-4-2-1"``.

    Raises:
        ConfigError: an argument is out of range.

    Source: Khetan et al. 2021, section 3.4.

    >>> het_siamfc(width=8).feature_groups["backbone.stage1"]
    ((4, 4), (2, 2), (1, 2))
    """
    check_counts(in_channels=in_channels)
    sizes = sizes_of(feature_groups)
    if not 2 <= len(sizes) <= 4:
        raise ConfigError(f"feature_groups={feature_groups!r}: give two to four sizes, such as '4-2-1'")
    groups = [pairs_of(sizes, count) for count in stage_widths(width, 2 ** len(sizes))]
    return _grouped(groups, group, in_channels, scale)
