"""Write the table of docs/guide/hyper.md from benchmarks/results/hyper.json; ``--check`` only compares."""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from _page import ROOT, update

RESULTS = ROOT / "benchmarks" / "results" / "hyper.json"
PAGE = ROOT / "docs" / "guide" / "hyper.md"
COLUMNS = ("ordinary main pass", "generator's four passes and an ordinary main pass", "weights for each image")


def table(found: dict[str, Any]) -> str:
    """The results as Markdown: medians, their ratio, and memory."""
    lines = [
        "| network | an ordinary main pass | and the generator's four | weights for each image | ratio | memory |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, measured in found["results"].items():
        rows, memory = measured["contestants"], measured["peak_memory_mib"]
        times = [f"{rows[column]['median_ms']:.1f} ms" for column in COLUMNS]
        more = memory["this network"] - memory["nothing but imports"]
        lines.append(f"| `{name}` | {' | '.join(times)} | {rows[COLUMNS[2]]['ratio']:.2f} | {more:.0f} MiB |")
    machine = found["machine"]
    lines += [
        "",
        "Forward passes of 32 digits in evaluation, medians; the ratio is to generator and ordinary pass together. "
        "Memory: the largest of a process that runs one batch, less that of the imports. "
        f"{machine['cpu']}, {machine['threads']} thread(s), torch {machine['torch']}, {machine['date']}.",
    ]
    return "\n".join(lines)


def main() -> None:
    content = table(json.loads(RESULTS.read_text(encoding="utf-8"))) if RESULTS.exists() else "Not measured yet."
    update(PAGE, {"cost": content}, "hyper_table.py")


if __name__ == "__main__":
    main()
