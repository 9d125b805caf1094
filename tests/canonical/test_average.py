"""Frame averaging: exact over the whole group and over all maximisers, in expectation over a part of them."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from equivision.canonical import FrameAveragedNetwork, OrbitEnergy
from equivision.errors import ShapeError
from equivision.functional import act
from equivision.groups import PlanarGroup, cyclic, dihedral
from equivision.testing import assert_equivariant, random_input
from tests.canonical._parts import GRID, OUTPUTS, SIZES, energies, images, moved, plain_cnn

C4, D4 = cyclic(4), dihedral(4)


def slow_average(predictor: nn.Module, x: Tensor, group: PlanarGroup, output: str, frames: Tensor) -> Tensor:
    """The definition, one image and one element at a time."""
    found = []
    for i in range(len(x)):
        elements = [h for h in range(group.order) if frames[i, h]]
        pieces = [predictor(act(x[i : i + 1], group.inverse(h), group)) for h in elements]
        found.append(sum(moved(y, h, group, output) for h, y in zip(elements, pieces, strict=True)) / len(elements))
    return torch.cat(found)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("group", GRID, ids=str)
class TestExact:
    def test_whole_group(self, group: PlanarGroup, output, size) -> None:
        predictor, x = plain_cnn(output, group), images(size)
        net = FrameAveragedNetwork(predictor, group=group, output=output)
        assert_equivariant(net, x, group=group, act_out=partial(moved, group=group, output=output))
        torch.testing.assert_close(net(x), slow_average(predictor, x, group, output, net.frames(x)))
        assert net.equivariance == "exact"

    def test_all_maximisers(self, group: PlanarGroup, output, size) -> None:
        predictor, x = plain_cnn(output, group), images(size)
        net = FrameAveragedNetwork(predictor, energy=energies(group)["own"], output=output)
        assert_equivariant(net, x, group=group, act_out=partial(moved, group=group, output=output))
        torch.testing.assert_close(net(x), slow_average(predictor, x, group, output, net.frames(x)))
        assert net.equivariance == "exact"


@pytest.mark.parametrize("group", GRID, ids=str)
def test_frames_turn_with_the_image(group: PlanarGroup) -> None:
    net, x = FrameAveragedNetwork(nn.Flatten(), energy=energies(group)["own"]), images((8, 8))
    frames = net.frames(x)
    for g in range(group.order):
        assert torch.equal(net.frames(act(x, g, group)), act(frames[:, None].int(), g, group)[:, 0].bool())
    assert (frames[3:].sum(1) == 1).all()
    assert frames[2].all()  # black: every element is a maximiser


def test_one_forward_sees_all_copies_and_no_more() -> None:
    seen = []

    class Spy(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(len(x))
            return x.mean((1, 2, 3))[:, None]

    x = images((8, 8))  # half turns leave the first alone, D4 the second and the third
    FrameAveragedNetwork(Spy(), group=D4)(x)
    FrameAveragedNetwork(Spy(), energy=energies(D4)["own"])(x)
    FrameAveragedNetwork(Spy(), group=D4, num_samples=3)(x)
    assert seen == [8 * len(x), 2 + 8 + 8 + (len(x) - 3), 3 * len(x)]


class TestSubsampled:
    @pytest.mark.parametrize("output", OUTPUTS)
    def test_not_exact_but_in_expectation(self, output) -> None:
        predictor, x = plain_cnn(output, C4), random_input(2, (8, 8))
        exact = FrameAveragedNetwork(predictor, group=C4, output=output)
        net = FrameAveragedNetwork(predictor, group=C4, output=output, num_samples=1)
        assert net.equivariance == "approximate"
        with pytest.raises(AssertionError, match="relative error above"):
            assert_equivariant(net, x, group=C4, act_out=partial(moved, group=C4, output=output))
        mean = net(x.repeat(2000, 1, 1, 1)).unflatten(0, (2000, 2)).mean(0)
        assert (mean - exact(x)).norm() / exact(x).norm() < 0.1 < (net(x) - exact(x)).norm() / exact(x).norm()

    def test_elements_of_the_frame_without_repetition(self) -> None:
        x = images((8, 8))
        net = FrameAveragedNetwork(nn.Flatten(), energy=energies(D4)["own"], num_samples=2)
        whole = FrameAveragedNetwork(nn.Flatten(), energy=energies(D4)["own"]).frames(x)
        for _ in range(5):
            drawn = net.frames(x)
            assert not (drawn & ~whole).any()
            assert torch.equal(drawn.sum(1), whole.sum(1).clamp(max=2))

    def test_drawn_anew_every_time_for_every_image(self) -> None:
        net, x = FrameAveragedNetwork(nn.Flatten(), group=D4, num_samples=2), random_input(2, (4, 4), batch=64)
        frames = net.frames(x)
        assert len(frames.unique(dim=0)) > 8
        assert not torch.equal(net.frames(x), frames)

    def test_as_many_as_there_are_is_exact(self) -> None:
        net = FrameAveragedNetwork(plain_cnn("plane", C4), group=C4, num_samples=7, output="plane")
        assert_equivariant(net, images((8, 8)), group=C4)
        net.num_samples = None
        assert net.equivariance == "exact"


def test_gradients_of_the_predictor_are_those_of_the_definition() -> None:
    predictor, x = plain_cnn("plane", D4), images((8, 8))
    net = FrameAveragedNetwork(predictor, energy=energies(D4)["own"], output="plane")
    parameters = list(predictor.parameters())
    found = torch.autograd.grad(net(x).square().sum(), parameters)
    expected = torch.autograd.grad(slow_average(predictor, x, D4, "plane", net.frames(x)).square().sum(), parameters)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_energy_takes_no_gradient() -> None:
    net = FrameAveragedNetwork(plain_cnn("plane", C4), energy=energies(C4)["own"], output="plane")
    net(images((8, 8))).sum().backward()
    assert net.energy is not None
    assert all(parameter.grad is None for parameter in net.energy.parameters())


@pytest.mark.parametrize("group", ["C3", "C8", "D6"])
def test_any_angle_is_approximate(group: str) -> None:
    net = FrameAveragedNetwork(plain_cnn("plane", C4), group=group, output="plane")
    assert net.equivariance == "approximate"
    assert net(images((9, 9))).shape == (7, 3, 7, 7)
    of_approximate = FrameAveragedNetwork(nn.Flatten(), energy=OrbitEnergy(plain_cnn("invariant", C4), group=group))
    assert of_approximate.equivariance == "approximate"


@pytest.mark.parametrize("group", [C4, D4], ids=str)
@pytest.mark.parametrize("padding", [0, 1])
def test_maps_of_oblong_images(group: PlanarGroup, padding: int) -> None:
    predictor = nn.Sequential(nn.Conv2d(1, 4, 3, padding=padding), nn.ReLU(), nn.Conv2d(4, 2, 1)).double()
    net, x = FrameAveragedNetwork(predictor, group=group, output="plane"), torch.rand(2, 1, 7, 10).double()
    for g in range(1, group.order):
        assert not torch.allclose(predictor(act(x, g, group)), act(predictor(x), g, group), rtol=1e-3)
        torch.testing.assert_close(net(act(x, g, group)), act(net(x), g, group), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(net(x), slow_average(predictor, x, group, "plane", net.frames(x)))


def test_oblong_images_that_cannot_be_averaged() -> None:
    x = torch.rand(2, 1, 7, 10)
    for options in ({"output": "invariant"}, {"output": "plane", "num_samples": 2}, {"output": "plane", "group": "C8"}):
        with pytest.raises(ShapeError, match=r"7 x 10 pixels; C[48] mixes rows and columns: give square images"):
            FrameAveragedNetwork(nn.Identity(), **{"group": "C4", **options})(x)
    strided = nn.AdaptiveAvgPool2d((4, 6))
    with pytest.raises(ShapeError, match="turned back, are 6 x 4, those of the images themselves 4 x 6: give square"):
        FrameAveragedNetwork(strided, group="C4", output="plane")(x)
    with pytest.raises(ShapeError, match=r"gives shape \(2, 70\): oblong images need maps"):
        FrameAveragedNetwork(nn.Flatten(), group="C4", output="plane")(x)
