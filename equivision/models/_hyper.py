"""Plain networks made equivariant by a hypernetwork, with the sizes of the study. Source: HE-CNN (2025), appendix C."""

from typing import Any

from torch import nn

from equivision.groups import PlanarGroup
from equivision.hyper import HyperEquivariantCNN, conv_trunk
from equivision.models._hyper_mains import (
    residual_main,
    seven_layer_main,
    small_main,
    small_p4cnn,
    thirteen_layer_main,
    wide_main,
)
from equivision.models._parts import check_counts
from equivision.models._registry import register

_CIFAR = {"channels": (32, 64, 64), "kernel_sizes": 3, "strides": (1, 1, 2), "paddings": 1}
_STL = {"channels": (64, 128, 128, 64), "kernel_sizes": 3, "strides": (1, 1, 1, 2), "paddings": 1}


def _options(
    group: PlanarGroup | str, in_channels: int, size: int, light: int | None, mode: str, combiner: str, init: str
) -> dict[str, Any]:
    options = {"group": group, "input_shape": (in_channels, size, size), "light": light}
    return options | {"mode": mode, "combiner": combiner, "init": init}


def _small_trunk(in_channels: int, width: int) -> nn.Sequential:
    return conv_trunk(in_channels, [width] * 3, kernel_sizes=2, strides=1, paddings=0, global_pool=True)


@register
def he_small(
    group: PlanarGroup | str = "C4",
    width: int = 16,
    in_channels: int = 1,
    num_classes: int = 10,
    size: int = 28,
    light: int | None = 4,
    mode: str = "sample",
    combiner: str = "equi",
    init: str = "calibrated",
) -> HyperEquivariantCNN:
    """The small network of the study: four 2x2 convolutions, written by three. 11,816 parameters (printed: 11,527).

    Args:
        group: ``"C4"``, or ``C_4n`` and ``D_4n``, averaged.
        width: channels.
        in_channels: channels of the images.
        num_classes: number of logits.
        size: height and width of the images.
        light, mode, combiner, init: as in :class:`equivision.hyper.HyperEquivariantCNN`.

    >>> sum(p.numel() for p in he_small().parameters())
    11816
    """
    main = small_main(width, in_channels, num_classes, pooled=2)
    options = _options(group, in_channels, size, light, mode, combiner, init)
    return HyperEquivariantCNN(main, _small_trunk(in_channels, width), **options)


@register
def he_small_dynamic(
    width: int = 16,
    in_channels: int = 1,
    num_classes: int = 10,
    size: int = 28,
    light: int | None = 4,
    init: str = "calibrated",
) -> HyperEquivariantCNN:
    """The small group network over C4 with weights written for each image, which takes its symmetry away.

    The "Dynamic Z4-CNN" of the study, for its ablation. 31,264 parameters (printed: 32,964).

    >>> sum(p.numel() for p in he_small_dynamic().parameters())
    31264
    """
    main = small_p4cnn("C4", width, in_channels, num_classes)
    options = _options("C4", in_channels, size, light, "sample", "none", init)
    return HyperEquivariantCNN(main, _small_trunk(in_channels, width), **options)


@register
def he_cnn(
    group: PlanarGroup | str = "C4",
    width: int = 20,
    in_channels: int = 1,
    num_classes: int = 10,
    light: int | None = None,
    mode: str = "sample",
    combiner: str = "equi",
    init: str = "calibrated",
    pooled: bool = False,
) -> HyperEquivariantCNN:
    """The seven-layer network for digits of 28 pixels. 9,681,006 parameters.

    Arguments as in :func:`he_small`; with ``pooled`` the generator ends in a mean over space. The light network of the
    study has 51,900 parameters at rank 4, which no such generator gives: ``light=1, pooled=True`` has 46,164.

    >>> sum(p.numel() for p in he_cnn().parameters())
    9681006
    """
    check_counts(width=width, in_channels=in_channels, num_classes=num_classes)
    trunk = conv_trunk(
        in_channels, (16, 32, 32), kernel_sizes=(3, 3, 4), strides=(2, 2, 1), paddings=(1, 1, 0), global_pool=pooled
    )
    main = seven_layer_main(width, in_channels, num_classes)
    return HyperEquivariantCNN(main, trunk, **_options(group, in_channels, 28, light, mode, combiner, init))


@register
def he_resnet6(
    group: PlanarGroup | str = "C4",
    width: int = 32,
    in_channels: int = 3,
    num_classes: int = 10,
    size: int = 32,
    light: int | None = None,
    mode: str = "batch",
    combiner: str = "equi",
    init: str = "calibrated",
) -> HyperEquivariantCNN:
    """The residual network of the study for CIFAR: two blocks of 32 channels, with weights written for each batch.

    Arguments as in :func:`he_small`; the study has rank 14 for ``light``.
    """
    check_counts(width=width, in_channels=in_channels, num_classes=num_classes)
    trunk = conv_trunk(in_channels, **_CIFAR, pool=True, batch_norm=True)
    main = residual_main(width, in_channels, num_classes)
    return HyperEquivariantCNN(main, trunk, **_options(group, in_channels, size, light, mode, combiner, init))


@register
def he_cnn13(
    group: PlanarGroup | str = "C4",
    width: int = 128,
    in_channels: int = 3,
    num_classes: int = 10,
    size: int = 32,
    light: int | None = 14,
    mode: str = "batch",
    combiner: str = "equi",
    init: str = "calibrated",
) -> HyperEquivariantCNN:
    """The 13-layer network of the study for CIFAR, with weights written for each batch.

    Arguments as in :func:`he_small`.
    """
    check_counts(width=width, in_channels=in_channels, num_classes=num_classes)
    trunk = conv_trunk(in_channels, **_CIFAR, pool=True, batch_norm=True)
    main = thirteen_layer_main(width, in_channels, num_classes)
    return HyperEquivariantCNN(main, trunk, **_options(group, in_channels, size, light, mode, combiner, init))


@register
def he_wrn16_8(
    group: PlanarGroup | str = "C4",
    width: int = 8,
    in_channels: int = 3,
    num_classes: int = 10,
    size: int = 96,
    light: int | None = 20,
    mode: str = "batch",
    combiner: str = "equi",
    init: str = "calibrated",
) -> HyperEquivariantCNN:
    """The wide residual network of the study for STL10; ``width`` is its factor. Strides are blurred, hence exact.

    Arguments as in :func:`he_small`.
    """
    check_counts(width=width, in_channels=in_channels, num_classes=num_classes)
    trunk = conv_trunk(in_channels, **_STL, pool=True, batch_norm=True)
    main = wide_main(width, in_channels, num_classes)
    return HyperEquivariantCNN(main, trunk, **_options(group, in_channels, size, light, mode, combiner, init))
