"""Write the tables of README.md from the results; ``--check`` only says whether they are up to date."""

from collections import Counter
from pathlib import Path
from typing import Any

from _data import QUESTIONS, Question
from _runs import tables

COLUMNS = ["data", "its symmetry", "right answers", "training images", "found right", "found", "same for other weights"]


def row(question: Question, runs: tables.Results) -> str:
    """One kind of data: how often the answer was right, and what the answers were."""
    right = ", ".join(question.right) or "-"
    start = [question.name, question.truth, right, str(question.train_size)]
    if not runs:
        return tables.line([*start, "not run yet", *["-"] * 3])
    answers = Counter(run["found"]["best"] for run in runs)
    found = ", ".join(f"{name} {count}" for name, count in answers.most_common())
    score = f"{sum(run['right'] for run in runs)} of {len(runs)}" if question.right else "-"
    stable = sum(run["found"]["stability"]["same_best"] for run in runs) / len(runs)
    return tables.line([*start, score, found, f"{stable:.0%}", f"{60 * sum(run['hours'] for run in runs):.0f}"])


def scores(found: dict[str, Any]) -> list[str]:
    """All candidates of one search."""
    lines = tables.head(["symmetry", "accuracy", "drop", "score", "behind", "trained to the end"])
    for i, one in enumerate(found["rows"]):
        cells = [spread(one[key]) for key in ("accuracy", "drop")]
        behind = spread(one["behind"]) if i else "-"
        ended = f"{one['finished']} of {one['finished'] + one['stopped']}"
        lines.append(tables.line([one["name"], *cells, f"{100 * one['score']:.1f}", behind, ended]))
    return lines


def spread(interval: dict[str, Any]) -> str:
    """A mean in %, with its interval where there is one."""
    half = "" if interval["half"] is None else f" ± {100 * interval['half']:.1f}"
    return f"{100 * interval['mean']:.1f}{half}"


def learned(found: dict[str, Any]) -> list[str]:
    """What the layers of the partial network have chosen."""
    one = found["learned"]
    circle = ", ".join(f"{360 * share:.0f}°" for share in one["coverage"])
    mirrors = ", ".join(f"{share:.2f}" for share in one["reflections"])
    sure = f"The best one, {found['best']}, " + (
        f"is not told apart from {', '.join(found['undecided'])}. "
        if found["undecided"]
        else "is told apart from all. "
    )
    return [
        f"{sure}The partial network, with {spread(one['accuracy'])} %, respects {circle} of the circle in its layers, "
        f"and reflections with probability {mirrors}."
    ]


def text(results: tables.Results) -> str:
    """Both tables as Markdown."""
    lines = tables.head([*COLUMNS, "processor minutes"])
    lines += [row(one, [run for run in results if run["data"] == name]) for name, one in QUESTIONS.items()]
    for run in results:
        if not QUESTIONS[run["data"]].right:
            lines += ["", f"**{run['data']}**: percent, 95 % intervals over three seeds", "", *scores(run["found"])]
            lines += ["", *learned(run["found"])]
    versions = ", ".join(sorted({run["torch"] for run in results})) or "-"
    return "\n".join([*lines, "", f"Searches: {len(results)}. torch {versions}. Single searches: `results/*.json`."])


if __name__ == "__main__":
    tables.write_or_check(Path(__file__).parent, text)
