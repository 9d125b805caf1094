"""Charts as inline SVG, coloured by the style sheet of the page, so that they are readable in light and dark."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from equivision.audit._text import number, percent, superscript

#: Radii of the polar plot, in its own units: the hole, and the largest error that is drawn.
INNER, OUTER = 14.0, 168.0
#: Exponents of ten at these radii.
SMALLEST, LARGEST = -8.0, 0.5


@dataclass(frozen=True)
class Series:
    """One line of a chart.

    Attributes:
        name: for the legend.
        colour: number of the colour.
        points: (angle, value), by angle.
        marked: the angles to mark with a dot.
    """

    name: str
    colour: int
    points: tuple[tuple[float, float], ...]
    marked: frozenset[float]


def _at(degrees: float | int, radius: float) -> tuple[float, float]:
    """Screen position: 0 degrees is up, angles run counter-clockwise."""
    angle = math.radians(degrees)
    return -radius * math.sin(angle), -radius * math.cos(angle)


def _floor(series: Sequence[Series]) -> float:
    values = [value for line in series for _, value in line.points if value > 0]
    return min(SMALLEST, float(math.floor(math.log10(min(values))))) if values else SMALLEST


def _radius(value: float, floor: float) -> float:
    exponent = min(max(math.log10(value) if value > 0 else floor, floor), LARGEST)
    return INNER + (OUTER - INNER) * (exponent - floor) / (LARGEST - floor)


def _path(points: Sequence[tuple[float, float]], *, closed: bool = False) -> str:
    return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in points) + ("Z" if closed else "")


def polar(series: Sequence[Series], *, tolerance: float, spread: float | None, thumbnail: str, label: str) -> str:
    """Error by angle on a logarithmic radius, with the input turned around the rim.

    Args:
        series: one line for each network.
        tolerance: errors up to it lie in the shaded middle.
        spread: difference between two images, a dashed ring; None for no ring.
        thumbnail: address of the picture of the input.
        label: what the figure shows, for those who cannot see it.
    """
    floor = _floor(series)
    parts = [f'<svg class="chart polar" viewBox="-244 -240 488 494" role="img" aria-label="{escape(label)}">']
    parts.append(f'<circle r="{_radius(tolerance, floor):.1f}" class="zone"/>')
    step = 2 if floor >= -10 else 4
    rings = range(0, int(floor), -step)
    parts += [f'<circle r="{_radius(10.0**e, floor):.1f}" class="ring"/>' for e in rings]
    for degrees in range(0, 360, 45):
        (x1, y1), (x2, y2) = _at(degrees, INNER), _at(degrees, OUTER)
        parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="spoke"/>')
    if spread:
        parts.append(f'<circle r="{_radius(spread, floor):.1f}" class="spread"/>')
    for line in series:
        points = [_at(degrees, _radius(value, floor)) for degrees, value in line.points]
        parts.append(f'<path d="{_path(points, closed=True)}" class="area s{line.colour}"/>')
        for degrees, value in line.points:
            if degrees in line.marked:
                x, y = _at(degrees, _radius(value, floor))
                hint = f"{escape(line.name)} at {degrees:g}°: {number(value)}"
                parts.append(
                    f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" class="dot s{line.colour}"><title>{hint}</title></circle>'
                )
    for e in rings:
        x, y = _at(337.5, _radius(10.0**e, floor))
        text = percent(10.0**e).replace(".0", "") if e >= -2 else f"10{superscript(e)}"
        parts.append(f'<text x="{x:.1f}" y="{y + 3:.1f}" class="ringlabel">{text}</text>')
    parts += [_thumbnail(degrees, thumbnail, series) for degrees in range(0, 360, 45)]
    return "".join([*parts, "</svg>"])


def _thumbnail(degrees: int, picture: str, series: Sequence[Series]) -> str:
    """The input as it looks at this angle."""
    x, y = _at(degrees, 206.0)
    kind = "rim on" if any(degrees in line.marked for line in series) else "rim"
    return (
        f'<g transform="translate({x:.1f} {y:.1f})"><g transform="rotate({-degrees})">'
        f'<image href="{picture}" x="-22" y="-22" width="44" height="44" preserveAspectRatio="xMidYMid slice" '
        'class="pixels" clip-path="circle(22px)"/></g>'
        f'<circle r="22.5" class="{kind}"/></g>'
        f'<text x="{x:.1f}" y="{y + 36:.1f}" class="anglelabel">{degrees}°</text>'
    )


def curves(series: Sequence[Series], *, label: str, top_value: float = 1.0) -> str:
    """Shares (0 to ``top_value``, 100 % by default) by angle, 0 to 360 degrees."""
    left, top, width, height = 44.0, 12.0, 480.0, 168.0

    def place(degrees: float, value: float) -> tuple[float, float]:
        return left + width * degrees / 360, top + height * (1 - value / top_value)

    parts = [f'<svg class="chart" viewBox="0 0 540 208" role="img" aria-label="{escape(label)}">']
    for value in (part * top_value for part in (0.0, 0.25, 0.5, 0.75, 1.0)):
        _, y = place(0.0, value)
        parts.append(f'<line x1="{left}" x2="{left + width}" y1="{y:.1f}" y2="{y:.1f}" class="ring"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4:.1f}" class="tick end">{100 * value:g}%</text>')
    marked = frozenset().union(*(line.marked for line in series))
    for degrees in map(float, range(0, 361, 45)):
        x, _ = place(degrees, 0.0)
        kind = "spoke on" if degrees % 360 in marked else "spoke"
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{top + height}" class="{kind}"/>')
        parts.append(f'<text x="{x:.1f}" y="{top + height + 18}" class="tick">{degrees:g}°</text>')
    for line in series:
        points = [place(degrees, value) for degrees, value in line.points]
        parts.append(f'<path d="{_path(points)}" class="line s{line.colour}"/>')
        for degrees, value in line.points:
            if degrees % 360 in line.marked:
                x, y = place(degrees, value)
                hint = f"{escape(line.name)} at {degrees:g}°: {percent(value)}"
                parts.append(
                    f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" class="dot s{line.colour}"><title>{hint}</title></circle>'
                )
    return "".join([*parts, "</svg>"])


#: Sizes of the chart by epoch, in its own units: the plot, the height of a line of text, the width of a letter.
WIDE, TALL, ROW, LETTER = 420.0, 190.0, 15.0, 6.4
#: Names of layers keep their end, where they differ.
LONGEST = 30


def by_epoch(series: Sequence[Series], *, label: str) -> str:
    """Positive values by epoch on a logarithmic axis, with the names beside the ends; colours run from first to last.

    Args:
        series: one line for each layer, in their order; ``colour`` and ``marked`` do nothing.
        label: what the figure shows, for those who cannot see it.
    """
    names = [line.name if len(line.name) <= LONGEST else f"…{line.name[1 - LONGEST :]}" for line in series]
    height = max(TALL, ROW * len(series))
    left, top = 52.0, 12.0
    whole = left + WIDE + 24 + LETTER * max(map(len, names)), top + height + 44
    first, last = (pick(epoch for line in series for epoch, _ in line.points) for pick in (min, max))
    low, high = _decades(series)

    def place(epoch: float, value: float) -> tuple[float, float]:
        across = (epoch - first) / (last - first) if last > first else 0.5
        exponent = min(max(math.log10(value) if value > 0 else low, low), high)
        return left + WIDE * across, top + height * (high - exponent) / (high - low)

    box = f"0 0 {whole[0]:.0f} {whole[1]:.0f}"
    parts = [f'<svg class="chart epochs" viewBox="{box}" role="img" aria-label="{escape(label)}">']
    for e in range(low, high + 1, -(-(high - low) // 8)):
        _, y = place(first, 10.0**e)
        parts.append(f'<line x1="{left}" x2="{left + WIDE}" y1="{y:.1f}" y2="{y:.1f}" class="ring"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4:.1f}" class="tick end">10{superscript(e)}</text>')
    for epoch in _round_numbers(int(first), int(last)):
        x, _ = place(float(epoch), 1.0)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{top + height}" class="spoke"/>')
        parts.append(f'<text x="{x:.1f}" y="{top + height + 18}" class="tick">{epoch}</text>')
    parts.append(f'<text x="{left + WIDE / 2}" y="{top + height + 38}" class="tick">epoch</text>')
    ends = [place(*line.points[-1]) for line in series]
    rows = _apart([y for _, y in ends], ROW, top, top + height)
    for i, (line, name, (x, y), row) in enumerate(zip(series, names, ends, rows, strict=True)):
        depth = f'style="--depth: {100 * i / max(len(series) - 1, 1):.0f}%"'
        parts.append(f'<path d="{_path([place(*point) for point in line.points])}" class="line depth" {depth}/>')
        for epoch, value in line.points:
            hint = f"{escape(line.name)}, epoch {epoch:g}: {value:.1e}"
            cx, cy = place(epoch, value)
            parts.append(
                f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="3" class="dot depth" {depth}><title>{hint}</title></circle>'
            )
        parts.append(f'<path d="M{x + 5:.1f},{y:.1f}L{left + WIDE + 14},{row:.1f}" class="lead-line"/>')
        parts.append(f'<text x="{left + WIDE + 18}" y="{row + 4:.1f}" class="tick start">{escape(name)}</text>')
    return "".join([*parts, "</svg>"])


def _decades(series: Sequence[Series]) -> tuple[int, int]:
    """Exponents of ten around all positive values, at least one apart."""
    exponents = [math.log10(value) for line in series for _, value in line.points if value > 0] or [0.0]
    low, high = math.floor(min(exponents)), math.ceil(max(exponents))
    return (low, high) if high > low else (low, low + 1)


def _round_numbers(first: int, last: int) -> list[int]:
    """Both ends, and in between multiples of a step that makes at most ten of them, not close to the ends."""
    step = next(s for power in range(10) for s in (10**power, 2 * 10**power, 5 * 10**power) if last - first <= 10 * s)
    between = [n for n in range(first + 1, last) if n % step == 0 and min(n - first, last - n) > step / 2]
    return sorted({first, *between, last})


def _apart(values: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """The values moved as little as is simple, so that they are ``gap`` apart within the limits."""
    order = sorted(range(len(values)), key=lambda i: values[i])
    moved, least = list(values), low
    for i in order:
        moved[i] = least = max(values[i], least)
        least += gap
    most = high
    for i in reversed(order):
        moved[i] = most = min(moved[i], most)
        most -= gap
    return moved
