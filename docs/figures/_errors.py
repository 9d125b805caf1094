"""Test error against training images and against parameters (figure 3 of the paper), from the published results."""

import json
import math
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _svg import ELEMENT_COLOURS, INK, LINE, MUTED, Drawing, Point

FOLDER = Path(__file__).parents[2] / "papers/separable-2021"
ALL_IMAGES = 12_000
LEFT, RIGHT, TOP, BOTTOM = 74.0, 722.0, 84.0, 356.0


@dataclass(frozen=True)
class Series:
    """One kind of network: its colour, the widths and numbers of images that its line needs, the paper's own points."""

    net: str
    label: str
    colour: str
    widths: tuple[int, ...]
    paper: dict[int, tuple[int, float]]  # width: (parameters, test error in %), table 1 of the paper


KINDS = (
    Series("p4cnn", "P4CNN", ELEMENT_COLOURS[1], (4, 6, 10, 14), {10: (24_810, 2.23)}),
    Series("g_p4cnn", "g-P4CNN", "#15803d", (6, 10, 17), {10: (8_910, 2.60), 17: (25_255, 1.97)}),
    Series("gc_p4cnn", "gc-P4CNN", ELEMENT_COLOURS[5], (10, 17, 30), {10: (3_420, 2.88), 30: (24_640, 1.74)}),
)
IMAGES = (1_200, 3_000, 6_000, ALL_IMAGES)
AT_25K = {"p4cnn": 10, "g_p4cnn": 17, "gc_p4cnn": 30}


@dataclass(frozen=True)
class Mark:
    """One point: where, the errors of the single seeds."""

    x: float
    errors: tuple[float, ...]

    @property
    def mean(self) -> float:
        return statistics.mean(self.errors)

    @property
    def reach(self) -> float:
        return statistics.stdev(self.errors) if len(self.errors) > 1 else 0.0


class Axes:
    """A logarithmic axis across, a linear one upwards from 0."""

    def __init__(self, xs: Iterable[float], ys: Iterable[float]) -> None:
        low, high = min(xs), max(xs)
        self.low, self.high = math.log(low) - 0.12, math.log(high) + 0.12
        self.top = math.ceil(max(ys) + 0.2)

    def at(self, x: float, y: float) -> Point:
        across = (math.log(x) - self.low) / (self.high - self.low)
        return LEFT + across * (RIGHT - LEFT), BOTTOM - (BOTTOM - TOP) * y / self.top

    def draw(self, drawing: Drawing, ticks: Iterable[float], words: str) -> None:
        """Lines, numbers and what they mean."""
        step = max(1, math.ceil(self.top / 6))
        for y in range(0, self.top + 1, step):
            _, row = self.at(math.exp(self.low), y)
            drawing.line((LEFT, row), (RIGHT, row), stroke=LINE, width=1)
            drawing.text((LEFT - 10, row + 4), str(y), size=12, fill=MUTED, anchor="end")
        for x in ticks:
            column, _ = self.at(x, 0)
            drawing.line((column, BOTTOM), (column, BOTTOM + 5), stroke=MUTED, width=1)
            drawing.text((column, BOTTOM + 20), f"{x:,}", size=12, fill=MUTED)
        drawing.text(((LEFT + RIGHT) / 2, BOTTOM + 42), words, size=13, fill=MUTED)
        drawing.text((24, 30), "test error on rotated MNIST in %", size=13, fill=MUTED, anchor="start")


def published() -> list[dict[str, Any]]:
    """The results that tables and figures show, of networks trained on rotated digits."""
    names = json.loads((FOLDER / "published.json").read_text(encoding="utf-8"))
    runs = [json.loads((FOLDER / "results" / f"{name}.json").read_text(encoding="utf-8")) for name in names]
    return [run for run in runs if run.get("train_variant") == "rotated"]


def marks(runs: list[dict[str, Any]], wanted: Iterable[tuple[str, int, int]], x: str) -> list[Mark]:
    """One point for each (net, width, images) that has a result; ``x`` is the entry of the result that goes across."""
    points = []
    for kind in wanted:
        found = [run for run in runs if (run["net"], run["width"], run["train_images"]) == kind]
        if found:
            points.append(Mark(found[0][x], tuple(run["test_error_percent"]["rotated"] for run in found)))
    return sorted(points, key=lambda mark: mark.x)


def _line(drawing: Drawing, axes: Axes, points: list[Mark], colour: str) -> None:
    places = [axes.at(mark.x, mark.mean) for mark in points]
    drawing.path("M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in places), stroke=colour, width=2.2)
    for mark, (x, y) in zip(points, places, strict=True):
        if mark.reach:
            low, high = (axes.at(mark.x, mark.mean + sign * mark.reach)[1] for sign in (-1, 1))
            drawing.line((x, low), (x, high), stroke=colour, width=1.5)
            for end in (low, high):
                drawing.line((x - 4, end), (x + 4, end), stroke=colour, width=1.5)
        drawing.circle((x, y), 4, fill=colour)


def _legend(drawing: Drawing, counts: dict[str, tuple[int, int]]) -> None:
    """Names of the kinds; how many points are still to come, if any are."""
    for i, kind in enumerate(KINDS):
        x, (done, wanted) = 290 + 96 * i, counts[kind.net]
        drawing.circle((x, 26), 4, fill=kind.colour)
        drawing.text((x + 10, 30), kind.label, size=13, fill=INK, anchor="start")
        if done < wanted:
            drawing.text((x + 10, 46), f"{done} of {wanted} points", size=11, fill=MUTED, anchor="start")
    drawing.circle((582, 26), 5, stroke=MUTED, width=1.8)
    drawing.text((594, 30), "table of the paper", size=13, fill=INK, anchor="start")


def _figure(
    title: str,
    words: str,
    ticks: tuple[int, ...],
    x: str,
    wanted: Callable[[Series], list[tuple[str, int, int]]],
    paper: Callable[[Series], list[tuple[float, float]]],
) -> Drawing:
    """The points that there are; a run that is missing leaves a gap, nothing is put in its place."""
    runs = published()
    points = {kind.net: marks(runs, wanted(kind), x) for kind in KINDS}
    ours = [mark for kind in points.values() for mark in kind]
    theirs = [point for kind in KINDS for point in paper(kind)]
    axes = Axes(ticks, [*(mark.mean + mark.reach for mark in ours), *(error for _, error in theirs)])
    drawing = Drawing(760, 414, title)
    _legend(drawing, {kind.net: (len(points[kind.net]), len(wanted(kind))) for kind in KINDS})
    axes.draw(drawing, ticks, words)
    for kind in KINDS:
        for place in paper(kind):
            drawing.circle(axes.at(*place), 6, stroke=kind.colour, width=1.8)
    for kind in KINDS:
        if points[kind.net]:
            _line(drawing, axes, points[kind.net], kind.colour)
    return drawing


def error_by_images() -> Drawing:
    """Figure 3a: networks of about 25,000 parameters on fewer and fewer images."""
    return _figure(
        "Test error of P4CNN, g-P4CNN and gc-P4CNN against the number of training images",
        "training images (networks of about 25,000 parameters)",
        IMAGES,
        "train_images",
        lambda kind: [(kind.net, AT_25K[kind.net], images) for images in IMAGES],
        lambda kind: [(ALL_IMAGES, kind.paper[AT_25K[kind.net]][1])],
    )


def error_by_parameters() -> Drawing:
    """Figure 3b: every kind at several widths, on all 12,000 images."""
    return _figure(
        "Test error of P4CNN, g-P4CNN and gc-P4CNN against the number of parameters",
        "parameters",
        (3_000, 6_000, 12_000, 24_000, 48_000),
        "parameters",
        lambda kind: [(kind.net, width, ALL_IMAGES) for width in kind.widths],
        lambda kind: [(parameters, error) for parameters, error in kind.paper.values()],
    )
