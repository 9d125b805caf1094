"""Write the table of README.md from docs/assets/demo.json, which `make demo` produced; ``--check`` only compares."""

import importlib.util
import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
START, END = "<!-- demo: start -->", "<!-- demo: end -->"


def table() -> str:
    """The table of the demonstration as Markdown."""
    spec = importlib.util.spec_from_file_location("demo", ROOT / "examples" / "demo.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError("examples/demo.py")
    demo = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(demo)
    results = json.loads((ROOT / "docs" / "assets" / "demo.json").read_text())
    head, *body = demo.rows(results["networks"])
    lines = [f"| {' | '.join(head)} |", "|---" + "|---:" * (len(head) - 1) + "|"]
    lines += [f"| {' | '.join(row)} |" for row in body]
    return "\n".join(lines)


def main() -> None:
    readme = ROOT / "README.md"
    text = readme.read_text()
    before, rest = text.split(START)
    _, after = rest.split(END)
    new = f"{before}{START}\n{table()}\n{END}{after}"
    if "--check" in sys.argv:
        sys.exit(0 if new == text else "README.md is not up to date: run python docs/tools/demo_table.py")
    readme.write_text(new)


if __name__ == "__main__":
    main()
