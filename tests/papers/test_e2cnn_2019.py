"""papers/e2cnn-2019: tables that come from the JSON files, a queue without doubles, a run from end to end."""

import json
from functools import partial
from pathlib import Path

import pytest
import torch

from tests.papers._folder import PAPERS, Load
from tests.papers._folder import script as _script

FOLDER = PAPERS / "e2cnn-2019"
RESULTS = sorted((FOLDER / "results").glob("*.json"))
script = partial(_script, FOLDER)


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_result_is_complete(path: Path, load: Load) -> None:
    result = json.loads(path.read_text())
    run, network = load("run"), load("_networks").BY_NAME[result["network"]]
    assert run.Run(result["network"], result["seed"]).result == path
    assert result["parameters"] == sum(p.numel() for p in network.build().parameters())
    assert (result["epochs"], result["batch_size"], result["test_images"]) == (run.EPOCHS, 64, 50_000)
    assert all(0 < error < 100 for error in result["test_error_percent"].values())
    assert (result["equivariance_error"]["float64"] <= 1e-12) == (result["network"] != "C1")


def test_queue_lists_every_run_once(load: Load) -> None:
    names = [job.name for job in load("run").queue(2)]
    assert len(names) == len(set(names)) == 2 * len(load("_networks").NETWORKS)
    assert [line.split(":")[0] for line in script("run.py", "--list").stdout.splitlines()] == names


def test_networks_have_about_as_many_parameters_as_their_control(load: Load) -> None:
    networks = load("_networks").BY_NAME
    counts = {name: sum(p.numel() for p in networks[name].build().parameters()) for name in ("C16", "C1", "D8")}
    assert max(counts.values()) < 1.02 * min(counts.values())


def test_table(load: Load) -> None:
    run = {
        "network": "C16", "seed": 0, "parameters": 227_578, "hours": 1.5, "torch": "2",
        "test_error_percent": {"rotated": 0.9, "upright": 1.1},
        "equivariance_error": {"float32": 2e-7, "float64": 3e-16},
    }  # fmt: skip
    text = load("table").table([run, {**run, "seed": 1, "test_error_percent": {"rotated": 1.1, "upright": 1.1}}])
    assert "| C16 | 227,578 | 0.68 | 1.00 ± 0.14 | 1.10 ± 0.00 | 2e-07 / 3e-16 | 2 | 3.00 |" in text
    assert text.count("not run yet") == 4


@pytest.mark.filterwarnings("ignore:.*treespec, LeafSpec.*", "ignore:.*does not have many workers.*")
def test_a_run_from_end_to_end(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, data = load("run"), load("equivision.data")
    digits = data.read_digits()
    parts = [digits.take(range(first, first + 70)) for first in (0, 70)]
    for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):  # Lightning notes its seed in the environment
        monkeypatch.setenv(name, "0")
    monkeypatch.setattr(load("papers._common.runs"), "RUNS", tmp_path)
    monkeypatch.setattr(run, "EPOCHS", 1)
    monkeypatch.setattr(run.MNISTDataModule, "load", lambda self: data.Splits(parts[0], None, parts[1]))
    result = run.train(run.Run("harmonic", 0))
    assert result["equivariance_error"]["float64"] <= 1e-12
    assert set(result["test_error_percent"]) == {"rotated", "upright"}
    assert torch.load(tmp_path / "e2cnn-2019" / "harmonic-s0" / "last.ckpt", weights_only=True)["epoch"] == 0
    json.dumps(result)
