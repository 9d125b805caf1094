"""The table of what generated weights cost is the one that the committed measurements give."""

import runpy
import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[2] / "docs" / "tools" / "hyper_table.py"


def test_the_page_is_up_to_date() -> None:
    finished = subprocess.run([sys.executable, str(TOOL), "--check"], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr


def test_the_table() -> None:
    tool = runpy.run_path(str(TOOL))
    rows = {name: {"median_ms": 2.0 * (i + 1), "ratio": 0.5} for i, name in enumerate(tool["COLUMNS"])}
    memory = {"this network": 350.4, "nothing but imports": 250.0}
    found = {
        "machine": {"cpu": "CPU", "threads": 2, "torch": "2.0", "date": "2026-01-01"},
        "results": {"net": {"contestants": rows, "peak_memory_mib": memory}},
    }
    lines = tool["table"](found).splitlines()
    assert lines[2] == "| `net` | 2.0 ms | 4.0 ms | 6.0 ms | 0.50 | 100 MiB |"
    assert lines[-1].endswith("CPU, 2 thread(s), torch 2.0, 2026-01-01.")
