"""A search that several processes share: who begins first, who trains what, what is taken over."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from equivision.discovery import Trial, _discover, _study
from equivision.errors import ConfigError
from tests.discovery.test_discover import search

#: Imports all, becomes two processes, and searches in both. Every read of the trials is slow, and so is the step
#: between making tables and saying so. Prints what each has trained.
PROCESSES = """
import os, sys, time, torch
import optuna, sqlalchemy
import equivision as ev
from optuna.storages._rdb import storage as rdb

def slow(function):
    def called(*args, **options):
        found = function(*args, **options)
        time.sleep(0.3)
        return found
    return called

torch.set_num_threads(1)
rdb._VersionManager._is_alembic_supported = slow(rdb._VersionManager._is_alembic_supported)
optuna.Study.get_trials = slow(optuna.Study.get_trials)
images = torch.randn(24, 1, 9, 9, generator=torch.Generator().manual_seed(0))
other = os.fork()
found = ev.discover(
    (images, torch.arange(24) % 2), candidates=["C2"], budget=2, seeds=1, parameters=50, storage=sys.argv[1],
    device="cpu", on_trial=lambda trial: print("trained", trial.candidate, trial.seed, flush=True),
)
assert len(found.trials) == 2
if other:
    assert os.waitpid(other, 0)[1] == 0
"""


def test_processes_may_begin_a_search_together(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", PROCESSES, str(tmp_path / "study.db")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == ["trained C1 0", "trained C2 0"]
    study = pytest.importorskip("optuna").load_study(study_name="discovery", storage=f"sqlite:///{tmp_path}/study.db")
    assert [trial.user_attrs["candidate"] for trial in study.trials if trial.user_attrs] == ["C1", "C2"]


def test_what_was_enqueued_twice_is_trained_once(tmp_path: Path) -> None:
    """On servers, which are not locked. What another process works on is left to it, until it gives up."""
    optuna = pytest.importorskip("optuna")
    study = optuna.create_study(
        storage=f"sqlite:///{tmp_path / 'study.db'}", study_name="discovery", direction="maximize"
    )
    names = ("C1", "D1 left-right", "C4")
    for number, name in [*enumerate(names)] * 2:
        study.enqueue_trial({"number": number}, user_attrs={"planned": True, "candidate": name, "seed": 0})
    elsewhere = study.ask()
    seen: list[str] = []

    def give_up(trial: Trial) -> None:
        seen.append(trial.candidate)
        if len(seen) == 2:
            study.tell(elsewhere, state=optuna.trial.TrialState.FAIL)

    found = search(storage=tmp_path / "study.db", seeds=1, on_trial=give_up)
    assert seen == ["D1 left-right", "C4", "C1"]
    assert len(found.trials) == 3


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"study.db' cannot be opened"):
        search(storage=tmp_path / "file" / "study.db")


def test_a_storage_that_others_are_making_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    optuna, errors = pytest.importorskip("optuna"), pytest.importorskip("sqlalchemy.exc")
    attempts, create = [], optuna.create_study

    def refuse(times: int, error: Exception) -> None:
        attempts.clear()

        def create_study(**options: Any) -> Any:
            attempts.append(options)
            if len(attempts) <= times:
                raise error
            return create(**options)

        monkeypatch.setattr(optuna, "create_study", create_study)

    monkeypatch.setattr(_study, "_PAUSES", (0.0, 0.0))
    passing = errors.IntegrityError("insert", {}, ValueError("alembic_version"))
    refuse(2, passing)
    assert len(search(storage=tmp_path / "study.db", seeds=1).trials) == 3
    assert len(attempts) == 3
    for times, error, tried in ((3, passing, 3), (1, ValueError("no database"), 1)):
        refuse(times, error)
        with pytest.raises(ConfigError, match=r"study.db' cannot be opened"):
            search(storage=tmp_path / "study.db", seeds=1)
        assert len(attempts) == tried


def test_a_second_look_trains_to_the_end_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that may be stopped is stopped; then, in another process, one of them is asked for after all."""
    optuna = pytest.importorskip("optuna")
    monkeypatch.setattr(optuna.trial.Trial, "should_prune", lambda _: True)
    wanted: list[tuple[str, int]] = []

    def still_wanted(candidates: object, trials: list[Trial], **_: float) -> list[tuple[str, int]]:
        done = {(trial.candidate, trial.seed) for trial in trials if trial.finished}
        return [key for key in wanted if key not in done]

    monkeypatch.setattr(_discover, "contenders", still_wanted)
    first = search(storage=tmp_path / "study.db")
    assert {trial.candidate for trial in first.trials if trial.finished} == {"C1"}
    wanted.append(("C4", 1))
    seen: list[Trial] = []
    again = search(storage=tmp_path / "study.db", on_trial=seen.append)
    assert [(trial.candidate, trial.seed, trial.steps) for trial in seen] == [("C4", 1, 6)]
    assert len(again.trials) == len(first.trials) == 6
    assert {(row.name, row.finished, row.stopped) for row in again.rows} == {
        ("C1", 2, 0), ("C4", 1, 1), ("D1 left-right", 0, 2),
    }  # fmt: skip
    assert search(storage=tmp_path / "study.db", on_trial=seen.append).trials == again.trials
    assert len(seen) == 1
