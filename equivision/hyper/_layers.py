"""Layers of the main network without parameters of their own: weights come with the images, a set each or one for all.

Shape legend: B batch, L numbers that the generator gives for one layer, in the order weights, bias.
"""

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from equivision import functional
from equivision.hyper._combine import average_kernels, column_index, combine_columns, combine_kernels
from equivision.nn import GroupConv2d, LiftConv2d

Combiner = Literal["equi", "average", "none"]


class GeneratedLayer(nn.Module):
    """What stands in the main network for a layer whose parameters are generated.

    Attributes:
        weight_shape: shape of the weights that one image uses.
        has_bias: whether there is a bias, a number for each of the first axis of the weights.
        fan_in: inputs that one output sums.
    """

    weight_shape: tuple[int, ...]
    has_bias: bool
    fan_in: int

    def piece_shape(self, combiner: Combiner) -> tuple[int, ...]:
        """Shape of what the generator gives for the weights."""
        raise NotImplementedError

    def combined(self, pieces: Float[Tensor, "4 batch ..."], combiner: Combiner) -> Float[Tensor, "batch ..."]:
        """Weights from the pieces of the four turned images."""
        raise NotImplementedError

    def count(self, combiner: Combiner) -> int:
        """How many numbers the generator gives for this layer."""
        return math.prod(self.piece_shape(combiner)) + self.has_bias * self.weight_shape[0]

    def parameters_of(self, values: Float[Tensor, "turn batch L"], combiner: Combiner) -> tuple[Tensor, Tensor | None]:
        """Weights and bias of every image.

        Args:
            values: what the generator gave for the four turned copies; with ``"none"`` for the images alone.
            combiner: how pieces become weights.
        """
        shape = self.piece_shape(combiner)
        pieces = values[..., : math.prod(shape)].unflatten(-1, shape)
        weight = pieces[0] if combiner == "none" else self.combined(pieces, combiner)
        bias = values[..., math.prod(shape) :].mean(dim=0) if self.has_bias else None
        return weight.reshape(-1, *self.weight_shape), bias

    def turned(self, weight: Float[Tensor, "batch ..."], turns: int) -> Float[Tensor, "batch ..."]:
        """The weights that an image needs which has been turned by so many quarter turns."""
        raise NotImplementedError


class _Convolution(GeneratedLayer):
    """The part that convolutions share: kernels, and a batch that is folded into the groups of one convolution."""

    groups: int

    def piece_shape(self, combiner: Combiner) -> tuple[int, ...]:
        if combiner != "equi":
            return self.weight_shape
        *maps, taps, _ = self.weight_shape
        return (*maps, -(-taps // 2), -(-taps // 2))

    def combined(self, pieces: Float[Tensor, "4 batch ..."], combiner: Combiner) -> Float[Tensor, "batch ..."]:
        if combiner == "average":
            return average_kernels(pieces)
        return combine_kernels(pieces, self.weight_shape[-1])

    def turned(self, weight: Float[Tensor, "batch ..."], turns: int) -> Float[Tensor, "batch ..."]:
        return torch.rot90(weight, turns, (-2, -1))

    def _convolve(self, call: Callable[..., Tensor], x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if weight.ndim == len(self.weight_shape):
            return call(x, weight, bias, groups=self.groups)
        batch = x.shape[0]
        if batch == 0:  # no groups: any weights give the shape
            return call(x, weight.new_zeros(self.weight_shape), None, groups=self.groups)
        bias = None if bias is None else bias.flatten()
        y = call(x.reshape(1, -1, *x.shape[2:]), weight.flatten(0, 1), bias, groups=batch * self.groups)
        return y.reshape(batch, -1, *y.shape[2:])


class GeneratedConv2d(_Convolution):
    """In the place of a :class:`torch.nn.Conv2d`, with its options and without its parameters."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.weight_shape = tuple(conv.weight.shape)
        self.has_bias = conv.bias is not None
        self.fan_in = math.prod(self.weight_shape[1:])
        self.groups, self.stride, self.dilation = conv.groups, conv.stride, conv.dilation
        self.padding, self.padding_mode = conv.padding, conv.padding_mode
        self._pad = tuple(conv._reversed_padding_repeated_twice)

    def forward(
        self,
        x: Float[Tensor, "batch channel height width"],
        weight: Float[Tensor, "..."],
        bias: Float[Tensor, "..."] | None,
    ) -> Float[Tensor, "batch out h w"]:
        """Convolve every image with its own kernels, or all with the same."""
        if self.padding_mode != "zeros":
            x = F.pad(x, self._pad, mode=self.padding_mode)
        return self._convolve(self._call, x, weight, bias)

    def _call(self, x: Tensor, weight: Tensor, bias: Tensor | None, *, groups: Any) -> Tensor:
        padding: Any = self.padding if self.padding_mode == "zeros" else 0
        return F.conv2d(x, weight, bias, self.stride, padding, self.dilation, groups)

    def extra_repr(self) -> str:
        parts = f"weight={self.weight_shape}, bias={self.has_bias}, stride={self.stride}, padding={self.padding!r}"
        return parts + (f", groups={self.groups}" if self.groups != 1 else "")


class GeneratedGroupConv2d(_Convolution):
    """In the place of a :class:`equivision.nn.LiftConv2d` or ``GroupConv2d``, whose symmetry is lost.

    Source: the Dynamic Z4-CNN of HE-CNN, section 5.5.
    """

    def __init__(self, conv: LiftConv2d | GroupConv2d) -> None:
        super().__init__()
        self.weight_shape = tuple(conv.weight.shape)
        self.has_bias = conv.bias is not None
        self.fan_in = math.prod(self.weight_shape[1:])
        self.groups = conv.groups
        self._options: dict[str, Any] = {n: getattr(conv, n) for n in ("group", "stride", "padding", "dilation")}
        self._options |= {"padding_mode": conv.padding_mode, "strict": conv.strict}
        self._lifts = isinstance(conv, LiftConv2d)
        self._options |= {} if self._lifts else {"algorithm": "expand"}

    def forward(
        self,
        x: Float[Tensor, "batch channel ..."],
        weight: Float[Tensor, "..."],
        bias: Float[Tensor, "..."] | None,
    ) -> Float[Tensor, "batch out group h w"]:
        """Convolve every image with its own kernels, or all with the same."""
        call = functional.lift_conv2d if self._lifts else functional.group_conv2d

        def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, *, groups: Any) -> Tensor:
            return call(x, weight, bias, groups=groups, **self._options)

        return self._convolve(convolve, x, weight, bias)

    def turned(self, weight: Float[Tensor, "batch ..."], turns: int) -> Float[Tensor, "batch ..."]:
        return weight  # a group convolution keeps its symmetry where its weights stay the same

    def extra_repr(self) -> str:
        return f"weight={self.weight_shape}, bias={self.has_bias}, group={self._options['group']!r}"


class GeneratedLinear(GeneratedLayer):
    """In the place of a :class:`torch.nn.Linear`.

    Args:
        linear: the layer.
        size: height of the feature map that it sees flattened; None where its input does not change as images turn.
    """

    index: Tensor

    def __init__(self, linear: nn.Linear, size: int | None) -> None:
        super().__init__()
        self.weight_shape = (linear.out_features, linear.in_features)
        self.has_bias = linear.bias is not None
        self.fan_in, self.size = linear.in_features, size
        index = torch.zeros(0, dtype=torch.long) if size is None else column_index(size)
        self.register_buffer("index", index, persistent=False)

    def piece_shape(self, combiner: Combiner) -> tuple[int, ...]:
        if self.size is None:
            return self.weight_shape
        channels = self.weight_shape[1] // self.size**2
        if combiner == "equi":
            return (self.weight_shape[0], channels, -(-(self.size**2) // 4))
        return (self.weight_shape[0], channels, self.size, self.size)

    def combined(self, pieces: Float[Tensor, "4 batch ..."], combiner: Combiner) -> Float[Tensor, "batch ..."]:
        if self.size is None:
            return pieces.mean(dim=0)
        return average_kernels(pieces) if combiner == "average" else combine_columns(pieces, self.index)

    def turned(self, weight: Float[Tensor, "batch ..."], turns: int) -> Float[Tensor, "batch ..."]:
        if self.size is None:
            return weight
        maps = weight.unflatten(-1, (-1, self.size, self.size))
        return torch.rot90(maps, turns, (-2, -1)).flatten(-3)

    def forward(
        self, x: Float[Tensor, "batch ... features"], weight: Float[Tensor, "..."], bias: Float[Tensor, "..."] | None
    ) -> Float[Tensor, "batch ... out"]:
        """Apply every image's own matrix, or the same to all."""
        if weight.ndim == 2:
            return F.linear(x, weight, bias)
        y = torch.einsum("b...i,boi->b...o", x, weight)
        return y if bias is None else y + bias.reshape(bias.shape[0], *[1] * (y.ndim - 2), bias.shape[1])

    def extra_repr(self) -> str:
        sees = "invariants" if self.size is None else f"maps of {self.size}x{self.size}"
        return f"weight={self.weight_shape}, bias={self.has_bias}, sees={sees}"
