"""Plain networks that hypernetworks write the parameters of, and group networks of the same shape to compare with.

All are chosen so that quarter turns are exact at the sizes of their data: pools on even sizes, blurred strides.
"""

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from equivision.groups import PlanarGroup
from equivision.models._parts import check_counts, check_plain
from equivision.models._registry import register
from equivision.nn import BatchNorm3d, BlurPool2d, GroupConv2d, GroupPool, LiftConv2d
from equivision.nn._base import grid_group


def small_main(
    width: int, in_channels: int, num_classes: int, *, pooled: int = 1, batch_norm: bool = False
) -> nn.Sequential:
    """Four 2x2 convolutions with ReLU, an adaptive mean to ``pooled`` pixels, one linear layer."""
    check_counts(width=width, in_channels=in_channels, num_classes=num_classes)
    channels = (in_channels, *[width] * 4)
    layers: list[nn.Module] = []
    for before, after in pairwise(channels):
        layers += [nn.Conv2d(before, after, 2), *([nn.BatchNorm2d(after)] if batch_norm else []), nn.ReLU()]
    last = nn.Linear(width * pooled**2, num_classes)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(pooled), nn.Flatten(), last)


def seven_layer_main(width: int, in_channels: int, num_classes: int, hidden: int = 100) -> nn.Sequential:
    """Six 3x3 convolutions that keep the size, pools after the second and fourth, a valid 4x4 one, two linear layers.

    The map before the first linear layer has a seventh of 28 pixels less 3, which is 4. The first linear layer has no
    bias: so do the counts of the study come out.
    """
    layers: list[nn.Module] = []
    for i in range(6):
        layers += [nn.Conv2d(in_channels if i == 0 else width, width, 3, padding=1), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if i in (1, 3) else []
    layers += [nn.Conv2d(width, width, 4), nn.ReLU(), nn.Flatten()]
    linear = nn.Linear(width * 16, hidden, bias=False)
    return nn.Sequential(*layers, linear, nn.ReLU(), nn.Linear(hidden, num_classes))


def conv_norm(in_channels: int, out_channels: int, taps: int = 3, *, padding: int = 1) -> list[nn.Module]:
    """A convolution without bias and its batch norm."""
    return [nn.Conv2d(in_channels, out_channels, taps, padding=padding, bias=False), nn.BatchNorm2d(out_channels)]


class PlainBlock(nn.Module):
    """Two 3x3 convolutions with batch norm around a skip connection; optionally blurs and halves first.

    Args:
        width: channels.
        halve: halve the resolution at the entrance, by :class:`equivision.nn.BlurPool2d`.

    Equivariance: none.
    """

    def __init__(self, width: int, *, halve: bool) -> None:
        super().__init__()
        self.down = BlurPool2d(2) if halve else nn.Identity()
        self.convs = nn.Sequential(*conv_norm(width, width), nn.ReLU(), *conv_norm(width, width))
        self.relu = nn.ReLU()

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch channel h w"]:
        """Apply the block."""
        x = self.down(x)
        return self.relu(self.convs(x) + x)


def residual_main(width: int, in_channels: int, num_classes: int) -> nn.Sequential:
    """A convolution, two residual blocks, the second at half the resolution, adaptive mean to 2x2, linear."""
    return nn.Sequential(
        *conv_norm(in_channels, width), nn.ReLU(), PlainBlock(width, halve=False), PlainBlock(width, halve=True),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(width * 4, num_classes),
    )  # fmt: skip


def thirteen_layer_main(width: int, in_channels: int, num_classes: int) -> nn.Sequential:
    """The 13-layer network, plain: see :func:`cnn13`; with an adaptive mean to 2x2 before the linear layer."""
    plan = (
        (in_channels, width, 3, 1), (width, width, 3, 1), (width, width, 3, 1), None,
        (width, 2 * width, 3, 1), (2 * width, 2 * width, 3, 1), (2 * width, 2 * width, 3, 1), None,
        (2 * width, 4 * width, 3, 0), (4 * width, 2 * width, 1, 0), (2 * width, width, 1, 0),
    )  # fmt: skip
    layers: list[nn.Module] = []
    for step in plan:
        if step is None:
            layers += [nn.MaxPool2d(2), nn.Dropout(0.5)]
        else:
            before, after, taps, padding = step
            layers += [*conv_norm(before, after, taps, padding=padding), nn.LeakyReLU(0.1)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(width * 4, num_classes))


class PreActivation(nn.Module):
    """Batch norm, ReLU and a 3x3 convolution, twice, beside a skip connection: a block of a wide residual network.

    Args:
        in_channels, out_channels: of the block.
        halve: halve the resolution before the second convolution and the skip, by a blur and a stride that are centred.
        dropout: probability, before the second convolution.

    Equivariance: none.
    """

    def __init__(self, in_channels: int, out_channels: int, *, halve: bool, dropout: float) -> None:
        super().__init__()
        down = [BlurPool2d(2)] if halve else []
        self.enter = nn.Sequential(nn.BatchNorm2d(in_channels), nn.ReLU())
        self.convs = nn.Sequential(
            *conv_norm(in_channels, out_channels), nn.ReLU(), nn.Dropout(dropout), *down,
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
        )  # fmt: skip
        same = in_channels == out_channels and not halve
        self.skip = nn.Identity() if same else nn.Sequential(*down, nn.Conv2d(in_channels, out_channels, 1, bias=False))

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch channel2 h w"]:
        """Apply the block."""
        x = self.enter(x)
        return self.convs(x) + self.skip(x)


def wide_main(factor: int, in_channels: int, num_classes: int, dropout: float = 0.3) -> nn.Sequential:
    """WRN16 for pictures of 96 pixels: a stride of 2 in each of three stages, mean to 2x2, linear."""
    widths = (16, 16 * factor, 32 * factor, 64 * factor)
    blocks: list[nn.Module] = []
    for before, after in pairwise(widths):
        blocks += [PreActivation(before, after, halve=True, dropout=dropout)]
        blocks += [PreActivation(after, after, halve=False, dropout=dropout)]
    return nn.Sequential(
        nn.Conv2d(in_channels, 16, 3, padding=1, bias=False), *blocks, nn.BatchNorm2d(widths[-1]), nn.ReLU(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(widths[-1] * 4, num_classes),
    )  # fmt: skip


class BareGroupNet(nn.Module):
    """Group convolutions without bias, ReLU, maximum over the group, mean over space, linear.

    Args:
        widths: fields of the convolutions.
        kernel_sizes: of each.
        group: acts exactly.
        in_channels: channels of the images.
        num_classes: number of logits.
        batch_norm: whether batch norm follows every convolution.

    Shape:
        ``[B, in_channels, H, W]`` to ``[B, num_classes]``; every size that the kernels fit on.

    Equivariance: exact: logits are invariant under every element of the group.
    """

    def __init__(
        self,
        widths: list[int],
        kernel_sizes: list[int],
        group: PlanarGroup,
        in_channels: int,
        num_classes: int,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        check_counts(width=widths[0], in_channels=in_channels, num_classes=num_classes)
        layers: list[nn.Module] = []
        for i, (width, taps) in enumerate(zip(widths, kernel_sizes, strict=True)):
            kind, before = (GroupConv2d, widths[i - 1]) if i else (LiftConv2d, in_channels)
            layers += [kind(before, width, taps, group=group, bias=False)]
            layers += [BatchNorm3d(width), nn.ReLU()] if batch_norm else [nn.ReLU()]
        self.features = nn.Sequential(*layers, GroupPool("max"))
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(widths[-1], num_classes)

    def forward(self, x: Float[Tensor, "batch in_channels height width"]) -> Float[Tensor, "batch num_classes"]:
        """Class logits."""
        return self.classifier(self.mean(self.features(x)).flatten(1))


@register
def small_z2cnn(
    group: PlanarGroup | str = "C1",
    width: int = 16,
    in_channels: int = 1,
    num_classes: int = 10,
    batch_norm: bool = False,
) -> nn.Sequential:
    """The small plain network of the study of hypernetworks, so the group must be C1: four 2x2 convolutions.

    3,370 parameters. With ``batch_norm``, batch norm follows every convolution.

    Raises:
        ConfigError: the group is another one, or an argument is out of range.

    >>> sum(p.numel() for p in small_z2cnn().parameters())
    3370
    """
    check_plain(group, "small_z2cnn", "small_p4cnn")
    return small_main(width, in_channels, num_classes, batch_norm=batch_norm)


@register
def small_p4cnn(
    group: PlanarGroup | str = "C4",
    width: int = 16,
    in_channels: int = 1,
    num_classes: int = 10,
    batch_norm: bool = False,
) -> BareGroupNet:
    """The small group network of the study of hypernetworks, over any exact group. 12,522 parameters over C4.

    >>> sum(p.numel() for p in small_p4cnn().parameters())
    12522
    """
    return BareGroupNet([width] * 4, [2] * 4, grid_group(group), in_channels, num_classes, batch_norm)


@register
def p4cnn_98k(
    group: PlanarGroup | str = "C4", width: int = 20, in_channels: int = 1, num_classes: int = 10
) -> BareGroupNet:
    """The seven-layer group network that the study of hypernetworks compares with. 97,990 parameters over C4.

    >>> sum(p.numel() for p in p4cnn_98k().parameters())
    97990
    """
    return BareGroupNet([width] * 7, [3] * 6 + [4], grid_group(group), in_channels, num_classes)
