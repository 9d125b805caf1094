"""Write the table of docs/guide/export.md from benchmarks/results/latency.json; ``--check`` only compares."""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from _page import ROOT, update

RESULTS = ROOT / "benchmarks" / "results" / "latency.json"
PAGE = ROOT / "docs" / "guide" / "export.md"
FORMS = {"eager": "eager", "compiled": "compiled", "frozen": "frozen", "onnx": "onnxruntime"}


def _cell(contestants: dict[str, Any], form: str) -> str:
    own, plain = (contestants[name]["median_ms"] for name in (form, f"plain {form}"))
    return f"{own:.2f} ms ({own / plain:.2f} ×)"


def table(found: dict[str, Any]) -> str:
    """The results as Markdown: medians, and their ratio to the plain network in the same form."""
    machine = found["machine"]
    lines = [f"| network | {' | '.join(FORMS.values())} |", "|---" + "|---:" * len(FORMS) + "|"]
    for name, measured in found["results"].items():
        lines.append(f"| {name} | {' | '.join(_cell(measured['contestants'], form) for form in FORMS)} |")
    versions = {measured["onnxruntime"] for measured in found["results"].values()}
    lines += [
        "",
        f"Medians on {machine['cpu']}, {machine['threads']} thread(s), torch {machine['torch']}, onnxruntime "
        f"{', '.join(sorted(versions))}, {machine['date']}; in brackets the ratio to a plain network of the same real "
        "width in the same form.",
    ]
    return "\n".join(lines)


def main() -> None:
    content = table(json.loads(RESULTS.read_text(encoding="utf-8"))) if RESULTS.exists() else "Not measured yet."
    update(PAGE, {"latency": content}, "latency_table.py")


if __name__ == "__main__":
    main()
