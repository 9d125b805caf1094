"""papers/ien-2021: tables that come from the JSON files, a queue without doubles, a run from end to end."""

import json
from functools import partial
from pathlib import Path

import pytest
import torch

from tests.papers._folder import PAPERS, Load
from tests.papers._folder import script as _script

FOLDER = PAPERS / "ien-2021"
RESULTS = sorted((FOLDER / "results").glob("*.json"))
script = partial(_script, FOLDER)


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_result_is_complete(path: Path, load: Load) -> None:
    result = json.loads(path.read_text())
    run, network = load("run"), load("_networks").BY_NAME[result["network"]]
    assert run.Run(result["network"], result["seed"]).result == path
    assert result["parameters"] == sum(p.numel() for p in network.build().parameters())
    assert (result["epochs"], result["batch_size"], result["test_images"]) == (run.EPOCHS, 64, 50_000)
    assert result["beta"] == network.beta
    assert all(0 < error < 100 for error in result["test_error_percent"].values())
    exact = result["network"] == "E2CNN"
    assert (result["equivariance_error"]["float64"] <= 1e-12) == exact
    assert (max(result["layer_differences"].values()) <= 1e-12) == exact


def test_queue_lists_every_run_once(load: Load) -> None:
    names = [job.name for job in load("run").queue(2)]
    assert len(names) == len(set(names)) == 2 * len(load("_networks").NETWORKS)
    assert [line.split(":")[0] for line in script("run.py", "--list", "--seeds", "2").stdout.splitlines()] == names


def test_table(load: Load) -> None:
    run = {
        "network": "E2CNN", "seed": 0, "parameters": 171_658, "macs": 55_586_112, "hours": 0.5, "torch": "2",
        "test_error_percent": {"rotated": 2.0, "upright": 1.5},
        "layer_differences": {f"features.conv{i}": 2e-30 for i in range(1, 7)},
        "equivariance_error": {"float32": 2e-7, "float64": 3e-16},
    }  # fmt: skip
    text = load("table").table([run, {**run, "seed": 1, "test_error_percent": {"rotated": 2.2, "upright": 1.5}}])
    assert "| E2CNN | 171,658 | 55.6 M | 98.8 | 97.90 ± 0.14 | 98.50 ± 0.00 | 2e-30 | 2e-30 |" in text
    assert "| 2e-07 / 3e-16 | 2 | 1.00 |" in text
    assert text.count("not run yet") == 6


@pytest.mark.filterwarnings("ignore:.*treespec, LeafSpec.*", "ignore:.*does not have many workers.*")
def test_a_run_from_end_to_end(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, data = load("run"), load("equivision.data")
    digits = data.read_digits()
    parts = [digits.take(range(first, first + 64)) for first in (0, 70)]
    for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):  # Lightning notes its seed in the environment
        monkeypatch.setenv(name, "0")
    monkeypatch.setattr(load("papers._common.runs"), "RUNS", tmp_path)
    monkeypatch.setattr(run, "EPOCHS", 1)
    monkeypatch.setattr(run.MNISTDataModule, "load", lambda self: data.Splits(parts[0], None, parts[1]))
    result = run.train(run.Run("Het-IEN beta 1", 0))
    assert set(result["test_error_percent"]) == {"rotated", "upright"}
    assert list(result["layer_differences"]) == [f"features.conv{i}" for i in range(1, 7)]
    assert torch.load(tmp_path / "ien-2021" / "Het-IEN-beta-1-s0" / "last.ckpt", weights_only=True)["epoch"] == 0
    json.dumps(result)
