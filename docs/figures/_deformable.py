"""Where the taps of a deformable kernel go, in a picture and in its turned copy: constrained offsets and free ones."""

import numpy as np
import torch
from _svg import BAD, ELEMENT_COLOURS, GOOD, INK, LINE, MUTED, PAPER, Drawing
from torch.nn import functional as F

import equivision as ev
from equivision.data._chiral import outline, paint
from equivision.functional import act

C4 = ev.groups.cyclic(4)
SIZE, CELL, TOP = 13, 13.0, 74.0
LEFT = (24.0, 209.0, 424.0, 609.0)
#: A position (row, column) in the picture; a quarter turn takes (i, j) to (SIZE - 1 - j, i).
PLACE, SPREAD = (6, 6), 2


def _offsets() -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The picture, and the offsets in it and in its turned copy: constrained, constrained, free, free."""
    shape = paint(4.6 * outline("flag", 0.6), 0.75, SIZE).astype(np.float64)
    picture = torch.from_numpy(np.rint(10 * shape) / 10)[None, None]
    smooth = [act(ev.functional.blur_pool2d(picture, 1, sigma=1.0), g, C4) for g in (0, 1)]
    generator = torch.Generator().manual_seed(11)
    weight = torch.randn((18, 1, 3, 3), generator=generator, dtype=torch.float64)
    window = {"padding": SPREAD, "dilation": SPREAD}
    constrained = [ev.functional.tap_offsets(x, 2.2 * weight, group=C4, **window) for x in smooth]
    free = [F.conv2d(x, weight, **window).unflatten(1, (-1, 2)) for x in smooth]
    return picture, [*constrained, *free]


def moved_taps() -> Drawing:
    """Four panels: a picture and its turned copy, twice."""
    picture, offsets = _offsets()
    drawing = Drawing(802, 300, "Taps of a deformable kernel in a picture and in its turned copy")
    drawing.text((209 - 8, 36), "constrained offsets", size=17, bold=True, fill=GOOD)
    drawing.text((609 - 8, 36), "free offsets", size=17, bold=True, fill=BAD)
    for panel, (left, offset) in enumerate(zip(LEFT, offsets, strict=True)):
        turned = panel % 2
        drawing.text((left + SIZE * CELL / 2, 62), ("picture", "turned copy")[turned], size=13, fill=MUTED)
        drawing.pixels((left, TOP), 0.45 * act(picture, turned, C4)[0, 0].numpy(), CELL, INK)
        at = (SIZE - 1 - PLACE[1], PLACE[0]) if turned else PLACE
        _taps(drawing, (left, TOP), at, offset[0, :, :, at[0], at[1]].numpy())
    drawing.line((401, 50), (401, 250), stroke=LINE)
    words = "rings: where the nine taps of a kernel start; dots: where the picture makes them go"
    drawing.text((401, 282), words, size=13, fill=MUTED)
    return drawing


def _taps(drawing: Drawing, corner: tuple[float, float], at: tuple[int, int], offset: np.ndarray) -> None:
    """The nine taps of a kernel at one position, and where they have moved to."""
    for tap, (right, up) in enumerate((np.rint(20 * offset) / 20).tolist()):
        colour = ELEMENT_COLOURS[5 if tap % 2 else 1]
        row, column = at[0] + SPREAD * (tap // 3 - 1), at[1] + SPREAD * (tap % 3 - 1)
        start = (corner[0] + (column + 0.5) * CELL, corner[1] + (row + 0.5) * CELL)
        end = (start[0] + right * CELL, start[1] - up * CELL)
        drawing.line(start, end, stroke=colour, width=2)
        drawing.circle(start, 3.2, fill=PAPER, stroke=colour, width=1.5)
        drawing.circle(end, 4.2, fill=colour)
