"""The page of a search: the lattice coloured by score, the scores, and how stable they are."""

from html import escape
from pathlib import Path

from equivision._pages import write_page
from equivision.discovery._result import Discovery
from equivision.discovery._score import COMPLEXITY_WEIGHTS, INVARIANCE_WEIGHTS, CandidateScore

_STEP, _RISE, _RADIUS, _MARGIN = 128.0, 108.0, 22.0, 54.0


def write(found: Discovery, path: Path, title: str) -> Path:
    """Write the page."""
    return write_page(
        path, ("equivision.discovery", "page.html.j2"), purpose="the page of a search", filters={}, title=title,
        found=found, settings=found.settings, lattice=lattice(found), weights=INVARIANCE_WEIGHTS,
        bits=COMPLEXITY_WEIGHTS,
    )  # fmt: skip


def lattice(found: Discovery) -> str:
    """The candidates as an SVG: larger ones higher, a line to each from the largest ones that it contains."""
    rows = {row.name: row for row in found.rows}
    place, width, height = places({row.name: row.order for row in found.rows})
    label = escape(f"Lattice of {', '.join(rows)}; the best is {found.best}")
    parts = [f'<svg class="lattice" viewBox="0 0 {width:.0f} {height + 24:.0f}" role="img" aria-label="{label}"']
    parts[0] += f' style="max-width:{1.2 * width:.0f}px">'
    for upper, lower in covers(found.contained):
        (x1, y1), (x2, y2) = place[lower], place[upper]
        parts.append(f'<line class="edge" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')
    low, high = min(row.score for row in found.rows), max(row.score for row in found.rows)
    for name, row in rows.items():
        share = 1.0 if high == low else (row.score - low) / (high - low)
        parts.append(_node(row, *place[name], share, best=name == found.best))
    return "".join([*parts, "</svg>"])


def places(orders: dict[str, int]) -> tuple[dict[str, tuple[float, float]], float, float]:
    """Where the candidates stand, those of one order on one line; width and height of it all."""
    levels = sorted(set(orders.values()))
    members = [sorted(name for name, order in orders.items() if order == level) for level in levels]
    width = 2 * _MARGIN + _STEP * max(len(names) - 1 for names in members) + 2 * _RADIUS
    height = 2 * _MARGIN + _RISE * (len(levels) - 1)
    place = {
        name: (width / 2 + _STEP * (i - (len(names) - 1) / 2), height - _MARGIN - _RISE * level)
        for level, names in enumerate(members)
        for i, name in enumerate(names)
    }
    return place, width, height


def _node(row: CandidateScore, x: float, y: float, share: float, *, best: bool) -> str:
    kinds = " ".join(["node", *(["best"] if best else []), *([] if row.kept else ["stopped"])])
    hint = escape(f"{row.name}: score {row.shown_score} %, accuracy {row.accuracy} %, drop {row.drop} %")
    return (
        f'<circle class="under" cx="{x:.1f}" cy="{y:.1f}" r="{_RADIUS}"/>'
        f'<circle class="{kinds}" cx="{x:.1f}" cy="{y:.1f}" r="{_RADIUS}" fill-opacity="{share:.2f}">'
        f"<title>{hint}</title></circle>"
        f'<text x="{x:.1f}" y="{y + _RADIUS + 17:.1f}">{escape(row.name)}</text>'
        f'<text class="value" x="{x:.1f}" y="{y + _RADIUS + 33:.1f}">{row.shown_score}</text>'
    )


def covers(contained: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    """Pairs (larger, smaller) with nothing between them."""
    return [
        (upper, lower)
        for upper, inside in contained.items()
        for lower in inside
        if not any(lower in contained[between] for between in inside)
    ]
