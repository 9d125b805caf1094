"""A piece of five cubes in the 24 poses into which the rotations of a cube bring it, and its mirror image."""

import numpy as np
from _svg import ELEMENT_COLOURS, INK, LINE, MUTED, PAPER, Drawing, Point, blend

import equivision as ev
from equivision.filters import grid_action

#: An arm of three cubes, another at its end and a fifth, out of their plane, in its middle.
PIECE = ((0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 1, 0), (1, 0, 1))
SIDE = 15.0
#: Where a step along x, y and z goes on the screen: x to the lower right, y up, z to the lower left.
STEPS = np.array([[0.866, 0.5], [0.0, -1.0], [-0.866, 0.5]]) * SIDE


def volume() -> np.ndarray:
    """The piece in a grid of 3 x 3 x 3 voxels."""
    voxels = np.zeros((3, 3, 3), int)
    voxels[tuple(np.array(PIECE).T)] = 1
    return voxels


def _draw(drawing: Drawing, at: Point, voxels: np.ndarray, colour: str) -> None:
    """The faces that are seen of every cube, the farthest cubes first; ``at`` is the middle of the piece."""
    cubes = [(w, 2 - h, 2 - d) for d, h, w in np.argwhere(voxels).tolist()]  # x, y, z
    corners = np.array(cubes)[:, None] + np.indices((2, 2, 2)).reshape(3, -1).T
    seen = corners.reshape(-1, 3) @ STEPS
    middle = (seen.min(0) + seen.max(0)) / 2
    shades = (colour, blend(colour, PAPER, 0.55), blend(colour, PAPER, 0.3))
    for cube in sorted(cubes, key=sum):
        for axis, shade in enumerate(shades):
            front = tuple(n + (i == axis) for i, n in enumerate(cube))
            if front in cubes:
                continue
            corner = np.array(at) - middle + np.array(front) @ STEPS
            one, other = (STEPS[i] for i in range(3) if i != axis)
            points = (corner, corner + one, corner + one + other, corner + other)
            path = "L".join(f"{x:.0f} {y:.0f}" for x, y in points)
            drawing.path(f"M{path}Z", stroke=INK, width=0.8, fill=shade)


def poses() -> Drawing:
    """All 24 poses with the names of the rotations, and the mirror image that is none of them."""
    drawing = Drawing(860, 372, "A piece of five cubes in its 24 poses under O, and its mirror image")
    group, whole = ev.groups.octahedral(), ev.groups.full_octahedral()
    drawing.text((344, 30), "one piece under the 24 rotations of O", size=16, bold=True)
    for g in range(group.order):
        row, column = divmod(g, 8)
        centre = (50.0 + 84 * column, 88.0 + 104 * row)
        _draw(drawing, centre, grid_action(volume(), group, g), ELEMENT_COLOURS[1])
        drawing.text((centre[0], centre[1] + 50), group.element_name(g), size=10, fill=MUTED, mono=True)
    drawing.line((694, 22), (694, 350), stroke=LINE)
    drawing.text((776, 30), "its mirror image", size=16, bold=True)
    _draw(drawing, (776, 192), grid_action(volume(), whole, group.order), ELEMENT_COLOURS[5])
    drawing.text((776, 242), whole.element_name(group.order), size=10, fill=MUTED, mono=True)
    drawing.text((776, 284), "none of the 24:", size=13, fill=MUTED)
    drawing.text((776, 303), "another 24 poses,", size=13, fill=MUTED)
    drawing.text((776, 322), "in Oh alone", size=13, fill=MUTED)
    return drawing
