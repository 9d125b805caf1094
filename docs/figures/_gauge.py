"""The same fibres in three kinds of frames: other components; what a gauge convolution finds, and a plain one."""

import numpy as np
import torch
from _svg import BAD, ELEMENT_COLOURS, GOOD, INK, LINE, MUTED, PAPER, Drawing, Point, blend

import equivision as ev
from equivision.gauge import radial_frames, random_frames, to_frames, to_world

SIZE, CELL = 9, 17.0
LEFT, TOP = (196.0, 372.0, 548.0), (64.0, 236.0, 408.0)
KINDS = ("along the picture", "radial", "random")


def _fibres() -> tuple[torch.Tensor, torch.Tensor]:
    """Lines in a ring that turn across its wall, ``[1, 2, row, column]``, and where they are."""
    line = torch.arange(SIZE, dtype=torch.float64) - (SIZE - 1) / 2
    up, right = torch.broadcast_tensors(-line[:, None], line)
    radius, around = torch.hypot(up, right), torch.atan2(up, right) + np.pi / 2
    wall = (radius > 1.9) & (radius < 4.6)
    angle = around + 0.8 - 0.6 * (radius - 1.9)
    return torch.stack([torch.cos(2 * angle), torch.sin(2 * angle)])[None] * wall, wall


@torch.no_grad()
def frames_and_fibres() -> Drawing:
    """A column for each kind of frames; rows: what is given, what the two convolutions find."""
    lines, wall = _fibres()
    torch.manual_seed(2)
    conv = ev.gauge.GaugeConv2d("E2", "E2", 5, padding=2).double()
    frames = (torch.zeros(SIZE, SIZE).double(), radial_frames(SIZE, SIZE), random_frames(SIZE, SIZE, seed=3))
    drawing = Drawing(726, 600, "Fibres in three kinds of frames, and what two convolutions find")
    rows = (
        ("given", "axes of the frames;", "a component as shade"),
        ("gauge convolution", "the same lines", "whatever the frames"),
        ("plain convolution", "takes components", "for channels"),
    )
    for (name, *more), top, colour in zip(rows, TOP, (INK, GOOD, BAD), strict=True):
        drawing.text((24, top + 64), name, size=15, bold=True, anchor="start", fill=colour)
        for i, word in enumerate(more):
            drawing.text((24, top + 86 + 18 * i), word, size=13, anchor="start", fill=MUTED)
    for left, kind, at in zip(LEFT, KINDS, frames, strict=True):
        drawing.text((left + SIZE * CELL / 2, 42), kind, size=15, bold=True)
        local = to_frames(lines, "E2", at)
        plain = torch.nn.functional.conv2d(local, conv.filters(), padding=2)
        _given(drawing, (left, TOP[0]), at, local[0, 0], wall)
        _lines(drawing, (left, TOP[1]), to_world(conv(local, at), "E2", at)[0], wall, GOOD)
        _lines(drawing, (left, TOP[2]), to_world(plain, "E2", at)[0], wall, BAD)
    words = "fibres in a ring of muscle: lines without a head, components of frequency 2"
    drawing.text((363, 584), words, size=13, fill=MUTED)
    return drawing


def _stroke(at: Point, degrees: float, start: float, end: float) -> str:
    """A piece of the line through a point, at an angle rounded to two degrees."""
    turn = np.deg2rad(2 * np.rint(degrees / 2))
    x, y = np.cos(turn), -np.sin(turn)
    return f"M{at[0] + start * x:.1f} {at[1] + start * y:.1f}L{at[0] + end * x:.1f} {at[1] + end * y:.1f}"


def _middle(corner: Point, row: int, column: int) -> Point:
    return corner[0] + (column + 0.5) * CELL, corner[1] + (row + 0.5) * CELL


def _lines(drawing: Drawing, corner: Point, field: torch.Tensor, wall: torch.Tensor, colour: str) -> None:
    """A stroke along every line, all of one length."""
    drawing.rect(corner, (SIZE * CELL, SIZE * CELL), fill=PAPER, stroke=LINE)
    angle = torch.atan2(field[1], field[0]).rad2deg() / 2
    strokes = [_stroke(_middle(corner, i, j), float(angle[i, j]), -6.5, 6.5) for i, j in wall.nonzero().tolist()]
    drawing.path("".join(strokes), stroke=colour, width=2.2)


def _given(drawing: Drawing, corner: Point, frames: torch.Tensor, values: torch.Tensor, wall: torch.Tensor) -> None:
    """The first axis of every frame, over the first component: blue where positive, orange where negative."""
    drawing.rect(corner, (SIZE * CELL, SIZE * CELL), fill=PAPER, stroke=LINE)
    shades: dict[int, str] = {}
    for i, j in wall.nonzero().tolist():
        level = round(3 * float(values[i, j]))
        square = f"M{corner[0] + j * CELL:g} {corner[1] + i * CELL:g}h{CELL:g}v{CELL:g}h-{CELL:g}z"
        shades[level] = shades.get(level, "") + square
    for level, squares in sorted(shades.items()):
        colour = ELEMENT_COLOURS[2 if level > 0 else 6]
        drawing.path(squares, fill=blend(PAPER, colour, 0.15 + 0.25 * abs(level)) if level else "#f1f5f9")
    axes = [_stroke(_middle(corner, i, j), float(frames[i, j].rad2deg()), 0, 7.5) for i, j in wall.nonzero().tolist()]
    drawing.path("".join(axes), stroke=INK, width=1.3)
    for i, j in wall.nonzero().tolist():
        drawing.circle(_middle(corner, i, j), 1.7, fill=INK)
