"""Which algorithm a group convolution takes: a cost model, fitted on measurements."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from equivision.errors import ConfigError
from equivision.functional._fourier import HAS_LOOPS, is_transformed
from equivision.groups import PlanarGroup, planar
from equivision.kernels import Window, orbit_plan

Algorithm = Literal["auto", "expand", "fourier"]
ALGORITHMS: tuple[str, ...] = ("auto", "expand", "fourier")
Costs = Mapping[str, Sequence[float]]
#: Logarithm of the ratio of two times that counts as close.
CLOSE = 0.2

#: Nanoseconds for each term of :meth:`Shape.terms`, without and with backward. The command
#: ``python -m benchmarks.algorithms --fit`` measures, fits and writes the file; its
#: benchmarks/results/algorithm_grid.json says on what machine.
COSTS: Costs = json.loads((Path(__file__).parent / "cost_model.json").read_text())


#: Products for each pair of fields, tap and pixel in the Fourier basis; the square of the order without it.
PRODUCTS: Mapping[str, int] = {
    name: sum(b.rows * b.inner * b.outer for b in orbit_plan(planar(name), (1, 1)).blocks)
    for name in ("C1", "C2", "C4", "D1", "D2", "D4")
}


class Shape(NamedTuple):
    """The sizes that costs depend on."""

    products_expand: float
    products_fourier: float
    gathered: float
    values: float
    weights: float

    @classmethod
    def of(cls, group: PlanarGroup, fields: tuple[int, int], taps: tuple[int, int], pixels: tuple[int, int]) -> "Shape":
        """For (input, output) fields, (rows, columns) of taps, and (input, output) pixels of the whole batch."""
        (inputs, outputs), count = fields, math.prod(taps)
        pairs = float(inputs * outputs * count)
        return cls(
            pairs * group.order**2 * pixels[1],
            pairs * PRODUCTS[group.name] * pixels[1],
            float(group.order * inputs * count * pixels[1]),
            float(group.order * (inputs * pixels[0] + outputs * pixels[1])),
            pairs * group.order,
        )

    @classmethod
    def of_layer(cls, group: str, batch: int, inputs: int, outputs: int, kernel: int, size: int) -> "Shape":
        """For a layer that keeps the size of its square images."""
        pixels = batch * size * size
        return cls.of(planar(group), (inputs, outputs), (kernel, kernel), (pixels, pixels))

    def terms(self, algorithm: str) -> tuple[float, ...]:
        """What is counted: a constant, products, values read and written, weights; and gathered values."""
        if algorithm == "expand":
            return 1e3, self.products_expand, self.values, self.weights
        return 1e3, self.products_fourier, self.values, self.weights, self.gathered


def predicted(shape: Shape, algorithm: str, *, backward: bool, costs: Costs = COSTS) -> float:
    """Nanoseconds that an algorithm should take."""
    factors = costs[f"{algorithm}, backward" if backward else algorithm]
    return sum(f * t for f, t in zip(factors, shape.terms(algorithm), strict=True))


def fit(samples: Iterable[tuple[Shape, bool, Mapping[str, float]]]) -> dict[str, tuple[float, ...]]:
    """Factors, none negative, that predict measured milliseconds with the least relative error.

    Only the choice matters, so layers on which one algorithm is far ahead weigh little.
    """
    found, samples = {}, list(samples)
    for algorithm in ("expand", "fourier"):
        for backward, suffix in ((False, ""), (True, ", backward")):
            chosen = [(s, ms) for s, b, ms in samples if b == backward]
            lead = np.array([math.log(ms["expand"] / ms["fourier"]) for _, ms in chosen])
            weights = 1 / np.hypot(1, lead / CLOSE)
            rows = np.array([[t / (ms[algorithm] * 1e6) for t in s.terms(algorithm)] for s, ms in chosen])
            factors = _nonnegative(rows * weights[:, None], weights)
            found[algorithm + suffix] = tuple(float(f"{f:.4g}") for f in factors)
    return found


def _nonnegative(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Least squares without negative solutions: the best of all sets of columns that has none."""
    best, least = np.zeros(a.shape[1]), math.inf
    for kept in range(1, 2 ** a.shape[1]):
        columns = [i for i in range(a.shape[1]) if kept >> i & 1]
        solution, *_ = np.linalg.lstsq(a[:, columns], b, rcond=None)
        error = float(np.sum((a[:, columns] @ solution - b) ** 2))
        if solution.min() >= 0 and error < least:
            best, least = np.zeros(a.shape[1]), error
            best[columns] = solution
    return best


def check_algorithm(algorithm: str, known: tuple[str, ...] = ALGORITHMS) -> None:
    """Raise ConfigError unless the word is one of these."""
    if algorithm not in known:
        raise ConfigError(f"algorithm={algorithm!r} is not known: choose one of {', '.join(known)}")


def takes_fourier(
    algorithm: str, maps: Tensor, weight: Tensor, group: PlanarGroup, window: Window, groups: int
) -> bool:
    """Whether a convolution of ``maps [B, C * G, H, W]`` runs in the Fourier basis of the group.

    ``"auto"`` does so where the cost model was fitted: float32 on a CPU, with numba, outside of ``torch.export``.
    Nothing does so in ``torch.export``, whose programs shall run without this package, and inside the transforms of
    ``torch.func`` and forward-mode differentiation, for which the operator has no rules.
    """
    check_algorithm(algorithm)
    if group.order == 1 or is_transformed() or torch.compiler.is_exporting():
        return False
    has_operator = maps.device.type == "cpu" and HAS_LOOPS
    if algorithm != "auto":
        return algorithm == "fourier" and (has_operator or not torch.compiler.is_compiling())
    fitted = has_operator and maps.dtype == weight.dtype == torch.float32
    if not fitted or torch.is_autocast_enabled("cpu") or groups > 1:
        return False
    taps = (weight.shape[-2], weight.shape[-1])
    out = window.out_size((maps.shape[-2], maps.shape[-1]), taps)
    pixels = (maps.shape[0] * maps.shape[-2] * maps.shape[-1], maps.shape[0] * math.prod(out))
    shape = Shape.of(group, (weight.shape[1], weight.shape[0]), taps, pixels)
    backward = torch.is_grad_enabled() and (maps.requires_grad or weight.requires_grad)
    return predicted(shape, "fourier", backward=backward) < predicted(shape, "expand", backward=backward)
