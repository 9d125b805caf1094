"""A search that several processes share: who begins first, who trains what, what is taken over."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from equivision.discovery import _study
from equivision.errors import ConfigError
from tests.discovery.test_discover import search

#: Imports all, waits until the other process has done so too, and searches; every read of the trials is slow, and so is
#: the step between making tables and saying so. Prints what it has trained.
PROCESS = """
import sys, time, torch
from pathlib import Path
from unittest import mock
import optuna, sqlalchemy
import equivision as ev
from optuna.storages._rdb import storage as rdb

torch.set_num_threads(1)
folder, own = Path(sys.argv[1]), sys.argv[2]

def slow(function):
    def called(*args, **options):
        found = function(*args, **options)
        time.sleep(0.3)
        return found
    return called

rdb._VersionManager._is_alembic_supported = slow(rdb._VersionManager._is_alembic_supported)
optuna.Study.get_trials = slow(optuna.Study.get_trials)
images = torch.randn(24, 1, 9, 9, generator=torch.Generator().manual_seed(0))
(folder / own).touch()
while len(list(folder.glob("ready-*"))) < 2:
    time.sleep(0.01)
found = ev.discover(
    (images, torch.arange(24) % 2), candidates=["C2"], budget=2, seeds=2, parameters=50, storage=folder / "study.db",
    device="cpu", on_trial=lambda trial: print("trained", trial.candidate, trial.seed),
)
assert len(found.trials) == 4
"""


def test_processes_may_begin_a_search_together(tmp_path: Path) -> None:
    commands = [[sys.executable, "-W", "ignore", "-c", PROCESS, str(tmp_path), f"ready-{i}"] for i in range(2)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for command in commands]
    printed = [process.communicate(timeout=300) for process in running]
    assert all(process.returncode == 0 for process in running), printed


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
