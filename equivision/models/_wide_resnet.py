"""Wide residual networks of depth 16 and factor 8, plain or over C_n and D_n, with one group for each stage.

A convolution, three stages of two pre-activation blocks, batch norm, ReLU, mean over space, linear. Source: Zagoruyko &
Komodakis 2016 (the plain network); Weiler & Cesa 2019 (over groups that become smaller from stage to stage).
"""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from equivision._numbers import check_count
from equivision.errors import ConfigError
from equivision.filters._sample import Interpolation
from equivision.groups import PlanarGroup, planar
from equivision.models._parts import kernel_numbers, movement
from equivision.models._registry import register
from equivision.nn import BatchNorm3d, GroupConv2d, GroupPool, LiftConv2d, ProjectConv2d, Restrict

Group = PlanarGroup | str
_STEM, _PLAIN = 16, (128, 256, 512)  # channels of the plain network


class WideBlock(nn.Module):
    """Batch norm, ReLU and a convolution, twice, beside a skip connection; dropout before the second convolution.

    Args:
        in_channels: fields of the input.
        out_channels: fields of the output; channels of the plane with ``project``.
        group: C_n or D_n.
        stride: of the second convolution and of the skip.
        dropout: probability.
        project: the second convolution and the skip give maps on the plane, which have no group axis.
        strict: raise GridError where stride and size cannot be exact.
        interpolation: how kernels move; None: ``"steerable"`` off the pixel grid.

    Equivariance: exact for the elements that move the pixel grid onto itself, approximate for the others.

    Raises:
        GridError: the stride is off centre.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        group: PlanarGroup,
        stride: int = 1,
        dropout: float = 0.0,
        project: bool = False,
        strict: bool = True,
        interpolation: Interpolation | None = None,
    ) -> None:
        super().__init__()
        moved, taps = movement(group, interpolation), _taps(group)
        options = {"group": group, "bias": False, "strict": strict, "interpolation": moved}
        inner = in_channels if project else out_channels
        last = ProjectConv2d if project else GroupConv2d
        self.relu = nn.ReLU()
        self.norm1 = BatchNorm3d(in_channels)
        self.conv1 = GroupConv2d(in_channels, inner, taps, padding=taps // 2, **options)
        self.norm2 = BatchNorm3d(inner)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = last(inner, out_channels, taps, stride=stride, padding=taps // 2, **options)
        self.skip: nn.Module = nn.Identity()
        if project or in_channels != out_channels or stride > 1:
            self.skip = last(in_channels, out_channels, 1, stride=stride, **options)

    def forward(self, x: Float[Tensor, "batch channel group height width"]) -> Float[Tensor, "batch channel2 *rest"]:
        """Apply the block."""
        x_norm = self.relu(self.norm1(x))
        y = self.conv2(self.dropout(self.relu(self.norm2(self.conv1(x_norm)))))
        return y + (x if isinstance(self.skip, nn.Identity) else self.skip(x_norm))


class WideResNet16(nn.Module):
    """Wide residual network of 16 layers: stem, three stages of two blocks, batch norm, ReLU, mean, linear.

    A stage begins with :class:`~equivision.nn.Restrict` where its group is smaller than the one before. The last
    convolution gives maps on the plane, which know no orientation; over C1 that changes nothing. Kernels have 3x3 taps
    over groups that move the pixel grid onto itself, 5x5 over others.

    Args:
        widths: fields of the stem and of the three stages, and channels after the last convolution.
        groups: of the stages, each inside the one before; the stem has the first.
        in_channels: channels of the images.
        num_classes: number of logits.
        initial_stride: of the first stage; the others have 2.
        dropout: probability.
        strict: raise GridError where stride and size cannot be exact.
        interpolation: how kernels move; None: ``"steerable"`` off the pixel grid.

    Shape:
        ``[B, in_channels, H, W]`` to ``[B, num_classes]``. Sizes of 1 modulo 8 are exact, such as 33 and 97; of 1
        modulo 4 where ``initial_stride`` is 1. Even sizes are not: scale 96 to 97, or pad.

    Equivariance: logits are invariant under the elements of the last group, to rounding where they move the pixel grid
    onto itself, approximately otherwise.

    Raises:
        GridError: the size is not exact.
        GroupMismatchError: a group is not inside the one before.
        ConfigError: an argument is out of range.

    Source: Weiler & Cesa 2019; Zagoruyko & Komodakis 2016.
    """

    def __init__(
        self,
        widths: Sequence[int],
        groups: Sequence[Group],
        *,
        in_channels: int = 3,
        num_classes: int = 10,
        initial_stride: int = 2,
        dropout: float = 0.3,
        strict: bool = True,
        interpolation: Interpolation | None = None,
    ) -> None:
        super().__init__()
        if isinstance(widths, str) or len(widths) != 5:
            raise ConfigError(f"widths={widths!r}: give five whole numbers: stem, three stages, last convolution")
        counts = {"in_channels": in_channels, "num_classes": num_classes, "initial_stride": initial_stride}
        counts |= {f"widths[{i}]": width for i, width in enumerate(widths)}
        for name, value in counts.items():
            check_count(name, value)
        chain = _chain(groups)
        moved, taps = movement(chain[0], interpolation), _taps(chain[0])
        self.lift = LiftConv2d(
            in_channels, widths[0], taps, group=chain[0], padding=taps // 2, bias=False, interpolation=moved
        )
        stages, fields, acting = [], widths[0], chain[0]
        for i, (out, group) in enumerate(zip(widths[1:4], chain, strict=True)):
            block = partial(WideBlock, group=group, dropout=dropout, strict=strict, interpolation=interpolation)
            enter = [] if group == acting else [Restrict(acting, group)]
            fields *= acting.order // group.order
            ends = i == 2 and group.order > 1
            first = block(fields, out, stride=2 if i else initial_stride)
            second = block(out, widths[4] if ends else out, project=ends)
            stages.append(nn.Sequential(*enter, first, second))
            fields, acting = out, group
        self.stages = nn.Sequential(*stages)
        last = widths[4] if acting.order > 1 else widths[3]
        self.to_plane = GroupPool() if acting.order == 1 else nn.Identity()  # one slot
        self.norm = nn.Sequential(nn.BatchNorm2d(last), nn.ReLU())
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(last, num_classes)

    def forward(self, x: Float[Tensor, "batch in_channels height width"]) -> Float[Tensor, "batch num_classes"]:
        """Class logits."""
        return self.classifier(self.mean(self.norm(self.to_plane(self.stages(self.lift(x))))).flatten(1))


def _taps(group: PlanarGroup) -> int:
    return 3 if group.is_on_grid else 5


def _chain(groups: Sequence[Group]) -> tuple[PlanarGroup, ...]:
    """The groups of the three stages; that each is inside the one before is said by Restrict."""
    if isinstance(groups, str) or len(groups) != 3:
        raise ConfigError(f"groups={groups!r}: give three groups, one for each stage, such as ('D8', 'D4', 'D1')")
    chain = tuple(planar(group) for group in groups)
    for before, after in pairwise(chain):
        if before != after:
            Restrict(before, after)
    return chain


def _weights(fields: int, before: int, order: int, numbers: int, *, ends: bool) -> int:
    """Weights of a stage: three convolutions and a skip, and one more convolution; the last has no group axis."""
    whole = numbers * order * fields * (before + (2 if ends else 3) * fields) + order * fields * before
    return whole + (numbers + 1) * fields * _PLAIN[2] if ends else whole


def _widths(chain: Sequence[PlanarGroup], interpolation: Interpolation | None) -> tuple[int, ...]:
    """Fields with which every stage has about the parameters of the plain one."""
    widths: list[int] = []
    plain_before, acting = _STEM, chain[0]
    for i, (plain, group) in enumerate(zip(_PLAIN, chain, strict=True)):
        numbers = kernel_numbers(group, _taps(group), movement(group, interpolation))
        if i == 0:
            widths.append(max(1, round(_STEM * (9 / (numbers * group.order)) ** 0.5)))
        before = widths[-1] * acting.order // group.order
        aim = _weights(plain, plain_before, 1, 9, ends=False)
        options = {"order": group.order, "numbers": numbers, "ends": i == 2 and group.order > 1}
        off = [abs(_weights(fields, before, **options) - aim) for fields in range(1, plain + 1)]
        widths.append(1 + off.index(min(off)))
        plain_before, acting = plain, group
    return (*widths, _PLAIN[2])


@register
def wrn16_8(
    group: Group | None = None,
    width: int | None = None,
    in_channels: int = 3,
    num_classes: int = 10,
    groups: Sequence[Group] | None = None,
    initial_stride: int = 2,
    dropout: float = 0.3,
    strict: bool = True,
    interpolation: Interpolation | None = None,
) -> WideResNet16:
    """WRN16/8 over C1 (plain), C4 (Z4-WRN16/8), D8 (D8-WRN16/8), or a group for each stage (WRN16/8-{D8D4D1}).

    Args:
        group: of all stages; C4 if neither it nor ``groups`` is given. D8 has 8 rotations and 8 reflections.
        width: fields of the first stage, 2 and 4 times as many in the others; None: as many as give every stage the
            parameters of the plain network, whose widths are 128, 256 and 512.
        in_channels: channels of the images.
        num_classes: number of logits.
        groups: instead of ``group``, one for each stage, each inside the one before, such as ``("D8", "D4", "D1")``.
        initial_stride: of the first stage: 2, as for 97x97 pixels; 1 for small images.
        dropout: probability, between the convolutions of a block.
        strict: raise GridError for sizes that are not exact; False: the network runs on any size, as in the paper on
            96x96, without the guarantee.
        interpolation: how kernels move off the pixel grid; None: ``"steerable"``.

    Raises:
        ConfigError: an argument is out of range, or both ``group`` and ``groups`` are given.
        GroupMismatchError: a group is not inside the one before.

    >>> wrn16_8(groups=("D8", "D4", "D1"), width=1)(__import__("torch").zeros(1, 3, 33, 33)).shape
    torch.Size([1, 10])
    """
    if group is not None and groups is not None:
        raise ConfigError(f"group={group!r} and groups={tuple(groups)} say the same: give one of them")
    chain = _chain((group or "C4",) * 3 if groups is None else groups)
    if width is None:
        widths = _widths(chain, interpolation)
    else:
        check_count("width", width)
        widths = (max(1, round(width / 8)), width, 2 * width, 4 * width, 4 * width)
    return WideResNet16(
        widths, chain, in_channels=in_channels, num_classes=num_classes, initial_stride=initial_stride,
        dropout=dropout, strict=strict, interpolation=interpolation,
    )  # fmt: skip
