"""Data sets of the hub, offline: one process, as the settings of ``datasets`` are read when it is imported."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# A cache as load_dataset leaves it, then what can be read from it.
SCRIPT = """
import json
from pathlib import Path
import datasets, pyarrow
from datasets.splits import SplitDict, SplitInfo
from equivision.data import MaskClasses, read_hub
from equivision.errors import DataError
from tests.data._make import cells, picture, png

features = datasets.Features(
    {"img": datasets.Image(), "mask": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])}
)
masks = [{"bytes": png(picture(2)), "path": None}] * 3
table = pyarrow.table({"img": cells(3), "mask": masks, "label": [1, 0, 1]}).cast(features.arrow_schema)
folder = Path(datasets.config.HF_DATASETS_CACHE) / "owner___shapes" / "default" / "0.0.0" / "abc"
folder.mkdir(parents=True)
datasets.DatasetInfo(
    features=features, splits=SplitDict({"train": SplitInfo("train", num_examples=3)}), config_name="default",
    dataset_name="shapes", builder_name="parquet", version="0.0.0",
).write_to_directory(str(folder))
with datasets.arrow_writer.ArrowWriter(features=features, path=str(folder / "shapes-train.arrow")) as writer:
    writer.write_table(table)

def message(*arguments, **options):
    try:
        return read_hub(*arguments, **options) and "no error"
    except DataError as error:
        return str(error)

data = read_hub("owner/shapes", "train", mask_column="mask")
target = read_hub("owner/shapes", "train", masks=MaskClasses(classes={"cat": (2,)}))
print(json.dumps({
    "images": data.images[:, 0, 0, 0].tolist(),
    "labels": data.labels.tolist(),
    "classes": data.class_names,
    "masks": data.masks.unique().tolist(),
    "target": [target.labels, target.class_names, target.masks.unique().tolist()],
    "slice": len(read_hub("owner/shapes", "train[:2]")),
    "unknown": message("owner/nothing", "train"),
    "config": message("owner/shapes", "train", config="large"),
    "split": message("owner/shapes", "test"),
    "column": message("owner/shapes", "train", label_column="kind"),
}))
"""


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    environment = {**os.environ, "HF_HOME": str(tmp_path_factory.mktemp("hub")), "HF_HUB_OFFLINE": "1"}
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, env=environment, cwd=root)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_cached_data_set_is_read_by_name_offline(result: dict[str, Any]) -> None:
    assert result["images"] == [0, 1, 2]
    assert result["labels"] == [1, 0, 1]
    assert result["classes"] == ["cat", "dog"]
    assert result["masks"] == [2]
    assert result["target"] == [None, ["background", "cat"], [1]]
    assert result["slice"] == 2


def test_what_is_not_cached_is_named_with_the_cure(result: dict[str, Any]) -> None:
    assert "'owner/nothing' (config None, split 'train') could not be loaded" in result["unknown"]
    assert "run datasets.load_dataset('owner/nothing', split='train') once where there is one" in result["unknown"]
    assert "HF_HOME" in result["unknown"]
    assert "(config 'large', split 'train') could not be loaded" in result["config"]
    assert "split 'test') could not be loaded" in result["split"]
    assert "owner/shapes (train) has no column 'kind': its columns are 'img', 'mask', 'label'" in result["column"]
