"""The search: every candidate with every seed is a trial of an Optuna study, which processes can share."""

import importlib
import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from equivision.continuous import partial_layers
from equivision.discovery._candidates import TRIVIAL, Candidate, Move
from equivision.discovery._networks import parameters_of
from equivision.discovery._train import Labelled, Training, split
from equivision.errors import ConfigError, MissingExtraError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

#: Shares of the budget: at half, what is in the weaker half of what came so far is stopped; earlier, networks over
#: large groups are behind.
_RUNGS = (0.5, 1.0)
_HEARTBEAT, _GRACE = 5, 20  # seconds
_PLANNED, _DESCRIPTIONS, _TO_THE_END = "planned", "descriptions", "to_the_end"
_PAUSES = (0.25, 0.5, 1.0, 2.0)  # seconds before a storage that cannot be opened is tried again


@dataclass(frozen=True)
class Trial:
    """What one training has shown.

    Attributes:
        candidate: name of the symmetry.
        seed: of the split and the weights.
        accuracy: on held-out images, when it ended.
        steps: after which it ended; fewer than the budget where it was stopped early.
        finished: whether it was trained to the end.
        parameters: of its network.
        after_moves: accuracy on held-out images after each move; of the network without symmetry only.
        coverage: share of the circle that each layer respects, and probability of its reflections; of ``learned`` only.
        seconds: that it took.
    """

    candidate: str
    seed: int
    accuracy: float
    steps: int
    finished: bool
    parameters: int
    after_moves: dict[str, float]
    coverage: list[tuple[float, float]]
    seconds: float


@dataclass(frozen=True)
class Plan:
    """Everything that a trial depends on, and that processes of one study must agree about."""

    candidates: tuple[Candidate, ...]
    seeds: int
    steps: int
    train_size: float | int
    parameters: int
    complexity: float | int

    def settings(self, data: Labelled) -> dict[str, Any]:
        """As plain values, to be compared."""
        return {
            "candidates": [one.name for one in self.candidates], "seeds": self.seeds, "budget": self.steps,
            "train_size": self.train_size, "parameters": self.parameters, "complexity": self.complexity,
            "data": data.fingerprint(),
        }  # fmt: skip

    @property
    def rungs(self) -> list[int]:
        """Numbers of steps at which trials are compared."""
        return sorted({max(round(share * self.steps), 1) for share in _RUNGS})

    def moves(self) -> dict[str, Move]:
        """Of all candidates."""
        return {name: move for one in self.candidates for name, move in one.moves().items()}


def search(
    plan: Plan, data: Labelled, settings: dict[str, Any], *, storage: str | Path | None, name: str,
    device: torch.device, on_trial: Callable[[Trial], None] | None = None,
    contenders: Callable[[list[Trial]], list[tuple[str, int]]] = lambda _: [],
) -> list[Trial]:  # fmt: skip
    """Run what is missing of a study, beside other processes, and return all of its trials.

    ``contenders`` says, when all is done, which of the trainings that were stopped are to be finished after all; it is
    asked again until there are none.

    Raises:
        MissingExtraError: Optuna is not installed.
        ConfigError: the storage holds a study of this name with other settings, or cannot be opened.
    """
    try:
        optuna: Any = importlib.import_module("optuna")
    except ImportError as error:
        raise MissingExtraError("optuna", "discovery", "the search over symmetries") from error
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = _open(optuna, plan, settings, storage, name)
        worker = _Worker(optuna, plan, data, device, on_trial)
        while True:
            while _work_is_left(optuna, study):
                study.optimize(worker, n_trials=1)
            with _alone(storage):
                if _enqueue_missing(study, plan):  # what another process has given up
                    continue
                trials = _trials(study)
                wanted = contenders(trials)
                if not wanted:
                    return trials
                _enqueue(study, plan, wanted, to_the_end=True)
    finally:
        optuna.logging.set_verbosity(before)


def _open(optuna: Any, plan: Plan, settings: dict[str, Any], storage: str | Path | None, name: str) -> Any:
    with _alone(storage):
        study = _create(optuna, plan, storage, name)
        known = study.user_attrs.get("settings")
        if known is not None and known != settings:
            differ = ", ".join(key for key in settings if known.get(key) != settings[key])
            raise ConfigError(
                f"the study {name!r} in {storage} was begun with other settings ({differ}): give another name, another "
                "storage, or the settings that it was begun with"
            )
        descriptions = {one.name: one.description() for one in plan.candidates}
        for one, before in study.user_attrs.get(_DESCRIPTIONS, {}).items():  # none in storages of earlier versions
            if before != descriptions[one]:
                raise ConfigError(
                    f"the study {name!r} in {storage} was begun with another candidate of the name {one!r}, {before}, "
                    f"than {descriptions[one]}: give another name of the study, another storage, or that candidate"
                )
        study.set_user_attr("settings", settings)
        study.set_user_attr(_DESCRIPTIONS, descriptions)
        _ = _enqueue_missing(study, plan)
    return study


def _enqueue_missing(study: Any, plan: Plan) -> int:
    """Enqueue what is neither done nor waiting nor being done; how many trials that are."""
    present = {
        (trial.user_attrs["candidate"], trial.user_attrs["seed"])
        for trial in study.get_trials(deepcopy=False)
        if trial.user_attrs.get(_PLANNED) and trial.state.name != "FAIL"
    }
    every = [(one.name, seed) for seed in range(plan.seeds) for one in plan.candidates]
    missing = [key for key in every if key not in present]
    _enqueue(study, plan, missing)
    return len(missing)


def _enqueue(study: Any, plan: Plan, keys: list[tuple[str, int]], *, to_the_end: bool = False) -> None:
    """Enqueue trials of candidates and seeds, of which those that go to the end are not stopped at half."""
    place = {one.name: i for i, one in enumerate(plan.candidates)}
    for candidate, seed in keys:
        attributes = {_PLANNED: True, "candidate": candidate, "seed": seed, _TO_THE_END: to_the_end}
        study.enqueue_trial({"number": seed * len(place) + place[candidate]}, user_attrs=attributes)


def _task(trial: Any) -> tuple[str, int, bool]:
    """What a planned trial is to train."""
    given = trial.user_attrs
    return given["candidate"], given["seed"], given.get(_TO_THE_END, False)  # none in storages of earlier versions


@contextmanager
def _alone(storage: str | Path | None) -> Iterator[None]:
    """No other process of this machine is here for a database in the same folder.

    Where folders cannot be locked, and for servers, processes may enqueue a trial twice; :class:`_Worker` sees to it.
    """
    path = _file(storage)
    if path is None or fcntl is None:
        yield
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)
    except OSError as error:
        raise ConfigError(f"storage={str(storage)!r} cannot be opened: {error}") from error
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)  # which ends the lock


def _create(optuna: Any, plan: Plan, storage: str | Path | None, name: str) -> Any:
    """The study, new or as it is; tried again for some seconds, as another process may be making the same tables."""
    errors: Any = importlib.import_module("sqlalchemy.exc")
    passing = (
        errors.IntegrityError, errors.OperationalError, errors.ProgrammingError, optuna.exceptions.StorageInternalError,
    )  # fmt: skip
    pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=plan.rungs[0], reduction_factor=2)
    pauses = iter(_PAUSES)
    while True:
        try:
            return optuna.create_study(
                study_name=name, storage=_storage(optuna, storage), direction="maximize", load_if_exists=True,
                sampler=optuna.samplers.RandomSampler(), pruner=pruner,
            )  # fmt: skip
        except Exception as error:  # of SQLAlchemy and its drivers, whatever they are
            pause = next(pauses, None) if isinstance(error, passing) else None
            if pause is None:
                raise ConfigError(f"storage={str(storage)!r} cannot be opened: {error}") from error
            time.sleep(pause)


def _file(storage: str | Path | None) -> Path | None:
    """The file of an SQLite database; None for a server, and for memory."""
    if storage is None:
        return None
    if isinstance(storage, Path) or "://" not in storage:
        return Path(storage)
    scheme, _, path = storage.partition(":///")
    path = path.partition("?")[0]
    return Path(path) if scheme.startswith("sqlite") and path not in ("", ":memory:") else None


def _storage(optuna: Any, storage: str | Path | None) -> Any:
    """An SQL storage in which processes tell that they are alive; None: memory."""
    if storage is None:
        return None
    url = storage if isinstance(storage, str) and "://" in storage else f"sqlite:///{storage}"
    with _heartbeats(optuna):
        return optuna.storages.RDBStorage(
            url, heartbeat_interval=_HEARTBEAT, grace_period=_GRACE,
            heartbeat_stale_trial_callback=optuna.storages.RetryHeartbeatStaleTrialCallback(),
        )  # fmt: skip


@contextmanager
def _heartbeats(optuna: Any) -> Iterator[None]:
    """Without the warning that they are an experiment, as they have been since 2021."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def _work_is_left(optuna: Any, study: Any) -> bool:
    """Whether a trial waits; while other processes run the last ones, wait for them, and take over from dead ones."""
    state = optuna.trial.TrialState
    while True:
        states = {trial.state for trial in study.get_trials(deepcopy=False) if trial.user_attrs.get(_PLANNED)}
        if state.WAITING in states or state.RUNNING not in states:
            return state.WAITING in states
        time.sleep(1)
        with _heartbeats(optuna):
            optuna.storages.fail_stale_trials(study)


class _Worker:
    """Runs the trial that it is given."""

    def __init__(
        self, optuna: Any, plan: Plan, data: Labelled, device: torch.device, on_trial: Callable[[Trial], None] | None
    ) -> None:
        self.optuna, self.plan, self.data, self.device, self.on_trial = optuna, plan, data, device, on_trial

    def __call__(self, trial: Any) -> float:
        _ = trial.suggest_int("number", 0, self.plan.seeds * len(self.plan.candidates) - 1)
        if not trial.user_attrs.get(_PLANNED):  # another process took the last one
            raise self.optuna.TrialPruned
        name, seed, to_the_end = _task(trial)
        if self._is_done_elsewhere(trial):
            trial.set_user_attr(_PLANNED, False)
            raise self.optuna.TrialPruned
        one = next(one for one in self.plan.candidates if one.name == name)
        stops = one != TRIVIAL and not one.learns and not to_the_end
        found = self._run(one, seed, trial, stops)
        trial.set_user_attr("result", vars(found))
        if self.on_trial is not None:
            self.on_trial(found)
        if not found.finished:
            raise self.optuna.TrialPruned
        return found.accuracy

    def _is_done_elsewhere(self, trial: Any) -> bool:
        """Whether this was enqueued twice, and the other one is done or was begun before."""
        every = trial.study.get_trials(deepcopy=False)
        begun = {other.number: (other.datetime_start, other.number) for other in every if other.datetime_start}
        return any(
            other.state.is_finished() or begun[other.number] < begun[trial.number]
            for other in every
            if other.number != trial.number and other.number in begun and other.state.name != "FAIL"
            and other.user_attrs.get(_PLANNED) and _task(other) == _task(trial)
        )  # fmt: skip

    def _run(self, one: Candidate, seed: int, trial: Any, stops: bool) -> Trial:
        plan, start = self.plan, time.perf_counter()
        training = Training(
            one, split(self.data, plan.train_size, seed), parameters=plan.parameters, steps=plan.steps, seed=seed,
            device=self.device,
        )  # fmt: skip
        accuracy, steps = 0.0, 0
        for steps in training.run(plan.rungs):
            accuracy = training.accuracy()
            trial.report(accuracy - plan.complexity * one.bits, steps)
            if stops and steps < plan.steps and trial.should_prune():
                break
        after = training.accuracies(plan.moves()) if one == TRIVIAL else {}
        coverage = [(layer.coverage, layer.reflection_probability) for layer in partial_layers(training.network)]
        return Trial(
            one.name, seed, accuracy, steps, steps == plan.steps, parameters_of(training.network), after,
            coverage, time.perf_counter() - start,
        )  # fmt: skip


def _trials(study: Any) -> list[Trial]:
    """The results of all planned trials, one of each candidate and seed: the first, or the first that was finished."""
    found: dict[tuple[str, int], Trial] = {}
    for trial in study.get_trials(deepcopy=False):
        result = trial.user_attrs.get("result")
        if trial.user_attrs.get(_PLANNED) and result is not None:
            new, key = Trial(**result), (result["candidate"], result["seed"])
            if key not in found or (new.finished and not found[key].finished):
                found[key] = new
    return list(found.values())
