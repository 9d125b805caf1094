"""The redundancy of the filters: the table comes from the JSON files, and these are complete."""

import json
import statistics
from pathlib import Path

import pytest

from tests.papers._folder import PAPERS, script

FOLDER = PAPERS / "separable-2021"
RESULTS = sorted((FOLDER / "results-redundancy").glob("*.json"))


def test_the_table_is_the_one_that_the_results_give() -> None:
    finished = script(FOLDER, "redundancy.py", "--check")
    assert finished.returncode == 0, finished.stderr


def test_there_are_results() -> None:
    assert len(RESULTS) >= 3


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_result_is_complete(path: Path) -> None:
    result = json.loads(path.read_text())
    assert path.stem.endswith(f"-s{result['seed']}")
    assert (result["net"], result["train_variant"], result["epochs"]) == ("p4cnn", "rotated", 50)
    assert [layer["layer"] for layer in result["layers"]] == [2, 3, 4, 5, 6, 7]
    for layer in result["layers"]:
        assert len(layer["before"]) == len(layer["after"]) == 100
        assert all(0.25 <= ratio <= 1 for ratio in (*layer["before"], *layer["after"]))
        assert statistics.mean(layer["before"]) == pytest.approx(layer["random_uniform"], abs=0.03)
        assert layer["random_uniform"] < layer["random_normal"]
        assert statistics.mean(layer["after"]) > statistics.mean(layer["before"])
