"""Fill marked places of a page with what code makes of committed results."""

import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]


def filled(text: str, name: str, content: str) -> str:
    """A page with other content between ``<!-- name: start -->`` and ``<!-- name: end -->``."""
    start, end = f"<!-- {name}: start -->", f"<!-- {name}: end -->"
    before, rest = text.split(start)
    _, after = rest.split(end)
    return f"{before}{start}\n{content}\n{end}{after}"


def update(page: Path, contents: Mapping[str, str], tool: str) -> None:
    """Fill all places and write the page; with ``--check`` only say, by the exit status, whether it would change."""
    text = new = page.read_text(encoding="utf-8")
    for name, content in contents.items():
        new = filled(new, name, content)
    if "--check" in sys.argv:
        stale = f"{page.relative_to(ROOT)} is not up to date: run python docs/tools/{tool}"
        sys.exit(0 if new == text else stale)
    page.write_text(new, encoding="utf-8")
