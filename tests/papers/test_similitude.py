"""papers/similitude: networks of one size, tables that come from the JSON files, a queue without doubles, a run."""

import json
from functools import partial
from pathlib import Path

import pytest
import torch

from tests.papers._folder import PAPERS, Load
from tests.papers._folder import script as _script

FOLDER = PAPERS / "similitude"
RESULTS = sorted((FOLDER / "results").glob("*.json"))
script = partial(_script, FOLDER)


def parameters(net: torch.nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_result_is_complete(path: Path, load: Load) -> None:
    result, run = json.loads(path.read_text()), load("run")
    assert run.Run(result["network"], result["training"], result["seed"]).result == path
    assert (result["epochs"], result["train_images"], result["test_images"]) == (run.EPOCHS, 2000, 2000)
    assert result["parameters"] == parameters(load("_networks").BY_NAME[result["network"]].build())
    assert result["test_error_percent"].keys() == run.TESTS.keys()
    assert all(0 < error < 100 for error in result["test_error_percent"].values())
    assert result["change_with_pose"] > 0


def test_queue_lists_every_run_once(load: Load) -> None:
    names = [job.name for job in load("run").queue(2)]
    assert len(names) == len(set(names)) == 2 * 2 * 4
    assert [line.split(":")[0] for line in script("run.py", "--list", "--seeds", "2").stdout.splitlines()] == names


def test_networks_have_as_many_parameters(load: Load) -> None:
    counts = [parameters(network.build()) for network in load("_networks").NETWORKS]
    assert max(counts) < 1.06 * min(counts)


def test_tables(load: Load) -> None:
    errors = dict(zip(load("run").TESTS, (4.0, 10.0, 20.0, 30.0), strict=True))
    run = {
        "network": "turns", "training": "upright", "seed": 0, "parameters": 6_006, "million_macs": 35.0, "hours": 0.1,
        "torch": "2", "test_error_percent": errors, "change_with_pose": 0.5,
    }  # fmt: skip
    other = {**run, "seed": 1, "test_error_percent": {**errors, "upright": 5.0}}
    text = load("table").text([run, other])
    assert "| turns | 6,006 | 35.0 | 4.50 ± 0.71 | 10.00 ± 0.00 | 20.00 ± 0.00 | 30.00 ± 0.00 | 0.50 ± 0.00 |" in text
    assert text.count("not run yet") == 7


@pytest.mark.filterwarnings("ignore:.*treespec, LeafSpec.*", "ignore:.*does not have many workers.*")
def test_a_run_from_end_to_end(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, data = load("run"), load("equivision.data")
    digits = data.read_digits()
    parts = [digits.take(range(first, first + 25)) for first in (0, 40)]
    for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):  # Lightning notes its seed in the environment
        monkeypatch.setenv(name, "0")
    monkeypatch.setattr(load("papers._common.runs"), "RUNS", tmp_path)
    monkeypatch.setattr(run, "EPOCHS", 1)
    monkeypatch.setattr(run.MNISTDataModule, "load", lambda self: data.Splits(parts[0], None, parts[1]))
    result = run.train(run.Run("turns and scales", "turned and shrunk", 0))
    assert result["test_error_percent"].keys() == run.TESTS.keys()
    assert result["million_macs"] == pytest.approx(59.2)
    assert (tmp_path / "similitude" / "turns_and_scales-turned_and_shrunk-s0" / "last.ckpt").exists()
    json.dumps(result)
