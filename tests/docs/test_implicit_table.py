"""The tables of what the loss costs and feature groups save are those that the committed measurements give."""

import runpy
import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[2] / "docs" / "tools" / "implicit_table.py"


def test_the_page_is_up_to_date() -> None:
    finished = subprocess.run([sys.executable, str(TOOL), "--check"], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr


def test_the_table() -> None:
    tool = runpy.run_path(str(TOOL))
    found = {
        "machine": {"cpu": "CPU", "threads": 2, "torch": "2.0", "date": "2026-01-01"},
        "results": {
            "training, width 8": {"contestants": {"plain step": {"median_ms": 10.0, "ratio": 1.0}}},
            "inference": {
                "contestants": {"4-2-1": {"median_ms": 20.4, "ratio": 0.5}}, "macs": {"4-2-1": 26_467_872},
                "parameters": {"4-2-1": 323_772},
            },
        },
    }  # fmt: skip
    lines = tool["table"](found).splitlines()
    assert lines[2] == "| width 8, plain step | 10 ms | 1.00 |"
    assert lines[6] == "| `4-2-1` | 26 M | 323,772 | 20 ms |"
    assert lines[-1].endswith("CPU, 2 thread(s), torch 2.0, 2026-01-01.")
