"""Groups and their elements in plain words."""

import numpy as np
from numpy.typing import NDArray

from equivision.groups import PlanarGroup, PointGroup, SpatialGroup


def describe_element(group: SpatialGroup, g: int) -> str:
    """An element in plain words: ``"as it is"``, ``"flipped, turned 90°"``, ``"turned 120° about (1, 1, 1)"``."""
    return ", ".join(_moves(group, g)) or "as it is"


def short_element(group: SpatialGroup, g: int) -> str:
    """An element in a narrow column: ``"as is"``, ``"90°"``, ``"flip 90°"``, ``"-y,x,z"``."""
    if isinstance(group, PointGroup):
        return group.element_name(g) if g else "as is"
    words = {"flipped": "flip"}
    return " ".join(words.get(move, move.removeprefix("turned ")) for move in _moves(group, g)) or "as is"


def describe_group(group: SpatialGroup) -> str:
    """A group in plain words: ``"quarter turns and reflections"``, ``"the rotations of a cube"``."""
    if isinstance(group, PointGroup):
        kinds = "rotations" if group.is_chiral else "rotations and reflections"
        whole = group.symbol in ("432", "m-3m")
        one = "the identity alone" if group.order == 1 else f"the {kinds} of the point group {group.symbol}"
        return f"the {kinds} of a cube" if whole else one
    assert isinstance(group, PlanarGroup)  # noqa: S101
    turns = {1: "", 2: "half turns", 4: "quarter turns"}[group.rotations]
    mirror = ("reflections" if group.rotations > 1 else "a reflection") if group.reflections else ""
    return " and ".join(part for part in (turns, mirror) if part) or "the identity alone"


def _moves(group: SpatialGroup, g: int) -> list[str]:
    """What an element does, one thing after the other."""
    if isinstance(group, PointGroup):
        return _moves_in_space(group.matrix(g))
    assert isinstance(group, PlanarGroup)  # noqa: S101
    flips, _ = group.split(g)
    return ["flipped"] * flips + ([f"turned {group.degrees(g):g}°"] if group.degrees(g) else [])


def _moves_in_space(matrix: NDArray[np.float64]) -> list[str]:
    improper = bool(np.linalg.det(matrix) < 0)
    rotation = -matrix if improper else matrix
    degrees = round(float(np.degrees(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1)))))
    if improper and degrees == 180:
        return [f"reflected along {_axis(rotation, degrees)}"]
    turned = [f"turned {degrees}° about {_axis(rotation, degrees)}"] if degrees else []
    return turned + ["inverted"] * improper


def _axis(rotation: NDArray[np.float64], degrees: int) -> str:
    """The axis about which it turns counter-clockwise, of whole numbers on the cubic grid."""
    if degrees == 180:
        columns = rotation + np.eye(3)  # twice the projection onto the axis
        axis = columns[:, np.abs(columns).max(0).argmax()]
    else:
        odd = rotation - rotation.T
        axis = np.array([odd[2, 1], odd[0, 2], odd[1, 0]])
    whole = np.rint(axis / np.abs(axis).max()).astype(int).tolist()
    if sum(map(abs, whole)) == 1:
        return next(("-" if number < 0 else "") + name for number, name in zip(whole, "xyz", strict=True) if number)
    return f"({', '.join(map(str, whole))})"
