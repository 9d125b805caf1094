"""Write the tables of README.md from results/*.json; ``--check`` only says whether they are up to date."""

import json
import statistics
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAPER = {"z2cnn": "5.20 ± 0.110", "p4cnn": "2.23 ± 0.061"}
NAMES = {"z2cnn": "Z2CNN", "p4cnn": "P4CNN"}
TESTS = {"upright": "upright", "rotated": "rotated", "rotated90": "90 degrees"}
START, END = "<!-- tables: start -->", "<!-- tables: end -->"


def read() -> dict[tuple[str, str], list[dict[str, Any]]]:
    """All results, by training images and network."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for path in sorted((HERE / "results").glob("*.json")):
        result = json.loads(path.read_text())
        found.setdefault((result["train_variant"], result["net"]), []).append(result)
    return found


def spread(values: list[float]) -> str:
    """Mean and standard deviation over seeds."""
    deviation = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.2f}{deviation}"


def rows(results: dict[tuple[str, str], list[dict[str, Any]]], variant: str) -> list[str]:
    """One line for each network trained on these images."""
    lines = []
    for net, name in NAMES.items():
        runs = results.get((variant, net), [])
        if not runs:
            lines.append(f"| {name} | not run | | | | | | | |")
            continue
        errors = [spread([run["test_error_percent"][test] for run in runs]) for test in TESTS]
        symmetry = [f"{max(run['equivariance_error'][kind] for run in runs):.0e}" for kind in ("float32", "float64")]
        paper = PAPER[net] if variant == "rotated" else "-"
        hours = f"{sum(run['hours'] for run in runs):.2f}"
        lines.append(
            f"| {name} | {runs[0]['parameters']:,} | {paper} | {errors[1]} | {errors[0]} | {errors[2]} | "
            f"{' / '.join(symmetry)} | {len(runs)} | {hours} |"
        )
    return lines


def tables() -> str:
    """Both tables as Markdown."""
    results = read()
    columns = ["network", "parameters", "paper, rotated", "ours, rotated", "ours, upright", "ours, 90 degrees"]
    columns += ["equivariance error, float32 / float64", "seeds", "hours"]
    head = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    parts = []
    for variant, title in (("rotated", "Trained on rotated digits"), ("upright", "Trained on upright digits")):
        parts += [f"**{title}**: test error in %, mean ± standard deviation over seeds", "", *head]
        parts += [*rows(results, variant), ""]
    epochs = sorted({run["epochs"] for runs in results.values() for run in runs})
    versions = sorted({run["torch"] for runs in results.values() for run in runs})
    parts.append(f"Epochs: {epochs}. torch {', '.join(versions)}. Single runs: `results/*.json`.")
    return "\n".join(parts)


def main() -> None:
    readme = HERE / "README.md"
    text = readme.read_text()
    before, rest = text.split(START)
    _, after = rest.split(END)
    new = f"{before}{START}\n{tables()}\n{END}{after}"
    if "--check" in sys.argv:
        sys.exit(0 if new == text else "README.md is not up to date: run python papers/separable-2021/table.py")
    readme.write_text(new)


if __name__ == "__main__":
    main()
