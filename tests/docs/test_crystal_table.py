"""The tables of what crystal classes allow are those that the library counts; that of networks, what they measured."""

import re
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
    worth = tool["worth"]().splitlines()
    assert len(worth) == 2 + 11
    assert "| spherical layers, allowed harmonics | 200 | 1.9 to 6.0 | 1.7 to 3.0 |" in worth
    assert "| plain layers, quaternions in the fundamental zone | 800 | 32.4 to 84.9 | 8.3 to 69.8 |" in worth
    assert "| m-3m | 432, -43m, m-3m | 1 | · | · | · | 1 | · | 1 | · | 1 | 1 | 1 | · | 2 |" in orientations


def test_no_number_was_left_to_be_written() -> None:
    pages = [*TOOL.parents[1].rglob("*.md"), *TOOL.parents[2].glob("papers/*/README.md"), TOOL.parents[2] / "README.md"]
    left = {str(page): re.findall(r"^[A-Z]{4,}\.?$", page.read_text(encoding="utf-8"), re.MULTILINE) for page in pages}
    assert not {page: words for page, words in left.items() if words}
