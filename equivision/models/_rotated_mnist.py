"""The small networks of the rotated-MNIST study: Z2CNN, P4CNN, P4MCNN, and their separable forms.

Seven valid convolutions take 28 pixels to 1: 28-26-24-(pool)12-10-8-6-4-1. Source: Lengyel & van Gemert 2021, table 1,
after Cohen & Welling 2016.
"""

import math
from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from equivision._numbers import check_count
from equivision.groups import PlanarGroup
from equivision.models._parts import Kernel, check_plain, group_conv
from equivision.models._registry import register
from equivision.nn import BatchNorm3d, GroupPool, LiftConv2d, MaxPool2d
from equivision.nn._base import GroupConvBase, grid_group

_KERNELS = (3, 3, 3, 3, 3, 3, 4)


class RotatedMNISTNet(nn.Module):
    """Seven convolutions with batch norm and ReLU, one 2x2 pool after the second, group pool, global mean, linear.

    Args:
        width: fields of every convolution.
        group: acts exactly; None builds the plain network from ``torch.nn.Conv2d``.
        in_channels: channels of the images.
        num_classes: number of logits.
        kernel: ``"dense"``; or ``"g"`` or ``"gc"``, which makes every convolution but the first one separable.

    Shape:
        ``[B, in_channels, 28, 28]`` to ``[B, num_classes]``; larger images are averaged over space before the
        classifier; those whose size is 0 modulo 2 are exact.

    Equivariance: exact: logits are invariant under every element of the group; none for the plain network.
    """

    def __init__(
        self, width: int, group: PlanarGroup | None, in_channels: int, num_classes: int, kernel: Kernel = "dense"
    ) -> None:
        super().__init__()
        for name, value in (("width", width), ("in_channels", in_channels), ("num_classes", num_classes)):
            check_count(name, value)
        first, later, norm, pool = _parts(group, kernel)
        layers: list[nn.Module] = []
        for i, taps in enumerate(_KERNELS):
            conv = first(in_channels, width, taps) if i == 0 else later(width, width, taps)
            layers += [conv, norm(width), nn.ReLU()]
            if i == 1:
                layers.append(pool())
        self.features = nn.Sequential(*layers)
        self.invariant = nn.Identity() if group is None else GroupPool("max")
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(width, num_classes)
        for module in self.features.modules():
            if isinstance(module, nn.Conv2d | GroupConvBase):
                _draw_as_in_the_study(module)

    def forward(self, x: Float[Tensor, "batch in_channels height width"]) -> Float[Tensor, "batch num_classes"]:
        """Class logits."""
        return self.classifier(self.mean(self.invariant(self.features(x))).flatten(1))


def _parts(group: PlanarGroup | None, kernel: Kernel) -> tuple[Callable[..., nn.Module], ...]:
    if group is None:
        later = nn.Conv2d if kernel == "dense" else _separable_conv2d
        return nn.Conv2d, later, nn.BatchNorm2d, lambda: nn.MaxPool2d(2)
    g = group

    def first(i: int, o: int, k: int) -> nn.Module:
        return LiftConv2d(i, o, k, group=g)

    return first, group_conv(kernel, group), BatchNorm3d, lambda: MaxPool2d(2, group=g)


def _separable_conv2d(in_channels: int, out_channels: int, kernel_size: int) -> nn.Module:
    """Pointwise, then depthwise, a bias after each: the c form of an ordinary convolution."""
    depthwise = nn.Conv2d(out_channels, out_channels, kernel_size, groups=out_channels)
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1), depthwise)


def _draw_as_in_the_study(conv: nn.Conv2d | GroupConvBase) -> None:
    """Weights and biases uniform within ``1 / sqrt(in_channels * k * k)``, the group axis not counted.

    An ordinary grouped convolution counts the channels that one output sees, as torch does; both parts of a separable
    kernel take the same bound.
    """
    seen = conv.in_channels // conv.groups
    bound = 1 / math.sqrt(seen * math.prod(conv.kernel_size))
    for parameter in conv.parameters(recurse=False):
        nn.init.uniform_(parameter, -bound, bound)


@register
def z2cnn(
    group: PlanarGroup | str = "C1", width: int = 20, in_channels: int = 1, num_classes: int = 10
) -> RotatedMNISTNet:
    """The plain network: ordinary convolutions, so the group must be C1. 25,210 parameters at width 20.

    Raises:
        ConfigError: the group is another one.

    >>> sum(p.numel() for p in z2cnn().parameters())
    25210
    """
    check_plain(group, "z2cnn", "p4cnn")
    return RotatedMNISTNet(width, None, in_channels, num_classes)


@register
def c_z2cnn(
    group: PlanarGroup | str = "C1", width: int = 57, in_channels: int = 1, num_classes: int = 10
) -> RotatedMNISTNet:
    """The plain network with depthwise separable convolutions; the group must be C1. 25,603 parameters at width 57.

    Raises:
        ConfigError: the group is another one.

    >>> sum(p.numel() for p in c_z2cnn().parameters())
    25603
    """
    check_plain(group, "c_z2cnn", "p4cnn")
    return RotatedMNISTNet(width, None, in_channels, num_classes, kernel="gc")


@register
def p4cnn(
    group: PlanarGroup | str = "C4",
    width: int = 10,
    in_channels: int = 1,
    num_classes: int = 10,
    kernel: Kernel = "dense",
) -> RotatedMNISTNet:
    """Group convolutions over quarter turns. 24,810 parameters at width 10.

    >>> sum(p.numel() for p in p4cnn().parameters())
    24810
    """
    return RotatedMNISTNet(width, grid_group(group), in_channels, num_classes, kernel)


@register
def g_p4cnn(
    group: PlanarGroup | str = "C4", width: int = 17, in_channels: int = 1, num_classes: int = 10
) -> RotatedMNISTNet:
    """:func:`p4cnn` with g-separable kernels. 25,255 parameters at width 17, 8,910 at width 10.

    >>> sum(p.numel() for p in g_p4cnn().parameters())
    25255
    """
    return RotatedMNISTNet(width, grid_group(group), in_channels, num_classes, "g")


@register
def gc_p4cnn(
    group: PlanarGroup | str = "C4", width: int = 30, in_channels: int = 1, num_classes: int = 10
) -> RotatedMNISTNet:
    """:func:`p4cnn` with gc-separable kernels. 24,640 parameters at width 30, 3,420 at width 10.

    >>> sum(p.numel() for p in gc_p4cnn().parameters())
    24640
    """
    return RotatedMNISTNet(width, grid_group(group), in_channels, num_classes, "gc")


@register
def p4mcnn(
    group: PlanarGroup | str = "D4",
    width: int = 7,
    in_channels: int = 1,
    num_classes: int = 10,
    kernel: Kernel = "dense",
) -> RotatedMNISTNet:
    """Group convolutions over quarter turns and reflections. 24,202 parameters at width 7.

    >>> p4mcnn(width=2)(__import__("torch").zeros(1, 1, 28, 28)).shape
    torch.Size([1, 10])
    """
    return RotatedMNISTNet(width, grid_group(group), in_channels, num_classes, kernel)
