"""From trials to scores: accuracy, minus what the data says against a symmetry, minus what the symmetry costs."""

import itertools
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from equivision.discovery._candidates import TRIVIAL, Candidate
from equivision.discovery._study import Trial

#: 97.5 % quantiles of Student's t for 1, 2, ... degrees of freedom; beyond them the normal one is near enough.
_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)
#: Penalty weights over which the ranking should not change.
INVARIANCE_WEIGHTS = (0.05, 0.1, 0.2, 0.4)
COMPLEXITY_WEIGHTS = (0.001, 0.002, 0.005, 0.01)


@dataclass(frozen=True)
class Interval:
    """A mean over seeds, and the half width of its 95 % interval (Student's t); not a number for a single seed."""

    mean: float
    half: float
    values: tuple[float, ...]

    def __str__(self) -> str:
        return f"{100 * self.mean:.1f}" + ("" if math.isnan(self.half) else f" ± {100 * self.half:.1f}")


def interval(values: Iterable[float]) -> Interval:
    """The mean of at least one number, with its 95 % interval.

    >>> str(interval([0.5, 0.6, 0.7]))
    '60.0 ± 24.8'
    """
    given = tuple(values)
    freedom = len(given) - 1
    if freedom == 0:
        return Interval(given[0], math.nan, given)
    t = _T[freedom - 1] if freedom <= len(_T) else 1.96
    return Interval(statistics.fmean(given), t * statistics.stdev(given) / math.sqrt(len(given)), given)


@dataclass(frozen=True)
class CandidateScore:
    """One row of the answer.

    Attributes:
        name: of the symmetry.
        order: number of its elements.
        accuracy: on held-out images, of the trainings that ran to the end; where none did, of those that were stopped.
        drop: by how much accuracy falls when the elements act on the held-out images of a network without symmetry:
            what the data says against the symmetry. Where a network gets better by a move, that counts as 0, for every
            seed and move, before means are taken: so chance makes it a little more than 0 where the data has the
            symmetry, and large groups, whose elements are many, are not spared.
        score: accuracy - weight * drop - weight * log2(order), where it was trained to the end in all seeds. Otherwise
            the mean of this over the seeds that ``accuracy`` counts, each less the accuracy of the network without
            symmetry in that seed, plus the mean of the latter over all seeds.
        behind: how far the score lies below the best one, seed by seed.
        finished: in how many seeds it was trained to the end.
        stopped: in how many it was stopped early, for being weaker than half of what had come as far by then, and not
            finished later.
        parameters: of its network.
        kept: whether it was trained to the end in more than half of the seeds; the others rank below.
        shown_score: the score in percent; in brackets where it is not kept.
    """

    name: str
    order: int
    accuracy: Interval
    drop: Interval
    score: float
    behind: Interval
    finished: int
    stopped: int
    parameters: int

    @property
    def kept(self) -> bool:
        return self.finished > self.stopped

    @property
    def shown_score(self) -> str:
        text = f"{100 * self.score:.1f}"
        return text if self.kept else f"({text})"


@dataclass(frozen=True)
class Stability:
    """How much the answer depends on what was chosen by hand, and on chance.

    Attributes:
        same_best: share of the pairs of penalty weights with the same best candidate.
        rank_correlation: mean Kendall correlation of their rankings with the one that is given.
        best_by_weights: the best candidate for each pair (weight of the drop, weight of a bit).
        best_without_seed: the best candidate when one seed is left out, seed by seed.
    """

    same_best: float
    rank_correlation: float
    best_by_weights: dict[tuple[float, float], str]
    best_without_seed: dict[int, str]


def drops(trials: Sequence[Trial]) -> dict[str, dict[int, float]]:
    """By how much each move lowers the accuracy of the networks without symmetry: by move, by seed."""
    found: dict[str, dict[int, float]] = {}
    for trial in trials:
        for name, after in trial.after_moves.items():
            found.setdefault(name, {})[trial.seed] = max(trial.accuracy - after, 0.0)
    return found


def scores(
    candidates: Sequence[Candidate], trials: Sequence[Trial], *, invariance: float | int, complexity: float | int
) -> list[CandidateScore]:
    """Rows for all candidates that are no learned ones, the best first."""
    reference = _reference(trials)
    drafts = _drafts(candidates, trials, reference, invariance, complexity)
    drafts.sort(key=lambda draft: draft.rank, reverse=True)
    level = statistics.fmean(reference.values())
    return [draft.row(level, drafts[0].worth) for draft in drafts]


def contenders(
    candidates: Sequence[Candidate], trials: Sequence[Trial], *, invariance: float | int, complexity: float | int
) -> list[tuple[str, int]]:
    """Stopped trainings, as (candidate, seed), that may hold the best candidate and are to be finished.

    Those of candidates that are, by the seeds in which they came to the end, less than one standard error behind the
    best of these. What was stopped in every seed is none of them. The error comes from what all candidates vary by
    from seed to seed, as each has few seeds.
    """
    reference = _reference(trials)
    drafts = [one for one in _drafts(candidates, trials, reference, invariance, complexity) if one.finished]
    best = max(drafts, key=lambda draft: draft.mean)
    spread = _spread(drafts, reference)
    wanted: list[tuple[str, int]] = []
    for draft in drafts:
        error = spread * math.sqrt(1 / len(draft.counted) + 1 / len(best.counted))
        if draft is best or draft.mean + error > best.mean:
            wanted += [(draft.candidate.name, trial.seed) for trial in draft.trials if not trial.finished]
    return sorted(wanted, key=lambda key: key[1])


def _reference(trials: Sequence[Trial]) -> dict[int, float]:
    """Accuracy of the network without symmetry, by seed."""
    return {trial.seed: trial.accuracy for trial in trials if trial.candidate == TRIVIAL.name}


def _spread(drafts: Sequence["_Draft"], reference: Mapping[int, float]) -> float:
    """Standard deviation of the worth over seeds, of all candidates together; else of the accuracy without symmetry."""
    several = [one for one in drafts if one.finished > 1 and one.candidate != TRIVIAL]
    if several:
        return math.sqrt(statistics.fmean([statistics.variance(one.worth.values()) for one in several]))
    return statistics.stdev(reference.values()) if len(reference) > 1 else 0.0


def _drafts(
    candidates: Sequence[Candidate],
    trials: Sequence[Trial],
    reference: Mapping[int, float],
    invariance: float | int,
    complexity: float | int,
) -> list["_Draft"]:
    by_move, drafts = drops(trials), []
    for one in candidates:
        own = [trial for trial in trials if trial.candidate == one.name and trial.seed in reference]
        if one.learns or not own:
            continue
        drop = {seed: statistics.fmean([by_move[name][seed] for name in one.moves()] or [0.0]) for seed in reference}
        counted = [trial for trial in own if trial.finished] or own
        # seeds split the data in different ways: what counts is the difference to the network without symmetry
        worth = {
            trial.seed: trial.accuracy - reference[trial.seed] - invariance * drop[trial.seed] - complexity * one.bits
            for trial in counted
        }
        drafts.append(_Draft(one, own, counted, interval(drop.values()), worth))
    return drafts


@dataclass(frozen=True)
class _Draft:
    """A row before the best one is known; ``worth`` is the score of each seed, above that of no symmetry."""

    candidate: Candidate
    trials: list[Trial]
    counted: list[Trial]
    drop: Interval
    worth: dict[int, float]

    @property
    def finished(self) -> int:
        return sum(trial.finished for trial in self.trials)

    @property
    def mean(self) -> float:
        return statistics.fmean(self.worth.values())

    @property
    def rank(self) -> tuple[bool, float]:
        return 2 * self.finished > len(self.trials), self.mean

    def row(self, level: float, best: Mapping[int, float]) -> CandidateScore:
        shared = [best[seed] - worth for seed, worth in self.worth.items() if seed in best]
        return CandidateScore(
            self.candidate.name, self.candidate.order, interval(trial.accuracy for trial in self.counted), self.drop,
            level + self.mean, interval(shared or [statistics.fmean(best.values()) - self.mean]), self.finished,
            len(self.trials) - self.finished, self.trials[0].parameters,
        )  # fmt: skip


def stability(
    candidates: Sequence[Candidate], trials: Sequence[Trial], *, invariance: float | int, complexity: float | int
) -> Stability:
    """Vary the weights, and leave seeds out."""
    given = [row.name for row in scores(candidates, trials, invariance=invariance, complexity=complexity)]
    best_by_weights, correlations = {}, []
    for weights in itertools.product(INVARIANCE_WEIGHTS, COMPLEXITY_WEIGHTS):
        names = [row.name for row in scores(candidates, trials, invariance=weights[0], complexity=weights[1])]
        best_by_weights[weights] = names[0]
        correlations.append(_kendall(given, names))
    seeds = sorted({trial.seed for trial in trials if trial.candidate == TRIVIAL.name})
    without = {}
    for seed in seeds if len(seeds) > 1 else []:
        rest = [trial for trial in trials if trial.seed != seed]
        without[seed] = scores(candidates, rest, invariance=invariance, complexity=complexity)[0].name
    same = sum(name == given[0] for name in best_by_weights.values()) / len(best_by_weights)
    return Stability(same, statistics.fmean(correlations), best_by_weights, without)


def _kendall(first: Sequence[str], second: Sequence[str]) -> float:
    """Kendall's rank correlation of two orders of the same things."""
    place = {name: i for i, name in enumerate(second)}
    pairs = list(itertools.combinations(first, 2))
    if not pairs:
        return 1.0
    return sum(1 if place[a] < place[b] else -1 for a, b in pairs) / len(pairs)
