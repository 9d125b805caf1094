"""The tables of every reproduction are those that its published results give."""

from pathlib import Path

import pytest

from tests.papers._folder import PAPERS, check_published, script

FOLDERS = sorted(path.parent for path in PAPERS.glob("*/table.py"))


def test_every_reproduction_has_a_table() -> None:
    assert sorted(path.parent for path in PAPERS.glob("*/run.py")) == FOLDERS


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_readme_tables_are_those_that_the_published_results_give(folder: Path) -> None:
    finished = script(folder, "table.py", "--check")
    assert finished.returncode == 0, finished.stderr


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_published_results_are_there(folder: Path) -> None:
    check_published(folder)
