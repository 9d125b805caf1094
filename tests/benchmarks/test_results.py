"""Committed benchmark results say what was asked, what was measured, and on which machine."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

RESULTS = sorted((Path(__file__).parents[2] / "benchmarks" / "results").glob("*.json"))
#: Nothing is compared in time.
RAW = {"algorithm_grid", "gpu_correctness", "error_by_angle", "error_by_pose", "e2cnn_kernels"}


def comparisons(results: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All comparisons, at any depth."""
    if "contestants" in results:
        yield results
        return
    for value in results.values():
        yield from comparisons(value)


def test_there_are_results() -> None:
    assert RESULTS


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_schema(path: Path) -> None:
    result = json.loads(path.read_text())
    assert result["question"] == path.stem
    assert {"cpu", "cores", "threads", "python", "torch", "equivision", "date"} <= set(result["machine"])
    if path.stem in RAW:
        return
    found = list(comparisons(result["results"]))
    assert found
    for measured in found:
        assert measured["contestants"][measured["baseline"]]["ratio"] == 1
        for row in measured["contestants"].values():
            low, high = row["quartiles_ms"]
            assert 0 < low <= row["median_ms"] <= high
