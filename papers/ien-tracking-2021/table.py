"""Write the tables of README.md from the results; ``--check`` only says whether they are up to date."""

import json
import statistics
from pathlib import Path
from typing import Any

from _networks import PUBLISHED, TRACKERS
from _runs import Results, head, line, write_or_check

HERE = Path(__file__).parent
DIAGNOSIS = HERE / "diagnosis.json"
_MISSING = "not run yet"


def mean(runs: Results, kind: str, number: str) -> str:
    """Over sequences and seeds; how far the seeds lie apart where there are several."""
    values = [statistics.fmean(row[number] for row in run["scores"][kind].values()) for run in runs]
    deviation = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.3f}{deviation}"


def channels(name: str) -> str:
    """Share of the channels that the trackers over four orientations have, in %."""
    net = TRACKERS[name].build().model
    if name == "SiamFC":
        return "-"
    groups = net.feature_groups.values()
    if not groups:
        return "100"
    used = sum(size * count for kinds in groups for size, count in kinds)
    return f"{100 * used / sum(4 * count for kinds in groups for _, count in kinds):.0f}"


def scores(results: Results) -> list[str]:
    """Every tracker on the sequences as they are and turning, beside the study."""
    columns = ["tracker", "channels %", "study, Rot-OTB: success / precision", "turning: success / precision"]
    lines = head([*columns, "upright: success / precision", "parameters", "seeds", "processor minutes"])
    for name in TRACKERS:
        runs = [run for run in results if run["tracker"] == name]
        printed = "{:.2f} / {:.2f}".format(*PUBLISHED[name])
        if not runs:
            lines.append(line([name, channels(name), printed, _MISSING, _MISSING, "-", "-", "-"]))
            continue
        ours = [f"{mean(runs, kind, 'success')} / {mean(runs, kind, 'precision')}" for kind in ("turning", "upright")]
        minutes = f"{sum(run['processor_minutes'] for run in runs):.1f}"
        lines.append(
            line([name, channels(name), printed, *ours, f"{runs[0]['parameters']:,}", str(len(runs)), minutes])
        )
    return lines


def sequences(results: Results) -> list[str]:
    """Every sequence by itself: success / precision, and where there are orientations, the share that is right."""
    names = list(dict.fromkeys(name for run in results for rows in run["scores"].values() for name in rows))
    lines = head(["tracker", *names, "frames a second of one core"])
    for run in results:
        rows: dict[str, dict[str, Any]] = {key: row for part in run["scores"].values() for key, row in part.items()}
        cells = [_cell(rows[name]) for name in names]
        label = run["tracker"] + (f", seed {run['seed']}" if run["seed"] else "")
        lines.append(line([label, *cells, f"{run['frames_per_processor_second']:.1f}"]))
    return lines


def _cell(row: dict[str, Any]) -> str:
    right = f", {100 * row['right_orientation']:.0f} % right" if "right_orientation" in row else ""
    return f"{row['success']:.3f} / {row['precision']:.3f}{right}"


def diagnosis() -> list[str]:
    """What why.py found: how equivariant the features are, and how often one step from the true box succeeds."""
    found = json.loads(DIAGNOSIS.read_text(encoding="utf-8"))
    names = list(next(iter(found.values()))["hits"])
    lines = head(["tracker", "equivariance error of the template's features", *names])
    for name, row in found.items():
        lines.append(line([name, f"{row['equivariance_error']:.2g}", *(f"{row['hits'][one]:.0%}" for one in names)]))
    return lines


def tables(results: Results) -> str:
    """All tables as Markdown."""
    order = list(TRACKERS)
    results = sorted(results, key=lambda run: (run["seed"], order.index(run["tracker"])))
    parts = ["**Mean over the sequences**", "", *scores(results), ""]
    if results:
        parts += ["**Every sequence**: success / precision, orientations that are right", "", *sequences(results), ""]
    if DIAGNOSIS.exists():
        parts += [
            "**One step from the true box**: how often the target is found within 20 pixels (`why.py`, seed 0)",
            "",
        ]
        parts += [*diagnosis(), ""]
    versions = ", ".join(sorted({run["torch"] for run in results})) or "-"
    parts.append(f"Runs: {len(results)}. torch {versions}. Single runs: `results/*.json`.")
    return "\n".join(parts)


if __name__ == "__main__":
    write_or_check(HERE, tables)
