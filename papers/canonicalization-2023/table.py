"""Write the tables of README.md from the results; ``--check`` only says whether they are up to date.

Results come in one by one while the queue runs. Which of them the tables show is written down in published.json.
"""

from pathlib import Path

from _runs import Results, head, line, spread, worst_symmetry, write_or_check
from run import KINDS, TESTS

HERE = Path(__file__).parent


def accuracy(runs: Results, test: str) -> str:
    """In %, mean and standard deviation over seeds."""
    return spread([100 - run["test_error_percent"][test] for run in runs]) if runs else "not run yet"


def row(results: Results, name: str) -> str:
    """One kind of run."""
    runs = [run for run in results if run["kind"] == name]
    cells = [KINDS[name].title, *(accuracy(runs, test) for test in TESTS)]
    if not runs:
        return line([*cells, *["-"] * 4])
    fractions = [100 * run["identity_fraction"] for run in runs if run["identity_fraction"] is not None]
    cells += [spread(fractions) if fractions else "-", worst_symmetry(runs), str(len(runs))]
    return line([*cells, f"{sum(run['hours'] for run in runs):.2f}"])


def tables(results: Results) -> str:
    """The table as Markdown."""
    columns = [
        "network",
        "upright",
        "turned by 90 degrees",
        "left alone, %",
        "invariance error",
        "seeds",
        "hours",
    ]
    lines = ["Accuracy in % on 10,000 test digits", "", *head(columns), *(row(results, name) for name in KINDS), ""]
    versions = ", ".join(sorted({run["torch"] for run in results})) or "-"
    return "\n".join([*lines, f"Runs: {len(results)}. torch {versions}. Single runs: `results/*.json`."])


if __name__ == "__main__":
    write_or_check(HERE, tables)
