"""papers/sesn-2020: tables that come from the JSON files, a queue without doubles, a run from end to end."""

import json
from functools import partial
from pathlib import Path

import pytest
import torch

from tests.papers._folder import PAPERS, Load
from tests.papers._folder import script as _script

FOLDER = PAPERS / "sesn-2020"
RESULTS = sorted((FOLDER / "results").glob("*.json"))
script = partial(_script, FOLDER)


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_result_is_complete(path: Path, load: Load) -> None:
    result = json.loads(path.read_text())
    run, network = load("run"), load("_networks").BY_MODEL[result["model"]]
    assert run.Run(result["model"], result["size"], result["seed"]).result == path
    budget = run.BUDGETS[result["size"]]
    shown = result["width"], result["epochs"], result["test_images"]
    assert shown == (budget.width, budget.epochs, budget.test_images)
    assert result["train_images"] == 10_000
    assert result["parameters"] == sum(p.numel() for p in network.build(result["size"], budget.width).parameters())
    assert all(0 < error < 100 for error in result["test_error_percent"].values())
    assert result["change_with_scale"] > 0


def test_queue_lists_every_run_once(load: Load) -> None:
    names = [job.name for job in load("run").queue(2)]
    assert len(names) == len(set(names)) == 2 * 2 * len(load("_networks").NETWORKS)
    assert [line.split(":")[0] for line in script("run.py", "--list", "--seeds", "2").stdout.splitlines()] == names


def test_networks_have_about_as_many_parameters_as_the_plain_one(load: Load) -> None:
    """All but the one that learns, which has a channel for every scale and shares nothing."""
    networks = [network for network in load("_networks").NETWORKS if not network.scales]
    counts = [sum(p.numel() for p in network.build(28, 16).parameters()) for network in networks]
    assert max(counts) < 1.02 * min(counts)


def test_tables(load: Load) -> None:
    run = {
        "model": "dss", "size": 56, "seed": 0, "parameters": 31_000, "hours": 1.5, "torch": "2", "epochs": 6,
        "test_error_percent": {"scaled": 2.9, "upright": 2.1}, "change_with_scale": 0.25,
    }  # fmt: skip
    text = load("table").text([run, {**run, "seed": 1, "test_error_percent": {"scaled": 3.1, "upright": 2.1}}])
    assert "| DSS | 31,000 | 1.57 | 3.00 ± 0.14 | 2.10 ± 0.00 | 0.25 ± 0.00 | 6 | 2 | 3.00 |" in text
    assert text.count("not run yet") == 11
    assert "| SESN, vector | - | 1.76 | not run yet |" in text


@pytest.mark.filterwarnings("ignore:.*treespec, LeafSpec.*", "ignore:.*does not have many workers.*")
@pytest.mark.parametrize(("model", "size"), [("sesn_vector", 28), ("dss", 56)])
def test_a_run_from_end_to_end(
    model: str, size: int, load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, data = load("run"), load("equivision.data")
    digits = data.read_digits()
    parts = [digits.take(range(first, first + 40)) for first in (0, 40)]
    for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):  # Lightning notes its seed in the environment
        monkeypatch.setenv(name, "0")
    monkeypatch.setattr(load("papers._common.runs"), "RUNS", tmp_path)
    monkeypatch.setattr(run, "BUDGETS", {size: run.Budget(2, 1, (), 40)})
    monkeypatch.setattr(run.ScaleMNISTDataModule, "load", lambda self: data.Splits(parts[0], None, parts[1]))
    result = run.train(run.Run(model, size, 0))
    assert set(result["test_error_percent"]) == {"scaled", "upright"}
    assert result["change_with_scale"] > 1e-3
    assert torch.load(tmp_path / "sesn-2020" / f"{model}-{size}-s0" / "last.ckpt", weights_only=True)["epoch"] == 0
    json.dumps(result)
