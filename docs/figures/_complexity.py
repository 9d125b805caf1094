"""Accuracy by number of labels, and the labels that an accuracy takes by how many different views an object has."""

import json
import runpy
import statistics
from pathlib import Path
from typing import Any

import numpy as np
from _angles import Panel
from _svg import ELEMENT_COLOURS, GOOD, INK, MUTED, Drawing

from equivision.data._bars import bar
from equivision.data._chiral import paint

FOLDER = Path(__file__).parents[2] / "papers/sample-complexity"
FACTORS = runpy.run_path(str(FOLDER / "_factors.py"))
STYLES = {"G-CNN": GOOD, "CNN": ELEMENT_COLOURS[5], "CNN, augmented": ELEMENT_COLOURS[2]}
SHOWN = ("C4", "single")
HEADS = ("arrow", "hammer", "fork")


def _results() -> list[dict[str, Any]]:
    names = json.loads((FOLDER / "published.json").read_text(encoding="utf-8"))
    return [json.loads((FOLDER / "results" / f"{name}.json").read_text(encoding="utf-8")) for name in names]


def _bars(drawing: Drawing) -> None:
    """The three classes, with one head and with two."""
    for row, kind in enumerate(("", "double ")):
        for column, head in enumerate(HEADS):
            picture = np.rint(4 * paint(5 * bar(kind + head, 0.5), 0.7, 15)) / 4
            drawing.pixels((24 + 54.0 * column, 60 + 92.0 * row), picture, 3.2, INK)
        words = ("one head: |G| views", "two heads: |G| / 2 views")[row]
        drawing.text((101, 124 + 92.0 * row), words, size=12, fill=MUTED)


def _curves(drawing: Drawing, results: list[dict[str, Any]]) -> None:
    """Accuracy of the three trainings, mean of the seeds."""
    runs = [run for run in results if (run["group"], run["bars"]) == SHOWN]
    labels = runs[0]["labels"]
    panel = Panel((240, 60), (220, 210), tuple(labels), (0.4, 0.6, 0.8, 1.0), (True, False))
    panel.draw(drawing, "C4, one head: four views", "labels")
    for training, colour in STYLES.items():
        means = [statistics.mean(run["accuracy"][training][i] for run in runs) for i in range(len(labels))]
        panel.curve(drawing, labels, means, (colour, False))


def _by_orbit(drawing: Drawing, results: list[dict[str, Any]]) -> None:
    """Labels against views; filled: one head, rings: two; dashed: as many times more as there are views."""
    panel = Panel((520, 60), (220, 210), (1, 2, 4, 8), (10, 30, 100, 300, 1000))
    percent = f"{FACTORS['TARGET']:.0%}"
    panel.draw(drawing, f"labels for {percent}", "different views")
    cases = sorted({(run["orbit"], run["group"], run["bars"]) for run in results})
    for bars in ("single", "double"):
        once = _labels(results, "C1", bars, "G-CNN")
        panel.curve(drawing, (1, 8), (once.number, 8 * once.number), (MUTED, True), dots=False)
    places: dict[tuple[int, str], int] = {}
    for orbit, group, bars in cases:
        for training, colour in STYLES.items():
            found = _labels(results, group, bars, training)
            if found is None:
                continue
            count = places[orbit, training] = places.get((orbit, training), -1) + 1
            x, y = panel.at(orbit, min(found.number, 1000))
            at = (x + 5 * count - 5, y)
            if found.side == ">":
                drawing.arrow((at[0], y + 3), (at[0], y - 16), stroke=colour)
            if bars == "single":
                drawing.circle(at, 4, fill=colour)
            else:
                drawing.circle(at, 3.4, stroke=colour)


def _labels(results: list[dict[str, Any]], group: str, bars: str, training: str) -> Any:
    runs = [run for run in results if (run["group"], run["bars"]) == (group, bars)]
    means = FACTORS["mean_accuracy"](runs, training) if runs else []
    return FACTORS["needed"](runs[0]["labels"], means) if means else None


def labels_by_views() -> Drawing:
    """The pictures, the curves of one group, all groups by orbit."""
    results = _results()
    drawing = Drawing(800, 344, "Labels that a group convolutional network and an ordinary one need")
    x = 240.0
    for name, colour in STYLES.items():
        drawing.circle((x, 25), 4, fill=colour)
        drawing.text((x + 10, 30), name, size=13, anchor="start")
        x += 40 + 8 * len(name)
    words = "discs: one head, rings: two; dashed: views times the labels of one view"
    drawing.text((784, 330), words, size=11, fill=MUTED, anchor="end")
    _bars(drawing)
    _curves(drawing, results)
    _by_orbit(drawing, results)
    return drawing
