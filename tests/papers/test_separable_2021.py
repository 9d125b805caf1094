"""The reproduction's table comes from its JSON files, and its queue knows what is left."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "papers" / "separable-2021"
RESULTS = sorted((FOLDER / "results").glob("*.json"))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=FOLDER, check=False)


def test_readme_table_is_the_one_that_the_results_give() -> None:
    finished = run("table.py", "--check")
    assert finished.returncode == 0, finished.stderr


def test_there_are_results() -> None:
    assert RESULTS


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_result_is_complete(path: Path) -> None:
    result = json.loads(path.read_text())
    assert path.stem == f"{result['net']}-{result['train_variant']}-s{result['seed']}"
    assert set(result["test_error_percent"]) == {"upright", "rotated", "rotated90"}
    assert all(0 < error < 100 for error in result["test_error_percent"].values())
    assert result["parameters"] == {"z2cnn": 25_210, "p4cnn": 24_810}[result["net"]]
    assert result["epochs"] >= 1
    assert result["torch"]
    if result["net"] == "p4cnn":
        assert result["equivariance_error"]["float64"] <= 1e-12
        errors = result["test_error_percent"]
        assert errors["upright"] == pytest.approx(errors["rotated90"], abs=0.01)
    else:
        assert result["equivariance_error"]["float64"] > 1e-3


def test_queue_lists_every_run_once() -> None:
    finished = run("run.py", "--list")
    assert finished.returncode == 0, finished.stderr
    names = [line.split(":")[0] for line in finished.stdout.splitlines()]
    assert len(names) == len(set(names)) == 12
    done = {line.split(":")[0] for line in finished.stdout.splitlines() if line.endswith(": done")}
    assert done == {path.stem for path in RESULTS}
