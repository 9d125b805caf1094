"""Write the table of README.md from the results; ``--check`` only says whether it is up to date."""

from pathlib import Path

from _networks import NETWORKS
from _runs import tables
from run import TESTS, TRAININGS

COLUMNS = ["network", "parameters", "million MACs", *TESTS, "change of logits", "seeds", "minutes"]


def row(runs: tables.Results, name: str) -> str:
    """A network: test errors in every pose, and what a pose does to its logits."""
    if not runs:
        return tables.line([name, "not run yet", *["-"] * (len(COLUMNS) - 2)])
    errors = [tables.spread([run["test_error_percent"][test] for run in runs]) for test in TESTS]
    change = tables.spread([run["change_with_pose"] for run in runs])
    minutes = f"{60 * sum(run['hours'] for run in runs) / len(runs):.1f}"
    size = f"{runs[0]['parameters']:,}", f"{runs[0]['million_macs']:.1f}"
    return tables.line([name, *size, *errors, change, str(len(runs)), minutes])


def text(results: tables.Results) -> str:
    """A table for each kind of training, as Markdown."""
    lines: list[str] = []
    for training in TRAININGS:
        lines += [f"**Trained on digits that are {training}**: test error in %", "", *tables.head(COLUMNS)]
        for network in NETWORKS:
            found = [run for run in results if (run["network"], run["training"]) == (network.name, training)]
            lines.append(row(found, network.name))
        lines.append("")
    versions = ", ".join(sorted({run["torch"] for run in results})) or "-"
    return "\n".join([*lines, f"Runs: {len(results)}. torch {versions}. Single runs: `results/*.json`."])


if __name__ == "__main__":
    tables.write_or_check(Path(__file__).parent, text)
