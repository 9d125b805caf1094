"""Write the tables of README.md from the results; ``--check`` only says whether they are up to date."""

from pathlib import Path

from _networks import NETWORKS, Network
from _runs import tables

SIZES = (28, 56)
COLUMNS = ["network", "parameters", "published", "ours", "ours, upright", "change of logits", "epochs"]


def row(results: tables.Results, network: Network, size: int) -> str:
    """A network on images of one size: test errors, and what shrinking does to its logits."""
    published = network.published[SIZES.index(size)]
    runs = [run for run in results if (run["model"], run["size"]) == (network.model, size)]
    if not runs:
        return tables.line([network.name, "-", published, "not run yet", *["-"] * 5])
    errors = [tables.spread([run["test_error_percent"][test] for run in runs]) for test in ("scaled", "upright")]
    change = tables.spread([run["change_with_scale"] for run in runs])
    cells = [network.name, f"{runs[0]['parameters']:,}", published, *errors, change, str(runs[0]["epochs"])]
    return tables.line([*cells, str(len(runs)), f"{sum(run['hours'] for run in runs):.2f}"])


def text(results: tables.Results) -> str:
    """Both tables as Markdown."""
    lines: list[str] = []
    for size in SIZES:
        lines += [f"**Scale-MNIST, {size}x{size}**: test error in %", ""]
        lines += tables.head([*COLUMNS, "seeds", "hours"])
        lines += [*(row(results, network, size) for network in NETWORKS), ""]
    versions = ", ".join(sorted({run["torch"] for run in results})) or "-"
    return "\n".join([*lines, f"Runs: {len(results)}. torch {versions}. Single runs: `results/*.json`."])


if __name__ == "__main__":
    tables.write_or_check(Path(__file__).parent, text)
