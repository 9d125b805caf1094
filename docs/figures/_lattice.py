"""The lattice of a search, from a committed result."""

import json
from pathlib import Path

from _svg import ELEMENT_COLOURS, GOOD, LINE, MUTED, Drawing, blend, text_on

from equivision.discovery._page import covers, places

RESULT = Path(__file__).parents[2] / "papers/symmetry-discovery/results/shapes-C4-s0.json"
RADIUS = 25.0


def lattice() -> Drawing:
    """Candidates with their scores; what contains what."""
    found = json.loads(RESULT.read_text(encoding="utf-8"))["found"]
    rows = {row["name"]: row for row in found["rows"]}
    place, width, height = places({name: row["order"] for name, row in rows.items()})
    drawing = Drawing(int(width), int(height) + 30, f"Candidates and their scores; the best is {found['best']}")
    for upper, lower in covers({name: tuple(names) for name, names in found["contained"].items()}):
        drawing.line(place[lower], place[upper], stroke=LINE, width=2)
    low, high = (pick(row["score"] for row in rows.values()) for pick in (min, max))
    for name, row in rows.items():
        x, y = place[name]
        colour = blend("#f2f5fb", ELEMENT_COLOURS[1], (row["score"] - low) / (high - low))
        best = name == found["best"]
        drawing.circle((x, y), RADIUS, fill=colour, stroke=GOOD if best else MUTED, width=5 if best else 1)
        score = f"{100 * row['score']:.0f}"
        score = score if row["finished"] > row["stopped"] else f"({score})"
        drawing.text((x, y + 5), score, size=14, fill=text_on(colour))
        drawing.text((x, y + RADIUS + 19), name, size=14, bold=best)
    return drawing
