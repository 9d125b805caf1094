"""Products of one pair of fields and one tap, before and after the Fourier transform over the group."""

import numpy as np
from _svg import CELL, ELEMENT_COLOURS, INK, LINE, MUTED, PAPER, Drawing, Point

import equivision as ev
from equivision.kernels import OrbitPlan, orbit_plan


def _parts(plan: OrbitPlan) -> np.ndarray:
    """Which block makes output row i from input row j, each row of the basis counted once: 0 where none does."""
    found = np.zeros((len(plan.basis), len(plan.basis)), int)
    for number, block in enumerate(plan.blocks, 1):
        for row in range(block.rows):
            first = block.basis + row * block.inner
            found[first : first + block.outer, first : first + block.inner] = number
    return found


def _matrix(drawing: Drawing, corner: Point, parts: np.ndarray, cell: float) -> None:
    colours = (CELL, *ELEMENT_COLOURS[1:4], ELEMENT_COLOURS[7], ELEMENT_COLOURS[5])
    for (row, column), part in np.ndenumerate(parts):
        at = (corner[0] + cell * column, corner[1] + cell * row)
        drawing.rect(at, (cell, cell), fill=colours[part], stroke=PAPER if part else LINE, radius=2)


def blocks() -> Drawing:
    """Dense and block-diagonal products of C4 and D4."""
    drawing = Drawing(760, 292, "Products for each pair of fields and tap: 16 and 6 for C4, 64 and 12 for D4")
    for left, name, cell in ((40, "C4", 36), (398, "D4", 18)):
        group = ev.groups.planar(name)
        parts = _parts(orbit_plan(group, (1, 1)))
        drawing.text((left + 158, 38), name, size=17, bold=True)
        for shift, shown, words in (
            (0, np.full_like(parts, 1), "expanded filters"),
            (178, parts, "Fourier basis"),
        ):
            _matrix(drawing, (left + shift, 62), shown, cell)
            middle = left + shift + 72
            drawing.text((middle, 236), words, size=13, fill=MUTED)
            drawing.text((middle, 260), f"{np.count_nonzero(shown)} products", size=15, fill=INK, bold=True)
        drawing.arrow((left + 150, 134), (left + 172, 134))
    return drawing
