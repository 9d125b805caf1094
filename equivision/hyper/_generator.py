"""The network that generates parameters: a trunk that sees the image, and heads that give numbers for every layer."""

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equivision._numbers import check_count
from equivision.errors import ConfigError, ShapeError


def conv_trunk(
    in_channels: int,
    channels: Sequence[int] = (16, 32, 32),
    *,
    kernel_sizes: Sequence[int] | int = 3,
    strides: Sequence[int] | int = 2,
    paddings: Sequence[int] | int = 1,
    pool: bool = False,
    batch_norm: bool = False,
    global_pool: bool = False,
) -> nn.Sequential:
    """Plain convolutions with ReLU and a flattening at the end: the trunk of a parameter generator.

    Args:
        in_channels: channels of the images.
        channels: of the convolutions.
        kernel_sizes, strides, paddings: of each convolution, or one number for all.
        pool: whether 2x2 maxima are taken between convolutions.
        batch_norm: whether batch norm follows every convolution.
        global_pool: take the mean over space at the end.

    Shape:
        ``[B, in_channels, H, W]`` to ``[B, features]``.

    Equivariance: none, and none is wanted: see :class:`HyperEquivariantCNN`.

    Raises:
        ConfigError: an argument is out of range.

    >>> conv_trunk(1, [16, 32, 32], kernel_sizes=[3, 3, 4], strides=[2, 2, 1], paddings=[1, 1, 0])(
    ...     torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 512])
    """
    check_count("in_channels", in_channels)
    if isinstance(channels, str) or not channels:
        raise ConfigError(f"channels={channels!r}: give the channels of at least one convolution")
    for i, count in enumerate(channels):
        check_count(f"channels[{i}]", count)
    taps = _each("kernel_sizes", kernel_sizes, len(channels), 1)
    steps, pads = _each("strides", strides, len(channels), 1), _each("paddings", paddings, len(channels), 0)
    layers: list[nn.Module] = []
    for i, (before, after) in enumerate(pairwise((in_channels, *channels))):
        layers += [nn.MaxPool2d(2)] if pool and i else []
        layers += [nn.Conv2d(before, after, taps[i], steps[i], pads[i])]
        layers += [nn.BatchNorm2d(after)] if batch_norm else []
        layers += [nn.ReLU()]
    return nn.Sequential(*layers, *([nn.AdaptiveAvgPool2d(1)] if global_pool else []), nn.Flatten())


def _each(name: str, value: Sequence[int] | int, count: int, least: int) -> list[int]:
    values = [value] * count if isinstance(value, int) else list(value)
    if len(values) != count or any(not isinstance(v, int) or v < least for v in values):
        raise ConfigError(
            f"{name}={value!r}: give one whole number of at least {least}, or {count}, one for each convolution"
        )
    return values


def default_trunk(input_shape: tuple[int, int, int]) -> nn.Sequential:
    """A trunk of strided convolutions down to about 4x4 pixels, with at most 32 channels."""
    channels, height, width = input_shape
    steps = max(2, math.ceil(math.log2(max(height, width) / 4)))
    return conv_trunk(channels, (16, *[32] * (steps - 1)))


class ParameterGenerator(nn.Module):
    """From images to the numbers that the layers of a main network are made of.

    Args:
        trunk: any module from ``[B, C, H, W]`` to ``[B, features]``.
        features: how many it gives.
        counts: how many numbers each layer needs.
        rank: None: one linear layer gives all numbers. A number r of at least 1: the numbers of a layer are the
            entries of a product of a matrix of s x r and one of r x s, with s the root of their number, rounded up.

    Shape:
        ``[B, C, H, W]`` to one ``[B, counts[i]]`` for each layer.

    Equivariance: that of the trunk.

    Raises:
        ConfigError: rank is not a whole number of at least 1.

    Source: HE-CNN, sections 4.1 and 4.5.
    """

    def __init__(self, trunk: nn.Module, features: int, counts: Sequence[int], *, rank: int | None = None) -> None:
        super().__init__()
        if rank is not None:
            check_count("rank", rank)
        self.trunk = trunk
        self.counts, self.rank = tuple(counts), rank
        self._sides = tuple(math.isqrt(count - 1) + 1 if count else 0 for count in counts)
        outputs = counts if rank is None else [2 * rank * side for side in self._sides]
        self.head = nn.Linear(features, sum(outputs))
        self._ends = tuple(accumulate(outputs))

    @torch.no_grad()
    def scale_(self, layer: int, factor: float) -> None:
        """Multiply the numbers of a layer by a positive factor."""
        sizes = [b - a for a, b in pairwise((0, *self._ends))]
        for parameter in (self.head.weight, self.head.bias):
            parameter.split(sizes)[layer].mul_(factor if self.rank is None else factor**0.5)

    def forward(self, images: Float[Tensor, "batch channel height width"]) -> list[Float[Tensor, "batch numbers"]]:
        """Numbers for each layer."""
        features = self.trunk(images)
        if features.ndim != 2 or features.shape[1] != self.head.in_features:
            raise ShapeError(
                f"generator gives {tuple(features.shape)} for images {tuple(images.shape)}: it must end in "
                f"[batch, {self.head.in_features}], as for the input_shape it was built for"
            )
        numbers = self.head(features).tensor_split(self._ends[:-1], dim=1)
        if self.rank is None:
            return list(numbers)
        pairs = zip(numbers, self._sides, self.counts, strict=True)
        return [self._product(both, side)[:, :count] for both, side, count in pairs]

    def _product(self, both: Float[Tensor, "batch entries"], side: int) -> Float[Tensor, "batch numbers"]:
        first, second = both.chunk(2, dim=1)
        product = first.unflatten(1, (side, -1)) @ second.unflatten(1, (-1, side))
        return product.flatten(1)

    def extra_repr(self) -> str:
        return f"counts={self.counts}, rank={self.rank}"
