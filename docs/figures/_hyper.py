"""Kernels that a hypernetwork writes for a letter and its turned copies; the same where it cannot tell them apart."""

import numpy as np
import torch
from _letters import F
from _svg import ELEMENT_COLOURS, MUTED, Drawing
from torch import nn

import equivision as ev

SIDE, LEFT, TOP, STEP = 84.0, 120.0, 52.0, 112.0
LEVELS = 12  # kernels are rounded, so that every machine draws the same
TURNS = ("upright", "90\u00b0", "180\u00b0", "270\u00b0")


def _network(trunk: nn.Module | None) -> ev.hyper.HyperEquivariantCNN:
    main = nn.Sequential(nn.Conv2d(1, 2, 5, padding=2), nn.ReLU(), nn.Conv2d(2, 2, 4), nn.ReLU(), nn.Conv2d(2, 2, 3))
    return ev.hyper.HyperEquivariantCNN(main, trunk, input_shape=(1, 7, 7)).double().eval()


def _blind() -> nn.Module:
    """A trunk that cannot tell an image from its turned copy."""
    return nn.Sequential(
        ev.nn.LiftConv2d(1, 8, 3, group="C4"), nn.ReLU(), ev.nn.GroupConv2d(8, 8, 3, group="C4"), nn.ReLU(),
        ev.nn.GroupPool("mean"), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )  # fmt: skip


def _scaled(kernel: np.ndarray, largest: float) -> np.ndarray:
    """From -largest .. largest to 0 .. 1."""
    return np.rint((kernel / largest + 1) / 2 * LEVELS) / LEVELS


@torch.no_grad()
def _draw(title: str, letter: np.ndarray, trunk: nn.Module | None) -> Drawing:
    """One row for the letter, one for a kernel of each layer."""
    net = _network(trunk)
    image = torch.from_numpy(letter)[None, None]
    written = [net.generate(torch.rot90(image, turns, (-2, -1))) for turns in range(4)]
    drawing = Drawing(LEFT + 4 * STEP + 8, TOP + 4 * STEP, title)
    for turns, words in enumerate(TURNS):
        drawing.text((LEFT + turns * STEP + SIDE / 2, 34), words, size=14, bold=True)
    rows = [("image", [np.rot90(letter, turns) for turns in range(4)], ELEMENT_COLOURS[0])]
    for name in ("0.weight", "2.weight", "4.weight"):
        kernels = [each[name][0, 1, 0].numpy() for each in written]
        largest = max(float(np.abs(kernel).max()) for kernel in kernels)
        taps = kernels[0].shape[0]
        shown = [_scaled(kernel, largest) for kernel in kernels]
        rows.append((f"{taps}\u00d7{taps} kernel", shown, ELEMENT_COLOURS[4]))
    for row, (words, pictures, colour) in enumerate(rows):
        top = TOP + row * STEP
        drawing.text((16, top + SIDE / 2 + 5), words, size=14, fill=MUTED, anchor="start")
        for turns, values in enumerate(pictures):
            drawing.pixels((LEFT + turns * STEP, top), values, SIDE / values.shape[0], colour)
    return drawing


def hyper_kernels() -> Drawing:
    """The generator is a plain network: kernels turn."""
    torch.manual_seed(0)
    return _draw("Kernels written for an image and its turned copies: each is the first one turned", F, None)


def hyper_collapse() -> Drawing:
    """The generator is invariant: kernels equal their own rotations."""
    torch.manual_seed(0)
    return _draw("Kernels of a generator that sees no turns: each equals its own rotations", F, _blind())
