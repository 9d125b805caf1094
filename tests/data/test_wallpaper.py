"""Textures have the symmetry that their class names, and no element that they should not have."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from equivision.data import WALLPAPERS, wallpaper_textures
from equivision.data._random import random_uniform
from equivision.data._wallpaper import lattice, positions, texture
from equivision.errors import ConfigError

ORDERS = dict(zip(WALLPAPERS, (1, 2, 2, 2, 4, 4, 4, 4, 8, 4, 8, 8, 3, 6, 6, 6, 12), strict=True))


@pytest.mark.parametrize("group", WALLPAPERS)
def test_elements_form_a_group_of_isometries(group: str) -> None:
    elements = positions(group)
    assert len(elements) == ORDERS[group]
    whole = np.concatenate([elements, np.broadcast_to([[[0, 0, 1.0]]], (len(elements), 1, 3))], axis=1)
    products = np.einsum("aij,bjk->abik", whole, whole).reshape(-1, 3, 3)
    products[:, :2, 2] %= 1
    known = {tuple(element.ravel()) for element in whole}
    assert {tuple(element.ravel()) for element in products} == known
    assert len(known) == ORDERS[group]
    cell = lattice(group, 1.0, 0.8, math.radians(70))
    for element in elements:
        isometry = cell @ element[:, :2] @ np.linalg.inv(cell)
        np.testing.assert_allclose(isometry @ isometry.T, np.eye(2), atol=1e-12)


def test_textures_have_the_symmetry() -> None:
    """On the grid: mirror lines of pm and pmm, quarter turns of p4; the others do not have them."""
    draws = random_uniform(np.arange(38), 1)
    draws[4:6] = 0  # the origin in the middle of the picture
    pictures = {group: texture(group, draws, 33, turned=False) for group in ("p1", "p2", "pm", "pmm", "p4", "p4m")}
    moves = {"turn": lambda p: np.rot90(p), "half": lambda p: np.rot90(p, 2), "mirror": lambda p: p[:, ::-1]}
    held = {
        "p1": (), "p2": ("half",), "pm": ("mirror",), "pmm": ("half", "mirror"), "p4": ("turn", "half"),
        "p4m": ("turn", "half", "mirror"),
    }  # fmt: skip
    for group, picture in pictures.items():
        for name, move in moves.items():
            error = np.abs(move(picture) - picture).max()
            assert error < 1e-9 if name in held[group] else error > 0.1, (group, name)


def test_textures() -> None:
    data = wallpaper_textures(40, groups=["p1", "p6m"], size=24, seed=1)
    assert data.images.shape == (40, 1, 24, 24)
    assert data.labels is not None
    assert 10 < int(data.labels.sum()) < 30
    assert (data.images.mean((1, 2, 3)) - 0.5).abs().max() < 0.02
    spread = data.images.std((1, 2, 3))
    assert spread.min() > 0.12
    assert spread.max() < 0.2
    again = wallpaper_textures(9, groups=["p1", "p6m"], size=24, seed=1)
    assert torch.equal(again.images, data.images[:9])
    turned = wallpaper_textures(9, groups=["p1", "p6m"], size=24, seed=1, turned=True)
    assert turned.labels is not None
    assert torch.equal(turned.labels, data.labels[:9])
    assert not torch.equal(turned.images, again.images)


def test_these_are_the_textures() -> None:
    """Others would mean that numbers published before belong to other data."""
    data = wallpaper_textures(8, groups=["p2", "pm", "pmm", "p4m"])
    assert data.labels is not None
    assert data.labels.tolist() == [2, 0, 2, 3, 2, 0, 2, 0]
    assert data.images[0, 0, :3, 0].tolist() == pytest.approx([0.238131, 0.243857, 0.244349], abs=1e-5)


@pytest.mark.usefixtures("unchecked_annotations")
def test_errors() -> None:
    for name, value, shown in (
        ("count", -1, "count=-1: give a whole number of at least 0"),
        ("size", 7, "size=7: give a whole number of at least 8"),
        ("groups", "p4", "groups='p4': give a list of different ones of p1, p2"),
        ("groups", ["p5"], r"groups=\['p5'\]: give a list"),
        ("groups", ["p4", "p4"], r"groups=\['p4', 'p4'\]: give a list"),
    ):
        options: dict[str, Any] = {"count": 1, name: value}
        with pytest.raises(ConfigError, match=shown):
            wallpaper_textures(**options)
