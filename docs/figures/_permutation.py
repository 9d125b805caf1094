"""Orbits of pairs of members: which entries of a linear map on sets are the same number."""

from _svg import ELEMENT_COLOURS, MUTED, PAPER, Drawing, blend, text_on

from equivision.groups import parse_permutations

SIDE, TOP = 24.0, 72.0
SHOWN = (
    ("S1xS1xS1xS1xS1", "no symmetry"),
    ("C5", "C5, a ring"),
    ("S1xS4", "S1xS4, one apart"),
    ("S2wrS3", "S2wrS3, three pairs"),
    ("S5", "S5, any order"),
)


def _colour(orbit: int, count: int, own: bool) -> str:
    """Blue where a member meets itself, orange where it meets another."""
    dark, light = (ELEMENT_COLOURS[0], ELEMENT_COLOURS[3]) if own else (ELEMENT_COLOURS[5], "#fdeed8")
    return blend(dark, light, orbit / max(count - 1, 1))


def pair_orbits() -> Drawing:
    """The matrices of five groups; equal numbers are one weight."""
    drawing = Drawing(836, 262, "Entries of a map on sets that share a weight, under five groups")
    left = 24.0
    for name, words in SHOWN:
        orbits = parse_permutations(name).pair_orbits
        n, count = len(orbits), int(orbits.max()) + 1
        side = 5 * SIDE / n
        middle = left + 2.5 * SIDE
        drawing.text((middle, 36), words, size=14, bold=True)
        drawing.text((middle, 58), f"{n} members", size=12, fill=MUTED)
        for i in range(n):
            for j in range(n):
                colour = _colour(int(orbits[i, j]), count, i == j)
                corner = (left + side * j, TOP + side * i)
                drawing.rect(corner, (side, side), fill=colour, stroke=PAPER, width=1.5)
                middle_of_cell = (corner[0] + side / 2, corner[1] + side / 2 + 3.5)
                drawing.text(middle_of_cell, str(orbits[i, j]), size=10, fill=text_on(colour))
        drawing.text((middle, TOP + 5 * SIDE + 24), f"{count} weights", size=14)
        left += 162
    words = "row i, column j: what member j adds to member i; blue where a member meets itself"
    drawing.text((418, TOP + 5 * SIDE + 54), words, size=13, fill=MUTED)
    return drawing
