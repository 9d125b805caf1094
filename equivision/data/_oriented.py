"""Made shapes in poses of which a group makes one class."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from equivision._numbers import check_count
from equivision.data._bars import BARS, bar
from equivision.data._chiral import KINDS, outline, paint
from equivision.data._images import ImageData
from equivision.data._random import random_normal, random_uniform
from equivision.errors import ConfigError
from equivision.groups import PlanarGroup, planar

_HALF_TURN, _MIRROR = -np.eye(2), np.diag([-1.0, 1.0])
_REACH = 1.35  # no corner of a shape, and no edge of its stroke, is farther from its centre, in half lengths


def oriented_shapes(
    count: int,
    *,
    group: PlanarGroup | str = "C4",
    within: PlanarGroup | str = "D4",
    kinds: Sequence[str] = ("hook", "flag", "spiral"),
    shapes: int = 2,
    half: float = 0.15,
    size: int = 24,
    noise: float = 0.15,
    seed: int = 0,
) -> ImageData:
    """Pictures whose symmetry is known: their class stays the same under one group, and changes under a larger one.

    A picture shows some shapes of one kind, each in a pose that is an element of ``within`` times the upright shape.
    Poses that ``group`` moves onto each other are one class: for C4 within D4, right- and left-handed shapes, turned by
    any quarter turn. So an element of ``group`` keeps the label of every picture, and makes another picture that is as
    likely; an element of ``within`` that is not in it makes a picture of another class.

    Args:
        count: number of pictures.
        group: what keeps the classes.
        within: the poses that there are; ``group`` lies in it.
        kinds: some of ``"hook"``, ``"step"``, ``"flag"`` and ``"spiral"``, of which a step looks the same after half a
            turn; or of the bars ``"arrow"``, ``"hammer"`` and ``"fork"``, which are their own mirror images, and
            ``"double arrow"``, ``"double hammer"`` and ``"double fork"``, which also look the same after half a turn.
        shapes: in each picture.
        half: half the length of the smallest shapes, as a share of the side of the picture, up to 0.3; that of the
            largest is 0.04 more.
        size: pixels along a side.
        noise: standard deviation of the noise; shapes are 1, the ground is 0.
        seed: of everything.

    Returns:
        Images ``[count, 1, size, size]``, floats; ``len(kinds) * |within| / |group|`` classes. Picture i depends on the
        seed, the other arguments and i, not on ``count``.

    Raises:
        ConfigError: a number is out of range, a kind is not known or given twice, ``group`` does not lie in ``within``,
            or classes would show the same pictures: a kind looks the same after an element of ``within`` that makes
            another class of it, as an arrow does after a mirror with C4 within D4.

    >>> oriented_shapes(10, group="C4", within="D4").class_names
    ('hook e', 'hook m', 'flag e', 'flag m', 'spiral e', 'spiral m')
    """
    for name, value, least in (("count", count, 0), ("size", size, 16), ("shapes", shapes, 1)):
        check_count(name, value, least)
    if not (math.isfinite(noise) and noise >= 0):
        raise ConfigError(f"noise={noise}: give a standard deviation of at least 0")
    if not 0.05 <= half <= 0.3:
        raise ConfigError(f"half={half}: give a share of the side, from 0.05 to 0.3")
    if isinstance(kinds, str) or not isinstance(kinds, Sequence) or not kinds or set(kinds) - {*KINDS, *BARS}:
        raise ConfigError(f"kinds={kinds!r}: give a list of some of {', '.join(map(repr, (*KINDS, *BARS)))}")
    if len(set(kinds)) < len(kinds):
        raise ConfigError(f"kinds={kinds!r}: give each kind once, as each is a class of its own")
    poses, known = planar(within), list(kinds)
    classes = _classes(planar(group), poses)
    for kind in known:
        _check_told_apart(kind, planar(group), poses, classes)
    names = tuple(f"{kind} {poses.element_name(one[0])}" for kind in known for one in classes)
    index = np.arange(count)
    labels = (random_uniform(index, seed, "oriented", "class") * len(names)).astype(np.int64)
    images = np.empty((count, 1, size, size), dtype=np.float32)
    for i, label in enumerate(labels.tolist()):
        draws = iter(random_uniform(np.arange(5 * shapes), seed, "oriented", i).tolist())
        kind, members = known[label // len(classes)], classes[label % len(classes)]
        images[i, 0] = np.max([_shape(kind, poses, members, draws, half, size) for _ in range(shapes)], axis=0)
        images[i, 0] += noise * random_normal((size, size), "oriented", seed, i)
    return ImageData(torch.from_numpy(images), torch.from_numpy(labels), names, torch.from_numpy(index))


def _classes(group: PlanarGroup, poses: PlanarGroup) -> list[list[int]]:
    """The cosets of a group: poses that its elements move onto each other, ``p -> g p``."""
    inside = poses.rotations % group.rotations == 0 and (poses.reflections or not group.reflections)
    if not inside:
        raise ConfigError(
            f"group={group.name} does not lie in within={poses.name}: give groups such as C4 within D4, or D4 within D8"
        )
    step = poses.rotations // group.rotations
    members = [poses.element(f, r * step) for f, r in (group.split(g) for g in range(group.order))]
    found: list[list[int]] = []
    for pose in range(poses.order):
        if not any(pose in one for one in found):
            found.append(sorted(poses.product(g, pose) for g in members))
    return found


def _check_told_apart(kind: str, group: PlanarGroup, poses: PlanarGroup, classes: list[list[int]]) -> None:
    """No two classes are the same pictures: p s is of the class of p where s leaves the upright shape as it is."""
    class_of = {pose: number for number, one in enumerate(classes) for pose in one}
    for s in range(poses.order):
        if leaves_alone(kind, poses.matrix(s)) and any(class_of[poses.product(p, s)] != class_of[p] for p in class_of):
            raise ConfigError(
                f"kinds hold {kind!r}, which looks the same after the element {poses.element_name(s)!r} of "
                f"within={poses.name}, but with group={group.name} its poses before and after are two classes, of the "
                "same pictures: give a group that holds more, the same group for both, or other kinds, such as 'hook'"
            )


def leaves_alone(kind: str, matrix: np.ndarray) -> bool:
    """Whether an upright shape looks the same after a matrix."""
    turned, mirrored = kind == "step" or kind.startswith("double "), kind in BARS
    kept = [np.eye(2), *([_HALF_TURN] if turned else []), *([_MIRROR] if mirrored else [])]
    kept += [-_MIRROR] if turned and mirrored else []
    return any(np.allclose(matrix, one) for one in kept)


def _shape(
    kind: str, poses: PlanarGroup, members: list[int], draws: Iterator[float], smallest: float, size: int
) -> np.ndarray:
    """One shape, somewhere in the picture."""
    part, pose, large, x, y = (next(draws) for _ in range(5))
    half = (smallest + 0.04 * large) * size
    free = size / 2 - 1 - _REACH * half
    points = bar(kind, part) if kind in BARS else outline(kind, part)
    corners = half * points @ poses.matrix(members[int(pose * len(members))]).T
    return paint(corners + free * np.array([2 * x - 1, 2 * y - 1]), 0.14 * half, size)
