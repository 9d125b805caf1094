"""Shapes in poses: classes are what the group says, and a picture depends on its number alone."""

import numpy as np
import pytest
import torch

from equivision.data import oriented_shapes
from equivision.data._bars import BARS, bar
from equivision.data._chiral import outline, paint
from equivision.data._oriented import _classes
from equivision.errors import ConfigError
from equivision.groups import cyclic, dihedral, planar


@pytest.mark.parametrize(("group", "within"), [("C1", "D4"), ("C2", "C4"), ("C4", "D4"), ("D1", "D4"), ("D4", "D8")])
def test_classes_are_the_cosets(group: str, within: str) -> None:
    inner, poses = planar(group), planar(within)
    classes = _classes(inner, poses)
    assert sorted(pose for one in classes for pose in one) == list(range(poses.order))
    assert len(classes) == poses.order // inner.order
    for g in range(inner.order):  # by matrices: an element keeps every class
        for one in classes:
            moved = [inner.matrix(g) @ poses.matrix(p) for p in one]
            assert all(min(np.abs(m - poses.matrix(p)).max() for p in one) < 1e-9 for m in moved)


ALIKE = [("arrow", "C4", "D4"), ("step", "C1", "C2"), ("step", "D1", "D2"), ("double fork", "C1", "D4"),
         ("double arrow", "C2", "D2"), ("hammer", "D1", "D2"), ("hammer", "C1", "D2")]  # fmt: skip
APART = [("arrow", "C4", "C4"), ("arrow", "C1", "C2"), ("arrow", "D4", "D4"), ("step", "C1", "C3"),
         ("step", "C2", "D4"), ("hook", "C1", "D4"), ("spiral", "D1", "D4"), ("double fork", "D2", "D4"),
         ("double fork", "C2", "C4"), ("hammer", "D1", "D1"), ("double arrow", "C1", "C1")]  # fmt: skip


@pytest.mark.parametrize(("kind", "group", "within"), [*ALIKE, *APART])
def test_classes_are_told_apart_or_refused(kind: str, group: str, within: str) -> None:
    """Oracle: the drawn shape in the middle, in all poses; two classes are the same if they share a picture."""
    inner, poses = planar(group), planar(within)
    points = bar(kind, 0.5) if kind in BARS else outline(kind, 0.5)
    drawn = [paint(8 * points @ poses.matrix(p).T, 1.0, 32) for p in range(poses.order)]
    classes = _classes(inner, poses)
    shared = any(
        np.abs(drawn[p] - drawn[q]).max() < 1e-3
        for i, a in enumerate(classes)
        for b in classes[:i]
        for p in a
        for q in b
    )
    assert shared == ((kind, group, within) in ALIKE)
    if shared:
        with pytest.raises(ConfigError, match=rf"{kind!r}.*within={within}.*group={group}.*give a group"):
            oriented_shapes(1, group=group, within=within, kinds=("hook", kind))
    else:
        assert len(oriented_shapes(1, group=group, within=within, kinds=(kind,)).class_names) == len(classes)


def test_quarter_turns_keep_the_class_and_a_mirror_changes_it() -> None:
    """By products of three pixels, averaged over the picture: the simplest number that knows turns and hands."""
    data = oriented_shapes(3000, group="C4", within="D4", kinds=("hook",), shapes=1, size=20, noise=0.0, seed=1)
    right, left = data.images[data.labels == 0], data.images[data.labels == 1]

    def triple(x: torch.Tensor) -> float:
        return float((x * x.roll(4, -2) * x.roll((4, 2), (-2, -1))).mean())

    def hand(x: torch.Tensor) -> float:
        return sum(triple(x.rot90(k, (-2, -1))) for k in range(4))

    turned = [triple(right.rot90(k, (-2, -1))) for k in range(4)]
    assert max(turned) - min(turned) < 0.2 * max(turned)
    assert abs(hand(right) - hand(left.flip(-1))) < 0.2 * abs(hand(right) - hand(left))


def test_a_picture_depends_on_its_number_alone() -> None:
    few, many = oriented_shapes(3, seed=5), oriented_shapes(9, seed=5)
    assert torch.equal(few.images, many.images[:3])
    assert not torch.equal(oriented_shapes(3, seed=6).images, few.images)
    assert few.images.shape == (3, 1, 24, 24)
    assert len(few.class_names) == 6


def test_noise_has_the_spread_that_was_asked_for() -> None:
    clean, noisy = (oriented_shapes(20, noise=noise).images for noise in (0.0, 0.3))
    assert clean.min() == 0
    assert clean.max() == 1
    assert abs(float((noisy - clean).std()) - 0.3) < 0.01
    assert abs(float((noisy - clean).mean())) < 0.01


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": -1}, "count=-1"), ({"size": 8}, "size=8"), ({"shapes": 0}, "shapes=0"),
        ({"noise": -1.0}, "noise=-1.0"), ({"count": 5.5}, "count=5.5: give a whole number"),
        ({"kinds": {"hook", "flag"}}, "kinds=.*: give a list"),
        ({"kinds": ("hook", "flag", "hook")}, "kinds=.*: give each kind once"),
        ({"kinds": ("circle",)}, "kinds="), ({"kinds": "hook"}, "kinds='hook'"),
        ({"group": dihedral(4), "within": cyclic(4)}, "group=D4 does not lie in within=C4"),
        ({"group": "C3"}, "group=C3 does not lie in within=D4"),
    ],
)  # fmt: skip
def test_bad_arguments(change: dict, message: str, unchecked_annotations: None) -> None:
    with pytest.raises(ConfigError, match=message):
        oriented_shapes(**{"count": 2, **change})
