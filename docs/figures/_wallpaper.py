"""Orbits of the taps of a 5 x 5 kernel: one learned number for each."""

import numpy as np
from _svg import CELL, ELEMENT_COLOURS, LINE, MUTED, PAPER, Drawing, blend, text_on

import equivision as ev
from equivision.filters import orbit_basis

SIDE, TOP, SIZE = 22.0, 58.0, 5


def _colour(orbit: int, count: int) -> str:
    """Blue in the centre, then orange, lighter outwards."""
    return ELEMENT_COLOURS[1] if orbit == 0 else blend(ELEMENT_COLOURS[5], "#fdeed8", (orbit - 1) / max(count - 2, 1))


def orbits() -> Drawing:
    """Kernels of five groups on the pixel grid, and the triangular lattice of D6."""
    drawing = Drawing(800, 232, "Taps of a 5 x 5 kernel that share a number, under C2, D1, C4, D2, D4 and D6")
    names = ("C2", "D1", "D2", "C4", "D4")
    for i, name in enumerate(names):
        basis = orbit_basis(ev.groups.parse_plane(name), (SIZE, SIZE))  # pyright: ignore[reportArgumentType]
        left = 24.0 + 128 * i
        drawing.text((left + SIZE * SIDE / 2, 36), name, size=17, bold=True)
        for tap, orbit in enumerate(basis.argmax(axis=0).tolist()):
            row, column = divmod(tap, SIZE)
            corner, colour = (left + SIDE * column, TOP + SIDE * row), _colour(orbit, len(basis))
            drawing.rect(corner, (SIDE, SIDE), fill=colour, stroke=PAPER, width=1.5)
            drawing.text((corner[0] + SIDE / 2, corner[1] + 15), str(orbit), size=10, fill=text_on(colour))
        drawing.text((left + SIZE * SIDE / 2, TOP + SIZE * SIDE + 26), f"{len(basis)} numbers", size=14)
    left = 24.0 + 128 * len(names)
    centre = (left + SIZE * SIDE / 2 + 8, TOP + SIZE * SIDE / 2)
    drawing.text((centre[0], 36), "D6", size=17, bold=True)
    for tap in range(SIZE**2):
        row, column = divmod(tap, SIZE)
        corner = (centre[0] + SIDE * (column - SIZE / 2), centre[1] + SIDE * (row - SIZE / 2))
        drawing.rect(corner, (SIDE, SIDE), fill=CELL, stroke=PAPER, width=1.5)
    steps = range(-2, 3)
    points = [(a + b / 2, b * np.sqrt(0.75)) for a in steps for b in steps if abs(a + b) <= 2]
    rings = sorted({round(float(np.hypot(*point)), 6) for point in points})
    for x, y in points:
        orbit = rings.index(round(float(np.hypot(x, y)), 6))
        at, colour = (centre[0] + SIDE * x, centre[1] - SIDE * float(y)), _colour(orbit, len(rings))
        drawing.circle(at, 9, fill=colour, stroke=LINE, width=1)
        drawing.text((at[0], at[1] + 3.5), str(orbit), size=10, fill=text_on(colour))
    drawing.text((centre[0], TOP + SIZE * SIDE + 26), f"{len(rings)} numbers", size=14)
    words = "of the 25 of a free kernel; D6 on a triangular lattice, read between its points"
    drawing.text((400, TOP + SIZE * SIDE + 52), words, size=13, fill=MUTED)
    return drawing
