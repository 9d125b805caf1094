"""Motions: there and back, one for each image, and what survives."""

from functools import partial

import pytest
import torch

from equivision.errors import ConfigError, ShapeError
from equivision.functional import rotate
from equivision.implicit import Motion, Transform, TransformSet, reflections, rotations, scalings

SETS = {
    "quarter turns": rotations(4),
    "turns and flips": rotations(4).then(reflections()),
    "eighth turns": rotations(8),
    "bilinear": rotations([0, 30, 200.5], mode="bilinear"),
    "scales": scalings([1, 0.8, 1.25]),
    "scales and turns": scalings([1, 0.8]).then(rotations(4)),
}


def every(transforms: TransformSet) -> Motion:
    return Motion(transforms, torch.arange(len(transforms.members)))


def smooth(number: int, size: int) -> torch.Tensor:
    """Blurred noise that is zero near the border."""
    x = torch.nn.functional.interpolate(torch.randn(number, 2, 4, 4).double(), size=size, mode="bicubic")
    grid = torch.linspace(-1, 1, size, dtype=torch.float64)
    return x * torch.exp(-6 * (grid[:, None] ** 2 + grid**2))


@pytest.mark.parametrize("size", [16, 17])
@pytest.mark.parametrize("name", SETS)
def test_there_and_back(name: str, size: int) -> None:
    motion = every(SETS[name])
    x = smooth(len(motion.index), size)
    back = motion.undo(motion.apply(x))
    support = motion.support(x)
    exact = [member.exact for member in motion.transforms.members]
    assert torch.equal(back[exact], x[exact])
    if support is None:
        assert all(exact)
        return
    error = ((back - x) * support).norm() / x.norm()
    assert error < (0.45 if "eighth" in name else 0.2)
    assert 0.2 < support.double().mean() < 1
    assert motion.support(x, "none") is None
    whole = motion.support(x, "support")
    assert whole is not None
    assert not (support & ~whole).any()  # the disk is inside


@pytest.mark.parametrize("name", ["turns and flips", "eighth turns", "scales and turns"])
def test_each_image_moves_by_its_own(name: str) -> None:
    transforms = SETS[name]
    motion = transforms.sample(13)
    x = smooth(13, 12)
    expected = torch.cat([transforms.members[i].apply(x[j : j + 1]) for j, i in enumerate(motion.index.tolist())])
    assert torch.equal(motion.apply(x), expected)


def test_turns_are_counter_clockwise_as_everywhere() -> None:
    x = smooth(8, 15)
    degrees = torch.arange(8) * 45.0
    assert torch.allclose(every(rotations(8)).apply(x), rotate(x, degrees, mode="nearest"), atol=1e-12)


def test_in_turn_the_first_moves_first() -> None:
    both = rotations([90]).then(TransformSet([reflections().members[1]]))
    x = smooth(1, 9)
    assert torch.equal(both.members[0].apply(x), torch.flip(torch.rot90(x, 1, (-2, -1)), (-2,)))


def test_motions_are_drawn_evenly_and_repeatably() -> None:
    draw = partial(rotations(4).sample, 4000)
    first = draw(torch.Generator().manual_seed(1)).index
    assert torch.equal(first, draw(torch.Generator().manual_seed(1)).index)
    assert (first.bincount() - 1000).abs().max() < 150


def test_scaling_makes_smaller_and_larger() -> None:
    x = torch.zeros(2, 1, 32, 32)
    x[:, :, 12:20, 12:20] = 1
    small, large = Motion(scalings([0.5, 2]), torch.tensor([0, 1])).apply(x).flatten(1).sum(1)
    assert small.item() == pytest.approx(16, rel=0.02)
    assert large.item() == pytest.approx(256, rel=0.02)


@pytest.mark.parametrize("transforms", SETS.values(), ids=SETS)
def test_gradients(transforms: TransformSet) -> None:
    motion = every(transforms)
    x = torch.randn(len(motion.index), 1, 5, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: motion.undo(motion.apply(x)), x)


@pytest.mark.usefixtures("unchecked_annotations")
class TestErrors:
    @pytest.mark.parametrize("angles", [0, True, [], "90", [float("nan")], 45.0, ["45"], torch.ones(2)], ids=repr)
    def test_angles(self, angles: object) -> None:
        with pytest.raises(ConfigError, match="angles="):
            rotations(angles)  # type: ignore[arg-type]

    def test_mode(self) -> None:
        with pytest.raises(ConfigError, match="mode='cubic' is not known"):
            rotations(4, mode="cubic")

    @pytest.mark.parametrize("factors", [[], [0], [-1], "1", [float("inf")], 0.5, ["0.5"], torch.ones(2)], ids=repr)
    def test_factors(self, factors: object) -> None:
        with pytest.raises(ConfigError, match="give a list of positive numbers"):
            scalings(factors)  # type: ignore[arg-type]

    def test_members(self) -> None:
        with pytest.raises(ConfigError, match="give at least one Transform"):
            TransformSet([])
        with pytest.raises(ConfigError, match="give at least one Transform"):
            TransformSet([torch.flip])  # type: ignore[list-item]

    def test_maps_that_are_not_square(self) -> None:
        with pytest.raises(ShapeError, match=r"90 degrees makes .* quarter turns need square maps"):
            Motion(rotations(4), torch.tensor([1])).apply(torch.zeros(1, 1, 4, 5))

    def test_number_of_images(self) -> None:
        with pytest.raises(ShapeError, match="maps are of 3 images, and this motion was drawn for 2"):
            rotations(4).sample(2).apply(torch.zeros(3, 1, 4, 4))

    def test_a_motion_of_the_user_that_changes_the_size(self) -> None:
        crop = Transform("crop", lambda x: x[..., 1:], lambda x: x)
        with pytest.raises(ShapeError, match=r"crop makes .* motions must keep the size"):
            Motion(TransformSet([crop]), torch.tensor([0])).apply(torch.zeros(1, 1, 4, 4))
