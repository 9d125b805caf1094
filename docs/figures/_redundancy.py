"""Histograms of the redundancy of filters before and after training, from the results of the reproduction."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from _svg import ELEMENT_COLOURS, INK, LINE, MUTED, Drawing, Point

RESULTS = Path(__file__).parents[2] / "papers/separable-2021/results-redundancy"
BEFORE, AFTER, OUTLINE = "#bfe0f2", ELEMENT_COLOURS[5], ELEMENT_COLOURS[2]
LOW, HIGH, STEP = 0.2, 1.0, 0.05
PANEL_WIDTH, PANEL_HEIGHT = 208.0, 120.0


def _outline(at: Point, shares: np.ndarray, top: float) -> str:
    """The steps of a histogram as one path, from the base and back to it."""
    x, base = at[0], at[1] + PANEL_HEIGHT
    width = PANEL_WIDTH / len(shares)
    commands = f"M{x:.1f} {base:.1f}"
    for i, share in enumerate(shares.tolist()):
        commands += f"V{base - PANEL_HEIGHT * share / top:.1f}H{x + width * (i + 1):.1f}"
    return f"{commands}V{base:.1f}"


def _across(at: Point, value: float) -> float:
    return at[0] + PANEL_WIDTH * (value - LOW) / (HIGH - LOW)


def _panel(drawing: Drawing, at: Point, layers: list[dict[str, Any]], top: float) -> None:
    """One layer, all networks together."""
    first, base = layers[0], at[1] + PANEL_HEIGHT
    ratios = {when: [ratio for layer in layers for ratio in layer[when]] for when in ("before", "after")}
    for when, fill, stroke in (("before", BEFORE, OUTLINE), ("after", "none", AFTER)):
        shares = np.histogram(ratios[when], np.arange(LOW, HIGH + STEP / 2, STEP))[0] / len(ratios[when])
        drawing.path(_outline(at, shares, top), fill=fill, stroke=stroke, width=1 if when == "before" else 2.2)
    drawing.line((at[0], base), (at[0] + PANEL_WIDTH, base), stroke=MUTED, width=1)
    line = _across(at, first["random_uniform"])
    drawing.line((line, at[1] - 4), (line, base), stroke=INK, width=1.5, dashed=True)
    for value in (0.25, 0.5, 0.75, 1.0):
        drawing.line((_across(at, value), base), (_across(at, value), base + 4), stroke=MUTED, width=1)
        drawing.text((_across(at, value), base + 17), f"{value:g}", size=11, fill=MUTED)
    kernel = "\u00d7".join(map(str, first["kernel_size"]))
    drawing.text((at[0], at[1] - 12), f"layer {first['layer']}, {kernel}", size=14, bold=True, anchor="start")
    means = " \u2192 ".join(f"{np.mean(ratios[when]):.2f}" for when in ("before", "after"))
    drawing.text((at[0] + PANEL_WIDTH, at[1] + 14), f"mean {means}", size=12, fill=MUTED, anchor="end")


def redundancy() -> Drawing:
    """Six layers of P4CNN: before training a filled histogram, after training an outline."""
    results = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))]
    drawing = Drawing(
        760, 452, "Share of the variance of a filter set that one kernel explains, before and after training"
    )
    drawing.rect((30, 20), (16, 12), fill=BEFORE, stroke=OUTLINE)
    drawing.text((54, 31), "before training", size=13, anchor="start")
    drawing.rect((170, 20), (16, 12), fill="none", stroke=AFTER, width=2.2)
    drawing.text((194, 31), "after training", size=13, anchor="start")
    drawing.line((300, 26), (322, 26), stroke=INK, dashed=True)
    drawing.text((330, 31), "mean of random filters", size=13, anchor="start")
    drawing.line((30, 48), (730, 48), stroke=LINE, width=1)
    for i, layers in enumerate(zip(*(result["layers"] for result in results), strict=True)):
        at = (30 + (PANEL_WIDTH + 38) * (i % 3), 88 + (PANEL_HEIGHT + 62) * (i // 3))
        _panel(drawing, at, list(layers), 0.42)
    words = "share of the variance of a filter set that its first principal component explains"
    drawing.text((380, 434), words, size=13, fill=MUTED)
    return drawing
