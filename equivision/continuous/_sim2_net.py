"""Residual networks of separable continuous convolutions over turns and scalings."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equivision.continuous._conv import ContinuousLiftConv2d, ElementPool
from equivision.continuous._elements import Elements, check_scales, grid_elements, log_spaced
from equivision.continuous._partial_nets import check_counts
from equivision.continuous._sim2 import SeparableContinuousConv2d
from equivision.continuous._siren import working_dtype
from equivision.errors import ConfigError
from equivision.nn import BatchNorm3d, BlurPool2d
from equivision.nn._base import Guarantee

ContinuousGroup = Literal["SE2", "R+", "Sim2"]


class Sim2Block(nn.Module):
    """Two separable convolutions with batch norm around a skip connection, which is 1x1 where the fields change."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, **options: Any) -> None:
        super().__init__()
        self.conv1 = SeparableContinuousConv2d(in_channels, out_channels, kernel_size, bias=False, **options)
        self.norm1 = BatchNorm3d(out_channels)
        self.conv2 = SeparableContinuousConv2d(out_channels, out_channels, kernel_size, bias=False, **options)
        self.norm2 = BatchNorm3d(out_channels)
        self.skip = None
        if in_channels != out_channels:
            self.skip = SeparableContinuousConv2d(in_channels, out_channels, 1, bias=False, **options)
            self.norm3 = BatchNorm3d(out_channels)

    def forward(
        self, x: Float[Tensor, "batch channel group height width"], elements: Elements
    ) -> Float[Tensor, "batch channel2 group height width"]:
        """Apply the block; its input and output live on the same elements."""
        y = torch.relu(self.norm1(self.conv1(x, elements, elements)))
        y = self.norm2(self.conv2(y, elements, elements))
        return torch.relu(y + (x if self.skip is None else self.norm3(self.skip(x, elements, elements))))


class Sim2Net(nn.Module):
    """Residual network over turns and scalings: lifting, blocks, maximum over the group, mean over space, linear.

    In training all angles of a forward pass are moved by one random angle; in eval mode they begin at 0. Every block
    but the first begins with half the resolution, by a blur that is exact at every size.

    Args:
        widths: fields of the blocks; the lifting convolution has those of the first.
        num_rotations: angles; 1 for scalings alone.
        scales: enlargements, ascending.
        in_channels: channels of the images.
        num_classes: number of logits.
        kernel_size: of all convolutions but the skips.
        hidden, num_hidden, omega: of the kernels, as in :class:`Siren`.

    Shape:
        ``[B, in_channels, H, W]`` to ``[B, num_classes]``.

    Equivariance: logits are invariant, to rounding under the rotations by multiples of both 90 degrees and
    360 degrees / num_rotations, approximately under other turns and under scalings.

    Source: Knigge, Romero & Bekkers 2022. Where it halves the resolution and how it pools are choices of ours.
    """

    equivariance: Guarantee = "approximate"

    def __init__(
        self,
        widths: Sequence[int] = (32, 32, 64),
        *,
        num_rotations: int = 16,
        scales: Sequence[float] = (1.0,),
        in_channels: int = 1,
        num_classes: int = 10,
        kernel_size: int = 7,
        hidden: int = 64,
        num_hidden: int = 1,
        omega: float = 10.0,
    ) -> None:
        super().__init__()
        check_counts(widths, num_classes)
        self.num_rotations, self.scales = num_rotations, check_scales(scales)
        options: dict[str, Any] = {
            "num_rotations": num_rotations, "scales": self.scales, "hidden": hidden, "num_hidden": num_hidden,
            "omega": omega,
        }  # fmt: skip
        self.lift = ContinuousLiftConv2d(in_channels, widths[0], kernel_size, bias=False, **options)
        self.norm = BatchNorm3d(widths[0])
        self.down = BlurPool2d(2)
        pairs = zip((widths[0], *widths), widths, strict=False)
        self.blocks = nn.ModuleList(Sim2Block(i, o, kernel_size, **options) for i, o in pairs)
        self.pool = ElementPool("max")
        self.classifier = nn.Linear(widths[-1], num_classes)

    def elements(self, *, random: bool | None = None, generator: torch.Generator | None = None) -> Elements:
        """The elements of all feature maps.

        Args:
            random: whether the angles are moved by a random part of a step; by default in training mode, or when there
                is a generator.
            generator: of that number; torch's own by default.
        """
        random = (self.training or generator is not None) if random is None else random
        like = self.classifier.weight
        where: dict[str, Any] = {"device": like.device, "dtype": working_dtype(like)}
        shift = torch.rand((), generator=generator, **where) if random else 0.0
        return grid_elements(self.num_rotations, scales=self.scales, shift=shift, **where)

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"], elements: Elements | None = None
    ) -> Float[Tensor, "batch num_classes"]:
        """Class logits; without elements, at those of :meth:`elements`."""
        elements = self.elements() if elements is None else elements
        x = torch.relu(self.norm(self.lift(x, elements)))
        for i, block in enumerate(self.blocks):
            x = block(self.down(x) if i else x, elements)
        return self.classifier(self.pool(x, elements).mean((-2, -1)))


def sim2_resnet(
    group: ContinuousGroup = "Sim2",
    width: int = 32,
    in_channels: int = 1,
    num_classes: int = 10,
    num_rotations: int = 16,
    num_scales: int = 3,
    largest_scale: float = 1.74,
    **options: Any,
) -> Sim2Net:
    """The network of the study, with blocks of ``width``, ``width`` and ``2 width`` fields, over a group.

    Args:
        group: ``"SE2"``: turns; ``"R+"``: scalings; ``"Sim2"``: both.
        width: fields of the lifting convolution and the first two blocks.
        in_channels: channels of the images.
        num_classes: number of logits.
        num_rotations: angles, where there are turns.
        num_scales: scales from 1 to the largest, each as many times the one before it, where there are scalings.
        largest_scale: the largest of them.
        **options: of :class:`Sim2Net`.

    Raises:
        ConfigError: the group is not known.

    >>> sum(p.numel() for p in sim2_resnet("Sim2").parameters())
    930538
    >>> sim2_resnet("SE2", width=2, num_rotations=4)(torch.rand(2, 1, 12, 12)).shape
    torch.Size([2, 10])
    """
    if group not in get_args(ContinuousGroup):
        raise ConfigError(f"group={group!r} is not known: choose one of {', '.join(get_args(ContinuousGroup))}")
    scales = (1.0,) if group == "SE2" else log_spaced(num_scales, largest_scale)
    return Sim2Net(
        (width, width, 2 * width), num_rotations=1 if group == "R+" else num_rotations, scales=scales,
        in_channels=in_channels, num_classes=num_classes, **options,
    )  # fmt: skip
