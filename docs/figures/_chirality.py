"""What a pooled and a signed readout say of a shape in every pose: the same network, two ways to pool the group."""

import numpy as np
import torch
from _svg import ELEMENT_COLOURS, LINE, MUTED, Drawing

import equivision as ev
from equivision.data._chiral import outline, paint
from equivision.functional import act

D4 = ev.groups.dihedral(4)
SIZE, CELL, LEFT, STEP, UNIT = 13, 5.0, 132.0, 80.0, 34.0


def readouts() -> Drawing:
    """A shape moved by the elements of D4 and a ring, which is its own mirror image, with the numbers read out."""
    shape = paint(4.6 * outline("flag", 0.6), 0.75, SIZE).astype(np.float64)
    turn = np.linspace(0, 2 * np.pi, 60)
    ring = paint(4.2 * np.stack([np.cos(turn), np.sin(turn)], axis=1), 0.75, SIZE).astype(np.float64)
    pictures = torch.from_numpy(np.rint(10 * np.stack([shape, ring])) / 10)[:, None]
    generator = torch.Generator().manual_seed(3)
    weights = [
        torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((4, 1, 5, 5), (1, 4, 8, 5, 5))
    ]

    def read(picture: torch.Tensor) -> list[float]:
        lifted = torch.relu(ev.functional.lift_conv2d(picture, weights[0], group=D4, padding=2))
        features = torch.relu(ev.functional.group_conv2d(lifted, weights[1], group=D4, padding=2))
        sign = ev.functional.character_pool(features, ev.reps.sign(D4))
        return [float(pooled.mean()) for pooled in (ev.functional.group_pool(features, "mean"), sign)]

    poses = [act(pictures[:1], g, D4) for g in range(D4.order)] + [pictures[1:]]
    values = np.array([read(pose) for pose in poses])
    heights = np.rint(20 * values / np.abs(values[:8]).max(axis=0)) / 20
    drawing = Drawing(876, 322, "One shape in eight poses: its mean over the group, and the signed one")
    for row, words in enumerate((("GroupPool", "mean"), ("CharacterPool", "sign"))):
        base = (186.0, 262.0)[row]
        drawing.text((20, base - 8), words[0], size=13, bold=True, anchor="start")
        drawing.text((20, base + 9), words[1], size=13, fill=MUTED, anchor="start")
        drawing.line((LEFT - 8, base), (LEFT + 9 * STEP + 8, base), stroke=LINE)
    for i, pose in enumerate(poses):
        left = LEFT + STEP * i + (14 if i == 8 else 0)
        colour = ELEMENT_COLOURS[(1, 5)[D4.split(i)[0]] if i < 8 else 0]
        words = "its own mirror" if i == 8 else ("right", "left")[D4.split(i)[0]]
        drawing.text((left + SIZE * CELL / 2, 34), words, size=10 if i == 8 else 13, bold=i < 8, fill=colour)
        drawing.pixels((left, 46), pose[0, 0].numpy(), CELL, colour)
        for base, height in zip((186.0, 262.0), heights[i].tolist(), strict=True):
            top = base - UNIT * max(height, 0.0)
            drawing.rect((left + 24, top), (20, max(UNIT * abs(height), 1.5)), fill=colour)
    drawing.text((438, 310), "one random network over D4, two ways to pool the group", size=13, fill=MUTED)
    return drawing
