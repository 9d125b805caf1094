"""Committed benchmark results say what was asked, what was measured, and on which machine."""

import json
from pathlib import Path

import pytest

RESULTS = sorted((Path(__file__).parents[2] / "benchmarks" / "results").glob("*.json"))


def test_there_are_results() -> None:
    assert RESULTS


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_schema(path: Path) -> None:
    result = json.loads(path.read_text())
    assert result["question"] == path.stem
    assert {"cpu", "cores", "threads", "python", "torch", "equivision", "date"} <= set(result["machine"])
    for measured in result["results"].values():
        assert measured["baseline"] in measured["contestants"]
        assert measured["contestants"][measured["baseline"]]["ratio"] == 1
        for row in measured["contestants"].values():
            low, high = row["quartiles_ms"]
            assert 0 < low <= row["median_ms"] <= high
