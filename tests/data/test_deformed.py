"""Smooth deformations: as large and as smooth as asked for, and the same for the same index."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from equivision.data import ImageData, chiral_shapes, deformed
from equivision.data._deformed import _places
from equivision.errors import ConfigError


@pytest.mark.parametrize("size", [(32, 32), (24, 33)])
def test_amplitude_and_length(size: tuple[int, int]) -> None:
    places = _places(np.arange(300), size, 1.5, 20.0, 0).numpy()
    rows, columns = (np.arange(n) - (n - 1) / 2 for n in size)
    x = places[..., 0] * size[1] / 2 - columns
    y = places[..., 1] * size[0] / 2 - rows[:, None]
    assert [float(np.sqrt((move**2).mean())) for move in (x, y)] == pytest.approx([1.5, 1.5], rel=0.1)
    steps = np.concatenate([np.diff(x, axis=1).ravel(), np.diff(x, axis=2).ravel()])
    assert 2 * math.pi * 1.5 / 40 / math.sqrt(2) < np.sqrt((steps**2).mean()) < 2 * math.pi * 1.5 / 20 / math.sqrt(2)
    assert abs(float((x * y).mean())) < 0.4


def test_what_happens_depends_on_seed_and_index_only() -> None:
    data = chiral_shapes(6)
    moved = deformed(data, seed=3)
    assert torch.equal(deformed(data.take([4, 1]), seed=3).images, moved.images[[4, 1]])
    assert not torch.equal(deformed(data, seed=4).images, moved.images)
    assert not torch.equal(moved.images, data.images)
    assert moved.labels is data.labels
    assert torch.allclose(deformed(data, amplitude=0.0).images, data.images, atol=1e-5)


def test_these_are_the_deformations() -> None:
    """Others would mean that numbers published before belong to other data."""
    places = _places(np.arange(3), (28, 28), 2.0, 20.0, 0)
    assert places[[0, 1, 2], [3, 9, 20], [4, 27, 11]].flatten().tolist() == pytest.approx(
        [-0.766186, -0.688217, 0.980369, -0.293961, -0.234651, 0.708743], abs=1e-5
    )


def test_masks_follow_their_images() -> None:
    masks = (chiral_shapes(4).images[:, 0] > 0.5).byte()
    images = masks[:, None].float()
    for unknown in (None, 7):
        data = ImageData(images, None, ("out", "in"), torch.arange(4), masks=masks, ignore_index=unknown)
        moved = deformed(data, amplitude=3.0)
        assert moved.masks is not None
        assert set(moved.masks.unique().tolist()) <= {0, 1, 7}
        inside = moved.masks != 7
        agree = (moved.masks[inside] == (moved.images[:, 0] > 0.5)[inside]).float().mean()
        assert agree > 0.97
        assert (moved.masks == 7).any() == (unknown == 7)


@pytest.mark.usefixtures("unchecked_annotations")
def test_errors() -> None:
    for options, shown in (
        ({"amplitude": -1.0}, "amplitude=-1.0: give a number of pixels, at least 0"),
        ({"amplitude": math.inf}, "amplitude=inf: give a number"),
        ({"length": 0.0}, "length=0.0: give a positive number of pixels"),
    ):
        given: dict[str, Any] = options
        with pytest.raises(ConfigError, match=shown):
            deformed(chiral_shapes(1), **given)
