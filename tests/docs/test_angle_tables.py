"""The numbers of the page on angles are those of the committed results, the losses included."""

import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TOOL = Path(__file__).parents[2] / "docs" / "tools" / "angle_tables.py"


@pytest.fixture(scope="module")
def tool() -> dict[str, Any]:
    before = list(sys.path)
    found = runpy.run_path(str(TOOL))
    sys.path[:] = before
    return found


@pytest.fixture
def found(tool: dict[str, Any]) -> dict[str, Any]:
    return json.loads(tool["RESULTS"].read_text())


def test_the_page_is_up_to_date() -> None:
    finished = subprocess.run([sys.executable, str(TOOL), "--check"], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr


def test_numbers(tool: dict[str, Any]) -> None:
    assert [tool["percent"](e) for e in (1e-7, 0.0123, 0.314)] == ["exact", "1.2 %", "31 %"]


def test_all_modes_and_orders_are_shown(tool: dict[str, Any], found: dict[str, Any]) -> None:
    lines = tool["orientations"](found).splitlines()
    assert lines[0] == "| kernels | n = 4 | n = 8 | n = 16 | n = 32 | n = 64 |"
    assert len(lines) == 2 + 8
    assert all(line.split("|")[2].strip().endswith("/ exact") for line in lines[2:])


def test_every_case_in_which_steerable_is_worse_is_listed(tool: dict[str, Any], found: dict[str, Any]) -> None:
    """What is made worse by hand appears, what is made better goes."""
    logits = found["results"]["networks, stride"]["errors"]
    logits["SO(2) irreps"]["logits"] = [2 * e for e in logits["C16"]["logits"]]
    assert "- `SO(2) irreps` beside `C16`, logits: stride (" in tool["losses"](found)
    logits["SO(2) irreps"]["logits"] = logits["C16"]["logits"]
    assert "beside `C16`, logits: stride (" not in tool["losses"](found)
