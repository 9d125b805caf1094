"""What a group convolution costs by either algorithm: a model, fitted on measurements."""

import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from equivision.groups import PlanarGroup, planar
from equivision.kernels import orbit_plan

Costs = Mapping[str, Sequence[float]]
#: Groups whose loops are those of another one, which is measured.
MEASURED: Mapping[str, str] = {"D1": "C2"}
GROUPS = ("C2", "C4", "D2", "D4")
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


class Pass(NamedTuple):
    """What costs are fitted for, each by itself: other code runs.

    Args:
        pointwise: a 1x1 kernel without stride and padding.
        last: feature maps that lie channels last in memory.
        backward: with the gradients of input and weights.
    """

    pointwise: bool = False
    last: bool = False
    backward: bool = False

    def key(self, algorithm: str, group: str) -> str:
        """What the costs of an algorithm are kept under; to an expanded convolution all groups are the same."""
        first = "expand" if algorithm == "expand" else f"fourier {MEASURED.get(group, group)}"
        words = ("1x1", "channels last", "backward")
        return ", ".join([first, *(word for word, given in zip(words, self, strict=True) if given)])


PASSES = tuple(Pass(*flags) for flags in itertools.product((False, True), repeat=3))


class Shape(NamedTuple):
    """The group, and the sizes that costs depend on."""

    group: str
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
            group.name,
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


def predicted(shape: Shape, algorithm: str, kind: Pass, costs: Costs = COSTS) -> float:
    """Nanoseconds that an algorithm should take."""
    return sum(f * t for f, t in zip(costs[kind.key(algorithm, shape.group)], shape.terms(algorithm), strict=True))


def fit(samples: Iterable[tuple[Shape, Pass, Mapping[str, float]]]) -> dict[str, tuple[float, ...]]:
    """Factors, none negative, that predict measured milliseconds with the least relative error.

    Only the choice matters, so layers on which one algorithm is far ahead weigh little.
    """
    found, samples = {}, list(samples)
    for algorithm, group, kind in itertools.product(("expand", "fourier"), GROUPS, PASSES):
        key = kind.key(algorithm, group)
        if key in found:
            continue
        chosen = [(shape, ms) for shape, one, ms in samples if one.key(algorithm, shape.group) == key]
        lead = np.array([math.log(ms["expand"] / ms["fourier"]) for _, ms in chosen])
        weights = 1 / np.hypot(1, lead / CLOSE)
        rows = np.array([[t / (ms[algorithm] * 1e6) for t in s.terms(algorithm)] for s, ms in chosen])
        factors = _nonnegative(rows * weights[:, None], weights)
        found[key] = tuple(float(f"{f:.4g}") for f in factors)
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
