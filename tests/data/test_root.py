from pathlib import Path

import pytest

from equivision.data import data_folder
from equivision.errors import DataError


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "all" / "mnist").mkdir(parents=True)
    (tmp_path / "all" / "cells").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("EQUIVISION_DATA", str(tmp_path / "all"))
    return tmp_path


def test_the_default_lies_below_the_variable(base: Path) -> None:
    assert data_folder(None, "mnist") == base / "all" / "mnist"


def test_a_path_that_exists_is_taken_as_it_stands(base: Path) -> None:
    (base / "here" / "cells").mkdir()
    assert data_folder("cells", "mnist").resolve() == base / "here" / "cells"
    assert data_folder(base / "all", "mnist") == base / "all"


def test_a_relative_path_is_looked_for_below_the_variable(base: Path) -> None:
    assert data_folder("cells") == base / "all" / "cells"


def test_a_missing_folder_is_named(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        DataError, match=r"there is no folder plankton nor .*all/plankton: check root= and EQUIVISION_DATA"
    ):
        data_folder("plankton")
    with pytest.raises(DataError, match=r"there is no folder .*all/fish: check"):
        data_folder(None, "fish")
    monkeypatch.delenv("EQUIVISION_DATA")
    with pytest.raises(DataError, match=r"there is no folder plankton .*EQUIVISION_DATA, which is not set"):
        data_folder("plankton")


def test_without_path_and_variable_the_message_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EQUIVISION_DATA", raising=False)
    with pytest.raises(DataError, match=r"'mnist': pass root=, or set .* EQUIVISION_DATA .*export EQUIVISION_DATA="):
        data_folder(None, "mnist")
