"""Canonicalised digits: tables that come from the JSON files, and what the runs must have found to be published."""

import json
from functools import partial
from pathlib import Path

import pytest
import torch

from tests.papers._folder import PAPERS, Load
from tests.papers._folder import script as _script

FOLDER = PAPERS / "canonicalization-2023"
RESULTS = sorted((FOLDER / "results").glob("*.json"))
script = partial(_script, FOLDER)


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_result_is_complete(path: Path, load: Load) -> None:
    result, run = json.loads(path.read_text()), load("run")
    assert run.Run(result["kind"], result["seed"]).result == path
    kind = run.KINDS[result["kind"]]
    assert (result["title"], result["losses"]) == (kind.title, {"task": kind.task, "prior": kind.prior})
    assert set(result["test_error_percent"]) == set(run.TESTS)
    assert all(0 < error < 100 for error in result["test_error_percent"].values())
    error = result["equivariance_error"]
    if kind is run.PLAIN:
        assert error["float64"] > 0.1
    else:
        assert error["float64"] <= 1e-12
        assert error["float32"] <= 1e-5
        assert result["test_error_percent"]["upright"] == result["test_error_percent"]["rotated90"]
    canonical = kind not in (run.PLAIN, run.AVERAGE)
    assert (result["identity_fraction"] is not None) == canonical


def test_queue_lists_every_run_once_and_a_plain_network_before_what_needs_it(load: Load) -> None:
    run = load("run")
    queue = run.queue(2)
    assert len(queue) == len(set(queue)) == 2 * len(run.KINDS)
    assert [job.seed for job in queue if job.kind == "plain"] == [0, 1]
    assert queue[0].kind == "plain"
    finished = script("run.py", "--list", "--seeds", "2")
    assert [line.split(":")[0] for line in finished.stdout.splitlines()] == [job.name for job in queue], finished.stderr


def test_runs_from_end_to_end(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, digits = load("run"), load("equivision.data").read_digits()
    parts = tuple(digits.take(range(first, first + 70)) for first in (0, 70))
    monkeypatch.setattr(load("papers._common.runs"), "RUNS", tmp_path)
    monkeypatch.setattr(run, "digits", lambda: parts)
    monkeypatch.setattr(run, "PLAIN_EPOCHS", 1)
    before = None
    for kind in ("plain", "average", "frames", "untrained", "task-prior"):
        result = run.train(run.Run(kind, 0))
        json.dumps(result)
        assert (result["equivariance_error"]["float64"] <= 1e-12) == (kind != "plain")
        saved = torch.load(tmp_path / "canonicalization-2023" / "plain-s0" / "weights.pt", weights_only=True)["weights"]
        assert before is None or all(torch.equal(saved[name], before[name]) for name in saved)
        before = saved
