"""Scores: what each term does, what pruning does, when an answer is sure."""

import math
import random
from dataclasses import replace
from pathlib import Path

import pytest

from equivision.discovery import Discovery, Trial, candidate
from equivision.discovery._page import covers
from equivision.discovery._result import containment
from equivision.discovery._score import CandidateScore, contenders, interval, scores, stability

NAMES = ("C1", "C2", "C4", "D4")
CANDIDATES = [candidate(name) for name in NAMES]


def trials(accuracies: dict[str, list[float]], drop: dict[str, float] | None = None) -> list[Trial]:
    """Finished trials; after a move that is not named, accuracy is what it was."""
    moves = candidate("D4").moves()
    return [
        Trial(
            name, seed, accuracy, 100, True, 1000,
            {key: accuracy - (drop or {}).get(key, 0.0) for key in moves} if name == "C1" else {}, [], 1.0,
        )
        for name, values in accuracies.items()
        for seed, accuracy in enumerate(values)
    ]  # fmt: skip


def rows(given: list[Trial], invariance: float = 0.1, complexity: float = 0.01) -> list[CandidateScore]:
    return scores(CANDIDATES, given, invariance=invariance, complexity=complexity)


def test_the_score_is_accuracy_minus_drop_minus_bits() -> None:
    drop = {"90°": 0.3, "180°": 0.1, "270°": 0.2}
    found = {row.name: row for row in rows(trials({"C1": [0.5, 0.7], "C2": [0.6, 0.8], "C4": [0.7, 0.9]}, drop))}
    assert found["C1"].score == pytest.approx(0.6)
    assert found["C2"].score == pytest.approx(0.7 - 0.1 * 0.1 - 0.01)
    assert found["C4"].score == pytest.approx(0.8 - 0.1 * 0.2 - 0.02)
    assert found["C4"].drop.mean == pytest.approx(0.2)
    assert found["C4"].accuracy.mean == pytest.approx(0.8)


def test_of_equals_the_smallest_wins() -> None:
    assert [row.name for row in rows(trials({name: [0.9, 0.9] for name in NAMES}))] == list(NAMES)


def test_what_the_data_says_counts_even_where_accuracies_are_the_same() -> None:
    given = trials(
        {"C1": [0.5, 0.5], "C2": [0.6, 0.6], "D4": [0.68, 0.68]}, {"mirrored, 0°": 0.7, "mirrored, 90°": 0.7}
    )
    assert rows(given, invariance=0.0)[0].name == "D4"
    assert rows(given, invariance=1.0)[0].name == "C2"


def test_an_accuracy_that_rises_is_no_drop() -> None:
    found = rows(trials({"C1": [0.5], "C2": [0.5]}, {"180°": -0.2}))
    assert all(row.drop.mean == 0 for row in found)


def test_drops_of_chance_do_not_cancel() -> None:
    """As the documentation says: a network that gets better by one move and worse by another has dropped."""
    found = {row.name: row for row in rows(trials({"C1": [0.5], "C4": [0.5]}, {"90°": 0.03, "270°": -0.03}))}
    assert found["C4"].drop.mean == pytest.approx(0.01)
    assert found["C1"].drop.mean == 0


def test_seeds_are_compared_with_the_plain_network_of_the_same_seed() -> None:
    """C2 ended in the easy split only; that must not make it look better than it is there."""
    given = trials({"C1": [0.9, 0.5], "C4": [0.92, 0.58], "C2": [0.91]})
    found = {row.name: row for row in rows(given, complexity=0.0)}
    assert found["C2"].score == pytest.approx(0.7 + 0.01)
    assert found["C4"].score == pytest.approx(0.7 + 0.05)


def test_stopped_candidates_rank_below() -> None:
    given = trials({"C1": [0.5, 0.5], "C4": [0.9, 0.9]})
    stopped = [replace(trial, finished=False, steps=30) if trial.candidate == "C4" else trial for trial in given]
    assert rows(given)[0].name == "C4"
    found = rows(stopped)
    assert [row.name for row in found] == ["C1", "C4"]
    assert not found[1].kept
    assert found[1].accuracy.mean == pytest.approx(0.9)


def stopped(given: list[Trial], *keys: tuple[str, int]) -> list[Trial]:
    """The same, some of them stopped at 0.2 of accuracy."""
    return [replace(one, finished=False, accuracy=0.2) if (one.candidate, one.seed) in keys else one for one in given]


def second_looks(given: list[Trial]) -> list[tuple[str, int]]:
    return contenders(CANDIDATES, given, invariance=0.1, complexity=0.01)


def test_what_may_be_the_best_is_looked_at_again() -> None:
    """One seed of C4 came to the end: whether it was luck is to be seen, if it comes near to the best."""
    rest = {"C1": [0.5, 0.52, 0.48], "C2": [0.8, 0.86, 0.74]}
    keys = ("C4", 0), ("C4", 2)
    near = stopped(trials({**rest, "C4": [0.9, 0.84, 0.9]}), *keys)
    assert second_looks(near) == list(keys)
    assert second_looks(stopped(trials({**rest, "C4": [0.9, 0.95, 0.9]}), *keys)) == list(keys)
    assert second_looks(stopped(trials({**rest, "C4": [0.9, 0.7, 0.9]}), *keys)) == []
    assert second_looks(trials({**rest, "C4": [0.9, 0.84, 0.9]})) == []


def test_what_was_stopped_in_every_seed_is_left() -> None:
    given = trials({"C1": [0.5, 0.6], "C2": [0.7, 0.7], "C4": [0.9, 0.9]})
    assert second_looks(stopped(given, ("C4", 0), ("C4", 1))) == []
    assert second_looks(stopped(given, *((name, seed) for name in ("C2", "C4") for seed in (0, 1)))) == []


def test_the_best_has_come_to_the_end_in_every_seed() -> None:
    """However training goes on: nothing that was stopped in some seeds has a higher score than the answer."""
    generator = random.Random(0)
    for _ in range(50):
        truth = {
            name: [0.5 + 0.1 * number + generator.gauss(0, 0.08) for _ in range(3)] for number, name in enumerate(NAMES)
        }
        every = trials(truth)
        keys = {(name, seed) for name in NAMES[1:] for seed in range(3) if generator.random() < 0.5}
        while wanted := second_looks(stopped(every, *keys)):
            assert keys.issuperset(wanted)
            keys -= set(wanted)
        found = rows(stopped(every, *keys))
        assert found[0].stopped == 0
        assert all(row.score <= found[0].score for row in found if row.finished)


def test_scores_that_are_not_ranked_are_in_brackets(tmp_path: Path) -> None:
    """One lucky seed of three was not stopped: the score is higher than that of the best, and says so in brackets."""
    given = trials({"C1": [0.5] * 3, "C2": [0.8] * 3, "C4": [0.9, 0.4, 0.4]})
    given = [replace(one, finished=one.candidate != "C4" or one.seed == 0) for one in given]
    weights = {"invariance": 0.1, "complexity": 0.01}
    settings = {"seeds": 3, "budget": 100, "parameters": 1000, **weights}
    found = Discovery(
        tuple(scores(CANDIDATES, given, **weights)), {}, stability(CANDIDATES, given, **weights),
        containment(CANDIDATES[:3]), None, settings, tuple(given),
    )  # fmt: skip
    ranked = {row.name: row for row in found.rows}
    assert list(ranked) == ["C2", "C1", "C4"]
    assert ranked["C4"].score == pytest.approx(0.9 - 0.02)
    assert ranked["C4"].score > ranked["C2"].score
    assert [row.shown_score for row in found.rows] == ["79.0", "50.0", "(88.0)"]
    assert found.best == "C2"
    assert "C4" not in found.undecided
    assert "(88.0)" in found.table()
    assert "in brackets: stopped early" in found.table()
    page = found.to_html(tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<td>(88.0)</td>" in page
    assert ">(88.0)</text>" in page
    finished = replace(found, rows=found.rows[:2])
    assert "bracket" not in finished.table()


def test_distances_are_paired_by_seed() -> None:
    """Splits differ by more than networks do; the difference is what has a narrow interval."""
    found = rows(trials({"C1": [0.5, 0.6, 0.9], "C2": [0.56, 0.65, 0.965]}))
    assert found[0].name == "C2"
    assert found[0].accuracy.half > 0.3
    assert found[1].behind.half < 0.03
    assert found[1].behind.mean == pytest.approx(0.06 + 0.05 / 3 - 0.05 / 3 - 0.01 - (0.01 - 0.025 / 3), abs=0.01)


def test_stability_says_where_weights_matter() -> None:
    sure = stability(CANDIDATES, trials({"C1": [0.5] * 3, "C4": [0.9] * 3}), invariance=0.1, complexity=0.005)
    assert sure.same_best == sure.rank_correlation == 1.0
    assert set(sure.best_without_seed.values()) == {"C4"}
    close = stability(
        CANDIDATES, trials({"C1": [0.5, 0.5], "C4": [0.5, 0.516]}), invariance=0.1, complexity=0.002
    )  # fmt: skip
    assert 0 < close.same_best < 1
    assert close.rank_correlation < 1
    assert close.best_by_weights[0.1, 0.001] == "C4"
    assert close.best_by_weights[0.1, 0.01] == "C1"
    assert close.best_without_seed == {0: "C4", 1: "C1"}


def test_intervals() -> None:
    found = interval([0.2, 0.4])
    assert found.mean == pytest.approx(0.3)
    assert found.half == pytest.approx(12.706 * 0.1, rel=1e-3)  # standard deviation 0.1414, over sqrt(2)
    assert math.isnan(interval([0.5]).half)
    assert str(interval([0.5])) == "50.0"
    assert interval([0.0, 1.0] * 20).half == pytest.approx(1.96 * 0.50637 / math.sqrt(40), rel=1e-3)


def test_the_lattice_has_no_superfluous_lines() -> None:
    contained = containment([candidate(name) for name in ("C1", "left-right", "C2", "D2", "C4", "D4", "learned")])
    assert "learned" not in contained
    assert set(covers(contained)) == {
        ("D1 left-right", "C1"), ("C2", "C1"), ("D2", "D1 left-right"), ("D2", "C2"), ("C4", "C2"), ("D4", "D2"),
        ("D4", "C4"),
    }  # fmt: skip
