"""The table of algorithms is the one that the committed measurements give."""

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TOOL = Path(__file__).parents[2] / "docs" / "tools" / "speed_table.py"


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    return runpy.run_path(str(TOOL))


def measured(expand: float, fourier: float, auto: float) -> dict[str, Any]:
    times = {"Conv2d": 6.0, "Conv2d, channels_last": 3.0, "expand": expand, "fourier": fourier, "auto": auto}
    return {"contestants": {name: {"median_ms": time} for name, time in times.items()}}


FOUND = {
    "machine": {"cpu": "CPU", "threads": 2, "torch": "2.0", "python": "3.11", "date": "2026-01-01"},
    "results": {
        "D4 3x3": {"forward": measured(6.0, 2.0, 2.05), "forward and backward": measured(8.0, 3.0, 8.0)},
        "C4 1x1": {"forward": measured(4.0, 5.0, 4.1), "forward and backward": measured(5.0, 6.0, 5.0)},
    },
}


def test_the_page_is_up_to_date() -> None:
    finished = subprocess.run([sys.executable, str(TOOL), "--check"], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr


def test_the_table(tool: dict[str, Any]) -> None:
    lines = tool["table"](FOUND).splitlines()
    assert lines[0] == "| layer | `Conv2d` | expand | fourier | auto | `Conv2d`, channels last |"
    assert (
        lines[2] == "| D4 3x3 | 6.0 / 6.0 ms | 1.00 × / 0.75 × | 3.00 × / 2.00 × | 2.93 × / 0.75 × | 2.00 × / 2.00 × |"
    )
    assert "on CPU, 2 threads, float32, torch 2.0, Python 3.11, 2026-01-01" in lines[-1]


def test_wrong_choices_are_listed(tool: dict[str, Any]) -> None:
    """More than 5 % slower than the better of the two."""
    lines = tool["losses"](FOUND).splitlines()
    assert lines == ["1 of 4.", "", "- D4 3x3, forward and backward: 2.67 times as long as `fourier`"]
    assert tool["losses"]({"results": {}}) == "0 of 0."


def test_layers_slower_than_the_better_layout_are_listed(tool: dict[str, Any]) -> None:
    assert tool["slower"](FOUND).splitlines() == [
        "3 of 4.",
        "",
        "- D4 3x3, forward and backward: 2.67 times as long as `Conv2d, channels_last`",
        "- C4 1x1, forward: 1.37 times as long as `Conv2d, channels_last`",
        "- C4 1x1, forward and backward: 1.67 times as long as `Conv2d, channels_last`",
    ]
