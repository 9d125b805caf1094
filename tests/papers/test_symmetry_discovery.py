"""papers/symmetry-discovery: data have the symmetry that is said, tables come from JSON, a run from end to end."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.papers._folder import PAPERS, Load
from tests.papers._folder import script as _script

FOLDER = PAPERS / "symmetry-discovery"
RESULTS = sorted((FOLDER / "results").glob("*.json"))
script = partial(_script, FOLDER)


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_result_is_complete(path: Path, load: Load) -> None:
    result = json.loads(path.read_text())
    run = load("run")
    question, found = load("_data").QUESTIONS[result["data"]], result["found"]
    assert run.Run(result["data"], result["seed"]).result == path
    assert (found["settings"]["budget"], found["settings"]["seeds"]) == (run.BUDGET, run.SEEDS)
    assert found["settings"]["train_size"] == question.train_size
    assert found["settings"]["parameters"] == question.options["parameters"]
    assert result["right"] == (not question.right or found["best"] in question.right)
    assert found["best"] == found["rows"][0]["name"]


def test_queue_lists_every_run_once(load: Load) -> None:
    names = [job.name for job in load("run").queue(3)]
    questions = load("_data").QUESTIONS.values()
    assert len(names) == len(set(names)) == sum(3 if one.right else 1 for one in questions)
    assert [line.split(":")[0] for line in script("run.py", "--list", "--seeds", "3").stdout.splitlines()] == names


def test_right_answers_are_among_the_candidates(load: Load) -> None:
    candidates = load("equivision.discovery").candidate
    for one in load("_data").QUESTIONS.values():
        assert set(one.right) <= {candidates(name).name for name in one.options["candidates"]}


def test_half_of_the_mirrored_digits_are_mirrored(load: Load) -> None:
    data = load("_data")
    plain, mirrored = data.digits(4), data.mirrored_digits(4)
    same = torch.stack([(a == b).all() for a, b in zip(plain.images, mirrored.images, strict=True)])
    assert 0.4 < same.double().mean() < 0.6
    assert torch.equal(mirrored.images[~same], plain.images[~same].flip(-1))
    assert torch.equal(mirrored.labels, plain.labels)


def test_sensors_are_told_by_the_label_alone_where_they_differ(load: Load) -> None:
    """The first sensor sees the digit of the class; the others see any digit."""
    data, digits = load("_data").first_sensor(0), load("_data").digits(0)
    assert data.images.shape[1] == 4
    assert torch.equal(data.images[:, :1], digits.images)
    assert torch.equal(data.labels, digits.labels)
    other = load("_data").digits(1).labels
    assert float((other == data.labels).double().mean()) < 0.2


def test_the_classes_are_numbered_anew(load: Load) -> None:
    data = load("_data").sixes_and_nines(0)
    assert data.class_names == ("6", "9")
    assert data.labels.unique().tolist() == [0, 1]


def test_a_run_from_end_to_end(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search is kept where it can go on, and the table counts its answer."""
    run, data = load("run"), load("_data")
    options: dict[str, Any] = {"candidates": ("left-right",), "parameters": 300}
    small = data.Question(
        "6-against-9", "", lambda seed: data.sixes_and_nines(seed).take(range(60)), ("C1",), 20, options
    )
    monkeypatch.setattr(load("papers._common.runs"), "RUNS", tmp_path)
    monkeypatch.setattr(run, "QUESTIONS", {"6-against-9": small})
    monkeypatch.setattr(run, "BUDGET", 4)
    result = run.train(run.Run("6-against-9", 0))
    assert (tmp_path / "symmetry-discovery" / "6-against-9-s0" / "study.db").exists()
    assert "| 6-against-9 | not half a turn |" in load("table").text([json.loads(json.dumps(result))])
    assert f"| {int(result['right'])} of 1 | {result['found']['best']} 1 |" in load("table").text([result])
