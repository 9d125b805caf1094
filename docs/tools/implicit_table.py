"""Write the tables of docs/guide/implicit.md from benchmarks/results/implicit.json; ``--check`` only compares."""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from _page import ROOT, update

RESULTS = ROOT / "benchmarks" / "results" / "implicit.json"
PAGE = ROOT / "docs" / "guide" / "implicit.md"


def table(found: dict[str, Any]) -> str:
    """The results as Markdown: steps of training, then forward passes."""
    lines = ["| training step of `ien_cnn` | time | to the plain step |", "|---|---:|---:|"]
    for name, measured in found["results"].items():
        if name.startswith("training"):
            for contestant, row in measured["contestants"].items():
                title = f"{name.removeprefix('training, ')}, {contestant}"
                lines.append(f"| {title} | {row['median_ms']:.0f} ms | {row['ratio']:.2f} |")
    lines += ["", "| feature groups | MACs | parameters | forward pass |", "|---|---:|---:|---:|"]
    inference = found["results"]["inference"]
    for kind, row in inference["contestants"].items():
        macs, parameters = inference["macs"][kind], inference["parameters"][kind]
        lines.append(f"| `{kind}` | {macs / 1e6:.0f} M | {parameters:,} | {row['median_ms']:.0f} ms |")
    machine = found["machine"]
    lines += [
        "",
        "Batches of 32 digits, medians; groups of 4 in 32, groups of 8 in 16 feature groups of the first layer. "
        f"{machine['cpu']}, {machine['threads']} thread(s), torch {machine['torch']}, {machine['date']}.",
    ]
    return "\n".join(lines)


def main() -> None:
    content = table(json.loads(RESULTS.read_text(encoding="utf-8"))) if RESULTS.exists() else "Not measured yet."
    update(PAGE, {"cost": content}, "implicit_table.py")


if __name__ == "__main__":
    main()
