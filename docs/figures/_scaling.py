"""How the time of a group convolution grows, beside the ordinary convolution of the same real width."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _svg import ELEMENT_COLOURS, INK, LINE, MUTED, Drawing, Point

RESULTS = Path(__file__).parents[2] / "benchmarks/results/scaling.json"
COLOURS = {"Conv2d": INK, "C2": ELEMENT_COLOURS[3], "C4": ELEMENT_COLOURS[1], "D2": ELEMENT_COLOURS[6], "D4": "#15803d"}
SWEEPS = {"width": "channels (|G| × fields)", "size": "pixels of a side", "batch": "images in a batch"}
TIMES, RATIOS = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0), (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
PANEL_WIDTH, PANEL_HEIGHT = 190.0, 168.0


@dataclass(frozen=True)
class Panel:
    """Two logarithmic axes."""

    corner: Point
    across: tuple[float, ...]
    upwards: tuple[float, ...]

    def at(self, x: float, y: float) -> Point:
        column, row = (
            (math.log(value) - math.log(ticks[0])) / (math.log(ticks[-1]) - math.log(ticks[0]))
            for value, ticks in ((x, self.across), (y, self.upwards))
        )
        return self.corner[0] + PANEL_WIDTH * column, self.corner[1] + PANEL_HEIGHT * (1 - row)

    def draw(self, drawing: Drawing) -> None:
        """Lines and numbers."""
        for y in self.upwards:
            left, right = self.at(self.across[0], y), self.at(self.across[-1], y)
            drawing.line(left, right, stroke=MUTED if y == 1 and self.upwards == RATIOS else LINE, width=1)
            drawing.text((left[0] - 7, left[1] + 4), f"{y:g}", size=11, fill=MUTED, anchor="end")
        for x in self.across:
            column, row = self.at(x, self.upwards[0])
            drawing.line((column, row), (column, row + 4), stroke=MUTED, width=1)
            drawing.text((column, row + 17), f"{x:g}", size=11, fill=MUTED)

    def curve(self, drawing: Drawing, points: list[Point], colour: str) -> None:
        """One line with its points."""
        places = [self.at(*point) for point in points]
        drawing.path("M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in places), stroke=colour, width=2)
        for place in places:
            drawing.circle(place, 2.6, fill=colour)


def _span(ticks: tuple[float, ...], values: list[float]) -> tuple[float, ...]:
    """The ticks that are needed to enclose all values."""
    below = [tick for tick in ticks if tick <= min(values)]
    above = [tick for tick in ticks if tick >= max(values)]
    return tuple(t for t in ticks if (below[-1:] or ticks[:1])[0] <= t <= (above[:1] or ticks[-1:])[0])


def _figure(kind: str, title: str) -> Drawing:
    """Times above, their ratio to Conv2d below; a column for each quantity that varies."""
    found: list[dict[str, Any]] = list(json.loads(RESULTS.read_text(encoding="utf-8"))["results"].values())
    found = [measured for measured in found if measured["kind"] == kind]
    rows = {"median_ms": "ms", "ratio": "time divided by that of Conv2d"}
    spans = {
        field: _span(ticks, [row[field] for measured in found for row in measured["contestants"].values()])
        for field, ticks in (("median_ms", TIMES), ("ratio", RATIOS))
    }
    drawing = Drawing(760, 516, title)
    for i, (name, colour) in enumerate(COLOURS.items()):
        drawing.circle((300 + 92 * i, 25), 4, fill=colour)
        drawing.text((310 + 92 * i, 30), name, size=13, anchor="start")
    for row, (field, words) in enumerate(rows.items()):
        top = 68 + (PANEL_HEIGHT + 62) * row
        drawing.text((22, top - 14), words, size=13, fill=MUTED, anchor="start")
        for column, (sweep, varied) in enumerate(SWEEPS.items()):
            chosen = sorted((m for m in found if m["sweep"] == sweep), key=lambda m: m[sweep])
            panel = Panel((56 + (PANEL_WIDTH + 52) * column, top), tuple(m[sweep] for m in chosen), spans[field])
            panel.draw(drawing)
            for name, colour in COLOURS.items():
                points = [(m[sweep], m["contestants"][name][field]) for m in chosen]
                panel.curve(drawing, points, colour)
            if row == 1:
                drawing.text((panel.corner[0] + PANEL_WIDTH / 2, top + PANEL_HEIGHT + 38), varied, size=13, fill=MUTED)
    return drawing


def scaling_forward() -> Drawing:
    """Without gradients."""
    return _figure("forward", "Time of a forward pass against width, image size and batch")


def scaling_backward() -> Drawing:
    """With the gradients of input and weights."""
    return _figure("forward and backward", "Time of forward and backward against width, image size and batch")
