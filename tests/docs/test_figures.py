"""The committed figures are what the code draws today, and every one is shown."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.docs._pages import PAGES, ROOT

FIGURES = ROOT / "docs/figures"


@pytest.fixture(scope="module")
def make_figures() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_figures", FIGURES / "make_figures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    spec.loader.exec_module(module)
    sys.path[:] = before
    return module


def test_committed_figures_are_up_to_date(make_figures: ModuleType, tmp_path: Path) -> None:
    make_figures.main(tmp_path)
    drawn = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    committed = {path.name: path.read_text(encoding="utf-8") for path in FIGURES.glob("*.svg")}
    assert drawn.keys() == committed.keys()
    stale = [name for name in drawn if drawn[name] != committed[name]]
    assert not stale, f"draw them again with python docs/figures/make_figures.py: {stale}"


def test_every_figure_is_shown_and_small() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for path in FIGURES.glob("*.svg"):
        assert f"figures/{path.name}" in text, f"{path.name} is on no page"
        assert path.stat().st_size < 40_000


def test_the_group_convolution_is_drawn_as_equal_and_the_plain_one_as_different() -> None:
    drawing = (FIGURES / "commute.svg").read_text(encoding="utf-8")
    assert drawing.count(">=<") == 1
    assert drawing.count(">\u2260<") == 1
