"""The harmonic network for rotated digits: scalars and vectors of the plane, seven steerable convolutions.

Source: Worrall et al. 2017, the network for rotated MNIST.
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from equivision._numbers import check_count
from equivision.errors import ConfigError
from equivision.groups import OrthogonalGroup, PlanarGroup, PlaneGroup, parse_plane
from equivision.models._registry import register
from equivision.nn import BlurPool2d, FieldBatchNorm2d, InvariantMap, NormReLU, SteerableConv2d
from equivision.reps import Representation, decompose, parse, restricted, trivial

_GAIN = 2.1  # of the width, at each pool: 8, 16, 35 in the paper


class HarmonicNet(nn.Module):
    """Three pairs of 5x5 convolutions on fields of order 0 and 1, a pool after the first two; a seventh gives logits.

    The norm of every field is cut by :class:`~equivision.nn.NormReLU`; the second convolution of a pair has batch norm
    before. A logit is the mean over space of a scalar and of the norm of a vector. Where the paper pools by the mean of
    2x2 pixels, :class:`~equivision.nn.BlurPool2d` does, which is centred on every size and works on vectors.

    Args:
        widths: how many scalars, and as many vectors, each of the three pairs has.
        group: SO(2), O(2), C_n or D_n; in C_n and D_n vectors are what those of the plane become, such as two signs in
            C2.
        in_channels: channels of the images.
        num_classes: number of logits.

    Shape:
        ``[B, in_channels, H, W]`` to ``[B, num_classes]``.

    Equivariance: logits of square images of any size are invariant, to rounding under the elements that move the pixel
    grid onto itself, approximately under the others.

    Raises:
        ConfigError: an argument is out of range.

    Source: Worrall et al. 2017.
    """

    def __init__(
        self, widths: Sequence[int], group: PlaneGroup | str = "SO2", *, in_channels: int = 1, num_classes: int = 10
    ) -> None:
        super().__init__()
        if isinstance(widths, str) or len(widths) != 3:
            raise ConfigError(f"widths={widths!r}: give three whole numbers, one for each pair of convolutions")
        counts = {"in_channels": in_channels, "num_classes": num_classes}
        counts |= {f"widths[{i}]": width for i, width in enumerate(widths)}
        for name, value in counts.items():
            check_count(name, value)
        self.group = parse_plane(group)
        vector = _vector(self.group)
        layers: list[nn.Module] = []
        before: Representation = in_channels * trivial(self.group)
        for i, width in enumerate(widths):
            fields = width * trivial(self.group) + width * vector
            layers += [] if i == 0 else [BlurPool2d(2)]
            layers += [_conv(before, fields), NormReLU(fields)]
            layers += [_conv(fields, fields), FieldBatchNorm2d(fields), NormReLU(fields)]
            before = fields
        last = num_classes * trivial(self.group) + num_classes * vector
        self.features = nn.Sequential(*layers, _conv(before, last))
        self.invariant = InvariantMap(last, "norm")
        self.mean = nn.AdaptiveAvgPool2d(1)
        self._split = (num_classes, num_classes * len(vector.fields))

    def forward(self, x: Float[Tensor, "batch in_channels height width"]) -> Float[Tensor, "batch num_classes"]:
        """Class logits."""
        scalars, norms = self.mean(self.invariant(self.features(x))).flatten(1).split(self._split, 1)
        return scalars + norms.unflatten(1, (self._split[0], -1)).sum(2)


def _conv(in_rep: Representation, out_rep: Representation) -> SteerableConv2d:
    return SteerableConv2d(in_rep, out_rep, 5, padding=2)


def _vector(group: PlaneGroup) -> Representation:
    """How vectors of the plane turn, as irreps."""
    if isinstance(group, OrthogonalGroup):
        return parse("E1", group)
    return decompose(restricted(parse("E1", OrthogonalGroup(group.reflections)), group))[0]


@register
def harmonic_cnn(
    group: PlanarGroup | OrthogonalGroup | str = "SO2", width: int = 6, in_channels: int = 1, num_classes: int = 10
) -> HarmonicNet:
    """The harmonic network for rotated digits. 33,154 parameters over SO(2) at width 6; the paper's has about 33,000.

    Args:
        group: ``"SO2"``; ``"O2"`` for reflections too; or a finite group, C_n or D_n.
        width: scalars, and as many vectors, of the first two convolutions; 2.1 times as many after each pool, as in the
            paper, whose width is 8. Its scalars are complex and its filters have one phase for all radii; here scalars
            are real and every radius has a phase of its own, so that 6 give as many parameters.
        in_channels: channels of the images.
        num_classes: number of logits.

    Raises:
        ConfigError: an argument is out of range.
        GroupMismatchError: the group does not act on images.

    >>> sum(p.numel() for p in harmonic_cnn().parameters())
    33154
    >>> harmonic_cnn("O2", width=2)(__import__("torch").zeros(1, 1, 28, 28)).shape
    torch.Size([1, 10])
    """
    check_count("width", width)
    widths = [max(1, round(width * _GAIN**i)) for i in range(3)]
    return HarmonicNet(widths, group, in_channels=in_channels, num_classes=num_classes)
