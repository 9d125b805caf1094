"""Every recipe that is shipped takes a step."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
import yaml
from PIL import Image
from pyarrow import parquet

from equivision.cli import main
from equivision.data import _datamodules_files, read_parquet

FOLDER = Path(__file__).parents[2] / "recipes"
RECIPES = sorted(FOLDER.glob("*.yaml"))
#: Of data that come with a package, or are made.
NO_DATA = ("digits-", "tracking-", "ph2-")
NEEDS_DATA = pytest.mark.skipif(
    not os.environ.get("EQUIVISION_DATA"),
    reason="set EQUIVISION_DATA to the folder that holds mnist/ and cifar10/ to run this recipe",
)


@pytest.fixture(autouse=True)
def _environment_as_it_was() -> Iterator[None]:
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="module")
def starts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder for files that hold the first pictures of others."""
    return tmp_path_factory.mktemp("starts")


@pytest.fixture(autouse=True)
def _files_are_short(monkeypatch: pytest.MonkeyPatch, starts: Path) -> None:
    """Of every parquet file the first 300 pictures: decoding all takes longer than the steps."""

    def start(file: Path) -> Path:
        short = starts / f"{file.parent.name}-{file.name}"
        if not short.exists():
            whole = parquet.ParquetFile(file)
            rows = next(whole.iter_batches(batch_size=300))
            parquet.write_table(pyarrow.Table.from_batches([rows], schema=whole.schema_arrow), short)
        return short

    def read(files: list[Path], **options: Any) -> Any:
        return read_parquet([start(file) for file in files], **options)

    monkeypatch.setattr(_datamodules_files, "read_parquet", read)


def parameters() -> list[object]:
    marks = {path: [] if path.stem.startswith(NO_DATA) else [pytest.mark.data, NEEDS_DATA] for path in RECIPES}
    return [pytest.param(path, marks=marks[path], id=path.stem) for path in RECIPES]


def made_lesions(root: Path) -> Path:
    """Pictures in the layout of PH2, of which the recipe takes 100 for validation and testing."""
    mask = np.zeros((8, 10), dtype=np.uint8)
    mask[2:5, 3:8] = 255
    for i in range(104):
        name = f"IMD{i:03d}"
        for part in ("Dermoscopic_Image", "lesion"):
            folder = root / "PH2 Dataset images" / name / f"{name}_{part}"
            folder.mkdir(parents=True)
            picture = Image.fromarray(mask)
            picture.convert("RGB" if part != "lesion" else "L").save(
                folder / (f"{name}.bmp" if part != "lesion" else f"{name}_lesion.bmp")
            )
    return root


def test_there_are_recipes() -> None:
    models = ("z2cnn", "p4cnn", "g_p4cnn", "gc_p4cnn", "p4mcnn", "alpha_p4cnn", "f_p4cnn", "a_p4cnn", "dren")
    names = {"digits-z2cnn", "digits-p4cnn", "cifar10-cnn13", "cifar10-resnet6"}
    names |= {*(f"rotated-mnist-{model}" for model in models)}
    assert names <= {path.stem for path in RECIPES}


@pytest.mark.costly(9)
@pytest.mark.parametrize("recipe", parameters())
def test_a_recipe_takes_a_step(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    options = {"trainer.fast_dev_run": "true", "trainer.accelerator": "cpu", "data.init_args.batch_size": "4"}
    if recipe.stem.startswith("tracking-"):
        options |= {"model.width": "2", "data.init_args.count": "60"}
    if recipe.stem.startswith(("wbc-", "ph2-")):
        options |= {"model.width": "2"}
    if recipe.stem.startswith("ph2-"):
        options |= {"data.init_args.root": str(made_lesions(tmp_path / "PH2")), "data.init_args.image_size": "32"}
    given = [word for name, value in options.items() for word in (f"--{name}", value)]
    assert main(["fit", "--config", str(recipe), *given]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert "fast_dev_run: everything works" in shown.out
    assert {path.name for path in tmp_path.iterdir()} <= {"PH2"}


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_named_after_its_run_and_says_how_to_run_it(recipe: Path) -> None:
    text = recipe.read_text(encoding="utf-8")
    assert yaml.safe_load(text)["run_dir"] == f"runs/{recipe.stem}"
    assert f"equivision fit --config recipes/{recipe.name}" in text
    command = "track" if recipe.stem.startswith("tracking-") else "test"
    assert f"equivision {command} --run_dir runs/{recipe.stem}" in text
