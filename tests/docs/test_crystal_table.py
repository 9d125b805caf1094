"""The tables of what crystal classes allow are those that the library counts."""

import runpy
import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[2] / "docs" / "tools" / "crystal_table.py"


def test_the_page_is_up_to_date() -> None:
    finished = subprocess.run([sys.executable, str(TOOL), "--check"], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr


def test_the_tables() -> None:
    tool = runpy.run_path(str(TOOL))
    harmonics, orientations = (tool[name]().splitlines() for name in ("harmonics", "orientations"))
    assert len(harmonics) == 2 + 32
    assert len(orientations) == 2 + 11
    assert "| cubic | 432 | m-3m | 1 | · | · | · | 1 | · | 1 | · | 1 | 1 | 1 | · | 2 |" in harmonics
    assert "| m-3m | 432, -43m, m-3m | 1 | · | · | · | 1 | · | 1 | · | 1 | 1 | 1 | · | 2 |" in orientations
