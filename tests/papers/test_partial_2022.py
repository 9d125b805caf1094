"""Partial equivariance at a small budget: its data, its controls, and tables that come from the JSON files."""

import json
from functools import partial
from pathlib import Path

import pytest
import torch

from equivision.continuous import partial_layers
from equivision.data import Splits, read_digits
from tests.papers._folder import PAPERS, Load
from tests.papers._folder import script as _script

FOLDER = PAPERS / "partial-2022"
RESULTS = sorted((FOLDER / "results").glob("*.json"))

script = partial(_script, FOLDER)


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_result_is_complete(path: Path, load: Load) -> None:
    result = json.loads(path.read_text())
    run, networks = load("run"), load("_networks")
    assert run.Run(result["network"], result["task"], result["epochs"], result["seed"]).result == path
    network = networks.NETWORKS[result["network"], result["task"]]
    assert result["parameters"] == sum(p.numel() for p in network.build().parameters())
    assert len(result["p"]) == (0 if network.p is None else 4)
    assert all(0 <= p <= 1 for p in result["p"])
    assert 0 <= result["test_error_percent"] < 95
    if network.p_gradient is None and network.p is not None:
        assert result["p"] == [network.p] * 4
    if network.p_gradient is None and network.p != 0:
        assert max(result["turn_errors"].values()) <= 1e-12


def test_queue_lists_every_run_once(load: Load) -> None:
    run = load("run")
    names = [job.name for job in run.queue(2)]
    assert len(names) == len(set(names)) == 2 * len(load("_networks").NETWORKS)
    finished = script("run.py", "--list", "--seeds", "2")
    assert [line.split(":")[0] for line in finished.stdout.splitlines()] == names, finished.stderr


def test_controls_hold_p(load: Load) -> None:
    networks = load("_networks")
    for network in (*networks.PARTIAL, *networks.CONTROLS):
        layers = partial_layers(network.build())
        assert {layer.coverage for layer in layers} == {network.p}
        assert {layer.p.requires_grad for layer in layers} == {network.p_gradient is not None}


def test_every_other_six_is_upside_down(load: Load) -> None:
    digits = read_digits()
    found = load("run").sixes(digits)
    assert digits.labels is not None
    expected = digits.images[digits.labels == 6]
    assert torch.equal(found.images[::2], expected[::2])
    assert torch.equal(found.images[1::2], expected[1::2].rot90(2, (-2, -1)))
    assert found.labels.tolist() == [i % 2 for i in range(len(expected))]


def test_a_table_shows_what_was_run_and_says_what_is_missing(load: Load) -> None:
    table = load("table")
    run = {
        "network": "p from 1, shift", "task": "six", "p": [1.0, 0.5, 0.25, 0.0], "test_error_percent": 4.0,
        "turn_errors": {"quarter": 0.5, "half": 1.5}, "hours": 0.1, "torch": "2", "parameters": 1,
    }  # fmt: skip
    rows = table.partial([run], "six")
    assert "| p from 1, shift | 1.00, 0.50, 0.25, 0.00 | 96.00 | 5e-01 / 2e+00 | 1 | 0.10 |" in rows
    assert sum("not run yet" in row for row in rows) == 5
    assert sum("not run yet" in row for row in table.others([run])) == 2


@pytest.mark.filterwarnings("ignore:.*treespec, LeafSpec.*", "ignore:.*exists and is not empty.*")
@pytest.mark.filterwarnings("ignore:.*does not have many workers.*")
def test_a_run_from_end_to_end(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, digits = load("run"), read_digits()
    parts = [digits.take(range(first, first + 70)) for first in (0, 70)]
    for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):  # Lightning notes its seed in the environment
        monkeypatch.setenv(name, "0")
    monkeypatch.setattr(load("papers._common.runs"), "RUNS", tmp_path)
    monkeypatch.setattr(run.RotatedDigits, "load", lambda self: Splits(parts[0], None, parts[1]))
    result = run.train(run.Run("p held at 1", "rotated", 1, 0))
    assert result["turn_errors"]["quarter"] <= 1e-12
    assert result["p"] == [1.0] * 4
    result = run.train(run.Run("p from 0.5, elements", "rotated", 1, 0))
    assert set(result["p"]) != {0.5}
    json.dumps(result)
