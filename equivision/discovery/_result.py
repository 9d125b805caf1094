"""What a search has found: the answer, how sure it is, and its page."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from equivision._pages import write_text
from equivision._text import grid
from equivision.discovery._candidates import Candidate
from equivision.discovery._score import CandidateScore, Interval, Stability
from equivision.discovery._study import Trial


@dataclass(frozen=True)
class LearnedScore:
    """What the network that chooses for itself has chosen.

    Attributes:
        accuracy: on held-out images.
        coverage: of each layer, the share of the circle that it respects, mean over seeds.
        reflections: of each layer, the probability that it respects reflections, mean over seeds.
        parameters: of the network.
    """

    accuracy: Interval
    coverage: tuple[float, ...]
    reflections: tuple[float, ...]
    parameters: int


@dataclass(frozen=True)
class Discovery:
    """The answer to the question which symmetry some data has.

    Attributes:
        rows: all candidates, the best first; those that were not trained to the end in most seeds come last.
        drops: by how much each move lowers the accuracy of the networks without symmetry.
        stability: whether another weight, or one seed less, gives another answer.
        contained: for each candidate the candidates that it contains, itself not among them.
        learned: the soft alternative, where it was asked for.
        settings: everything that was asked for.
        trials: all trainings.
    """

    rows: tuple[CandidateScore, ...]
    drops: dict[str, Interval]
    stability: Stability
    contained: dict[str, tuple[str, ...]]
    learned: LearnedScore | None
    settings: dict[str, Any]
    trials: tuple[Trial, ...]

    @property
    def best(self) -> str:
        """Name of the symmetry with the highest score among those that were trained to the end in most seeds.

        The others rank below, whatever their score: it is a mean over the few seeds in which they were not stopped.
        """
        return self.rows[0].name

    @property
    def undecided(self) -> tuple[str, ...]:
        """The candidates whose distance to the best one has an interval that holds 0: more seeds would tell.

        Distances are those of the seeds in which both were trained to the end; a single one has no interval, and
        decides nothing. Candidates that were not trained to the end in most seeds are not named, however near they are.
        """
        rows = [row for row in self.rows[1:] if row.kept]
        return tuple(row.name for row in rows if not row.behind.mean - row.behind.half > 0)

    def table(self) -> str:
        """The rows as text, and what else there is to say.

        Scores in brackets are those of candidates that were stopped early in half of the seeds or more.
        """
        heads = ["symmetry", "accuracy %", "drop %", "score %", "behind %", "trained"]
        body = [
            [
                row.name, str(row.accuracy), str(row.drop), row.shown_score, str(row.behind) if i else "",
                f"{row.finished} of {row.finished + row.stopped}",
            ]
            for i, row in enumerate(self.rows)
        ]  # fmt: skip
        return "\n".join([grid(heads, body), "", *self.sentences()])

    def sentences(self) -> list[str]:
        """The answer in words."""
        equals = f"; not told apart from it: {', '.join(self.undecided)}" if self.undecided else ""
        found = [f"best: {self.best}{equals}"]
        found.append(
            f"best for {self.stability.same_best:.0%} of the pairs of penalty weights; rank correlation "
            f"{self.stability.rank_correlation:.2f}"
        )
        others = sorted({name for name in self.stability.best_without_seed.values() if name != self.best})
        if self.stability.best_without_seed:
            found.append(
                f"leaving one seed out: {'sometimes ' + ', '.join(others) if others else 'always the same answer'}"
            )
        if not all(row.kept for row in self.rows):
            found.append("in brackets: stopped early in half of the seeds or more, and ranked below the others")
        if self.learned is not None:
            circle = ", ".join(f"{360 * share:.0f}°" for share in self.learned.coverage)
            mirrors = ", ".join(f"{share:.0%}" for share in self.learned.reflections)
            found.append(
                f"learned: accuracy {self.learned.accuracy} %; its layers respect {circle} of the circle, reflections "
                f"with probability {mirrors}"
            )
        return found

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values; numbers that are not finite become None."""
        weights = {f"{a:g}, {b:g}": name for (a, b), name in self.stability.best_by_weights.items()}
        return _finite({
            "best": self.best, "undecided": self.undecided, "rows": [asdict(row) for row in self.rows],
            "drops": {name: asdict(one) for name, one in self.drops.items()},
            "stability": asdict(self.stability) | {"best_by_weights": weights}, "contained": self.contained,
            "learned": None if self.learned is None else asdict(self.learned), "settings": self.settings,
            "trials": [asdict(trial) for trial in self.trials],
        })  # fmt: skip

    def to_json(self, path: str | Path) -> Path:
        """Write everything as JSON."""
        return write_text(path, json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n")

    def to_html(self, path: str | Path, *, title: str = "Which symmetry does the data have?") -> Path:
        """Write a page with the lattice of the candidates, their scores, and how stable the answer is.

        Raises:
            MissingExtraError: jinja2 is not installed.
        """
        from equivision.discovery import _page

        return _page.write(self, Path(path), title)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and value != value else value


def containment(candidates: Sequence[Candidate]) -> dict[str, tuple[str, ...]]:
    """For each candidate that is a group, the others that it contains."""
    groups = [one for one in candidates if not one.learns]
    return {one.name: tuple(other.name for other in groups if other != one and one.contains(other)) for one in groups}
