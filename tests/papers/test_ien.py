"""papers/ien-2021: tables that come from the JSON files, a queue without doubles, a run from end to end."""

import json
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path
from types import ModuleType

import pytest
import torch

from tests.papers._folder import PAPERS, Load
from tests.papers._folder import script as _script

FOLDER = PAPERS / "ien-2021"
RESULTS = sorted((FOLDER / "results").glob("*.json"))
script = partial(_script, FOLDER)


#: Baselines whose layers move exactly under every motion that is tried.
EXACT = ("E2CNN", "ResNet18 R4 E2CNN", "ResNet18 R4R E2CNN", "VGG R4 E2CNN", "VGG R4R E2CNN")


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_result_is_complete(path: Path, load: Load) -> None:
    result = json.loads(path.read_text())
    run, network = load("run"), load("_networks").BY_NAME[result["network"]]
    budget = run.BUDGETS[network.table]
    assert run.Run(result["network"], result["seed"]).result == path
    assert result["parameters"] == sum(p.numel() for p in network.build().parameters())
    shown = (result["train_images"], result["test_images"], result["epochs"], result["batch_size"])
    assert shown == (budget.train_images, budget.test_images, budget.epochs, budget.batch)
    assert result["beta"] == network.beta
    assert all(0 < error < 100 for error in result["test_error_percent"].values())
    assert (result["equivariance_error"]["float64"] <= 1e-12) == ("E2CNN" in network.name)
    assert (max(result["layer_differences"].values()) <= 1e-12) == (network.name in EXACT)


def test_queue_lists_every_run_once(load: Load) -> None:
    """Table 5 with the first seed, pictures, table 5 with the second, and the pictures that cost most."""
    networks, queue = load("_networks"), load("run").queue(2)
    names = [job.name for job in queue]
    assert len(names) == len(set(names)) == 2 * len(networks.DIGITS) + len(networks.RESNET) + len(networks.VGG)
    tables = ["digits" if networks.BY_NAME[job.network].table == "digits" else "pictures" for job in queue]
    assert [table for table, _ in groupby(tables)] == ["digits", "pictures", "digits", "pictures"]
    assert {networks.BY_NAME[job.network].motions for job in queue[-8:]} == {"R8"}
    assert {job.seed for job in queue if networks.BY_NAME[job.network].table != "digits"} == {0}
    assert [line.split(":")[0] for line in script("run.py", "--list", "--seeds", "2").stdout.splitlines()] == names


def test_networks_of_one_set_of_motions_have_equally_many_channels(load: Load) -> None:
    """But for feature groups of several sizes, which have 68.75 % of them."""
    for network in (*load("_networks").RESNET, *load("_networks").VGG):
        order = {"R4": 4, "R8": 8, "R4R": 8}[network.motions]
        whole, net = 4 * order, network.build()
        first = next(m for m in net.modules() if hasattr(m, "out_channels"))
        channels = first.out_channels * (order if "E2CNN" in network.name else 1)
        assert channels == (0.6875 * whole if "Het" in network.name else whole)


def test_tables(load: Load) -> None:
    run = {
        "network": "E2CNN", "seed": 0, "parameters": 171_658, "macs": 55_586_112, "hours": 0.5, "torch": "2",
        "test_error_percent": {"rotated": 2.0, "upright": 1.5},
        "layer_differences": {f"features.conv{i}": 2e-30 for i in range(1, 7)},
        "equivariance_error": {"float32": 2e-7, "float64": 3e-16},
    }  # fmt: skip
    again = {**run, "seed": 1, "test_error_percent": {"rotated": 2.2, "upright": 1.5}}
    picture = {
        **run, "network": "ResNet18 R4R E2CNN", "layer_differences": {f"stages.{i}": 10.0**-i for i in range(4)},
        "test_error_percent": {"rotated_reflected": 60.0, "upright": 65.0, "reflected": 66.0},
    }  # fmt: skip
    vgg = {
        **run, "network": "VGG R4 IEN", "layer_differences": {f"features.conv{i}": 10.0**-i for i in range(1, 9)},
        "test_error_percent": {"rotated": 60.0, "upright": 65.0},
    }  # fmt: skip
    text = load("table").text([run, again, picture, vgg])
    assert "| E2CNN | 171,658 | 55.6 M | 98.8 | 97.90 ± 0.14 | 98.50 ± 0.00 | 2e-30 | 2e-30 |" in text
    assert "| 2e-07 / 3e-16 | 2 | 1.00 |" in text
    assert "| 55.9 | 40.00 | 35.00 | 34.00 | 1e+00 | 1e-01 | 1e-02 | 1e-03 | 2e-07 / 3e-16 | 1 | 0.50 |" in text
    assert "| 47.4 | 40.00 | 35.00 | - | 1e-01 | 1e-03 | 1e-05 | 1e-07 | 2e-07 / 3e-16 | 1 | 0.50 |" in text
    lines = [line.count("|") for line in text.splitlines() if line.startswith("|")]
    assert [columns for columns, _ in groupby(lines)] == [16, 15]
    assert text.count("not run yet") == 6 + 12 + 12


@pytest.mark.filterwarnings("ignore:.*treespec, LeafSpec.*", "ignore:.*does not have many workers.*")
@pytest.mark.costly(4)
@pytest.mark.parametrize("name", ["Het-IEN beta 1", "ResNet18 R4 E2CNN", "VGG R4R IEN", "VGG R8 E2CNN"])
def test_a_run_from_end_to_end(name: str, load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, data = load("run"), load("equivision.data")
    network = load("_networks").BY_NAME[name]
    budget = replace(run.BUDGETS[network.table], epochs=1, batch=16)
    for key in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):  # Lightning notes its seed in the environment
        monkeypatch.setenv(key, "0")
    monkeypatch.setattr(load("papers._common.runs"), "RUNS", tmp_path)
    monkeypatch.setitem(run.BUDGETS, network.table, budget)
    for module in (run.MNISTDataModule, run.ParquetDataModule):
        monkeypatch.setattr(module, "load", lambda self: pieces(data, network.table, budget.size))
    job = run.Run(name, 0)
    result = run.train(job)
    assert set(result["test_error_percent"]) >= {network.variant, "upright"}
    assert ("reflected" in result["test_error_percent"]) == (network.motions == "R4R")
    assert len(result["layer_differences"]) == {"digits": 6, "resnet": 4, "vgg": 8}[network.table]
    assert (max(result["layer_differences"].values()) <= 1e-12) == (name in EXACT)
    assert result["layer_variances"].keys() == result["layer_differences"].keys()
    assert min(result["layer_variances"].values()) > 1e-6
    assert (result["equivariance_error"]["float64"] <= 1e-12) == ("E2CNN" in name)
    assert torch.load(tmp_path / "ien-2021" / job.name / "last.ckpt", weights_only=True)["epoch"] == 0
    json.dumps(result)


def pieces(data: ModuleType, table: str, size: int) -> object:
    """Few digits; in the place of pictures, those in a frame of their size, with three channels."""
    digits = data.read_digits()
    if table != "digits":
        margin = size - digits.images.shape[-1]
        framed = torch.nn.functional.pad(digits.images, (0, margin, 0, margin))
        digits = replace(digits, images=framed.expand(-1, 3, -1, -1))
    return data.Splits(digits.take(range(32)), None, digits.take(range(70, 102)))
