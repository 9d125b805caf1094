"""The networks of the study of SESN on Scale-MNIST: three convolutions on scales, or on none.

Source: Sosnovik, Szmaja & Smeulders 2020, section 6.1 and its released code: widths, kernels, scales, pools, head.
"""

from collections.abc import Callable
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from equivision.errors import ConfigError
from equivision.filters import HermiteBasis, LogPolarBasis
from equivision.implicit import FeatureGroupPool
from equivision.models._compared import ComparedLayers
from equivision.models._parts import check_counts
from equivision.models._registry import register
from equivision.nn import BatchNorm3d
from equivision.nn._base import Guarantee
from equivision.scale import (
    ScaleConv2d,
    ScaleLiftConv2d,
    ScalePool,
    ScaleSpaceConv2d,
    ScaleSpaceLift,
    ScaleSteerableConv2d,
)

_SIZES = (28, 56)
#: Functions of a kernel: as many as a plain 7x7 kernel has taps.
_FUNCTIONS = 49


class ScaleMNISTNet(ComparedLayers):
    """Three convolutions, each with ReLU, max pool and batch norm; then two linear layers.

    Args:
        conv: builds a convolution that keeps the size, from its place (0, 1, 2) and the numbers of fields.
        width: fields of the first convolution; the second has ``2 width - 1``, the third ``3 width - 1``, the hidden
            linear layer ``8 width``.
        lift: what comes before the first convolution.
        group_size: channels of a feature group; there are as many groups as fields, and the largest of each is taken
            after the third convolution. None: no groups.
        on_scales: whether feature maps are ``[batch, channel, scale, height, width]``; the largest over the scales is
            taken after the third convolution.
        in_channels: channels of the images.
        num_classes: number of logits.
        size: side of the images, 28 or 56.
        dropout: share of the hidden numbers that is dropped in training.

    Shape:
        ``[B, in_channels, size, size]`` to ``[B, num_classes]``.

    Equivariance: that of the convolutions up to the pool over scales; the linear layers see places, as in the study, so
    that logits are not invariant.

    Raises:
        ConfigError: an argument is out of range.
    """

    equivariance: Guarantee = "none"

    def __init__(
        self,
        conv: Callable[[int, int, int], nn.Module],
        width: int,
        *,
        lift: nn.Module | None = None,
        on_scales: bool = False,
        group_size: int | None = None,
        in_channels: int = 1,
        num_classes: int = 10,
        size: int = 28,
        dropout: float = 0.7,
    ) -> None:
        super().__init__()
        check_counts(width=width, in_channels=in_channels, num_classes=num_classes)
        _check_size(size)
        fields, members = (width, 2 * width - 1, 3 * width - 1), group_size or 1
        widths = (in_channels, *(members * count for count in fields))
        layers: list[nn.Module] = [] if lift is None else [lift]
        for i in range(2):
            norm = BatchNorm3d(widths[i + 1]) if on_scales else nn.BatchNorm2d(widths[i + 1])
            pool = nn.MaxPool3d((1, 2, 2)) if on_scales else nn.MaxPool2d(2)
            layers += [conv(i, widths[i], widths[i + 1]), nn.ReLU(), pool, norm]
        self.implicit_layers = tuple(f"features.{i}" for i in (0, 4, 8)) if group_size else ()
        self.feature_groups = group_size
        layers += [conv(2, widths[2], widths[3]), *([ScalePool()] if on_scales else [])]
        layers += [FeatureGroupPool([(members, fields[2])])] if group_size else []
        layers += [nn.ReLU(), nn.MaxPool2d(size // 7, padding=2), nn.BatchNorm2d(fields[2])]
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(4 * fields[2], 8 * width, bias=False), nn.BatchNorm1d(8 * width), nn.ReLU(),
            nn.Dropout(dropout), nn.Linear(8 * width, num_classes),
        )  # fmt: skip

    def forward(self, x: Float[Tensor, "batch in_channels height width"]) -> Float[Tensor, "batch num_classes"]:
        """Class logits."""
        return self.classifier(self.features(x))


def _check_size(size: int) -> None:
    if not isinstance(size, int) or size not in _SIZES:
        raise ConfigError(f"size={size!r}: choose 28 or 56, the sizes of Scale-MNIST")


def _spread(smallest: float, factor: float, num: int) -> tuple[float, ...]:
    """Scales from the smallest to ``factor`` times it, each as many times the one before it."""
    return tuple(smallest * factor ** (i / (num - 1)) for i in range(num))


@register
def sesn_vector(width: int = 32, in_channels: int = 1, num_classes: int = 10, size: int = 28) -> ScaleMNISTNet:
    """The vector network of SESN: feature maps on scales. Test error of the study 1.76 % on 28x28, 1.42 % on 56x56.

    Args:
        width: fields of the first convolution.
        in_channels: channels of the images.
        num_classes: number of logits.
        size: 28: three scales, 1.5 to 4.5 pixels, kernels of 13; 56: four scales, 2 to 4 pixels, kernels of 15.

    Raises:
        ConfigError: an argument is out of range.

    >>> sum(p.numel() for p in sesn_vector().parameters())
    494549
    """
    _check_size(size)
    scales, taps = (_spread(1.5, 3.0, 3), 13) if size == 28 else (_spread(2.0, 2.0, 4), 15)
    options: dict[str, Any] = {"scales": scales, "basis": HermiteBasis.type_b(_FUNCTIONS, mult=1.5), "padding": "same"}

    def conv(place: int, before: int, after: int) -> nn.Module:
        return (ScaleConv2d if place else ScaleLiftConv2d)(before, after, taps, **options)

    return ScaleMNISTNet(conv, width, on_scales=True, in_channels=in_channels, num_classes=num_classes, size=size)


@register
def sesn_scalar(width: int = 32, in_channels: int = 1, num_classes: int = 10, size: int = 28) -> ScaleMNISTNet:
    """The scalar network of SESN: each convolution takes the largest over its scales.

    Args:
        width: channels of the first convolution.
        in_channels: channels of the images.
        num_classes: number of logits.
        size: 28: four scales, 1.7 to 5.1 pixels; 56: three scales, 2 to 4 pixels; kernels of 15.

    Raises:
        ConfigError: an argument is out of range.

    >>> sum(p.numel() for p in sesn_scalar().parameters())
    494549
    """
    _check_size(size)
    scales, mult = (_spread(1.7, 3.0, 4), 1.5) if size == 28 else (_spread(2.0, 2.0, 3), 1.4)
    basis = HermiteBasis.type_b(_FUNCTIONS, mult=mult)

    def conv(place: int, before: int, after: int) -> nn.Module:
        return ScaleSteerableConv2d(before, after, 15, scales=scales, basis=basis, padding="same")

    return ScaleMNISTNet(conv, width, in_channels=in_channels, num_classes=num_classes, size=size)


@register
def dss(
    width: int = 32, in_channels: int = 1, num_classes: int = 10, size: int = 28, num_scales: int = 2
) -> ScaleMNISTNet:
    """Deep scale-spaces: 7x7 kernels whose taps spread. Test error in the study 1.95 % on 28x28, 1.57 % on 56x56.

    Args:
        width: fields of the first convolution.
        in_channels: channels of the images.
        num_classes: number of logits.
        size: 28 or 56.
        num_scales: 1, 2, 4, ... pixels.

    Raises:
        ConfigError: an argument is out of range.

    >>> sum(p.numel() for p in dss().parameters())
    494549
    """
    check_counts(num_scales=num_scales)

    def conv(place: int, before: int, after: int) -> nn.Module:
        return ScaleSpaceConv2d(before, after, 7)

    return ScaleMNISTNet(
        conv, width, lift=ScaleSpaceLift(num_scales), on_scales=True, in_channels=in_channels,
        num_classes=num_classes, size=size,
    )  # fmt: skip


@register
def ss_cnn(width: int = 32, in_channels: int = 1, num_classes: int = 10, size: int = 28) -> ScaleMNISTNet:
    """SS-CNN: log-polar kernels, the largest over scales. Test error in the study 2.10 % on 28x28, 1.76 % on 56x56.

    Args:
        width: channels of the first convolution.
        in_channels: channels of the images.
        num_classes: number of logits.
        size: 28: five scales, kernels of 5 to 13 taps; 56: six scales, 7 to 17.

    Raises:
        ConfigError: an argument is out of range.

    >>> sum(p.numel() for p in ss_cnn().parameters())
    486516
    """
    _check_size(size)
    taps = range(5, 15, 2) if size == 28 else range(7, 19, 2)

    def conv(place: int, before: int, after: int) -> nn.Module:
        scales = [float(n) for n in taps]
        return ScaleSteerableConv2d(before, after, taps[-1], scales=scales, basis=LogPolarBasis(), padding="same")

    return ScaleMNISTNet(conv, width, in_channels=in_channels, num_classes=num_classes, size=size)


@register
def scale_z2cnn(width: int = 32, in_channels: int = 1, num_classes: int = 10, size: int = 28) -> ScaleMNISTNet:
    """The plain network to compare with: ordinary 7x7 convolutions.

    Args:
        width: channels of the first convolution.
        in_channels: channels of the images.
        num_classes: number of logits.
        size: 28 or 56.

    Raises:
        ConfigError: an argument is out of range.

    >>> sum(p.numel() for p in scale_z2cnn().parameters())
    494549
    """

    def conv(place: int, before: int, after: int) -> nn.Module:
        return nn.Conv2d(before, after, 7, padding=3)

    return ScaleMNISTNet(conv, width, in_channels=in_channels, num_classes=num_classes, size=size)


@register
def ien_scale_cnn(
    width: int = 32, in_channels: int = 1, num_classes: int = 10, size: int = 28, feature_groups: int = 3
) -> ScaleMNISTNet:
    """Ordinary convolutions that learn scale: train it with scalings. Test error of the study 1.78 % and 1.33 %.

    ``sesn_vector`` with free kernels: three channels stand for its three scales, and nothing says how. Train it with
    :class:`equivision.implicit.ImplicitEquivariance` and :func:`equivision.implicit.scalings`.

    Args:
        width: feature groups of the first convolution.
        in_channels: channels of the images.
        num_classes: number of logits.
        size: 28 or 56.
        feature_groups: channels of each group.

    Raises:
        ConfigError: an argument is out of range.

    Source: Khetan et al. 2021, section 4.4.

    >>> ien_scale_cnn(width=4).implicit_layers
    ('features.0', 'features.4', 'features.8')
    """
    check_counts(feature_groups=feature_groups)

    def conv(place: int, before: int, after: int) -> nn.Module:
        return nn.Conv2d(before, after, 7, padding=3)

    return ScaleMNISTNet(
        conv, width, group_size=feature_groups, in_channels=in_channels, num_classes=num_classes, size=size
    )
