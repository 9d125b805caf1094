"""Write the table of README.md from the results; ``--check`` only says whether it is up to date."""

from pathlib import Path
from statistics import mean

from _networks import NETWORKS
from _runs import tables

LAYERS = [f"features.conv{i}" for i in range(1, 7)]


def table(results: tables.Results) -> str:
    """Accuracies and the loss of every layer as Markdown."""
    columns = ["network", "parameters", "MACs", "study", "rotated", "upright", *(f"conv{i}" for i in range(1, 7))]
    lines = tables.head([*columns, "equivariance error", "seeds", "hours"])
    for network in NETWORKS:
        runs = [run for run in results if run["network"] == network.name]
        if not runs:
            lines.append(tables.line([network.name, "-", "-", network.published, "not run yet", *["-"] * 10]))
            continue
        accuracies = [
            tables.spread([100 - run["test_error_percent"][test] for run in runs]) for test in ("rotated", "upright")
        ]
        layers = [f"{mean(run['layer_differences'][name] for run in runs):.0e}" for name in LAYERS]
        cells = [network.name, f"{runs[0]['parameters']:,}", f"{runs[0]['macs'] / 1e6:.1f} M", network.published]
        cells += [*accuracies, *layers, tables.worst_symmetry(runs)]
        lines.append(tables.line([*cells, str(len(runs)), f"{sum(run['hours'] for run in runs):.2f}"]))
    versions = ", ".join(sorted({run["torch"] for run in results})) or "-"
    return "\n".join([*lines, "", f"torch {versions}. Single runs: `results/*.json`."])


if __name__ == "__main__":
    tables.write_or_check(Path(__file__).parent, table)
