"""Draw the figures of the documentation from the code that they explain.

    python docs/figures/make_figures.py [FOLDER]

What a figure says about the library is computed by the library: the order of elements, actions, products, cosets,
filter banks, sampled positions. The files are committed; a test draws them again and compares.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
from _angles import error_by_angle, error_by_blur, error_by_orientations
from _blocks import blocks
from _chirality import readouts
from _complexity import labels_by_views
from _crystals import crystal_harmonics
from _deformable import moved_taps
from _errors import error_by_images, error_by_parameters
from _gauge import frames_and_fibres
from _hyper import hyper_collapse, hyper_kernels
from _lattice import lattice
from _letters import LETTERS, F
from _permutation import pair_orbits
from _redundancy import redundancy
from _scale import scale_shift
from _scaling import scaling_backward, scaling_forward
from _similitude import error_by_pose
from _svg import BAD, CELL, ELEMENT_COLOURS, GOOD, INK, LINE, MUTED, PAPER, Drawing, Point, blend, text_on
from _volume import poses
from _wallpaper import orbits

import equivision as ev
from equivision.filters import grid_action
from equivision.functional._grid import leftover
from equivision.functional._resample import blur_window, gaussian_taps

C4, D4 = ev.groups.cyclic(4), ev.groups.dihedral(4)
ACCENT = ELEMENT_COLOURS[1]


def pretty(g: int, group: ev.groups.PlanarGroup = D4) -> str:
    """The name of an element with real superscripts."""
    return group.element_name(g).replace("^2", "\u00b2").replace("^3", "\u00b3")


def in_words(g: int) -> str:
    """What an element does."""
    f, _ = D4.split(g)
    parts = ["flip"] * f + [f"turn {D4.degrees(g):g}\u00b0"] * (D4.degrees(g) > 0)
    return ", then ".join(parts) or "leave as it is"


def _axis(drawing: Drawing, centre: Point, g: int, reach: float) -> None:
    """The dashed line that a reflection leaves in place: it lies at half the angle of the rotation."""
    angle = np.deg2rad(D4.degrees(g) / 2)
    fixed = np.array([np.cos(angle), np.sin(angle)])
    x, y = reach * fixed / np.abs(fixed).max()
    start, end = (centre[0] - x, centre[1] + y), (centre[0] + x, centre[1] - y)
    drawing.line(start, end, stroke=INK, width=1.5, dashed=True)


def _turn(drawing: Drawing, centre: Point, g: int, radius: float) -> None:
    """An arc with a head from the right-hand side, counter-clockwise by the angle of a rotation."""
    angle = np.deg2rad(D4.degrees(g))
    if not angle:
        return
    points = [(centre[0] + radius * np.cos(t), centre[1] - radius * np.sin(t)) for t in np.linspace(0, angle, 61)]
    drawing.path("M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in points[:-3]), stroke=MUTED, width=2)
    drawing.arrow(points[-6], points[-1], stroke=MUTED)


def elements() -> Drawing:
    """The eight elements of D4 in our order, acting on a letter."""
    drawing = Drawing(760, 432, "The eight elements of D4 in the order of their numbers, acting on the letter F")
    for g in range(D4.order):
        row, column = divmod(g, 4)
        left, top = 54 + 180 * column, 56 + 200 * row
        drawing.text((left + 56, top - 22), pretty(g), size=19, bold=True)
        drawing.text((left - 28, top + 62), str(g), size=15, fill=MUTED, mono=True)
        drawing.pixels((left, top), grid_action(F, D4, g), 16, ELEMENT_COLOURS[g])
        centre = (left + 56, top + 56)
        if D4.split(g)[0]:
            _axis(drawing, centre, g, 66)
        else:
            _turn(drawing, centre, g, 68)
        drawing.text((left + 56, top + 148), in_words(g), size=13, fill=MUTED)
    return drawing


def _chain(drawing: Drawing, top: float, steps: tuple[int, ...], words: tuple[str, ...]) -> None:
    """F, moved by one element after the other, with the name of the whole at the end."""
    image, whole = F, D4.identity
    drawing.pixels((30, top), image, 12, ELEMENT_COLOURS[0])
    for i, (g, word) in enumerate(zip(steps, words, strict=True)):
        image, whole = grid_action(image, D4, g), D4.product(g, whole)
        left = 30 + 214 * (i + 1)
        drawing.arrow((left - 120, top + 42), (left - 12, top + 42))
        drawing.text((left - 68, top + 28), pretty(g), size=17, bold=True)
        drawing.text((left - 68, top + 64), word, size=13, fill=MUTED)
        drawing.pixels((left, top), image, 12, ELEMENT_COLOURS[whole])
    written = " ".join(pretty(g) for g in reversed(steps))
    same = "" if written == pretty(whole) else f" = {pretty(whole)}"
    drawing.text((570, top + 38), f"{written}{same}", size=19, bold=True, anchor="start")
    drawing.text((570, top + 62), f"element {whole}", size=14, fill=MUTED, anchor="start")


def flip_then_rotate() -> Drawing:
    """The order matters: r m is not m r."""
    drawing = Drawing(760, 250, "Flip first, then rotate, is element 5; rotate first, then flip, is element 7")
    _chain(drawing, 24, (4, 1), ("reverse rows", "turn 90\u00b0"))
    _chain(drawing, 140, (1, 4), ("turn 90\u00b0", "reverse rows"))
    return drawing


def _feature(drawing: Drawing, group: ev.groups.PlanarGroup, g: int, cell: float, gap: float, left: float) -> None:
    """A feature map on a group before and after ``act``; arrows follow the contents."""
    size, drop = 7 * cell, 7 * cell + 92
    names = list(LETTERS) if group.order == 4 else ["F"] * group.order
    before = torch.from_numpy(np.stack([LETTERS[name] for name in names]))[None, None]
    after = ev.functional.act(before, g, group)
    for h in range(group.order):
        x, target = left + h * (size + gap), group.product(g, h)
        end = left + target * (size + gap) + size / 2
        bend = ((x + size / 2, 44 + size + 46), (end, drop + 44 - 52))
        drawing.arrow((x + size / 2, 44 + size + 4), (end, drop + 40), stroke=ELEMENT_COLOURS[h], through=bend)
    for h in range(group.order):
        x, source = left + h * (size + gap), group.product(group.inverse(g), h)
        drawing.text((x + size / 2, 32), pretty(h, group), size=17, bold=True)
        drawing.pixels((x, 44), before[0, 0, h].numpy(), cell, ELEMENT_COLOURS[h])
        drawing.pixels((x, drop + 44), after[0, 0, h].numpy(), cell, ELEMENT_COLOURS[source])
        drawing.text((x + size / 2, drop + 44 + size + 22), pretty(h, group), size=17, bold=True)
    middle = 44 + size / 2 + 5
    drawing.text((left - 36, middle), "f", size=20, bold=True)
    drawing.text((left - 36, middle + drop), f"{pretty(g, group)} \u00b7 f", size=20, bold=True)


def feature_turn() -> Drawing:
    """A quarter turn of a feature map on C4: slots move on by one and every plane turns."""
    drawing = Drawing(760, 376, "A quarter turn acting on a feature map on C4: slots move on by one and planes turn")
    _feature(drawing, C4, 1, 14, 72, 92)
    return drawing


def feature_flip() -> Drawing:
    """The flip of a feature map on D4."""
    drawing = Drawing(760, 312, "The flip acting on a feature map on D4: slot h moves to slot m h")
    _feature(drawing, D4, 4, 9, 18, 92)
    return drawing


def cayley() -> Drawing:
    """The table of products of D4."""
    cell, left, top = 50, 96, 84
    drawing = Drawing(528, 516, "Table of products of D4: row g, column h holds g h")
    drawing.text((left + 4 * cell, 30), "h, done first", size=14, fill=MUTED)
    drawing.text((26, top + 4 * cell - 6), "g,", size=14, fill=MUTED)
    drawing.text((26, top + 4 * cell + 12), "then", size=14, fill=MUTED)
    for g in range(D4.order):
        drawing.text((left + g * cell + cell / 2, top - 14), pretty(g), size=15, bold=True)
        drawing.text((left - 14, top + g * cell + 31), pretty(g), size=15, bold=True, anchor="end")
        for h in range(D4.order):
            product = D4.product(g, h)
            colour = ELEMENT_COLOURS[product]
            corner = (left + h * cell, top + g * cell)
            drawing.rect(corner, (cell, cell), fill=colour, stroke=PAPER, width=1.5)
            drawing.text((corner[0] + cell / 2, corner[1] + 30), pretty(product), size=14, fill=text_on(colour))
    return drawing


def cosets() -> Drawing:
    """Left and right cosets of {e, m} in D4."""
    H = D4.subgroup([4])
    inside = ", ".join(pretty(h) for h in H.elements)
    drawing = Drawing(760, 336, "Left and right cosets of the subgroup {e, m} in D4")
    shades = ("#0b3558", "#1f8a70", "#c2540a", "#7b3fa0")
    for row, (kind, sets) in enumerate((("gH", H.left_cosets()), ("Hg", H.right_cosets()))):
        top = 58 + 152 * row
        name = "left cosets" if kind == "gH" else "right cosets"
        drawing.text((26, top - 20), f"{name} {kind},  H = {{{inside}}}", size=15, bold=True, anchor="start")
        for i, members in enumerate(sets):
            x = 26 + 180 * i
            tint = blend(PAPER, shades[i], 0.1)
            drawing.rect((x, top), (168, 104), fill=tint, stroke=shades[i], radius=10, width=1.5)
            for j, g in enumerate(members):
                drawing.pixels((x + 18 + 74 * j, top + 12), grid_action(F, D4, g), 8, shades[i])
                drawing.text((x + 46 + 74 * j, top + 90), pretty(g), size=15, bold=True)
    return drawing


def filter_bank() -> Drawing:
    """One learned kernel and its eight copies."""
    kernel = torch.arange(9.0).reshape(1, 1, 3, 3)
    bank = ev.functional.lift_filters(kernel, D4).reshape(D4.order, 3, 3).numpy()
    drawing = Drawing(760, 316, "One learned 3 x 3 kernel and the eight copies that LiftConv2d applies")

    def show(at: Point, values: np.ndarray, cell: float) -> None:
        for row, column in np.ndindex(3, 3):
            share = float(values[row, column]) / 8
            low, high = ("#e8f3fa", ELEMENT_COLOURS[1]) if share < 0.75 else ("#f6c28a", ELEMENT_COLOURS[5])
            colour = blend(low, high, share if share < 0.75 else 4 * share - 3)
            corner = (at[0] + column * cell, at[1] + row * cell)
            drawing.rect(corner, (cell, cell), fill=colour, stroke=PAPER, width=1.5)
            middle = (corner[0] + cell / 2, corner[1] + cell / 2 + 5)
            drawing.text(middle, str(int(values[row, column]) + 1), size=13, fill=text_on(colour))

    drawing.text((98, 78), "learned: 9 weights", size=14, fill=MUTED)
    show((38, 92), kernel[0, 0].numpy(), 40)
    drawing.arrow((176, 152), (226, 152))
    for g in range(D4.order):
        row, column = divmod(g, 4)
        x, y = 262 + 126 * column, 48 + 138 * row
        drawing.text((x + 42, y - 12), pretty(g), size=16, bold=True)
        show((x, y), bank[g], 28)
    drawing.text((472, 300), "applied: 8 kernels, the same 9 weights", size=14, fill=MUTED)
    return drawing


def sampling() -> Drawing:
    """Where a strided window looks, and where it would have to look after a quarter turn."""
    kernel, stride, padding = 3, 2, 1
    drawing = Drawing(760, 424, "Positions that a 3 x 3 window with stride 2 and padding 1 visits on 8 and on 9 pixels")
    for i, n in enumerate((8, 9)):
        cell = 27 if n == 8 else 24
        left, top = 74 + 390 * i, 62
        visited = np.arange(0, n + 2 * padding - kernel + 1, stride) - padding + (kernel - 1) / 2
        rest = leftover(n, kernel, stride, padding)
        drawing.text((left + n * cell / 2, 38), f"{n} \u00d7 {n} pixels", size=17, bold=True)
        drawing.pixels((left, top), np.zeros((n, n)), cell, ACCENT)

        def place(row: float, column: float, left: float = left, top: float = top, cell: float = cell) -> Point:
            return (left + (column + 0.5) * cell, top + (row + 0.5) * cell)

        for row in visited:
            for column in visited:
                drawing.circle(place(row, column), 5, fill=ACCENT)
                drawing.circle(place(n - 1 - column, row), 9, stroke=ELEMENT_COLOURS[6])
        centre = place((n - 1) / 2, (n - 1) / 2)
        drawing.line((centre[0] - 8, centre[1]), (centre[0] + 8, centre[1]), stroke=INK)
        drawing.line((centre[0], centre[1] - 8), (centre[0], centre[1] + 8), stroke=INK)
        formula = f"({n} + 2\u00b71 \u2212 1\u00b7(3 \u2212 1) \u2212 1) mod 2 = {rest}"
        drawing.text((left + n * cell / 2, 312), formula, size=14, mono=True)
        verdict = "off centre: GridError" if rest else "centred: exact"
        drawing.text((left + n * cell / 2, 338), verdict, size=16, bold=True, fill=BAD if rest else GOOD)
    drawing.circle((150, 388), 5, fill=ACCENT)
    drawing.text((164, 393), "positions visited", size=14, anchor="start", fill=MUTED)
    drawing.circle((340, 388), 9, stroke=ELEMENT_COLOURS[6])
    drawing.text((358, 393), "the same after a quarter turn of the image", size=14, anchor="start", fill=MUTED)
    return drawing


def blur() -> Drawing:
    """The windows of BlurPool2d on an even and on an odd number of pixels."""
    drawing = Drawing(760, 320, "BlurPool2d takes six taps on 8 pixels and five on 9: its samples are centred on both")
    stride, sigma = 2, 1.0
    for i, n in enumerate((8, 9)):
        taps, padding = blur_window(n, stride, sigma)
        cell = 24
        starts = range(-padding, n + padding - taps + 1, stride)
        weights = gaussian_taps(taps, sigma).numpy()
        left, top = 74 + 372 * i + (cell / 2 if n == 8 else 0), 66
        middle = left + n * cell / 2
        drawing.text((middle, 36), f"{n} pixels: {taps} taps, {len(starts)} samples", size=16, bold=True)
        drawing.line((middle, top - 14), (middle, 272), stroke=LINE, dashed=True)
        for pixel in range(-padding, n + padding):
            inside = 0 <= pixel < n
            corner = (left + pixel * cell, top)
            drawing.rect(corner, (cell, cell), fill=CELL if inside else PAPER, stroke=LINE if not inside else PAPER)
        for j, start in enumerate(starts):
            base = top + 66 + 32 * j
            for tap, weight in enumerate(weights.tolist()):
                height = 60 * weight
                x = left + (start + tap) * cell
                shade = blend("#bfe0f2", ACCENT, weight / float(weights.max()))
                drawing.rect((x + 3, base - height), (cell - 6, height), fill=shade)
            drawing.circle((left + (start + taps / 2) * cell, top + cell / 2), 4.5, fill=ELEMENT_COLOURS[6])
    drawing.text((380, 300), "orange: centres of the windows; blue: weights of each window", size=13, fill=MUTED)
    return drawing


def commute() -> Drawing:
    """A plain and a group convolution, before and after a quarter turn."""
    kernel = torch.tensor([[-1.0, -2.0, 0.0], [-1.0, 3.0, 1.0], [0.0, 1.0, -1.0]], dtype=torch.float64)[None, None]
    picture = torch.from_numpy(F)[None, None]

    def plain(x: torch.Tensor) -> torch.Tensor:
        return torch.relu(torch.nn.functional.conv2d(x, kernel, padding=1))

    def grouped(x: torch.Tensor) -> torch.Tensor:
        return ev.functional.group_pool(torch.relu(ev.functional.lift_conv2d(x, kernel, group=C4, padding=1)))

    drawing = Drawing(760, 372, "Turned features and features of the turned picture: equal for a group convolution")
    for column, words in enumerate(("picture", "its features", "turned", "features of it", "turned picture")):
        drawing.text((69 + 155.5 * column, 34), words, size=14, fill=MUTED)
    rows: tuple[tuple[str, Callable[[torch.Tensor], torch.Tensor]], ...] = (
        ("ordinary convolution", plain),
        ("group convolution", grouped),
    )
    for row, (name, function) in enumerate(rows):
        top = 76 + 148 * row
        turned = ev.functional.act(picture, 1, C4)
        left_way, right_way = ev.functional.act(function(picture), 1, C4), function(turned)
        same = torch.equal(left_way, right_way)
        scale = float(torch.maximum(left_way.max(), right_way.max()))
        drawing.text((20, top - 14), name, size=15, bold=True, anchor="start")
        tiles = (picture, function(picture) / scale, left_way / scale, right_way / scale, turned)
        for column, tile in enumerate(tiles):
            colour = ELEMENT_COLOURS[0] if column in (0, 4) else ELEMENT_COLOURS[5]
            drawing.pixels((20 + 155.5 * column, top), tile[0, 0].numpy(), 14, colour)
        y = top + 49
        drawing.arrow((126, y), (168, y))
        drawing.arrow((281, y), (323, y))
        drawing.arrow((634, y), (592, y))
        drawing.text((458.5, y + 10), "=" if same else "\u2260", size=32, bold=True, fill=GOOD if same else BAD)
    drawing.text((380, 348), "Both ways to the middle must agree.", size=14, fill=MUTED)
    return drawing


FIGURES = (
    elements,
    flip_then_rotate,
    feature_turn,
    feature_flip,
    cayley,
    cosets,
    filter_bank,
    sampling,
    blur,
    commute,
    redundancy,
    error_by_images,
    error_by_parameters,
    blocks,
    scaling_forward,
    scaling_backward,
    error_by_orientations,
    error_by_angle,
    error_by_blur,
    hyper_kernels,
    hyper_collapse,
    scale_shift,
    readouts,
    lattice,
    orbits,
    pair_orbits,
    moved_taps,
    frames_and_fibres,
    error_by_pose,
    crystal_harmonics,
    poses,
    labels_by_views,
)


def main(folder: Path) -> None:
    """Write all figures."""
    folder.mkdir(parents=True, exist_ok=True)
    for figure in FIGURES:
        figure().save(folder / f"{figure.__name__}.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
