"""Contestants take turns, ratios are those of one round, and results of other parts stay where they may."""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import _measure
from benchmarks._measure import answer, interleave, save, step, summary

MEASURED = {"baseline": "a", "rounds": 2, "contestants": {"a": {"median_ms": 1.0, "quartiles_ms": [1, 1], "ratio": 1}}}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(_measure, "RESULTS", tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_contestants_take_turns_in_orders_that_differ() -> None:
    calls: list[str] = []
    runs = {name: (lambda name=name: calls.append(name)) for name in "abc"}
    seconds = interleave(runs, rounds=9, warmup=1)
    rounds = ["".join(calls[i : i + 3]) for i in range(0, 30, 3)]
    assert {"".join(sorted(order)) for order in rounds} == {"abc"}
    assert {first + second for order in rounds for first, second in pairwise(order)} == {
        *("ab", "ac", "ba", "bc", "ca", "cb")
    }
    assert {name: len(values) for name, values in seconds.items()} == {"a": 9, "b": 9, "c": 9}


def test_a_ratio_compares_calls_of_one_round() -> None:
    measured = summary({"a": [1.0, 10.0, 100.0], "b": [2.0, 20.0, 200.0]}, baseline="a")
    assert measured["rounds"] == 3
    assert measured["contestants"]["b"]["ratio"] == 2
    assert measured["contestants"]["b"]["median_ms"] == 20_000


def test_a_step_leaves_the_gradients_of_one_pass() -> None:
    torch.manual_seed(0)
    layer = torch.nn.Linear(3, 2)
    run = step(layer, torch.randn(4, 3))
    run()
    assert layer.weight.grad is not None
    first = layer.weight.grad.clone()
    run()
    torch.testing.assert_close(layer.weight.grad, first, rtol=0, atol=0)


def titles(folder: Path) -> set[str]:
    return set(json.loads((folder / "q.json").read_text())["results"])


def test_results_of_other_parts_are_kept_on_one_machine_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save("q", {"one": MEASURED}, add=True)
    save("q", {"two": MEASURED}, add=True)
    assert titles(folder) == {"one", "two"}
    here = _measure.machine()
    monkeypatch.setattr(_measure, "machine", lambda: here | {"load": 99.0, "date": "2000-01-01"})
    save("q", {"three": MEASURED}, add=True)
    assert titles(folder) == {"one", "two", "three"}
    monkeypatch.setattr(_measure, "machine", lambda: here | {"cpu": "another"})
    save("q", {"four": MEASURED}, add=True)
    assert titles(folder) == {"four"}
    save("q", {"five": MEASURED})
    assert titles(folder) == {"five"}


def parts(quick: bool) -> dict[str, Any]:
    return {name: lambda name=name: {f"{name}, {'quick' if quick else 'whole'}": MEASURED} for name in ("a", "b")}


def test_the_command_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer("q", "About.", parts, ["--quick"])
    assert "a, quick" in capsys.readouterr().out
    assert not list(folder.iterdir())
    answer("q", "About.", parts, [])
    assert titles(folder) == {"a, whole", "b, whole"}
    save("q", {"older": MEASURED})
    answer("q", "About.", parts, ["--only", "b"], e2cnn="1.0")
    assert titles(folder) == {"b, whole"}  # measured beside another package
    answer("q", "About.", parts, ["--only", "a"], e2cnn="1.0")
    assert titles(folder) == {"a, whole", "b, whole"}
    assert json.loads((folder / "q.json").read_text())["machine"]["e2cnn"] == "1.0"


def test_an_unknown_part(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        answer("q", "About.", parts, ["--only", "c"])
    assert "q has no part named 'c': choose among a, b" in capsys.readouterr().err
