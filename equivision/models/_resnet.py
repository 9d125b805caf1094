"""Residual networks over C_n and D_n that are exact on the pixel grid at every image size.

The usual stride of 2 in a 3x3 convolution or pool samples even sizes off centre and breaks the symmetry. Here every
reduction of resolution is a :class:`~equivision.nn.BlurPool2d`, whose taps follow the parity of the size; it stands at
the entrance of a block, before both paths, so that the convolutions run at the small size.
"""

import math
from functools import partial
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from equivision._numbers import check_count
from equivision.errors import ConfigError
from equivision.filters._sample import Interpolation
from equivision.groups import PlanarGroup, planar
from equivision.models._parts import Kernel, group_conv, kernel_numbers, movement
from equivision.models._registry import register
from equivision.nn import BatchNorm3d, BlurPool2d, GroupConv2d, GroupPool, LiftConv2d

Stem = Literal["small", "large"]


class BasicBlock(nn.Module):
    """Two 3x3 group convolutions with batch norm around a skip connection; optionally halves the resolution first.

    Args:
        in_channels: fields of the input.
        out_channels: fields of the output.
        group: C_n or D_n of any order.
        halve: blur and stride by 2 at the entrance.
        kernel: of the 3x3 convolutions: ``"dense"``, ``"g"`` or ``"gc"``; the 1x1 convolution of the skip is dense.
        interpolation: how dense kernels move, as in :class:`equivision.nn.GroupConv2d`; None: ``"steerable"`` off the
            pixel grid.

    Equivariance: regular to regular, at every size: exact for the elements that move the pixel grid onto itself,
    approximate for the others.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        group: PlanarGroup,
        halve: bool,
        kernel: Kernel = "dense",
        interpolation: Interpolation | None = None,
    ) -> None:
        super().__init__()
        conv3x3 = group_conv(kernel, group, movement(group, interpolation))
        conv3x3 = partial(conv3x3, kernel_size=3, padding=1, bias=False)
        self.down = BlurPool2d(2) if halve else nn.Identity()
        self.conv1 = conv3x3(in_channels, out_channels)
        self.norm1 = BatchNorm3d(out_channels)
        self.conv2 = conv3x3(out_channels, out_channels)
        self.norm2 = BatchNorm3d(out_channels)
        self.relu = nn.ReLU()
        self.skip: nn.Module = nn.Identity()
        if in_channels != out_channels:
            conv = GroupConv2d(in_channels, out_channels, 1, group=group, bias=False)
            self.skip = nn.Sequential(conv, BatchNorm3d(out_channels))

    def forward(
        self, x: Float[Tensor, "batch channel group height width"]
    ) -> Float[Tensor, "batch channel2 group h w"]:
        """Apply the block."""
        x = self.down(x)
        y = self.relu(self.norm1(self.conv1(x)))
        return self.relu(self.norm2(self.conv2(y)) + self.skip(x))


class ResNet(nn.Module):
    """Residual network over C_n or D_n: stem, stages of basic blocks, group pool, global mean, linear.

    Args:
        blocks: blocks in each stage; every stage but the first halves the resolution.
        group: C_n or D_n of any order.
        width: fields of the first stage.
        in_channels: channels of the images.
        num_classes: number of logits.
        stem: ``"small"`` for images up to about 100 pixels: one 3x3 convolution; ``"large"``: a 7x7 convolution and two
            halvings, as ImageNet networks do.
        kernel: of the 3x3 convolutions in the blocks: ``"dense"``, or separable, ``"g"`` or ``"gc"``.
        growth: how many times the fields of a stage are those of the stage before it.
        interpolation: how dense kernels move, as in :class:`equivision.nn.GroupConv2d`; None: ``"steerable"`` off the
            pixel grid. On it nothing is interpolated.

    Equivariance: logits of square images of any size are invariant, to rounding under the elements that move the pixel
    grid onto itself (all of C1, C2, C4, D1, D2 and D4), approximately under the others.
    """

    def __init__(
        self,
        blocks: tuple[int, ...],
        *,
        group: PlanarGroup | str,
        width: int,
        in_channels: int = 3,
        num_classes: int = 10,
        stem: Stem = "small",
        kernel: Kernel = "dense",
        growth: int = 2,
        interpolation: Interpolation | None = None,
    ) -> None:
        super().__init__()
        if stem not in ("small", "large"):
            raise ConfigError(f"stem={stem!r} is not known: choose 'small' or 'large'")
        for name, value in (("width", width), ("in_channels", in_channels), ("num_classes", num_classes)):
            check_count(name, value)
        check_count("growth", growth)
        self.group = planar(group)
        moved = movement(self.group, interpolation)
        taps = 3 if stem == "small" else 7
        lift = LiftConv2d(
            in_channels, width, taps, group=self.group, padding=taps // 2, bias=False, interpolation=moved
        )
        reduce = (BlurPool2d(2), BlurPool2d(2)) if stem == "large" else ()
        self.stem = nn.Sequential(lift, BatchNorm3d(width), nn.ReLU(), *reduce)
        stages, fields = [], width
        for i, depth in enumerate(blocks):
            out = width * growth**i
            block = partial(BasicBlock, group=self.group, kernel=kernel, interpolation=moved)
            first = block(fields, out, halve=i > 0)
            rest = (block(out, out, halve=False) for _ in range(depth - 1))
            stages.append(nn.Sequential(first, *rest))
            fields = out
        self.stages = nn.Sequential(*stages)
        self.invariant = GroupPool("max")
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(fields, num_classes)

    def forward(self, x: Float[Tensor, "batch in_channels height width"]) -> Float[Tensor, "batch num_classes"]:
        """Class logits."""
        return self.classifier(self.mean(self.invariant(self.stages(self.stem(x)))).flatten(1))


def _width(plain: int, group: PlanarGroup, interpolation: Interpolation | None) -> int:
    """Fields that give 3x3 convolutions the parameters of plain ones."""
    numbers = kernel_numbers(group, 3, movement(group, interpolation))
    return max(1, round(plain * math.sqrt(9 / (numbers * group.order))))


@register
def resnet18(
    group: PlanarGroup | str = "C4",
    width: int | None = None,
    in_channels: int = 3,
    num_classes: int = 10,
    stem: Stem = "small",
    kernel: Kernel = "dense",
    interpolation: Interpolation | None = None,
) -> ResNet:
    """ResNet-18 over C_n or D_n of any order.

    The default width gives about the parameters of the plain ResNet-18 with dense kernels: ``64 / sqrt(|G|)`` fields;
    off the grid, where steerable kernels have 8 numbers for 9 taps, ``64 / sqrt(8 |G| / 9)``. Separable kernels,
    ``kernel="g"`` or ``"gc"``, have fewer at the same width. Arguments as in :class:`ResNet`.

    >>> resnet18(group="C4", width=2)(__import__("torch").zeros(1, 3, 32, 32)).shape
    torch.Size([1, 10])
    >>> resnet18(group="D8", width=1)(__import__("torch").zeros(1, 3, 32, 32)).shape
    torch.Size([1, 10])
    """
    acting = planar(group)
    fields = _width(64, acting, interpolation) if width is None else width
    return ResNet(
        (2, 2, 2, 2), group=acting, width=fields, in_channels=in_channels, num_classes=num_classes, stem=stem,
        kernel=kernel, interpolation=interpolation,
    )  # fmt: skip


@register
def resnet6(
    group: PlanarGroup | str = "C4",
    width: int | None = None,
    in_channels: int = 3,
    num_classes: int = 10,
    interpolation: Interpolation | None = None,
) -> ResNet:
    """The small residual network for CIFAR: two blocks of equal width; over C1 the plain one, of 38,378 parameters.

    The default width, ``32 / sqrt(|G|)`` fields, and a little more off the grid, gives about as many. It is the
    baseline of studies on partial equivariance (Romero & Lohit 2022) and on generated filters, which say: two residual
    blocks of 32 channels, 3x3 filters, pooling and batch norm. The rest could not be recovered, nor are counts printed:
    here a 3x3 convolution comes first, and the second block starts with half the resolution.

    >>> sum(p.numel() for p in resnet6(group="C1").parameters())
    38378
    """
    acting = planar(group)
    return ResNet(
        (1, 1), group=acting, width=_width(32, acting, interpolation) if width is None else width,
        in_channels=in_channels, num_classes=num_classes, growth=1, interpolation=interpolation,
    )  # fmt: skip
