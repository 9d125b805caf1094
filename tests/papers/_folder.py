"""Running and importing the programs of a reproduction."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

Load = Callable[[str], ModuleType]
PAPERS = Path(__file__).parents[2] / "papers"


def script(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the folder, there."""
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=folder, check=False)


def check_published(folder: Path) -> None:
    """Every result that the tables show is there; more may have come in since."""
    published = json.loads((folder / "published.json").read_text())
    assert published == sorted(set(published))
    assert all((folder / "results" / f"{name}.json").exists() for name in published)
