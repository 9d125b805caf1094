"""Residual networks that stay exact at every image size.

The usual stride of 2 in a 3x3 convolution or pool samples even sizes off centre and breaks the symmetry. Here every
reduction of resolution is a :class:`~equivision.nn.BlurPool2d`, whose taps follow the parity of the size; it stands at
the entrance of a block, before both paths, so that the convolutions run at the small size.
"""

import math
from functools import partial
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from equivision.errors import ConfigError
from equivision.groups import PlanarGroup
from equivision.models._parts import Kernel, group_conv
from equivision.models._registry import register
from equivision.nn import BatchNorm3d, BlurPool2d, GroupConv2d, GroupPool, LiftConv2d
from equivision.nn._base import check_count, grid_group

Stem = Literal["small", "large"]


class BasicBlock(nn.Module):
    """Two 3x3 group convolutions with batch norm around a skip connection; optionally halves the resolution first.

    Args:
        in_channels: fields of the input.
        out_channels: fields of the output.
        group: acts exactly.
        halve: blur and stride by 2 at the entrance.
        kernel: of the 3x3 convolutions: ``"dense"``, ``"g"`` or ``"gc"``; the 1x1 convolution of the skip is dense.

    Equivariance: exact, regular to regular, at every size.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, group: PlanarGroup, halve: bool, kernel: Kernel = "dense"
    ) -> None:
        super().__init__()
        conv3x3 = partial(group_conv(kernel, group), kernel_size=3, padding=1, bias=False)
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
    """Residual network over an exact group: stem, stages of basic blocks, group pool, global mean, linear.

    Args:
        blocks: blocks in each stage; every stage but the first halves the resolution.
        group: acts exactly.
        width: fields of the first stage.
        in_channels: channels of the images.
        num_classes: number of logits.
        stem: ``"small"`` for images up to about 100 pixels: one 3x3 convolution; ``"large"``: a 7x7 convolution and two
            halvings, as ImageNet networks do.
        kernel: of the 3x3 convolutions in the blocks: ``"dense"``, or separable, ``"g"`` or ``"gc"``.
        growth: how many times the fields of a stage are those of the stage before it.

    Equivariance: exact: logits are invariant under every element, for square images of any size.
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
    ) -> None:
        super().__init__()
        if stem not in ("small", "large"):
            raise ConfigError(f"stem={stem!r} is not known: choose 'small' or 'large'")
        for name, value in (("width", width), ("in_channels", in_channels), ("num_classes", num_classes)):
            check_count(name, value)
        check_count("growth", growth)
        self.group = grid_group(group)
        taps = 3 if stem == "small" else 7
        lift = LiftConv2d(in_channels, width, taps, group=self.group, padding=taps // 2, bias=False)
        reduce = (BlurPool2d(2), BlurPool2d(2)) if stem == "large" else ()
        self.stem = nn.Sequential(lift, BatchNorm3d(width), nn.ReLU(), *reduce)
        stages, fields = [], width
        for i, depth in enumerate(blocks):
            out = width * growth**i
            first = BasicBlock(fields, out, group=self.group, halve=i > 0, kernel=kernel)
            rest = (BasicBlock(out, out, group=self.group, halve=False, kernel=kernel) for _ in range(depth - 1))
            stages.append(nn.Sequential(first, *rest))
            fields = out
        self.stages = nn.Sequential(*stages)
        self.invariant = GroupPool("max")
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(fields, num_classes)

    def forward(self, x: Float[Tensor, "batch in_channels height width"]) -> Float[Tensor, "batch num_classes"]:
        """Class logits."""
        return self.classifier(self.mean(self.invariant(self.stages(self.stem(x)))).flatten(1))


@register
def resnet18(
    group: PlanarGroup | str = "C4",
    width: int | None = None,
    in_channels: int = 3,
    num_classes: int = 10,
    stem: Stem = "small",
    kernel: Kernel = "dense",
) -> ResNet:
    """ResNet-18 over an exact group.

    The default width, ``64 / sqrt(|G|)`` fields, gives about the parameters of the plain ResNet-18 with dense kernels;
    with separable ones, ``kernel="g"`` or ``"gc"``, the same width has fewer.

    >>> resnet18(group="C4", width=2)(__import__("torch").zeros(1, 3, 32, 32)).shape
    torch.Size([1, 10])
    """
    order = grid_group(group).order
    fields = max(1, round(64 / math.sqrt(order))) if width is None else width
    return ResNet(
        (2, 2, 2, 2), group=group, width=fields, in_channels=in_channels, num_classes=num_classes, stem=stem,
        kernel=kernel,
    )  # fmt: skip


@register
def resnet6(
    group: PlanarGroup | str = "C4", width: int | None = None, in_channels: int = 3, num_classes: int = 10
) -> ResNet:
    """The small residual network for CIFAR: two blocks of equal width; over C1 the plain one, of 38,378 parameters.

    The default width, ``32 / sqrt(|G|)`` fields, gives about as many. It is the baseline of studies on partial
    equivariance (Romero & Lohit 2022) and on generated filters, which say: two residual blocks of 32 channels, 3x3
    filters, pooling and batch norm. The rest could not be recovered, nor are counts printed: here a 3x3 convolution
    comes first, and the second block starts with half the resolution.

    >>> sum(p.numel() for p in resnet6(group="C1").parameters())
    38378
    """
    order = grid_group(group).order
    fields = max(1, round(32 / math.sqrt(order))) if width is None else width
    return ResNet((1, 1), group=group, width=fields, in_channels=in_channels, num_classes=num_classes, growth=1)
