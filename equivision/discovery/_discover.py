"""``discover``: which symmetry does some data have?"""

import math
import statistics
from collections.abc import Callable, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import torch

from equivision._numbers import check_count
from equivision.discovery._candidates import PLANE, Candidate, CandidateLike, candidates_of
from equivision.discovery._result import Discovery, LearnedScore, containment
from equivision.discovery._score import contenders, drops, interval, scores, stability
from equivision.discovery._study import Plan, Trial, search
from equivision.discovery._train import labelled, split
from equivision.errors import ConfigError


def discover(
    data: Any,
    *,
    candidates: CandidateLike | Sequence[CandidateLike] = PLANE,
    budget: int = 300,
    seeds: int = 3,
    train_size: float | int = 0.7,
    parameters: int = 25_000,
    invariance: float | int = 0.1,
    complexity: float | int = 0.005,
    storage: str | Path | None = None,
    name: str = "discovery",
    device: torch.device | str | None = None,
    on_trial: Callable[[Trial], None] | None = None,
) -> Discovery:
    """Find out which symmetry labelled images have, by training small networks that have it.

    For every candidate and seed a small network is trained on a random part of the data and tried on the rest; all have
    about the same number of parameters. The score of a candidate is

    ``accuracy - invariance * drop - complexity * log2(order)``

    where ``drop`` is what the *data* says against the symmetry: how much accuracy falls when its elements act on the
    held-out images of a network that has *no* symmetry. (The network that has it cannot tell: its own answers never
    change.) A symmetry that the data does not have costs accuracy and drop; one that it has brings accuracy from few
    labels; of several that are equally good, the smallest wins.

    Splits differ, so that what counts is how far a network is above the one without symmetry in the same seed. A
    candidate that was stopped early in some seeds has the score

    ``accuracy of no symmetry + mean over the other seeds of (accuracy - accuracy of no symmetry - the same two terms)``

    or the mean over all seeds, if it was stopped in all. One that was not trained to the end in most seeds is ranked
    below the others, whatever its score, which is printed in brackets.

    Trials are kept by Optuna, in memory or in ``storage``: then several processes, on several machines, work on the
    same search when they call this function with the same arguments, and a search that was killed goes on where it was.

    At half of the budget, trainings that are in the weaker half are stopped. That is asynchronous: each training is
    compared with those that have come as far before it, so that the first one is never stopped, and who is stopped
    depends on the order of the trials. One process takes them in a fixed order (all candidates of one seed, then those
    of the next); in a search that several share, others may be stopped. Networks over large groups learn slowly at
    first, and are stopped too often. So there is a second look: candidates that are, by the seeds in which they came to
    the end, less than a standard error behind the best of all are trained to the end in all seeds, until no other one
    comes that near.

    Args:
        data: pair of images ``[image, channel, height, width]`` and class numbers ``[image]``, a TensorDataset of both,
            or an object with the attributes ``images`` and ``labels``, such as :class:`equivision.data.ImageData`.
        candidates: names, groups or candidates (:func:`candidate`), or a single one. The trivial group C1 is always
            among them.
        budget: steps of gradient descent for each training that is not stopped early; batches of 64.
        seeds: number of splits and initialisations; intervals are over them.
        train_size: images to train on, as a number or as a share. Few show symmetry best.
        parameters: of each network, about.
        invariance: weight of the drop.
        complexity: weight of each bit, in accuracy.
        storage: file of an SQLite database, or the URL of any SQL database; None: memory.
        name: of the search in the storage.
        device: where networks run; by default a GPU where there is one.
        on_trial: is called with each :class:`Trial` that this process has done.

    Raises:
        ConfigError: a candidate is not known or cannot act on such images, a number is out of range, the device cannot
            be used, or the storage holds another search of this name.
        DataError: the data is no images with class numbers, or there is nothing to learn.
        MissingExtraError: Optuna is not installed.

    Source: the article on the principles of group-equivariant networks (symmetry discovery); the drop is ours, as the
    invariance of the network itself, which the article subtracts, is the same for all of its groups.

    >>> from equivision.data import read_digits
    >>> found = discover(read_digits(), candidates=["C1", "C4"], budget=8, seeds=1, parameters=1000, train_size=0.1)
    >>> found.best, [row.order for row in found.rows]
    ('C1', [1, 4])
    """
    chosen = candidates_of(candidates)
    for key, count in (("budget", budget), ("seeds", seeds), ("parameters", parameters)):
        check_count(key, count)
    for key, weight in (("invariance", invariance), ("complexity", complexity)):
        if not isinstance(weight, Real) or isinstance(weight, bool) or not 0 <= weight < math.inf:
            raise ConfigError(f"{key}={weight!r}: a weight must be a number of at least 0, and finite")
    where = _usable(device if device is not None else "cuda" if torch.cuda.is_available() else "cpu")
    images = labelled(data)
    height, width = images.images.shape[2:]
    for one in chosen:
        one.check(images.images.shape[1], (height, width))
    _ = split(images, train_size, 0)
    plan = Plan(tuple(chosen), seeds, budget, train_size, parameters, complexity)
    settings = plan.settings(images)
    weights = {"invariance": invariance, "complexity": complexity}
    trials = search(
        plan, images, settings, storage=storage, name=name, device=where, on_trial=on_trial,
        contenders=lambda trials: contenders(chosen, trials, **weights),
    )  # fmt: skip
    return Discovery(
        tuple(scores(chosen, trials, **weights)),
        {move: interval(by_seed.values()) for move, by_seed in drops(trials).items()},
        stability(chosen, trials, **weights),
        containment(chosen),
        _learned(chosen, trials),
        settings | weights,
        tuple(trials),
    )


def _usable(device: torch.device | str) -> torch.device:
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError, TypeError) as error:  # torch was built without it; there are fewer
        reason = str(error).partition("\n")[0]
        raise ConfigError(
            f"device={str(device)!r} cannot be used ({reason}): give one such as cpu or cuda:0"
        ) from error


def _learned(candidates: Sequence[Candidate], trials: Sequence[Trial]) -> LearnedScore | None:
    names = {one.name for one in candidates if one.learns}
    own = [trial for trial in trials if trial.candidate in names]
    if not own:
        return None
    layers = list(zip(*(trial.coverage for trial in own), strict=True))
    coverage = tuple(statistics.fmean(part for part, _ in layer) for layer in layers)
    reflections = tuple(statistics.fmean(kept for _, kept in layer) for layer in layers)
    return LearnedScore(interval(trial.accuracy for trial in own), coverage, reflections, own[0].parameters)
