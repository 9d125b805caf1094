"""Shapes of two hands: nothing but the hand differs, and nothing depends on chance."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from equivision.data import ImageData, chiral_shapes, mirrored
from equivision.data._chiral import KINDS, outline, paint
from equivision.errors import ConfigError, DataError


def turned(points: np.ndarray, angle: float) -> np.ndarray:
    return points @ np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", [0.0, 1.0])
def test_no_turn_makes_a_shape_its_mirror_image(kind: str, part: float) -> None:
    """But the mirror image of the shape is painted as the mirror image of the picture."""
    points = 6 * outline(kind, part)
    picture = paint(points, 1.0, 24)
    flipped = paint(points * (-1, 1), 1.0, 24)
    np.testing.assert_allclose(flipped, picture[:, ::-1], atol=1e-6)
    centred = points - points.mean(0)
    still, mirror = paint(centred, 1.0, 24), centred * (-1, 1)
    angles = np.linspace(0, 2 * math.pi, 73)[:-1]
    shifts = [(0, 0), (2, 0), (-2, 0), (0, 2), (0, -2)]
    nearest = min(
        np.abs(paint(turned(mirror, angle) + shift, 1.0, 24) - still).sum() for angle in angles for shift in shifts
    )
    assert nearest > 0.2 * still.sum()


def test_shapes_lie_in_the_picture_and_hands_are_even() -> None:
    data = chiral_shapes(400, seed=1)
    assert data.images.shape == (400, 1, 32, 32)
    assert data.class_names == ("right", "left")
    assert set(data.names) == set(KINDS)
    assert data.labels is not None
    assert 170 < int(data.labels.sum()) < 230
    border = torch.cat([data.images[..., 0, :], data.images[..., -1, :], data.images[..., 0], data.images[..., -1]], -1)
    assert border.max() == 0
    mass = data.images.sum((1, 2, 3))
    assert mass.min() > 10
    white = torch.stack([mass[data.labels == hand].mean() for hand in (0, 1)])
    assert (white[0] / white[1] - 1).abs() < 0.1


def test_the_same_seed_makes_the_same_shapes() -> None:
    few, many = (chiral_shapes(count, seed=3) for count in (4, 9))
    assert torch.equal(few.images, many.images[:4])
    assert few.labels is not None
    assert many.labels is not None
    assert torch.equal(few.labels, many.labels[:4])
    assert not torch.equal(chiral_shapes(4, seed=4).images, few.images)
    assert set(chiral_shapes(9, kinds=["flag"]).names) == {"flag"}


def test_these_are_the_shapes() -> None:
    """Others would mean that numbers published before belong to other data."""
    data = chiral_shapes(20, seed=0)
    assert data.labels is not None
    assert "".join(map(str, data.labels[:12].tolist())) == "000111110100"
    assert data.images.sum().item() == pytest.approx(1263.9403076171875, rel=1e-5)


def test_mirrored() -> None:
    data = chiral_shapes(6)
    other = mirrored(data, (1, 0))
    assert torch.equal(other.images, data.images.flip(-1))
    assert data.labels is not None
    assert other.labels is not None
    assert torch.equal(other.labels, 1 - data.labels)
    assert torch.equal(mirrored(other, (1, 0)).images, data.images)
    masks = torch.arange(6, dtype=torch.uint8).reshape(1, 2, 3)
    masked = ImageData(torch.zeros(1, 1, 2, 3), torch.tensor([2]), ("a", "b", "c"), torch.arange(1), masks=masks)
    flipped = mirrored(masked, [0, 2, 1])
    assert flipped.labels is not None
    assert flipped.labels.tolist() == [1]
    assert flipped.masks is not None
    assert torch.equal(flipped.masks, masks.flip(-1))


@pytest.mark.usefixtures("unchecked_annotations")
def test_errors() -> None:
    for name, value, shown in (
        ("count", -1, "count=-1: give a whole number of at least 0"),
        ("size", 15, "size=15: give a whole number of at least 16"),
        ("count", 2.5, "count=2.5: give a whole number"),
        ("kinds", {"hook", "flag"}, r"kinds=\{.*\}: give a list"),
        ("kinds", "hook", "kinds='hook': give a list of some of 'hook', 'step'"),
        ("kinds", [], r"kinds=\[\]: give a list"),
        ("kinds", ["knot"], r"kinds=\['knot'\]: give a list"),
    ):
        options: dict[str, Any] = {"count": 1, name: value}
        with pytest.raises(ConfigError, match=shown):
            chiral_shapes(**options)
    for partners in ((0,), (1, 1), (1, 2, 0)):
        with pytest.raises(ConfigError, match=r"partners=.*give the class of the mirror image of each of the"):
            mirrored(chiral_shapes(2) if len(partners) < 3 else three_classes(), partners)
    with pytest.raises(DataError, match=r"has no labels: mirrored\(\) is for labelled images"):
        mirrored(ImageData(torch.zeros(1, 1, 4, 4), None, (), torch.arange(1)), ())


def three_classes() -> ImageData:
    return ImageData(torch.zeros(1, 1, 4, 4), torch.zeros(1).long(), ("a", "b", "c"), torch.arange(1))
