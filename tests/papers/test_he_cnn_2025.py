"""papers/he-cnn-2025: tables that come from the JSON files, a queue without doubles, a run from end to end."""

import json
import math
import os
from functools import partial
from pathlib import Path

import pytest
import torch

from tests.papers._folder import PAPERS, Load
from tests.papers._folder import script as _script

FOLDER = PAPERS / "he-cnn-2025"
RESULTS = sorted((FOLDER / "results").glob("*.json"))
script = partial(_script, FOLDER)


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_result_is_complete(path: Path, load: Load) -> None:
    result = json.loads(path.read_text())
    run, tables = load("run"), load("_networks").TABLES
    network = tables[result["table"]][result["network"]]
    assert run.Run(result["table"], result["network"], result["digits"], result["seed"]).result == path
    assert result["parameters"] == sum(p.numel() for p in network.build().parameters())
    train_images, test_images, epochs = run.BUDGETS[result["table"]]
    assert (result["train_images"], result["test_images"]) == (train_images, test_images)
    assert result["epochs"] == (network.epochs or epochs)
    exact = network.model not in ("small_z2cnn", "he_small_dynamic") and network.arguments.get("group") != "C1"
    exact = exact and network.arguments.get("combiner") != "none"
    assert (result["equivariance_error"]["float64"] <= 1e-12) == exact
    errors = result["test_error_percent"]
    assert (abs(errors["upright"] - errors["rotated90"]) < 0.02) == exact  # equivariance difference 0


def test_queue_lists_every_run_once(load: Load) -> None:
    run, networks = load("run"), load("_networks")
    names = [job.name for job in run.queue(2)]
    kinds = 2 * len(networks.SMALL) - 1 + len(networks.LARGE) + len(networks.CIFAR) + len(networks.TINY)
    claims = len(list(run.claims(1)))
    assert len(names) == len(set(names)) == kinds + claims
    finished = script("run.py", "--list", "--seeds", "2")
    assert [line.split(":")[0] for line in finished.stdout.splitlines()] == names


def test_networks_have_the_parameters_that_can_be_recovered(load: Load) -> None:
    tables = load("_networks").TABLES
    for table, name, count in (
        ("small", "CNN", 3_370), ("small", "Z4-CNN", 12_522), ("large", "P4-CNN", 97_990),
        ("large", "Z4-HE-CNN", 9_681_006),
    ):  # fmt: skip
        assert sum(p.numel() for p in tables[table][name].build().parameters()) == count


def test_tables(load: Load) -> None:
    run = {
        "table": "small", "network": "CNN", "digits": "upright", "parameters": 3_370, "hours": 0.25, "torch": "2",
        "test_error_percent": {"upright": 10.0, "rotated": 60.0, "rotated90": 70.0},
        "equivariance_error": {"float32": 0.5, "float64": 0.5},
    }  # fmt: skip
    text = load("table").text([run])
    cells = "| CNN | 96.29 / 90.00 | 34.81 / 40.00 | 17.76 / 30.00 | 53.33 | 50.00 | 5e-01 / 5e-01 | 3,370 | 1 | 0.25 |"
    assert cells in text
    large = {**run, "table": "large", "network": "P4-CNN", "digits": "rotated", "parameters": 97_990}
    assert "| P4-CNN | 97,990 | 97.72 | 40.00 | 5e-01 / 5e-01 | 1 | 0.25 |" in load("table").text([large])


@pytest.mark.costly(math.inf)
@pytest.mark.data
@pytest.mark.skipif(not os.environ.get("EQUIVISION_DATA"), reason="set EQUIVISION_DATA to the folder of cifar10/")
def test_pictures_and_a_line_of_their_table(load: Load) -> None:
    """The networks of one table take its pictures."""
    run, tables = load("run"), load("_networks").TABLES
    for table, size in (("cifar", 32), ("tiny", 65)):
        data = run.data_of(run.Run(table, "-", "upright", 0))
        assert (data.in_channels, data.batch_size, data.test_names) == (3, 64, ("upright", "rotated90"))
        for network in tables[table].values():
            assert network.build().eval()(torch.rand(1, 3, size, size)).shape == (1, 10)
    result = {
        "table": "tiny", "network": "Z4-WRN16", "digits": "upright", "parameters": 5, "hours": 0.25, "torch": "2",
        "test_error_percent": {"upright": 60.0, "rotated90": 60.0},
        "equivariance_error": {"float32": 1e-7, "float64": 1e-15},
    }  # fmt: skip
    line = "| Z4-WRN16 | 5 | 87.89 | 40.00 | 40.00 | 1e-07 / 1e-15 | 1 | 0.25 |"
    assert line in load("table").text([result])


@pytest.mark.filterwarnings("ignore:.*treespec, LeafSpec.*", "ignore:.*does not have many workers.*")
def test_a_run_from_end_to_end(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, data = load("run"), load("equivision.data")
    digits = data.read_digits()
    parts = [digits.take(range(first, first + 70)) for first in (0, 70)]
    for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):  # Lightning notes its seed in the environment
        monkeypatch.setenv(name, "0")
    monkeypatch.setattr(load("papers._common.runs"), "RUNS", tmp_path)
    monkeypatch.setitem(run.BUDGETS, "large", (70, 70, 2))
    monkeypatch.setattr(run.MNISTDataModule, "load", lambda self: data.Splits(parts[0], None, parts[1]))
    monkeypatch.setitem(run.BUDGETS, "small", (70, 70, 1))
    result = run.train(run.Run("small", "loss instead, corrected", "upright", 0))
    assert result["equivariance_error"]["float64"] > 1e-6
    result = run.train(run.Run("large", "C8-HE-CNN-L", "rotated", 0))
    assert result["equivariance_error"]["float64"] <= 1e-12
    assert set(result["test_error_percent"]) == {"upright", "rotated", "rotated90"}
    assert torch.load(tmp_path / "he-cnn-2025" / "large-C8-HE-CNN-L-rotated-s0" / "last.ckpt", weights_only=True)
    json.dumps(result)
