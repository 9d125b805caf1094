"""Running and importing the programs of a reproduction."""

import io
import json
import os
import runpy
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

Load = Callable[[str], ModuleType]
PAPERS = Path(__file__).parents[2] / "papers"


class Finished(NamedTuple):
    """What a program left."""

    returncode: int
    stdout: str
    stderr: str


def script(folder: Path, program: str, *arguments: str) -> Finished:
    """Run a program of the folder, there, as ``python program`` does, but in this process: importing takes seconds."""
    out, err = io.StringIO(), io.StringIO()
    before, code = (sys.path, sys.argv, Path.cwd()), 0
    sys.path, sys.argv = [str(folder), *sys.path], [program, *arguments]
    os.chdir(folder)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            runpy.run_path(str(folder / program), run_name="__main__")
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        err.write("" if isinstance(stop.code, int) else str(stop.code or ""))
    finally:
        sys.path, sys.argv = before[:2]
        os.chdir(before[2])
        for path in folder.glob("*.py"):
            sys.modules.pop(path.stem, None)
    return Finished(code, out.getvalue(), err.getvalue())


def check_published(folder: Path) -> None:
    """Every result that the tables show is there; more may have come in since."""
    published = json.loads((folder / "published.json").read_text())
    assert published == sorted(set(published))
    assert all((folder / "results" / f"{name}.json").exists() for name in published)
