import subprocess
import sys
from pathlib import Path

import pytest

from equivision.data import find_parquet, read_digits, read_hub, read_parquet, read_pictures
from equivision.data._extras import require
from equivision.errors import MissingExtraError
from tests.data._make import picture


def test_importing_loads_none_of_the_optional_packages() -> None:
    names = ["PIL", "pyarrow", "datasets", "sklearn", "lightning", "pandas", "scipy"]
    code = f"import sys, equivision.data; print([name for name in {names} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_a_missing_package_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    picture(1).save(tmp_path / "a.png")
    cases = [
        ("PIL.Image", "pillow", lambda: read_pictures(tmp_path)),
        ("pyarrow.parquet", "pyarrow", lambda: read_parquet(tmp_path / "a.parquet")),
        ("datasets", "datasets", lambda: read_hub("owner/name", "train")),
        ("sklearn.datasets", "scikit-learn", read_digits),
    ]
    for module, package, call in cases:
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, module, None)
            with pytest.raises(
                MissingExtraError, match=rf"needs the package '{package}'.*pip install 'equivision\[data\]'"
            ):
                call()


def test_without_lightning_all_but_the_data_modules_works() -> None:
    code = """
import sys
sys.modules["lightning"] = None
import equivision.data as data
assert data.named_variant("rotated").name == "rotated"
try:
    data.DigitsDataModule
except data._extras.MissingExtraError as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "needs the package 'lightning', which is not installed" in result.stdout
    assert "pip install 'equivision[train]'" in result.stdout


def test_a_package_that_is_broken_itself_is_not_called_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_package_of_a_test.py").write_text("import something_that_does_not_exist_at_all")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="something_that_does_not_exist_at_all") as caught:
        require("broken_package_of_a_test", "broken", "testing")
    assert not isinstance(caught.value, MissingExtraError)


def test_the_package_knows_its_names() -> None:
    import equivision.data

    assert {"MNISTDataModule", "read_mnist"} <= set(dir(equivision.data))
    assert all(hasattr(equivision.data, name) for name in dir(equivision.data))
    with pytest.raises(AttributeError, match="has no attribute 'ImageNetDataModule'"):
        equivision.data.ImageNetDataModule  # noqa: B018
    assert callable(find_parquet)
