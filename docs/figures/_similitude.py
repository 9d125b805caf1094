"""Heat maps of the error by scale and angle, of networks on turns and scales, on either, on neither."""

import json
import math
from pathlib import Path

from _svg import GOOD, INK, MUTED, PAPER, Drawing, Point, blend, text_on

RESULTS = Path(__file__).parents[2] / "benchmarks/results/error_by_pose.json"
COLUMN, ROW, GAP = 34.0, 23.0, 1.0
DEGREES = (0.0, 11.25, 22.5, 33.75, 45.0, 90.0)
DARK, WHOLE = "#7c2d12", 100.0
#: Title, network and kind of error of every panel, and what is said below it.
PANELS = (
    ("turns and scales", "turns and scales", "shared", "slots that both pictures have"),
    ("turns alone", "turns", "shared", "growing moves no slot"),
    ("scales alone", "scales", "shared", "turning moves no slot"),
    ("turns and scales, all slots", "turns and scales", "full", "with what the end of the axis costs"),
    ("turns and scales, slots stay", "turns and scales", "unshifted", "what moving the slots is worth"),
    ("ordinary convolutions", "neither", "shared", "no slots at all"),
)


def _colour(percent: float) -> str:
    """White at 0, green where it is small, dark from 100 % on."""
    share = math.sqrt(min(percent, WHOLE) / WHOLE)
    return blend(PAPER, GOOD, 0.1 + share) if percent < 5 else blend("#fde7cf", DARK, share)


def _panel(drawing: Drawing, corner: Point, rows: list[list[float]], factors: list[float]) -> None:
    left, top = corner
    for i, row in enumerate(reversed(rows)):  # the largest on top
        factor = factors[len(factors) - 1 - i]
        drawing.text((left - 6, top + ROW * i + 15), f"{factor:.2f}", size=11, fill=MUTED, anchor="end")
        for j, percent in enumerate(row):
            colour = _colour(percent)
            drawing.rect((left + COLUMN * j, top + ROW * i), (COLUMN - GAP, ROW - GAP), fill=colour)
            at = (left + COLUMN * (j + 0.5), top + ROW * i + 15)
            drawing.text(at, f"{percent:.0f}", size=10, fill=text_on(colour))
    below = top + ROW * len(rows) + 15
    for j, angle in enumerate(DEGREES):
        drawing.text((left + COLUMN * (j + 0.5), below), f"{angle:.3g}\u00b0", size=10, fill=MUTED)


def error_by_pose() -> Drawing:
    """Six panels: two rows of three."""
    found = json.loads(RESULTS.read_text(encoding="utf-8"))["results"]["poses"]
    drawing = Drawing(780, 436, "Equivariance error by scale and angle, in percent")
    drawing.text((24, 34), "error in %: columns, angle of the picture; rows, its enlargement", size=13, anchor="start")
    for k, (title, name, kind, words) in enumerate(PANELS):
        corner = (56 + 246.0 * (k % 3), 82 + 186.0 * (k // 3))
        drawing.text((corner[0], corner[1] - 12), title, size=14, bold=True, fill=INK, anchor="start")
        rows = [[row[found["degrees"].index(angle)] for angle in DEGREES] for row in found["errors"][name][kind]]
        _panel(drawing, corner, rows, found["factors"])
        below = (corner[0] + COLUMN * len(DEGREES) / 2, corner[1] + ROW * len(rows) + 36)
        drawing.text(below, words, size=12, fill=MUTED)
    return drawing
