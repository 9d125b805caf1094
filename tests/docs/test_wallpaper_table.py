"""The numbers for kernels of a triangular lattice are those that the tool finds."""

import runpy
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "docs" / "tools" / "wallpaper_table.py"


def test_the_page_is_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(TOOL), "--check"])
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(SystemExit) as finished:
        runpy.run_path(str(TOOL), run_name="__main__")
    assert finished.value.code == 0


def test_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under C6 answers move the more the shorter the waves and the more taps there are; free kernels are far."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    lines = runpy.run_path(str(TOOL))["table"]().splitlines()[2:]
    found = [[float(cell.split()[0]) for cell in line.split("|")[2:5]] for line in lines]
    near, free = found[::2], found[1::2]
    for row in (*near, *map(list, zip(*near, strict=True))):
        assert row == sorted(row)
    assert max(map(max, near)) < 10 < 40 < min(map(min, free))
