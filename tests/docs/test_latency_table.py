"""The table of latencies is the one that the committed measurements give."""

import runpy
import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[2] / "docs" / "tools" / "latency_table.py"


def test_the_page_is_up_to_date() -> None:
    finished = subprocess.run([sys.executable, str(TOOL), "--check"], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr


def test_the_table() -> None:
    forms = ("eager", "compiled", "frozen", "onnx")
    times = {form: {"median_ms": 4.0 / (i + 1)} for i, form in enumerate(forms)}
    times |= {f"plain {form}": {"median_ms": 2.0 / (i + 1)} for i, form in enumerate(forms)}
    found = {
        "machine": {"cpu": "CPU", "threads": 2, "torch": "2.0", "date": "2026-01-01"},
        "results": {"net, batch 1": {"contestants": times, "onnxruntime": "1.0"}},
    }
    lines = runpy.run_path(str(TOOL))["table"](found).splitlines()
    assert lines[0] == "| network | eager | compiled | frozen | onnxruntime |"
    assert lines[2] == "| net, batch 1 | 4.00 ms (2.00 ×) | 2.00 ms (2.00 ×) | 1.33 ms (2.00 ×) | 1.00 ms (2.00 ×) |"
    assert "Medians on CPU, 2 thread(s), torch 2.0, onnxruntime 1.0, 2026-01-01" in lines[-1]
