"""Kernels as functions of coordinates: a small network with sines."""

import itertools
import math
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equivision._numbers import check_count, check_positive
from equivision.errors import ShapeError
from equivision.nn._base import uniform_


def working_dtype(parameter: Tensor) -> torch.dtype:
    """The precision of coordinates and kernels: that of the parameters, but float32 at least."""
    return torch.promote_types(parameter.dtype, torch.float32)


class Siren(nn.Module):
    """A network of sines from coordinates to values: the kernels of all continuous convolutions here.

    ``h_0 = sin(omega (W_0 x + b_0))``, ``h_l = sin(omega (W_l h_(l-1) + b_l))``, ``k(x) = W h + b``. At the start the
    phases are uniform, so that every value, at every coordinate, has mean 0 and variance ``variance`` over the draws.

    Args:
        in_features: number of coordinates.
        out_features: number of values.
        hidden: width of the layers of sines.
        num_hidden: layers of sines after the first one.
        omega: how fast the kernel may oscillate; coordinates are meant to lie in [-1, 1].
        variance: of the values at the start; 1 / fan-in keeps the variance of what the kernels act on.
        device, dtype: of the parameters.

    Shape:
        ``[..., in_features]`` to ``[..., out_features]``, in float32 at least.

    Raises:
        ConfigError: a count is less than 1, or omega or variance is not positive.
        ShapeError: the last axis does not hold ``in_features`` coordinates.

    Source: Sitzmann et al. 2020; the phases and the last layer are drawn by a rule of ours.

    >>> kernel = Siren(2, 6, hidden=16)
    >>> kernel(torch.rand(9, 2)).shape
    torch.Size([9, 6])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        hidden: int = 32,
        num_hidden: int = 1,
        omega: float = 10.0,
        variance: float = 1.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        counts = {"in_features": in_features, "out_features": out_features, "hidden": hidden, "num_hidden": num_hidden}
        for name, count in counts.items():
            check_count(name, count)
        for name, number in (("omega", omega), ("variance", variance)):
            check_positive(name, number)
        self.in_features, self.out_features, self.hidden, self.num_hidden = counts.values()
        self.omega, self.variance = omega, variance
        widths = [in_features, *[hidden] * (num_hidden + 1), out_features]
        pairs = itertools.pairwise(widths)
        self.layers = nn.ModuleList(nn.Linear(i, o, device=device, dtype=dtype) for i, o in pairs)
        self.reset_parameters()

    def _linear(self) -> Iterator[nn.Linear]:
        for layer in self.layers:
            if not isinstance(layer, nn.Linear):
                raise TypeError(layer)
            yield layer

    def reset_parameters(self) -> None:
        """Draw all weights; the phases uniformly from a whole turn, the last bias 0."""
        *sines, last = self._linear()
        for i, layer in enumerate(sines):
            # the frequencies lie within omega / in_features of 0; later layers take sines of variance 1/2
            uniform_(
                layer.weight, 1 / (3 * layer.in_features**2) if i == 0 else 2 / (layer.in_features * self.omega**2)
            )
            nn.init.uniform_(layer.bias, -math.pi / self.omega, math.pi / self.omega)
        uniform_(last.weight, 2 * self.variance / last.in_features)
        nn.init.zeros_(last.bias)

    def forward(self, x: Float[Tensor, "*points in_features"]) -> Float[Tensor, "*points out_features"]:
        """The values at the coordinates."""
        if x.shape[-1] != self.in_features:
            raise ShapeError(
                f"Siren: x has shape {tuple(x.shape)}; its last axis must hold {self.in_features} coordinate(s)"
            )
        *sines, last = self._linear()
        x = x.to(working_dtype(last.weight))
        with torch.autocast(x.device.type, enabled=False):  # half precision would blur the phases
            for layer in sines:
                x = torch.sin(self.omega * nn.functional.linear(x, layer.weight.to(x), layer.bias.to(x)))
            return nn.functional.linear(x, last.weight.to(x), last.bias.to(x))

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}, hidden={self.hidden}, omega={self.omega:g}"
