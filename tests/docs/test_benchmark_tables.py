"""The tables of the benchmarks are those that the committed measurements give, losses included."""

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TOOL = Path(__file__).parents[2] / "docs" / "tools" / "benchmark_tables.py"


@pytest.fixture(scope="module")
def tool() -> dict[str, Any]:
    before = list(sys.path)
    found = runpy.run_path(str(TOOL))
    sys.path[:] = before
    return found


def measured(**milliseconds: float) -> dict[str, Any]:
    base = next(iter(milliseconds.values()))
    return {
        "contestants": {
            name.replace("_", " "): {"median_ms": value, "ratio": value / base} for name, value in milliseconds.items()
        }
    }


MACHINE = {"cpu": "CPU", "threads": 2, "torch": "2.0", "python": "3.11", "date": "2026-01-01"}


def test_the_page_is_up_to_date() -> None:
    finished = subprocess.run([sys.executable, str(TOOL), "--check"], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr


def test_every_loss_is_listed(tool: dict[str, Any]) -> None:
    found = {
        "results": {"a": measured(plain=1.0, own=1.5), "b": measured(plain=1.0, own=0.5), "c": measured(plain=1.0)}
    }
    assert tool["slower"](found, ["own"], ["plain"]).splitlines() == ["1 of 2:", "", "- a: own 1.50 × plain"]
    assert tool["slower"](found, ["plain"], ["plain"]) == "None of 3."


def test_the_table_of_networks(tool: dict[str, Any]) -> None:
    sizes = {name: {"parameters": count} for name, count in (("equivariant", 1000), ("plain", 4000))}
    about = {"network": "net", "batch": 16, "sizes": sizes}
    passed = measured(plain=2.0, equivariant=4.0)
    passed["contestants"] |= {"plain, frozen": {"median_ms": 2.0}, "equivariant, frozen": {"median_ms": 1.0}}
    trained = measured(plain=10.0, equivariant=5.0)
    last = {"plain, channels last": {"median_ms": 4.0}, "equivariant, channels last": {"median_ms": 3.0}}
    trained["contestants"] |= last
    found = {"machine": MACHINE, "results": {"net, inference": passed | about, "net, train step": trained | about}}
    lines = tool["networks"](found).splitlines()
    assert lines[2] == (
        "| net, batch 16 | dense | 1,000 / 4,000 | 4.0 / 2.0 ms (2.00 ×) | 1.0 / 2.0 ms (0.50 ×) "
        "| 5.0 / 10.0 ms (0.50 ×) | 3.0 / 4.0 ms (0.75 ×) |"
    )
    assert "on CPU, 2 threads, float32, torch 2.0, Python 3.11, 2026-01-01" in lines[-1]


def test_the_table_of_growth(tool: dict[str, Any]) -> None:
    about = {"sweep": "width", "width": 64, "size": 14, "batch": 16}
    times = {"Conv2d": 2.0, "C2": 2.0, "C4": 1.0, "D2": 1.0, "D4": 0.5}
    results = {
        "width 64, forward": measured(**times) | about | {"kind": "forward"},
        "width 64, forward and backward": measured(**times) | about | {"kind": "forward and backward"},
    }
    lines = tool["scaling"]({"machine": MACHINE, "results": results}).splitlines()
    assert lines[2] == (
        "| 64 channels, 14×14, batch 16 | 2.00 / 2.00 ms | 1.00 / 1.00 | 0.50 / 0.50 | 0.50 / 0.50 | 0.25 / 0.25 |"
    )
