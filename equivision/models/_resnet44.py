"""ResNet-44 of the CIFAR-10 study: plain, over D4, and over D4 with separable kernels.

A 3x3 convolution, three stages of seven pre-activation blocks, the second and third at half the resolution, batch norm,
ReLU, mean over space, linear. As printed, the networks over D4 are not invariant: a 3x3 convolution with stride 2 and
padding 1 samples even sizes off centre, and the linear layer weighs the slots of the group one by one. The exact form
halves the resolution by :class:`~equivision.nn.BlurPool2d` at the entrance of a stage and pools over the group before
the linear layer. Source: Lengyel & van Gemert 2021, table 2, after Cohen & Welling 2016 and He et al. 2016.
"""

from functools import partial
from typing import Literal, get_args

from jaxtyping import Float
from torch import Tensor, nn

from equivision._numbers import check_count
from equivision.errors import ConfigError
from equivision.groups import PlanarGroup
from equivision.models._parts import Kernel, check_plain, group_conv
from equivision.models._registry import register
from equivision.nn import BatchNorm3d, BlurPool2d, GroupConv2d, GroupPool, LiftConv2d
from equivision.nn._base import grid_group

Form = Literal["exact", "printed"]
Widths = tuple[int, int, int]
_DEPTH = 7


class PreActivationBlock(nn.Module):
    """Batch norm, ReLU and a 3x3 convolution, twice, beside a skip connection.

    Args:
        in_channels: fields of the input.
        out_channels: fields of the output; where they differ, the skip is a dense 1x1 convolution with batch norm.
        group: acts exactly; None builds the block from ``torch.nn.Conv2d``.
        halve: take every second pixel: blurred at the entrance in the exact form, by the stride of the first
            convolution and of the skip in the printed one.
        kernel: of the 3x3 convolutions: ``"dense"``, ``"g"`` or ``"gc"``.
        form: ``"exact"`` or ``"printed"``.

    Equivariance: exact, regular to regular; in the printed form with ``halve`` on odd sizes only; none without a group.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        group: PlanarGroup | None,
        halve: bool,
        kernel: Kernel = "dense",
        form: Form = "exact",
    ) -> None:
        super().__init__()
        norm = nn.BatchNorm2d if group is None else BatchNorm3d
        conv3x3 = nn.Conv2d if group is None else group_conv(kernel, group)
        conv3x3 = partial(conv3x3, kernel_size=3, padding=1, bias=False)
        conv1x1 = partial(nn.Conv2d if group is None else partial(GroupConv2d, group=group), kernel_size=1, bias=False)
        step = {"stride": 2} if halve and form == "printed" else {}
        if step and group is not None:
            step["strict"] = False
        self.down = BlurPool2d(2) if halve and form == "exact" else nn.Identity()
        self.norm1 = norm(in_channels)
        self.conv1 = conv3x3(in_channels, out_channels, **step)
        self.norm2 = norm(out_channels)
        self.conv2 = conv3x3(out_channels, out_channels)
        self.relu = nn.ReLU()
        self.skip: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.skip = nn.Sequential(conv1x1(in_channels, out_channels, **step), norm(out_channels))

    def forward(self, x: Float[Tensor, "batch channel *rest"]) -> Float[Tensor, "batch channel2 *rest2"]:
        """Apply the block."""
        x = self.down(x)
        y = self.conv1(self.relu(self.norm1(x)))
        return self.conv2(self.relu(self.norm2(y))) + self.skip(x)


class ResNet44(nn.Module):
    """Residual network with 43 3x3 convolutions for small images.

    Args:
        widths: fields of the three stages.
        group: acts exactly; None builds the plain network from ``torch.nn.Conv2d``.
        kernel: of the 3x3 convolutions in the blocks: ``"dense"``, or separable, ``"g"`` or ``"gc"``.
        form: ``"exact"``, or ``"printed"``: strides in the convolutions and a linear layer on all slots of the group.
        in_channels: channels of the images.
        num_classes: number of logits.

    Shape:
        ``[B, in_channels, H, W]`` to ``[B, num_classes]``.

    Equivariance: in the exact form, logits are invariant under every element, for square images of any size. In the
    printed form only the features before the linear layer are equivariant, and only where no stride is off centre
    (33 pixels, but not 32); the logits promise nothing.

    Raises:
        ConfigError: an argument is out of range.

    Source: Lengyel & van Gemert 2021, table 2.
    """

    def __init__(
        self,
        widths: Widths,
        *,
        group: PlanarGroup | None,
        kernel: Kernel = "dense",
        form: Form = "exact",
        in_channels: int = 3,
        num_classes: int = 10,
    ) -> None:
        super().__init__()
        if form not in get_args(Form):
            raise ConfigError(f"form={form!r} is not known: choose 'exact' or 'printed'")
        for name, value in (("in_channels", in_channels), ("num_classes", num_classes)):
            check_count(name, value)
        lift = nn.Conv2d if group is None else partial(LiftConv2d, group=group)
        self.lift = lift(in_channels, widths[0], 3, padding=1, bias=False)
        options = {"group": group, "kernel": kernel, "form": form}
        stages, fields = [], widths[0]
        for i, out in enumerate(widths):
            first = PreActivationBlock(fields, out, halve=i > 0, **options)
            rest = (PreActivationBlock(out, out, halve=False, **options) for _ in range(_DEPTH - 1))
            stages.append(nn.Sequential(first, *rest))
            fields = out
        self.stages = nn.Sequential(*stages)
        self.norm = nn.Sequential((nn.BatchNorm2d if group is None else BatchNorm3d)(fields), nn.ReLU())
        pooled = group is None or form == "exact"
        self.invariant = GroupPool("max") if group is not None and pooled else nn.Identity()
        self.mean = nn.AdaptiveAvgPool2d(1) if pooled else nn.AdaptiveAvgPool3d((None, 1, 1))
        self.classifier = nn.Linear(fields if pooled or group is None else fields * group.order, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")  # as our own layers

    def forward(self, x: Float[Tensor, "batch in_channels height width"]) -> Float[Tensor, "batch num_classes"]:
        """Class logits."""
        return self.classifier(self.mean(self.invariant(self.norm(self.stages(self.lift(x))))).flatten(1))


def _widths(width: int | None, study: Widths) -> Widths:
    """The widths of the study, or one width, doubled from stage to stage."""
    if width is None:
        return study
    check_count("width", width)
    return (width, 2 * width, 4 * width)


@register
def resnet44(
    group: PlanarGroup | str = "C1", width: int | None = None, in_channels: int = 3, num_classes: int = 10
) -> ResNet44:
    """The plain ResNet-44: ordinary convolutions, so the group must be C1. 2,636,458 parameters.

    Args:
        group: C1.
        width: channels of the first stage, doubled from stage to stage; None: those of the study, 32, 64 and 128.
        in_channels: channels of the images.
        num_classes: number of logits.

    Raises:
        ConfigError: the group is another one.

    >>> sum(p.numel() for p in resnet44().parameters())
    2636458
    """
    check_plain(group, "resnet44", "p4m_resnet44")
    widths = _widths(width, (32, 64, 128))
    return ResNet44(widths, group=None, form="printed", in_channels=in_channels, num_classes=num_classes)


@register
def p4m_resnet44(
    group: PlanarGroup | str = "D4",
    width: int | None = None,
    in_channels: int = 3,
    num_classes: int = 10,
    form: Form = "exact",
) -> ResNet44:
    """ResNet-44 over quarter turns and reflections.

    Args:
        group: acts exactly.
        width: fields of the first stage, doubled from stage to stage; None: those of the study, 11, 23 and 45.
        in_channels: channels of the images.
        num_classes: number of logits.
        form: ``"exact"``: invariant logits; ``"printed"``: the network of the study, whose logits are not invariant.

    The printed form has 2,621,829 parameters, the exact one 3,150 fewer, in the linear layer.

    >>> sum(p.numel() for p in p4m_resnet44(form="printed").parameters())
    2621829
    """
    widths, acting = _widths(width, (11, 23, 45)), grid_group(group)
    return ResNet44(widths, group=acting, form=form, in_channels=in_channels, num_classes=num_classes)


@register
def g_p4m_resnet44(
    group: PlanarGroup | str = "D4",
    width: int | None = None,
    in_channels: int = 3,
    num_classes: int = 10,
    form: Form = "exact",
) -> ResNet44:
    """:func:`p4m_resnet44` with g-separable 3x3 kernels and 19, 38 and 76 fields. 1,782,381 parameters as printed.

    >>> sum(p.numel() for p in g_p4m_resnet44(form="printed").parameters())
    1782381
    """
    widths, acting = _widths(width, (19, 38, 76)), grid_group(group)
    return ResNet44(widths, group=acting, kernel="g", form=form, in_channels=in_channels, num_classes=num_classes)


@register
def gc_p4m_resnet44(
    group: PlanarGroup | str = "D4",
    width: int | None = None,
    in_channels: int = 3,
    num_classes: int = 10,
    form: Form = "exact",
) -> ResNet44:
    """:func:`p4m_resnet44` with gc-separable 3x3 kernels and 28, 56 and 112 fields. 1,884,270 parameters as printed.

    >>> sum(p.numel() for p in gc_p4m_resnet44(form="printed").parameters())
    1884270
    """
    widths, acting = _widths(width, (28, 56, 112)), grid_group(group)
    return ResNet44(widths, group=acting, kernel="gc", form=form, in_channels=in_channels, num_classes=num_classes)
