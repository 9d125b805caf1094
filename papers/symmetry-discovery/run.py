"""Is the symmetry found? A queue of searches on data with known answers; it can be stopped and started at any time.

    EQUIVISION_DATA=... python papers/symmetry-discovery/run.py            # searches what is missing, one after another
    EQUIVISION_DATA=... python papers/symmetry-discovery/run.py --list     # says what is done and what is not
    python papers/symmetry-discovery/table.py                              # the tables of README.md

Start it twice for two processes. Every search ends in one file, results/<data>-s<seed>.json.
"""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from _data import QUESTIONS
from _runs import runs

import equivision as ev

BUDGET, SEEDS = 150, 3


@dataclass(frozen=True)
class Run(runs.QueuedRun):
    """One search: data and networks are drawn by the seed."""

    folder = Path(__file__).parent
    data: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.data}-s{self.seed}"


def train(run: Run) -> dict[str, Any]:
    """Search, and say what was found."""
    question = QUESTIONS[run.data]
    start = time.process_time()
    found = ev.discover(
        question.make(run.seed), budget=BUDGET, seeds=SEEDS, train_size=question.train_size,
        storage=run.checkpoints / "study.db", device="cpu", **question.options,
    )  # fmt: skip
    result = found.to_dict()
    del result["trials"]
    return {
        **asdict(run),
        "right": not question.right or found.best in question.right,
        "found": result,
        "hours": round((time.process_time() - start) / 3600, 4),
        **runs.circumstances(),
    }


def summary(result: dict[str, Any]) -> str:
    """What is said of a search when it is done."""
    return f"{result['found']['best']} ({'right' if result['right'] else 'wrong'})"


def queue(seeds: int) -> list[Run]:
    """All data of one seed before the next; the one without a known answer is searched once."""
    return [Run(name, seed) for seed in range(seeds) for name, one in QUESTIONS.items() if one.right or not seed]


if __name__ == "__main__":
    runs.run_queue(__doc__, queue, train, seeds=10, summary=summary)
