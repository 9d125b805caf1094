"""What the tables of all reproductions share: Markdown cells, and README.md as the results have it."""

import json
import statistics
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

START, END = "<!-- tables: start -->", "<!-- tables: end -->"
Results = list[dict[str, Any]]


def read_results(results: Path, names: Iterable[str]) -> Results:
    """The results of these runs."""
    return [json.loads((results / f"{name}.json").read_text()) for name in names]


def spread(values: list[float]) -> str:
    """Mean and standard deviation over seeds."""
    deviation = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.2f}{deviation}"


def line(cells: Iterable[str]) -> str:
    """A line of a table."""
    return f"| {' | '.join(cells)} |"


def head(columns: list[str]) -> list[str]:
    """The first two lines of a table."""
    return [line(columns), "|---" + "|---:" * (len(columns) - 1) + "|"]


def worst_symmetry(runs: Results) -> str:
    """Largest equivariance error of all seeds, in both precisions; a dash where there is nothing to measure."""
    errors = [run["equivariance_error"] for run in runs]
    if None in errors:
        return "-"
    return " / ".join(f"{max(error[kind] for error in errors):.0e}" for kind in ("float32", "float64"))


def write_or_check(folder: Path, tables: Callable[[Results], str]) -> None:
    """Write the tables between the marks of README.md, and the runs that they show to published.json.

    With ``--check`` as the argument of the program, only say whether README.md is that of the published results.
    """
    readme, published, results = folder / "README.md", folder / "published.json", folder / "results"
    only_check = "--check" in sys.argv
    names = sorted(str(path.relative_to(results).with_suffix("")) for path in results.rglob("*.json"))
    if only_check:
        names = json.loads(published.read_text())
    text = readme.read_text()
    before, rest = text.split(START)
    _, after = rest.split(END)
    new = f"{before}{START}\n{tables(read_results(results, names))}\n{END}{after}"
    if only_check:
        cure = f"README.md is not up to date: run python papers/{folder.name}/table.py"
        sys.exit(0 if new == text else cure)
    published.write_text(json.dumps(names, indent=1) + "\n")
    readme.write_text(new)
