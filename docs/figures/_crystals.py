"""What crystals allow: harmonics, degrees, and orientations with more than one name."""

import numpy as np
import torch
from _svg import CELL, ELEMENT_COLOURS, INK, LINE, MUTED, PAPER, Drawing, Point, blend, text_on

from equivision.data import polycrystals
from equivision.volume import crystal_features, multiplicity, spherical_harmonics, symmetrised_harmonics

POSITIVE, NEGATIVE, LEVELS = ELEMENT_COLOURS[1], ELEMENT_COLOURS[5], 3
SHOWN = {"432": ("cubic", (4, 6)), "622": ("hexagonal", (2, 6))}
ACROSS, SLICE, DEGREES = 11, 9, 13


def _colour(value: float) -> str:
    """Blue above 0, orange below, in steps."""
    share = round(min(abs(value), 1.0) * LEVELS) / LEVELS
    return blend(PAPER, POSITIVE if value > 0 else NEGATIVE, share)


def _rows(drawing: Drawing, at: Point, colours: list[list[str | None]], cell: float) -> None:
    """Coloured cells; neighbours of one colour are one rectangle."""
    for row, line in enumerate(colours):
        start = 0
        for column in range(1, len(line) + 1):
            if column < len(line) and line[column] == line[start]:
                continue
            if (fill := line[start]) is not None:
                corner = (at[0] + cell * start, at[1] + cell * row)
                drawing.rect(corner, (cell * (column - start), cell), fill=fill)
            start = column


def _sphere(drawing: Drawing, centre: Point, name: str, degree: int) -> None:
    """An allowed harmonic on a sphere, seen a little from the side."""
    radius, cell = 46.0, 92.0 / ACROSS
    along = (np.arange(ACROSS) + 0.5) * 2 / ACROSS - 1
    x, y = np.meshgrid(along, -along)
    inside = x**2 + y**2 <= 1
    z = np.sqrt(np.clip(1 - x**2 - y**2, 0, None))
    tilt, spin = np.deg2rad(-62.0), np.deg2rad(18.0)
    about_x = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    about_z = np.array([[np.cos(spin), -np.sin(spin), 0], [np.sin(spin), np.cos(spin), 0], [0, 0, 1]])
    points = torch.from_numpy(np.stack([x, y, z], axis=-1) @ about_x @ about_z)
    values = (spherical_harmonics(degree, points) @ symmetrised_harmonics(name, degree))[..., 0].numpy()
    values = values / np.abs(values[inside]).max()
    colours = [
        [_colour(float(value)) if within else None for value, within in zip(*pair, strict=True)]
        for pair in zip(values, inside, strict=True)
    ]
    _rows(drawing, (centre[0] - radius, centre[1] - radius), colours, cell)
    drawing.circle(centre, radius, stroke=LINE, width=1)
    drawing.text((centre[0], centre[1] + radius + 18), f"degree {degree}", size=13, fill=MUTED)


def _degrees(drawing: Drawing, at: Point, name: str) -> None:
    """How many harmonics of every degree are allowed."""
    for degree in range(DEGREES):
        count = multiplicity(name, degree)
        corner, fill = (at[0] + 27 * degree, at[1]), blend(CELL, POSITIVE, min(0.4 * count, 1.0)) if count else CELL
        drawing.rect(corner, (24, 24), fill=fill, radius=3)
        drawing.text((corner[0] + 12, at[1] + 17), str(count), size=13, fill=text_on(fill) if count else MUTED)
        drawing.text((corner[0] + 12, at[1] + 40), str(degree), size=11, fill=MUTED)


def _slices(drawing: Drawing, top: float) -> None:
    """One slice of a polycrystal under two names of its orientations, and the allowed features of both."""
    samples = polycrystals(1, size=SLICE, grains=24, seed=4)
    other = samples.renamed(1)
    shown = [("an entry of the orientation", samples, one.orientations[..., 0, :1]) for one in (samples, other)] + [
        ("an allowed feature", samples, crystal_features(one.orientations, "432", [4])[..., :1])
        for one in (samples, other)
    ]
    for i, (title, sample, values) in enumerate(shown):
        left = 28.0 + 192 * i
        plane = sample.voxels(values / values.abs().max())[0, 0, SLICE // 2].tolist()
        _rows(drawing, (left, top), [[_colour(value) for value in row] for row in plane], 168.0 / SLICE)
        drawing.rect((left, top), (168, 168), fill="none", stroke=LINE)
        drawing.text((left + 84, top + 190), f"{title}", size=13)
        drawing.text((left + 84, top + 208), ("as named", "named anew")[i % 2], size=13, fill=MUTED)


def crystal_harmonics() -> Drawing:
    """Allowed harmonics of cubic and hexagonal crystals, and what they do for orientations."""
    drawing = Drawing(
        800, 480, "Harmonics that cubic and hexagonal crystals allow; features that do not depend on names"
    )
    for i, (name, (system, degrees)) in enumerate(SHOWN.items()):
        left = 28.0 + 394 * i
        drawing.text((left + 175, 34), f"{system} crystals, {name}", size=16, bold=True, fill=INK)
        for j, degree in enumerate(degrees):
            _sphere(drawing, (left + 108 + 134 * j, 96), name, degree)
        _degrees(drawing, (left, 182), name)
    _slices(drawing, 250.0)
    return drawing
