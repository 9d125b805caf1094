"""Write the table of README.md from the results; ``--check`` only says whether it is up to date."""

from pathlib import Path

from _networks import BEST, NETWORKS
from _runs import tables


def table(results: tables.Results) -> str:
    """Test errors as Markdown."""
    columns = ["network", "parameters", "published", "ours, rotated", "ours, upright", "equivariance error"]
    lines = tables.head([*columns, "seeds", "hours"])
    for network in NETWORKS:
        runs = [run for run in results if run["network"] == network.name]
        if not runs:
            lines.append(tables.line([network.name, "-", network.published, "not run yet", *["-"] * 4]))
            continue
        errors = [tables.spread([run["test_error_percent"][test] for run in runs]) for test in ("rotated", "upright")]
        cells = [network.name, f"{runs[0]['parameters']:,}", network.published, *errors, tables.worst_symmetry(runs)]
        lines.append(tables.line([*cells, str(len(runs)), f"{sum(run['hours'] for run in runs):.2f}"]))
    name, error = BEST
    lines.append(tables.line([name, "864,000", error, *["-"] * 5]))
    sources = [f"{network.name}: {network.source}" for network in NETWORKS if network.source != "-"]
    versions = ", ".join(sorted({run["torch"] for run in results})) or "-"
    return "\n".join([*lines, "", f"Published: {'; '.join(sources)}. torch {versions}. Single runs: `results/*.json`."])


if __name__ == "__main__":
    tables.write_or_check(Path(__file__).parent, table)
