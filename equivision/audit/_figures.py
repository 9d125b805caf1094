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


def curves(series: Sequence[Series], *, label: str) -> str:
    """Shares (0 to 100 %) by angle, 0 to 360 degrees."""
    left, top, width, height = 44.0, 12.0, 480.0, 168.0

    def place(degrees: float, value: float) -> tuple[float, float]:
        return left + width * degrees / 360, top + height * (1 - value)

    parts = [f'<svg class="chart" viewBox="0 0 540 208" role="img" aria-label="{escape(label)}">']
    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        _, y = place(0.0, value)
        parts.append(f'<line x1="{left}" x2="{left + width}" y1="{y:.1f}" y2="{y:.1f}" class="ring"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4:.1f}" class="tick end">{value:.0%}</text>')
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
