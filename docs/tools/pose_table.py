"""Write the table of docs/guide/similitude.md from benchmarks/results/error_by_pose.json; ``--check`` only compares."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from _page import ROOT, update
from benchmark_tables import Found, rows

RESULTS = ROOT / "benchmarks" / "results" / "error_by_pose.json"
PAGE = ROOT / "docs" / "guide" / "similitude.md"


def reach(found: Found) -> str:
    """Errors of both bases by the reach of a kernel."""
    result = found["results"]["reach"]
    lines = [(f"`HermiteBasis({name[-1]})`", *(f"{e:.1f} %" for e in row)) for name, row in result["errors"].items()]
    return rows(("reach", *(f"{r:.1f}" for r in result["reach"])), lines)


def main() -> None:
    update(PAGE, {"reach": reach(json.loads(RESULTS.read_text(encoding="utf-8")))}, "pose_table.py")


if __name__ == "__main__":
    main()
