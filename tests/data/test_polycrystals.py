"""Polycrystals: grains that fill a volume, orientations that are textured as promised and named at random."""

import numpy as np
import pytest
import torch

from equivision.data import Polycrystals, polycrystals
from equivision.data._polycrystals import nearest, rotations_from
from equivision.data._random import random_uniform
from equivision.errors import ConfigError, GroupMismatchError, ShapeError
from equivision.functional import act
from equivision.groups import octahedral, point_group


def test_samples_do_not_depend_on_how_many_there_are() -> None:
    few, many = polycrystals(2, size=6, grains=8, seed=3), polycrystals(4, size=6, grains=8, seed=3)
    assert torch.equal(few.grains, many.grains[:2])
    assert torch.equal(few.orientations, many.orientations[:2])
    assert len(many) == 4
    assert not torch.equal(polycrystals(2, size=6, grains=8, seed=4).grains, few.grains)


def test_grains_are_periodic_cells() -> None:
    centres = random_uniform(np.arange(15), 0).reshape(5, 3)
    cells = nearest(centres, 6)
    shifts = np.stack(np.meshgrid(*3 * [[-1, 0, 1]], indexing="ij"), -1).reshape(-1, 3)
    for at in np.ndindex(6, 6, 6):
        place = (np.array(at) + 0.5) / 6
        away = np.linalg.norm(centres[:, None] + shifts - place, axis=-1).min(1)
        assert away[cells[at]] == pytest.approx(away.min())


@pytest.mark.parametrize("name", ["432", "622", "m"])
def test_orientations(name: str) -> None:
    samples = polycrystals(3, point_group=name, size=6, grains=12)
    eye = torch.eye(3, dtype=torch.float64)
    assert (samples.orientations @ samples.orientations.mT - eye).abs().max() < 1e-12
    assert torch.allclose(torch.linalg.det(samples.orientations), torch.ones((), dtype=torch.float64))
    assert samples.weights().sum(1).tolist() == pytest.approx([1, 1, 1])
    assert float(samples.weights()[0, 3]) == pytest.approx(float((samples.grains[0] == 3).double().mean()))
    again = samples.renamed(seed=5)
    between = (samples.orientations.mT @ again.orientations).flatten(0, 1)
    rotations = point_group(name).matrices[[point_group(name).is_rotation(g) for g in range(point_group(name).order)]]
    apart = (between[:, None] - torch.from_numpy(rotations)).abs().amax((2, 3))
    assert apart.min(1).values.max() < 1e-12
    if name != "m":
        assert len(set(apart.argmin(1).tolist())) > len(rotations) // 2
    assert torch.equal(again.grains, samples.grains)


def test_voxels() -> None:
    samples = polycrystals(2, size=5, grains=6)
    values = torch.randn(2, 6, 4)
    maps = samples.voxels(values)
    assert maps.shape == (2, 4, 5, 5, 5)
    for sample, *at in ((0, 0, 1, 2), (1, 4, 3, 0)):
        grain = int(samples.grains[sample, *at])
        assert torch.equal(maps[sample, :, *at], values[sample, grain])


def test_turned_samples() -> None:
    """Grains keep their volumes, their features turn, and where one grain was there is now the turned one."""
    samples, group = polycrystals(2, size=4, grains=6), octahedral()
    for g in (1, 10, 19):
        turned, turn = samples.turned(g), torch.from_numpy(group.matrix(g))
        assert torch.equal(turned.weights(), samples.weights())
        assert torch.equal(turned.orientations, turn @ samples.orientations)
        axes = samples.voxels(samples.orientations[..., 0])  # a vector at every voxel
        moved = torch.einsum("ij,bjdhw->bidhw", turn, act(axes, g, group))
        assert torch.equal(turned.voxels(turned.orientations[..., 0]), moved)


def test_textures_of_all_strengths() -> None:
    """Without symmetry and spread the share of grains in the two preferred orientations is spread evenly."""
    samples = polycrystals(60, point_group="1", size=2, grains=40, spread=0.0)
    shares = []
    for one in samples.orientations:
        same = (one[:, None] - one).abs().amax((2, 3)) < 1e-9
        shares.append(float((same.sum(1) > 1).double().mean()))
    assert min(shares) < 0.15
    assert max(shares) > 0.85
    assert 0.35 < float(np.mean(shares)) < 0.65


def test_spread_about_a_preferred_orientation() -> None:
    samples, exact = (polycrystals(40, point_group="1", size=2, grains=30, spread=s) for s in (9.0, 0.0))
    between = samples.orientations @ exact.orientations.mT
    angle = ((between.diagonal(dim1=2, dim2=3).sum(-1) - 1) / 2).clamp(-1, 1).acos().rad2deg()
    moved = angle[angle > 1e-3]
    assert float(moved.square().mean().sqrt()) == pytest.approx(9 * 3**0.5, rel=0.08)


def test_rotations_are_spread_evenly() -> None:
    found = rotations_from(random_uniform(np.arange(60000), 1).reshape(-1, 3))
    assert np.abs(found.mean(0)).max() < 0.02
    assert np.abs((found**2).mean(0) - 1 / 3).max() < 0.02


@pytest.mark.usefixtures("unchecked_annotations")
def test_errors() -> None:
    for name, value in (("count", -1), ("count", 2.5), ("size", 1), ("grains", 0)):
        with pytest.raises(ConfigError, match=f"{name}={value}: give a whole number of at least"):
            polycrystals(**{"count": 1, name: value})
    with pytest.raises(ConfigError, match=r"spread=-1\.0: give an angle"):
        polycrystals(1, spread=-1.0)
    with pytest.raises(GroupMismatchError, match="'7' is not the name of a point group"):
        polycrystals(1, point_group="7")
    samples = polycrystals(1, size=4, grains=5)
    for shape in ((1, 4, 2), (1, 5)):
        with pytest.raises(ShapeError, match=r"values have shape .*: needs \[1, 5, channels\]"):
            samples.voxels(torch.zeros(shape))
    with pytest.raises(ShapeError, match=r"grains hold numbers from 0 to 5: there are orientations of 5 grains"):
        Polycrystals(torch.where(samples.grains == 4, 5, samples.grains), samples.orientations, samples.point_group)
    assert isinstance(samples, Polycrystals)
