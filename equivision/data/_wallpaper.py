"""Made textures with the symmetry of each of the 17 wallpaper groups."""

import math
from collections.abc import Sequence

import numpy as np
import torch

from equivision._numbers import check_count
from equivision.data._images import ImageData
from equivision.data._random import random_uniform
from equivision.errors import ConfigError

# General positions (International Tables for Crystallography A): what each group makes of the point (x, y) of a cell.
# A plus at the end stands for + 1/2.
_POSITIONS = {
    "p1": "x,y",
    "p2": "x,y -x,-y",
    "pm": "x,y -x,y",
    "pg": "x,y -x,y+",
    "cm": "x,y -x,y x+,y+ -x+,y+",
    "pmm": "x,y -x,-y -x,y x,-y",
    "pmg": "x,y -x,-y -x+,y x+,-y",
    "pgg": "x,y -x,-y -x+,y+ x+,-y+",
    "cmm": "x,y -x,-y -x,y x,-y x+,y+ -x+,-y+ -x+,y+ x+,-y+",
    "p4": "x,y -x,-y -y,x y,-x",
    "p4m": "x,y -x,-y -y,x y,-x -x,y x,-y y,x -y,-x",
    "p4g": "x,y -x,-y -y,x y,-x -x+,y+ x+,-y+ y+,x+ -y+,-x+",
    "p3": "x,y -y,x-y y-x,-x",
    "p3m1": "x,y -y,x-y y-x,-x -y,-x y-x,y x,x-y",
    "p31m": "x,y -y,x-y y-x,-x y,x x-y,-y -x,y-x",
    "p6": "x,y -y,x-y y-x,-x -x,-y y,y-x x-y,x",
    "p6m": "x,y -y,x-y y-x,-x -x,-y y,y-x x-y,x -y,-x y-x,y x,x-y y,x x-y,-y -x,y-x",
}
#: The 17 groups of the patterns that repeat along two directions of the plane.
WALLPAPERS = tuple(_POSITIONS)
_BLOBS = 5


def positions(group: str) -> np.ndarray:
    """The elements of a wallpaper group up to whole steps of the lattice, ``[element, 2, 3]``, on (x, y, 1)."""
    words = (word for text in _POSITIONS[group].split() for word in text.split(","))

    def number(word: str, letter: str) -> int:
        return 0 if letter not in word else -1 if f"-{letter}" in word else 1

    rows = [(number(word, "x"), number(word, "y"), 0.5 * word.endswith("+")) for word in words]
    return np.array(rows).reshape(-1, 2, 3)


def wallpaper_textures(
    count: int,
    *,
    groups: Sequence[str] = WALLPAPERS,
    size: int = 32,
    turned: bool = False,
    seed: int = 0,
) -> ImageData:
    """Textures with the symmetry of a wallpaper group, which is their class.

    A motif of a few soft blobs is repeated by all elements of the group, on a lattice of a random scale: an oblique one
    for p1 and p2, an upright rectangle, a square or a triangular one for the others. Grey values have the same mean and
    spread in every texture (but for what is cut off at 0 and 1), so that symmetry is what the classes differ in, and
    what comes with it: more elements make more blobs. The lattice of p3 to p6m is not that of the pixels, so that these
    symmetries hold for the texture, and for its pixels as nearly as sampling allows.

    Args:
        count: number of textures.
        groups: some of the 17 groups, by their short names: p1, p2, pm, pg, cm, pmm, pmg, pgg, cmm, p4, p4m, p4g, p3,
            p3m1, p31m, p6, p6m.
        size: pixels along a side.
        turned: turn every texture by a random angle; otherwise axes lie along rows and columns.
        seed: of everything.

    Returns:
        Images ``[count, 1, size, size]``, floats in [0, 1], with mean 0.5; labels are the places in ``groups``. Texture
        i depends on the seed, the groups, the size and i, not on ``count``.

    Raises:
        ConfigError: a number is out of range, or a group is not known.

    >>> wallpaper_textures(4, groups=["p4", "p4m"]).class_names
    ('p4', 'p4m')
    """
    for name, value, least in (("count", count, 0), ("size", size, 8)):
        check_count(name, value, least)
    if isinstance(groups, str) or not groups or set(groups) - set(WALLPAPERS) or len(set(groups)) < len(groups):
        raise ConfigError(f"groups={groups!r}: give a list of different ones of {', '.join(WALLPAPERS)}")
    index, names = np.arange(count), tuple(groups)
    labels = np.minimum((random_uniform(index, seed, "wallpaper", "class") * len(groups)).astype(int), len(groups) - 1)
    images = np.empty((count, 1, size, size), dtype=np.float32)
    for i, label in enumerate(labels.tolist()):
        draws = random_uniform(np.arange(8 + 6 * _BLOBS), seed, "wallpaper", i)
        images[i, 0] = texture(names[label], draws, size, turned=turned)
    return ImageData(torch.from_numpy(images), torch.from_numpy(labels), names, torch.from_numpy(index))


def lattice(group: str, a: float, ratio: float, angle: float) -> np.ndarray:
    """The two steps of the lattice of a group as columns, in pixels; ratio and angle (radians) where they are free."""
    if group.startswith(("p3", "p6")):
        return a * np.array([[1, -0.5], [0, math.sqrt(0.75)]])
    if group.startswith("p4"):
        return a * np.eye(2)
    lean = angle if group in ("p1", "p2") else math.pi / 2
    return a * np.array([[1, ratio * math.cos(lean)], [0, ratio * math.sin(lean)]])


def texture(group: str, draws: np.ndarray, size: int, *, turned: bool) -> np.ndarray:
    """One texture from numbers in [0, 1), ``[row, column]``."""
    scale, ratio, lean, turn, x, y = draws[:6]
    cell = lattice(group, size * (0.3 + 0.15 * scale), 0.7 + 0.25 * ratio, math.radians(60 + 20 * lean))
    angle = 2 * math.pi * turn if turned else 0.0
    axes = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]) @ cell
    along = np.arange(size) - (size - 1) / 2
    pixels = np.stack(np.broadcast_arrays(along, -along[:, None]), axis=-1).reshape(-1, 2)
    points = pixels @ np.linalg.inv(axes).T + (x, y)  # in steps of the lattice
    blobs = draws[8:].reshape(_BLOBS, 6)
    values = np.zeros(len(points))
    for element in positions(group):
        moved = points @ element[:, :2].T + element[:, 2]
        for u, v, length, width, direction, height in blobs:
            away = (moved - (u, v) + 0.5) % 1 - 0.5
            turned_by = math.pi * direction
            across = np.array([[math.cos(turned_by), math.sin(turned_by)], [-math.sin(turned_by), math.cos(turned_by)]])
            spread = np.array([0.1 + 0.12 * length, 0.05 + 0.05 * width]) * math.sqrt(abs(np.linalg.det(cell)))
            for step in np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1]), axis=-1).reshape(-1, 2):
                near = (away + step) @ cell.T @ across.T / spread
                values += (2 * height - 1) * np.exp(-(near**2).sum(axis=1) / 2)
    values = (values - values.mean()) / max(float(values.std()), 1e-9)
    return (0.5 + 0.18 * values).clip(0, 1).reshape(size, size)
