"""The network for rotated digits of the study of E(2)-steerable networks, over any group of rotations and reflections.

Six steerable convolutions, 28-24-(pool)12-(pool)6-2, invariants, mean over space, two linear layers. Source: Weiler &
Cesa 2019, the network of the study on rotated MNIST (appendix).
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from equivision._numbers import check_count
from equivision.errors import ConfigError
from equivision.filters import kernel_plan
from equivision.groups import OrthogonalGroup, PlanarGroup, PlaneGroup, cyclic, parse_plane
from equivision.models._registry import register
from equivision.nn import BlurPool2d, FieldBatchNorm2d, FourierNonlinearity, InvariantMap, SteerableConv2d
from equivision.reps import Representation, band_limited, regular, trivial

_TABLE = (16, 24, 32, 32, 48, 64)  # regular fields of C8
_LAYOUT = ((7, 1), (5, 2), (5, 2), (5, 2), (5, 2), (5, 0))  # kernel size and padding
_POOLED = (1, 3)  # convolutions with a pool after them


class E2Net(nn.Module):
    """Six steerable convolutions with batch norm and ELU, two pools, invariants, mean over space, two linear layers.

    Features are regular fields of C_n and D_n. SO(2) and O(2) have fields of all frequencies up to ``frequency``, whose
    ELU is :class:`~equivision.nn.FourierNonlinearity`, and whose invariants are their norms. Where the paper takes
    maxima of 2x2 pixels, :class:`~equivision.nn.BlurPool2d` blurs and strides: it is centred on every size, and better
    at angles between quarter turns.

    Args:
        widths: fields of the six convolutions.
        group: C_n or D_n of any order, SO(2) or O(2).
        frequency: largest frequency of the fields of SO(2) and O(2).
        hidden: width of the first linear layer.
        in_channels: channels of the images.
        num_classes: number of logits.

    Shape:
        ``[B, in_channels, H, W]`` to ``[B, num_classes]``, from about 20 pixels on.

    Equivariance: logits of square images of any size are invariant, to rounding under the elements that move the pixel
    grid onto itself, approximately under the others.

    Raises:
        ConfigError: an argument is out of range.

    Source: Weiler & Cesa 2019.
    """

    def __init__(
        self,
        widths: Sequence[int],
        group: PlaneGroup | str = "C8",
        *,
        frequency: int = 2,
        hidden: int = 64,
        in_channels: int = 1,
        num_classes: int = 10,
    ) -> None:
        super().__init__()
        if isinstance(widths, str) or len(widths) != len(_LAYOUT):
            raise ConfigError(f"widths={widths!r}: give six whole numbers, one for each convolution")
        counts = {"hidden": hidden, "in_channels": in_channels, "num_classes": num_classes}
        counts |= {f"widths[{i}]": width for i, width in enumerate(widths)}
        for name, value in counts.items():
            check_count(name, value)
        self.group = parse_plane(group)
        field = _field(self.group, frequency)
        layers: list[nn.Module] = []
        before: Representation = in_channels * trivial(self.group)
        for i, (width, (taps, padding)) in enumerate(zip(widths, _LAYOUT, strict=True)):
            fields = width * field
            # a bias would be lost in the batch norm
            layers += [SteerableConv2d(before, fields, taps, padding=padding, bias=False), FieldBatchNorm2d(fields)]
            layers.append(FourierNonlinearity(fields, F.elu) if _continuous(self.group) else nn.ELU())
            layers += [BlurPool2d(2)] if i in _POOLED else []
            before = fields
        self.features = nn.Sequential(*layers)
        self.invariant = InvariantMap(before, "max")
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(widths[-1], hidden), nn.BatchNorm1d(hidden), nn.ELU(), nn.Linear(hidden, num_classes)
        )

    def forward(self, x: Float[Tensor, "batch in_channels height width"]) -> Float[Tensor, "batch num_classes"]:
        """Class logits."""
        return self.classifier(self.mean(self.invariant(self.features(x))).flatten(1))


def _continuous(group: PlaneGroup) -> bool:
    return isinstance(group, OrthogonalGroup)


def _field(group: PlaneGroup, frequency: int) -> Representation:
    return band_limited(group, frequency) if isinstance(group, OrthogonalGroup) else regular(group)


def _scale(field: Representation) -> float:
    """By how much there must be more fields of a type than regular ones of C8, for as many weights in 5x5 kernels."""
    eight = regular(cyclic(8))
    return (kernel_plan(eight, eight, 5).size / kernel_plan(field, field, 5).size) ** 0.5


@register
def e2cnn(
    group: PlanarGroup | OrthogonalGroup | str = "C8",
    width: int | None = None,
    in_channels: int = 1,
    num_classes: int = 10,
    frequency: int = 2,
) -> E2Net:
    """The network of the study of E(2)-steerable networks for rotated digits, over any group. 1,145,722 parameters.

    Args:
        group: C_n or D_n of any order: regular fields; ``"SO2"`` or ``"O2"``: band-limited ones.
        width: fields of the first convolution; the others have 1.5, 2, 2, 3 and 4 times as many. None: the study's 16
            for C8, 24, 32, 32, 48 and 64, and for other groups as many as give about the same number of parameters.
        in_channels: channels of the images.
        num_classes: number of logits.
        frequency: largest frequency of the fields of SO(2) and O(2).

    Raises:
        ConfigError: an argument is out of range.
        GroupMismatchError: the group does not act on images.

    >>> sum(p.numel() for p in e2cnn("C8").parameters())
    1145722
    >>> e2cnn("SO2", width=2)(__import__("torch").zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """
    acting = parse_plane(group)
    if width is not None:
        check_count("width", width)
    scale = _scale(_field(acting, frequency)) if width is None else width / _TABLE[0]
    widths = [max(1, round(scale * fields)) for fields in _TABLE]
    return E2Net(widths, acting, frequency=frequency, in_channels=in_channels, num_classes=num_classes)
