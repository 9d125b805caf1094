"""The SegNets of the segmentation study: plain, over C4 and over D4, of about the same number of parameters.

Source: Barabanshchikova & Sinha, A study on group equivariant CNNs, section 4.2, with what only their code says.
"""

from collections.abc import Sequence
from typing import Literal, get_args

from jaxtyping import Float
from torch import Tensor, nn

from equivision.errors import ConfigError
from equivision.filters._sample import Interpolation
from equivision.groups import PlanarGroup, planar
from equivision.models._dense import DenseLayers, check_multiple
from equivision.models._parts import check_counts, check_plain, doubled_widths
from equivision.models._registry import register
from equivision.nn import Upsample2d

Up = Literal["bilinear", "transposed"]
Head = Literal["plain", "printed"]
_SEGNET = (32, 64, 128, 256)
#: Fields of the four blocks, by the name of the group.
_STUDY = {"C4": (16, 32, 64, 128), "D4": (16, 32, 64, 64)}


class SegNet(nn.Module):
    """Four blocks that halve the resolution, four that double it, without skip connections.

    A block of the encoder is twice 3x3 convolution, ReLU and batch norm, then a max pool; one of the decoder doubles
    the resolution, then does the same. Unlike the network that the name stands for elsewhere, no positions of maxima
    are handed over.

    Args:
        widths: fields of the four blocks of the encoder; the decoder goes back through them.
        group: C_n or D_n of any order; None builds the plain network of torch's layers.
        in_channels: channels of the images.
        num_classes: maps of logits; 1 for a mask of one kind.
        up: how the resolution doubles. ``"bilinear"``: from n to 2n pixels, after 2x2 pools. ``"transposed"``: the
            first convolution of a block is transposed, 3x3 with stride 2, from n to 2n - 1 pixels, after 3x3 pools.
        head: ``"printed"``: logits come out of ReLU and batch norm, as in the study, so that they are bounded below;
            ``"plain"``: out of the last convolution.
        interpolation: how kernels move off the pixel grid, as in :class:`equivision.nn.GroupConv2d`.

    Shape:
        ``[B, in_channels, H, W]`` to ``[B, num_classes, H, W]``; H and W are multiples of 16, with transposed
        convolutions multiples of 16 plus 1.

    Equivariance: logits move with the image, exactly under the elements that move the pixel grid onto itself,
    approximately under the others; none for the plain network.

    Raises:
        ConfigError: an argument is out of range.
        GridError: (forward) the image has another size.

    Source: the G-CNN segmentation study, section 4.2, eq. 11 for transposed convolutions.
    """

    def __init__(
        self,
        widths: Sequence[int],
        group: PlanarGroup | None,
        *,
        in_channels: int = 3,
        num_classes: int = 1,
        up: Up = "bilinear",
        head: Head = "printed",
        interpolation: Interpolation | None = None,
    ) -> None:
        super().__init__()
        _check(widths, up, head, in_channels=in_channels, num_classes=num_classes)
        self.up: Up = up
        layers, pool = DenseLayers(group, interpolation), (2, 2, 0) if up == "bilinear" else (3, 2, 1)
        stages: list[nn.Sequential] = []
        for i, (before, after) in enumerate(zip((in_channels, *widths[:-1]), widths, strict=True)):
            first = (layers.conv if i else layers.lift)(before, after, 3, padding=1)
            second = layers.conv(after, after, 3, padding=1)
            stages.append(nn.Sequential(*_finished(first, second, layers, after, after), layers.max_pool(*pool)))
        self.encoder = nn.Sequential(*stages)
        stages = []
        for before, after in zip(reversed(widths), (*reversed(widths[:-1]), num_classes), strict=True):
            if up == "bilinear":
                doubled: list[nn.Module] = [Upsample2d(2)]
                first = layers.conv(before, before, 3, padding=1)
            else:
                doubled = []
                first = layers.transposed(before, before, 3, stride=2, padding=1)
            second = layers.conv(before, after, 3, padding=1)
            stages.append(nn.Sequential(*doubled, *_finished(first, second, layers, before, after)))
        if head == "plain":
            stages[-1] = nn.Sequential(*list(stages[-1])[:-2])
        self.decoder = nn.Sequential(*stages)
        self.invariant = layers.invariant()

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch num_classes height width"]:
        """Logits of every pixel."""
        rest, other = (0, "transposed") if self.up == "bilinear" else (1, "bilinear")
        cure = f", or up={other!r}, which takes multiples of 16{' plus 1' if rest == 0 else ''}; a UNet takes any size"
        check_multiple("SegNet", x, 16, rest, cure)
        return self.invariant(self.decoder(self.encoder(x)))


def _finished(first: nn.Module, second: nn.Module, layers: DenseLayers, between: int, after: int) -> list[nn.Module]:
    """Two convolutions, each with ReLU and batch norm."""
    return [first, nn.ReLU(), layers.norm(between), second, nn.ReLU(), layers.norm(after)]


def _check(widths: Sequence[int], up: str, head: str, **counts: int) -> None:
    check_counts(**counts)
    if isinstance(widths, str) or len(widths) != 4:
        raise ConfigError(f"widths={widths!r}: give four whole numbers, one for each block")
    check_counts(**{f"widths[{i}]": width for i, width in enumerate(widths)})
    for name, value, kind in (("up", up, Up), ("head", head, Head)):
        if value not in get_args(kind):
            raise ConfigError(f"{name}={value!r} is not known: choose one of {', '.join(map(repr, get_args(kind)))}")


@register
def z2_segnet(
    group: PlanarGroup | str = "C1",
    width: int | None = None,
    in_channels: int = 3,
    num_classes: int = 1,
    widths: Sequence[int] | None = None,
    up: Up = "bilinear",
    head: Head = "printed",
) -> SegNet:
    """The plain network of the study: ordinary convolutions, so the group must be C1. 2,347,011 parameters.

    Args:
        group: C1.
        width: channels of the first block, doubled from block to block; None: those of the study, 32 to 256.
        in_channels: channels of the images.
        num_classes: maps of logits.
        widths: channels of all four blocks, instead of ``width``.
        up: as in :class:`SegNet`.
        head: as in :class:`SegNet`.

    Raises:
        ConfigError: the group is another one, or an argument is out of range.

    >>> sum(p.numel() for p in z2_segnet().parameters())
    2347011
    """
    check_plain(group, "z2_segnet", "segnet")
    chosen = doubled_widths(width, widths, _SEGNET)
    return SegNet(chosen, None, in_channels=in_channels, num_classes=num_classes, up=up, head=head)


@register
def segnet(
    group: PlanarGroup | str = "C4",
    width: int | None = None,
    in_channels: int = 3,
    num_classes: int = 1,
    widths: Sequence[int] | None = None,
    up: Up = "bilinear",
    head: Head = "printed",
    interpolation: Interpolation | None = None,
) -> SegNet:
    """The study's network over a group: P4-SegNet (C4) and D4-SegNet, with bilinear or transposed doubling.

    Args:
        group: a group or its name; exact for the elements that move the pixel grid onto itself.
        width: fields of the first block, doubled from block to block; None: those of the study, 2,344,371 parameters
            over C4 and 2,325,939 over D4; for other groups, those of its plain network divided by the root of the
            order.
        in_channels: channels of the images.
        num_classes: maps of logits.
        widths: fields of all four blocks, instead of ``width``.
        up: as in :class:`SegNet`.
        head: as in :class:`SegNet`.
        interpolation: as in :class:`SegNet`.

    Raises:
        ConfigError: an argument is out of range.
        GroupMismatchError: the group does not act on images.

    >>> sum(p.numel() for p in segnet("C4").parameters())
    2344371
    >>> sum(p.numel() for p in segnet("D4", up="transposed").parameters())
    2325939
    """
    acting = planar(group)
    study = _STUDY.get(acting.name, tuple(max(1, round(n / acting.order**0.5)) for n in _SEGNET))
    chosen = doubled_widths(width, widths, study)
    return SegNet(
        chosen, acting, in_channels=in_channels, num_classes=num_classes, up=up, head=head, interpolation=interpolation
    )
