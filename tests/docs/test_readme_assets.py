"""What README shows exists, and its table is the one that the demonstration's figures give."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINKS = sorted(set(re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text())))


def test_readme_shows_pictures() -> None:
    assert sum(link.endswith(".png") for link in LINKS) >= 2


@pytest.mark.costly(1)  # every one
@pytest.mark.parametrize("link", [link for link in LINKS if not link.startswith("http")])
def test_link_leads_somewhere(link: str) -> None:
    assert (ROOT / link).exists()


def test_table_is_that_of_the_demonstration() -> None:
    command = [sys.executable, str(ROOT / "docs" / "tools" / "demo_table.py"), "--check"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
