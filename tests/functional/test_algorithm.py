"""What ``algorithm="auto"`` takes: what is asked for, where it can run, and what a cost model finds faster."""

import importlib.util
import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch

from equivision.functional import _algorithm
from equivision.functional._algorithm import takes_fourier
from equivision.functional._cost_model import COSTS, GROUPS, PASSES, PRODUCTS, Shape, fit, predicted
from equivision.groups import PlanarGroup, cyclic, dihedral
from equivision.kernels import Window

C1, C4, D4 = cyclic(1), cyclic(4), dihedral(4)
SAME = Window((1, 1), (1, 1), (1, 1))
ROOT = Path(__file__).parents[2]


def takes(
    algorithm: str = "auto",
    *,
    group: PlanarGroup = D4,
    fields: int = 128,
    batch: int = 16,
    size: int = 14,
    groups: int = 1,
    **options: Any,
) -> bool:
    """The choice for a layer with a 3 x 3 kernel."""
    maps = torch.empty(batch, fields * group.order, size, size, **options)
    weight = torch.empty(fields, fields // groups, group.order, 3, 3, **options)
    return takes_fourier(algorithm, maps, weight, group, SAME, groups)


@pytest.fixture
def loops(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if numba were installed; nothing is computed here."""
    monkeypatch.setattr(_algorithm, "HAS_LOOPS", True)


@pytest.mark.usefixtures("loops")
def test_words() -> None:
    assert takes("fourier", fields=1)
    assert not takes("expand")
    assert not takes("fourier", group=C1)


@pytest.mark.usefixtures("loops")
@pytest.mark.parametrize("backward", [False, True])
def test_auto_chooses_what_should_be_faster(backward: bool) -> None:
    """Few fields are expanded, many are not."""
    assert takes(requires_grad=backward)
    assert not takes(requires_grad=backward, fields=2)
    assert not takes(requires_grad=backward, group=C1)


@pytest.mark.usefixtures("loops")
def test_auto_expands_where_nothing_was_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not takes(dtype=torch.float64)
    assert not takes(dtype=torch.bfloat16)
    assert not takes(device="meta")
    assert not takes(groups=2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not takes()
    assert takes()
    monkeypatch.setattr(_algorithm, "HAS_LOOPS", False)
    assert not takes()


@pytest.mark.parametrize(("name", "products"), {"C1": 1, "C2": 2, "D1": 2, "D2": 4, "C4": 6, "D4": 12}.items())
def test_products(name: str, products: int) -> None:
    assert PRODUCTS[name] == products


def test_sizes_that_costs_depend_on() -> None:
    shape = Shape.of(C4, (2, 3), (3, 5), (70, 60))
    assert shape.products_expand == 2 * 3 * 15 * 16 * 60
    assert shape.products_fourier == 2 * 3 * 15 * 6 * 60
    assert shape.gathered == 2 * 15 * 4 * 60  # numbers in the panels
    assert shape.values == 4 * (2 * 70 + 3 * 60)
    assert shape.weights == 2 * 3 * 15 * 4
    assert Shape.of_layer("C4", 5, 2, 3, 3, 7) == Shape.of(C4, (2, 3), (3, 3), (245, 245))


def test_fit_finds_the_costs_that_made_the_times() -> None:
    sizes = product(GROUPS, (1, 16), (8, 64), (1, 3), (7, 14))
    shapes = [Shape.of_layer(group, batch, fields, fields, kernel, n) for group, batch, fields, kernel, n in sizes]
    samples = [
        (shape, kind, {name: predicted(shape, name, kind) / 1e6 for name in ("expand", "fourier")})
        for shape in shapes
        for kind in PASSES
    ]
    found = fit(samples)
    assert found.keys() == COSTS.keys()
    for name, factors in found.items():
        assert factors == pytest.approx(COSTS[name], rel=2e-3)


def test_no_cost_is_negative() -> None:
    """Times that shrink with the number of weights cannot be: they count as 0."""
    shapes = [Shape.of_layer(g, b, f, f, 3, 9) for g in GROUPS for b in (1, 2, 4, 8) for f in (8, 16, 32, 64)]
    times = [1e-6 * (1e6 + shape.products_expand - 20 * shape.weights) for shape in shapes]
    rows = [(shape, {"expand": time, "fourier": time}) for shape, time in zip(shapes, times, strict=True)]
    found = fit([(shape, kind, time) for shape, time in rows for kind in PASSES])
    assert all(min(factors) >= 0 for factors in found.values())


def test_the_published_costs_are_those_of_the_published_measurements() -> None:
    spec = importlib.util.spec_from_file_location("algorithms", ROOT / "benchmarks" / "algorithms.py")
    assert spec is not None
    assert spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    rows = json.loads((ROOT / "benchmarks" / "results" / "algorithm_grid.json").read_text())["results"]["rows"]
    found = fit(benchmark.samples(rows))
    for name, factors in found.items():
        assert factors == pytest.approx(list(COSTS[name]), rel=1e-2), name
