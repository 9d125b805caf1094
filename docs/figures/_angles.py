"""Errors by angle, by the number of orientations, and by what else decides about them."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _svg import ELEMENT_COLOURS, LINE, MUTED, Drawing, Point

RESULTS = Path(__file__).parents[2] / "benchmarks/results/error_by_angle.json"
GREEN = "#15803d"
#: Colour of each way to turn kernels; what is dashed has no mask.
MODES = {
    "nearest": ("#64748b", False),
    "bilinear, raw": (ELEMENT_COLOURS[2], True),
    "bilinear, masked": (ELEMENT_COLOURS[2], False),
    "bicubic, masked": (ELEMENT_COLOURS[0], False),
    "fourier, masked": ("#7b3fa0", False),
    "bspline, raw": (ELEMENT_COLOURS[6], True),
    "bspline, masked": (ELEMENT_COLOURS[6], False),
    "steerable": (GREEN, False),
}
NETWORKS = {
    "plain": ("#94a3b8", False),
    "C4": (ELEMENT_COLOURS[3], False),
    "C8": (ELEMENT_COLOURS[1], False),
    "C8, steerable": (ELEMENT_COLOURS[1], True),
    "C16": (ELEMENT_COLOURS[0], False),
    "SO(2) irreps": (GREEN, False),
}
Styles = Mapping[str, tuple[str, bool]]


def _found(name: str) -> dict[str, Any]:
    return json.loads(RESULTS.read_text(encoding="utf-8"))["results"][name]


@dataclass(frozen=True)
class Panel:
    """Two axes, either of them logarithmic."""

    corner: Point
    size: Point
    across: tuple[float, ...]
    upwards: tuple[float, ...]
    logarithmic: tuple[bool, bool] = (True, True)

    def at(self, x: float, y: float) -> Point:
        """Where a pair of numbers lies; what is below the axis lies on it."""
        shares = []
        for value, ticks, log in ((x, self.across, self.logarithmic[0]), (y, self.upwards, self.logarithmic[1])):
            low, high, here = (math.log(v) if log else v for v in (ticks[0], ticks[-1], max(value, ticks[0])))
            shares.append((here - low) / (high - low))
        return self.corner[0] + self.size[0] * shares[0], self.corner[1] + self.size[1] * (1 - shares[1])

    def draw(self, drawing: Drawing, title: str, words: str, *, unit: str = "") -> None:
        """Lines, numbers and what they mean."""
        left, top = self.corner
        drawing.text((left, top - 14), title, size=13, bold=True, anchor="start")
        for y in self.upwards:
            start, end = self.at(self.across[0], y), self.at(self.across[-1], y)
            drawing.line(start, end, stroke=LINE, width=1)
            drawing.text((left - 7, start[1] + 4), f"{y:g}", size=11, fill=MUTED, anchor="end")
        for x in self.across:
            column, row = self.at(x, self.upwards[0])
            drawing.line((column, row), (column, row + 4), stroke=MUTED, width=1)
            drawing.text((column, row + 17), f"{x:g}{unit}", size=11, fill=MUTED)
        drawing.text((left + self.size[0] / 2, top + self.size[1] + 38), words, size=12, fill=MUTED)

    def curve(
        self, drawing: Drawing, xs: Sequence[float], ys: Sequence[float], style: tuple[str, bool], *, dots: bool = True
    ) -> None:
        """One line with its points."""
        colour, dashed = style
        places = [self.at(x, y) for x, y in zip(xs, ys, strict=True)]
        commands = "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        drawing.path(commands, stroke=colour, width=2, dashed=dashed)
        for place in places if dots else ():
            drawing.circle(place, 2.6, fill=colour)


def _legend(drawing: Drawing, at: Point, styles: Styles, *, columns: int, width: float = 0) -> None:
    """Names in columns of one width, or, without one, as wide as they are."""
    x = at[0]
    for i, (name, (colour, dashed)) in enumerate(styles.items()):
        x = at[0] if i % columns == 0 else x
        y = at[1] + 20 * (i // columns)
        drawing.line((x, y - 4), (x + 24, y - 4), stroke=colour, width=2.4, dashed=dashed)
        drawing.text((x + 32, y), name, size=12, anchor="start")
        x += width or 62 + 6.8 * len(name)


def error_by_orientations() -> Drawing:
    """Against n: half way between two orientations, at the first one, and the law for harmonic kernels."""
    found, law = _found("orientations"), _found("law")
    drawing = Drawing(760, 372, "Equivariance error of lifted features against the number of orientations")
    _legend(drawing, (40, 30), MODES, columns=4, width=178)
    orders, ticks = found["n"], (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
    titles = {"between": "half way: 180\u00b0/n", "own": "at an orientation: 360\u00b0/n"}
    for column, (where, title) in enumerate(titles.items()):
        panel = Panel((52 + 244 * column, 96), (192, 216), tuple(orders), ticks)
        panel.draw(drawing, title, "orientations n")
        for mode, style in MODES.items():
            points = [(n, e) for n, e in zip(orders, found["errors"][where][mode], strict=True) if e > 1e-9]
            panel.curve(drawing, *zip(*points, strict=True), style)  # type: ignore[misc]
        if where == "own":
            x, y = panel.at(4, ticks[0])
            drawing.text((x + 6, y - 8), "n = 4: exact", size=11, fill=GREEN, anchor="start")
    panel = Panel((540, 96), (192, 216), tuple(law["n"]), (*ticks, 1.0))
    panel.draw(drawing, "no pooling, half way: E(n)", "orientations n")
    panel.curve(drawing, law["n"], law["errors"]["predicted"], (MUTED, True), dots=False)
    for n, error in zip(law["n"], law["errors"]["measured"], strict=True):
        drawing.circle(panel.at(n, error), 3.4, fill=GREEN)
    drawing.text((560, 280), "dots: measured", size=11, fill=GREEN, anchor="start")
    drawing.text((560, 296), "dashes: foretold", size=11, fill=MUTED, anchor="start")
    return drawing


def error_by_angle() -> Drawing:
    """Whole networks by angle, for every way to halve the resolution."""
    drawing = Drawing(760, 640, "Equivariance error of small networks by angle")
    _legend(drawing, (40, 30), NETWORKS, columns=6)
    kinds = {"max pool": "max pool", "stride": "strided convolution", "blur": "blur, then stride"}
    for row, (what, words) in enumerate((("maps", "maps"), ("logits", "logits"))):
        for column, (down, title) in enumerate(kinds.items()):
            found = _found(f"networks, {down}")
            panel = Panel(
                (48 + 242 * column, 76 + 286 * row), (196, 206), (0, 90, 180, 270, 360),
                (0, 0.25, 0.5, 0.75, 1, 1.25, 1.5), (False, False),
            )  # fmt: skip
            panel.draw(drawing, f"{words}: {title}", "angle of the picture", unit="\u00b0")
            for name, style in NETWORKS.items():
                if name in found["errors"]:
                    errors = [min(e, 1.5) for e in found["errors"][name][what]]
                    panel.curve(drawing, found["degrees"], errors, (style[0], style[1]), dots=False)
    drawing.text((380, 628), "1.4: as far apart as maps or logits of two different pictures", size=12, fill=MUTED)
    return drawing


def error_by_blur() -> Drawing:
    """One strided block, and whole networks, against blur; networks against kernel size."""
    stride, found, sizes = _found("stride"), _found("blur"), _found("sizes")
    drawing = Drawing(760, 378, "Equivariance error against blur and kernel size")
    _legend(drawing, (40, 30), NETWORKS, columns=6)
    blurs = {float(name.split()[1]): errors for name, errors in stride["errors"].items() if name.startswith("blur")}
    xs, upwards = (0.0, 0.5, 1.0, 1.5, 2.0), (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
    panel = Panel((48, 92), (196, 216), xs, upwards, (False, False))
    panel.draw(drawing, "one strided block, C8, 45\u00b0", "\u03c3 of the blur; 0: every second pixel")
    shades = (ELEMENT_COLOURS[4], ELEMENT_COLOURS[5], ELEMENT_COLOURS[7])
    for i, (sigma, shade) in enumerate(zip(stride["picture_sigma"], shades, strict=True)):
        plain = stride["errors"]["nothing"][i]
        panel.curve(drawing, [0.0, *blurs], [plain, *(errors[i] for errors in blurs.values())], (shade, False))
        drawing.circle((126, 106 + 17 * i), 4, fill=shade)
        drawing.text((135, 110 + 17 * i), f"picture blurred by {sigma:g}", size=11, fill=MUTED, anchor="start")
    upwards = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)
    for column, (title, words, what, values) in enumerate((
        ("networks: maps", "\u03c3 of the blurs", found, found["sigma"]),
        ("networks: maps", "kernel size", sizes, sizes["kernel_size"]),
    )):  # fmt: skip
        ticks = xs if column == 0 else tuple(values)
        panel = Panel((294 + 242 * column, 92), (196, 216), ticks, upwards, (False, False))
        panel.draw(drawing, title, words)
        for name, style in NETWORKS.items():
            panel.curve(drawing, values, what["errors"][name]["maps"], style)
    return drawing
