"""Data sets of the hub, offline. The settings of ``datasets`` are read when it is imported: each test is a process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MAKE_CACHE = """
import os, sys
from pathlib import Path
import datasets, pyarrow
from datasets.splits import SplitDict, SplitInfo
from tests.data._make import cells, picture, png

features = datasets.Features(
    {"img": datasets.Image(), "mask": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])}
)
masks = [{"bytes": png(picture(2)), "path": None}] * 3
table = pyarrow.table({"img": cells(3), "mask": masks, "label": [1, 0, 1]})
folder = Path(datasets.config.HF_DATASETS_CACHE) / "owner___shapes" / "default" / "0.0.0" / "abc"
folder.mkdir(parents=True)
splits = SplitDict({"train": SplitInfo("train", num_examples=3)})
info = datasets.DatasetInfo(
    features=features, splits=splits, config_name="default", dataset_name="shapes", builder_name="parquet", version="0.0.0"
)
info.write_to_directory(str(folder))
data = datasets.Dataset(table.cast(features.arrow_schema), info=info)
with datasets.arrow_writer.ArrowWriter(features=features, path=str(folder / "shapes-train.arrow")) as writer:
    writer.write_table(data.data.table)
"""


def run(code: str, home: Path) -> str:
    environment = {**os.environ, "HF_HOME": str(home), "HF_HUB_OFFLINE": "1"}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=Path(__file__).parents[2]
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hub")
    run(MAKE_CACHE, folder)
    return folder


def test_a_cached_data_set_is_read_by_name_offline(home: Path) -> None:
    code = """
import json
from equivision.data import HubDataModule, read_hub
data = read_hub("owner/shapes", "train", mask_column="mask")
module = HubDataModule("owner/shapes", test_split=None, test_size=1, batch_size=2)
print(json.dumps({
    "images": data.images[:, 0, 0, 0].tolist(), "labels": data.labels.tolist(), "classes": data.class_names,
    "masks": data.masks.unique().tolist(), "slice": len(read_hub("owner/shapes", "train[:2]")),
    "module": [module.num_classes, module.in_channels, *module.image_size, len(module.splits.train)],
}))
"""
    assert json.loads(run(code, home).splitlines()[-1]) == {
        "images": [0, 1, 2],
        "labels": [1, 0, 1],
        "classes": ["cat", "dog"],
        "masks": [2],
        "slice": 2,
        "module": [2, 1, 6, 6, 2],
    }


def test_what_is_not_cached_is_named_with_the_cure(home: Path) -> None:
    code = """
import json
from equivision.data import read_hub
from equivision.errors import DataError
messages = []
for arguments, options in [
    (("owner/nothing", "train"), {}),
    (("owner/shapes", "train"), {"config": "large"}),
    (("owner/shapes", "test"), {}),
    (("owner/shapes", "train"), {"label_column": "kind"}),
]:
    try:
        read_hub(*arguments, **options)
    except DataError as error:
        messages.append(str(error))
print(json.dumps(messages))
"""
    unknown, config, split, column = json.loads(run(code, home).splitlines()[-1])
    assert "'owner/nothing' (config None, split 'train') could not be loaded" in unknown
    assert "run datasets.load_dataset('owner/nothing', split='train') once where there is one" in unknown
    assert "HF_HOME" in unknown
    assert "(config 'large', split 'train') could not be loaded" in config
    assert "split 'test') could not be loaded" in split
    assert "owner/shapes (train) has no column 'kind': its columns are 'img', 'mask', 'label'" in column
