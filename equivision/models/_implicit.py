"""The networks of the study of implicit equivariance, with feature groups or over a group: six layers, ResNet, VGG."""

import itertools
from collections import OrderedDict
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from equivision.errors import ConfigError
from equivision.groups import PlanarGroup, planar
from equivision.implicit import FeatureGroupPool, channels_for
from equivision.implicit import feature_groups as divided
from equivision.implicit._groups import fewest_groups
from equivision.models._compared import ComparedLayers
from equivision.models._hyper_mains import PreActivation
from equivision.models._parts import check_counts, check_plain, movement
from equivision.models._registry import register
from equivision.nn import BatchNorm3d, GroupConv2d, GroupPool, LiftConv2d, MaxPool2d

#: Fields or feature groups as multiples of the first number, kernel size, padding, and whether a pool follows.
Plan = Sequence[tuple[float, int, int, bool]]
_SIX: Plan = (
    (1.0, 7, 1, False), (1.5, 5, 2, True), (2.0, 5, 2, False),
    (2.0, 5, 2, True), (3.0, 5, 2, False), (4.0, 5, 0, False),
)  # fmt: skip
_VGG: Plan = (
    (1.0, 3, 1, True), (2.0, 3, 1, True), (4.0, 3, 1, False), (4.0, 3, 1, True),
    (8.0, 3, 1, False), (8.0, 3, 1, True), (8.0, 3, 1, False), (8.0, 3, 1, False),
)  # fmt: skip


class FeatureGroupNet(ComparedLayers):
    """Convolutions with batch norm and ELU, pools between some, the largest of each feature group, mean, two layers.

    Args:
        plan: the convolutions.
        width: feature groups of the first one, or its fields over a group.
        group: C1 gives ordinary convolutions; another C_n or D_n group convolutions, with ``|G|`` channels to a field.
        kind: how many channels a feature group has, such as ``4`` or ``"4-2-1"``, for ordinary convolutions. None:
            width counts channels.
        hidden: width of the first linear layer.
        dropout: before the last linear layer.
        in_channels: channels of the images.
        num_classes: number of logits.

    Attributes:
        implicit_layers: the layers that :class:`equivision.implicit.ImplicitEquivariance` compares.
        feature_groups: those of every layer.

    Shape:
        ``[B, in_channels, H, W]`` to ``[B, num_classes]``.

    Equivariance: over a group exact at sizes that all pools divide, for the elements that move the pixel grid onto
    itself: logits are invariant. Approximate for the others, whose kernels are steerable. Over C1 what it learns.

    Raises:
        ConfigError: an argument is out of range, or channels cannot be divided into groups.
        GridError: (over a group) a pool does not divide the size.

    Source: IEN, tables 5 to 7.
    """

    def __init__(
        self,
        plan: Plan,
        width: int,
        *,
        group: PlanarGroup | str = "C1",
        kind: str | int | None = 4,
        hidden: int,
        dropout: float = 0.0,
        in_channels: int = 1,
        num_classes: int = 10,
    ) -> None:
        super().__init__()
        check_counts(width=width, hidden=hidden, in_channels=in_channels, num_classes=num_classes)
        acting = planar(group)
        self.group = acting
        kind = kind if acting.order == 1 else None
        _check_divides(width, kind, [times for times, *_ in plan])
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        before = in_channels
        for i, (times, taps, padding, pool) in enumerate(plan, start=1):
            after = _channels(round(width * times), kind)
            layers[f"conv{i}"] = _block(before, after, taps, padding, acting, first=i == 1)
            if pool:
                layers[f"pool{i}"] = nn.MaxPool2d(2) if acting.order == 1 else MaxPool2d(2, group=acting)
            before = after
        self.features = nn.Sequential(layers)
        self.implicit_layers = tuple(f"features.{name}" for name in layers if name.startswith("conv"))
        self.feature_groups = kind if acting.order == 1 else acting.order
        self.invariant, pooled = _pooling(before, acting, kind)
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(pooled, hidden), nn.BatchNorm1d(hidden), nn.ELU(), nn.Dropout(dropout),
            nn.Linear(hidden, num_classes),
        )  # fmt: skip

    def forward(self, x: Float[Tensor, "batch in_channels height width"]) -> Float[Tensor, "batch num_classes"]:
        """Class logits."""
        return self.classifier(self.mean(self.invariant(self.features(x))).flatten(1))


def _check_divides(width: int, kind: str | int | None, times: Sequence[float]) -> None:
    """Whether all multiples of the width are numbers of feature groups that have several sizes."""
    if kind is None:
        return
    least = fewest_groups(kind)

    def divides(number: int) -> bool:
        return all(round(number * each) % least == 0 for each in times)

    if not divides(width):
        near = next(number for number in itertools.count(width + 1) if divides(number))
        raise ConfigError(
            f"width={width}: feature_groups={kind!r} need numbers of feature groups that are multiples of {least} in "
            f"every layer; the next width with such numbers is {near}"
        )


def _channels(groups: int, kind: str | int | None) -> int:
    """Channels of so many feature groups; fields, if there are no feature groups."""
    return groups if kind is None else channels_for(kind, groups)


def _block(before: int, after: int, taps: int, padding: int, group: PlanarGroup, *, first: bool) -> nn.Sequential:
    if group.order > 1:
        kind = LiftConv2d if first else GroupConv2d
        moved = movement(group, None)
        conv = kind(before, after, taps, group=group, padding=padding, bias=False, interpolation=moved)
        return nn.Sequential(conv, BatchNorm3d(after), nn.ELU())
    plain = nn.Conv2d(before, after, taps, padding=padding, bias=False)
    nn.init.xavier_uniform_(plain.weight)
    return nn.Sequential(plain, nn.BatchNorm2d(after), nn.ELU())


def _pooling(channels: int, group: PlanarGroup, kind: str | int | None) -> tuple[nn.Module, int]:
    """What takes the largest of orientations or feature groups, and how many channels are left."""
    if group.order > 1:
        return GroupPool("max"), channels
    if kind is None:
        return nn.Identity(), channels
    pool = FeatureGroupPool(divided(kind, channels))
    return pool, pool.num_groups


@register
def ien_cnn(
    group: PlanarGroup | str = "C1",
    width: int = 32,
    in_channels: int = 1,
    num_classes: int = 10,
    feature_groups: str | int | None = 4,
) -> FeatureGroupNet:
    """The network of the study for digits of 28 pixels: six convolutions, the largest of each feature group.

    It learns its equivariance: train it with :class:`equivision.implicit.ImplicitEquivariance`.

    Args:
        group: C1: ordinary convolutions. Any other C_n or D_n: group convolutions, the baseline.
        width: feature groups of the first convolution, or its fields; the others have 1.5, 2, 2, 3 and 4 times as many.
        in_channels: channels of the images.
        num_classes: number of logits.
        feature_groups: channels of each in ordinary convolutions: ``4``, or ``"4-2-1"``, with 68.75 % of the channels;
            None: width counts channels.

    >>> ien_cnn(width=8, feature_groups="4-2-1")(__import__("torch").zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """
    return FeatureGroupNet(
        _SIX,
        width,
        group=group,
        kind=feature_groups,
        hidden=4 * width,
        in_channels=in_channels,
        num_classes=num_classes,
    )


@register
def ien_vgg(
    group: PlanarGroup | str = "C1",
    width: int = 36,
    in_channels: int = 3,
    num_classes: int = 10,
    feature_groups: str | int | None = 4,
    hidden: int = 1024,
) -> FeatureGroupNet:
    """The VGG of the study, for images of 64 pixels: eight 3x3 convolutions, four pools.

    Arguments as in :func:`ien_cnn`; the study has 36 feature groups of 4, and 25 of 8. ``hidden`` is the width of the
    first linear layer.

    >>> ien_vgg(width=2, hidden=16)(__import__("torch").zeros(2, 3, 64, 64)).shape
    torch.Size([2, 10])
    """
    return FeatureGroupNet(
        _VGG, width, group=group, kind=feature_groups, hidden=hidden, dropout=0.5, in_channels=in_channels,
        num_classes=num_classes,
    )  # fmt: skip


class FeatureGroupResNet(ComparedLayers):
    """A first convolution, four stages of two residual blocks, the largest of each feature group, mean, linear.

    Args:
        width: feature groups of the first stage; the others have 2, 4 and 8 times as many.
        kind: channels of each, as in :class:`FeatureGroupNet`.
        in_channels: channels of the images.
        num_classes: number of logits.

    Attributes:
        implicit_layers: the stages, which are compared; the last after batch norm and ReLU.
        feature_groups: those of every layer.

    Shape:
        ``[B, in_channels, H, W]`` to ``[B, num_classes]``, at any size: strides of the study are a blur and a stride,
        which are centred.

    Equivariance: what it learns.

    Raises:
        ConfigError: an argument is out of range, or channels cannot be divided into groups.

    Source: IEN, tables 6 and 7.
    """

    def __init__(self, width: int, *, kind: str | int | None = 4, in_channels: int = 3, num_classes: int = 10) -> None:
        super().__init__()
        check_counts(width=width, in_channels=in_channels, num_classes=num_classes)
        _check_divides(width, kind, [1.0, 2.0, 4.0, 8.0])
        widths = [_channels(width * 2**i, kind) for i in range(4)]
        self.enter = nn.Conv2d(in_channels, widths[0], 3, padding=1, bias=False)
        stages = [
            nn.Sequential(
                PreActivation(before, after, halve=i > 0, dropout=0.0),
                PreActivation(after, after, halve=False, dropout=0.0),
            )
            for i, (before, after) in enumerate(zip((widths[0], *widths), widths, strict=False))
        ]
        self.stage1, self.stage2, self.stage3, self.stage4 = stages
        self.last = nn.Sequential(nn.BatchNorm2d(widths[-1]), nn.ReLU())
        self.implicit_layers = ("stage1", "stage2", "stage3", "last")
        self.feature_groups = kind
        pool = nn.Identity() if kind is None else FeatureGroupPool(divided(kind, widths[-1]))
        self.invariant = pool
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(pool.num_groups if isinstance(pool, FeatureGroupPool) else widths[-1], num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_uniform_(module.weight)

    def forward(self, x: Float[Tensor, "batch in_channels height width"]) -> Float[Tensor, "batch num_classes"]:
        """Class logits."""
        maps = self.stage4(self.stage3(self.stage2(self.stage1(self.enter(x)))))
        return self.classifier(self.mean(self.invariant(self.last(maps))).flatten(1))


@register
def ien_resnet18(
    group: PlanarGroup | str = "C1",
    width: int = 34,
    in_channels: int = 3,
    num_classes: int = 10,
    feature_groups: str | int | None = 4,
) -> FeatureGroupResNet:
    """The ResNet18 of the study, for images of 65 pixels. Its baseline over a group is :func:`resnet18`.

    Arguments as in :func:`ien_cnn`; the group must be C1. The study has 34 feature groups of 4, and 24 of 8,
    for rotations or for rotations and reflections.

    Raises:
        ConfigError: the group is not C1, or an argument is out of range.

    >>> ien_resnet18(width=2)(__import__("torch").zeros(2, 3, 65, 65)).shape
    torch.Size([2, 10])
    """
    check_plain(group, "ien_resnet18", "resnet18")
    return FeatureGroupResNet(width, kind=feature_groups, in_channels=in_channels, num_classes=num_classes)
