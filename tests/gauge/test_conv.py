"""Gauge convolution on pixels: what it computes does not depend on the frames."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import equivision as ev
from equivision.errors import ConfigError, GroupMismatchError, ShapeError
from equivision.functional import act, relative_error
from equivision.gauge import (
    GaugeConv2d,
    GaugeSequential,
    frame_vectors,
    radial_frames,
    random_frames,
    to_frames,
    to_world,
)
from equivision.groups import cyclic, special_orthogonal
from equivision.nn import FieldBatchNorm2d, GatedNonlinearity, NormReLU, SteerableConv2d
from equivision.reps import parse, restricted
from equivision.testing import (
    assert_backward_twice,
    assert_batch_independent,
    assert_compiles,
    assert_copies,
    assert_dtypes,
    assert_equivariant,
    assert_exports,
    assert_gradcheck,
    assert_repr,
    assert_state_dict,
    random_input,
    randomize_,
)

FIELDS = "2 A + 2 E1 + E2"
CHANNELS = 8
C4 = cyclic(4)


def frames_of(size: tuple[int, int]) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    each = 6 * torch.rand(2, *size, generator=generator, dtype=torch.float64)
    return {
        "constant": torch.full(size, 0.7, dtype=torch.float64),
        "radial": radial_frames(*size),
        "smooth": random_frames(*size, length=6.0),
        "rough": random_frames(*size),
        "of each example": each,
    }


def network() -> GaugeSequential:
    gates = f"{FIELDS} + 3 A"
    return GaugeSequential(
        GaugeConv2d(FIELDS, gates, 3, padding=1), GatedNonlinearity(FIELDS, group="SO2"),
        FieldBatchNorm2d(FIELDS, group="SO2"), GaugeConv2d(FIELDS, FIELDS, 5, padding=2, padding_mode="circular"),
        NormReLU(FIELDS, group="SO2"), GaugeConv2d(FIELDS, "A + E1 + E3", 2, padding=1, dilation=2),
    )  # fmt: skip


LAYERS: dict[str, Callable[[], nn.Module]] = {
    "3x3": lambda: GaugeConv2d(FIELDS, FIELDS, 3, padding=1),
    "7x7": lambda: GaugeConv2d(FIELDS, "A + E1", 7, padding=3, padding_mode="reflect", bias=False),
    "even": lambda: GaugeConv2d(FIELDS, "E2", 4, dilation=2, padding=3, profile="bspline"),
    "network": network,
}
OUT = {"3x3": FIELDS, "7x7": "A + E1", "even": "E2", "network": "A + E1 + E3"}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("size", [(9, 9), (8, 9)])
@pytest.mark.parametrize("name", LAYERS)
@torch.no_grad()
def test_the_result_does_not_depend_on_the_frames(name: str, size: tuple[int, int], training: bool) -> None:
    net, x = randomize_(LAYERS[name]().double()).train(training), random_input(CHANNELS, size)
    expected = net(x, torch.zeros(size, dtype=torch.float64))
    for kind, frames in frames_of(size).items():
        local = net(to_frames(x, FIELDS, frames), frames)
        assert relative_error(to_world(local, OUT[name], frames), expected) < 1e-12, kind
        assert relative_error(local, expected) > 0.1, kind  # the components do


@torch.no_grad()
def test_what_takes_components_for_channels_fails() -> None:
    """Any plain convolution, and the same kernels on components that nobody carries."""
    x = random_input(CHANNELS, (9, 9))
    for layer in (
        nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1).double(),
        randomize_(SteerableConv2d(FIELDS, FIELDS, 3, group="SO2", padding=1).double()),
    ):
        for name, frames in frames_of((9, 9)).items():
            error = relative_error(to_world(layer(to_frames(x, FIELDS, frames)), FIELDS, frames), layer(x))
            assert error > 0.3, name


@pytest.mark.parametrize("size", [(9, 9), (8, 8)])
@pytest.mark.parametrize("frame", [0.0, 0.7])
def test_quarter_turns_of_the_picture_with_its_fields(frame: float, size: tuple[int, int]) -> None:
    net = randomize_(LAYERS["network"]().double())
    frames = torch.full(size, frame, dtype=torch.float64)
    group = special_orthogonal()

    def moved(rep: str) -> Callable[[Tensor, int], Tensor]:
        return lambda x, g: act(x, g, C4, restricted(parse(rep, group), C4))

    x = random_input(CHANNELS, size)
    assert_equivariant(lambda x: net(x, frames), x, group=C4, act_in=moved(FIELDS), act_out=moved(OUT["network"]))


@torch.no_grad()
def test_frames_that_turn_with_the_picture() -> None:
    """Then components only change their places: in radial frames, under turns about the centre."""
    net, x, frames = randomize_(LAYERS["network"]().double()), random_input(CHANNELS, (9, 9)), radial_frames(9, 9)
    frames[4, 4] = math.nan  # the one pixel whose frame does not turn along
    frames = frames.nan_to_num(0.0)
    x[..., 4, 4] = 0.0
    inside = [1 if i != 4 or j != 4 else 0 for i in range(9) for j in range(9)]
    mask = torch.tensor(inside, dtype=torch.float64).view(9, 9)
    still = net(x, frames)
    for turns in (1, 2, 3):
        turned = net(x.rot90(turns, (-2, -1)), frames)
        assert relative_error(turned * mask, (still * mask).rot90(turns, (-2, -1))) < 1e-12


@torch.no_grad()
def test_in_constant_frames_it_is_the_steerable_convolution() -> None:
    gauge = GaugeConv2d(FIELDS, FIELDS, 5, padding=2)
    steerable = SteerableConv2d(FIELDS, FIELDS, 5, padding=2, group="SO2")
    steerable.load_state_dict(gauge.state_dict())
    x = random_input(CHANNELS, (8, 8)).float()
    torch.testing.assert_close(gauge(x, torch.zeros(8, 8)), steerable(x))


@torch.no_grad()
def test_other_positions_have_other_frames() -> None:
    conv, x = randomize_(GaugeConv2d(FIELDS, "E1", 3, stride=2, padding=1).double()), random_input(CHANNELS, (9, 9))
    frames = random_frames(9, 9)
    sampled = frames[::2, ::2]
    expected = conv(x, torch.zeros(9, 9), torch.zeros(5, 5))
    found = conv(to_frames(x, FIELDS, frames), frames, sampled)
    assert relative_error(to_world(found, "E1", sampled), expected) < 1e-12


class Framed(nn.Module):
    """A layer with its frames, as a function of features alone."""

    def __init__(self, layer: nn.Module, size: tuple[int, int] = (6, 5)) -> None:
        super().__init__()
        self.layer = layer
        self.register_buffer("frames", random_frames(*size), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x, self.frames)


@pytest.mark.parametrize("name", ["3x3", "even"])
def test_life_after_training(name: str) -> None:
    net, x = randomize_(Framed(LAYERS[name]().double()).eval()), random_input(CHANNELS, (6, 5))
    net.frames.copy_(random_frames(6, 5))
    assert_gradcheck(net, x[:1])
    assert_backward_twice(net, x)
    assert_dtypes(net, x)
    assert_batch_independent(net, x)
    assert_copies(net, x)
    assert_exports(net, x)
    assert_state_dict(lambda: Framed(LAYERS[name]()), x)


@pytest.mark.compile
@pytest.mark.parametrize("name", ["3x3", "network"])
def test_compile(name: str) -> None:
    assert_compiles(randomize_(Framed(LAYERS[name]().double()).eval()), random_input(CHANNELS, (6, 5)))


def test_repr() -> None:
    names = {**vars(ev.gauge), **vars(ev.reps), "special_orthogonal": special_orthogonal}
    for name in ("3x3", "7x7", "even"):
        assert_repr(LAYERS[name](), names)
    assert LAYERS["3x3"]().equivariance == "exact"


class TestFrames:
    def test_components(self) -> None:
        """A vector at angle b has the angle b - a in a frame at angle a; a line the double of that."""
        frames = random_frames(3, 4)
        vector, line = (torch.tensor([math.cos(k * 0.9), math.sin(k * 0.9)]).double() for k in (1, 2))
        world = torch.cat([torch.tensor([5.0]).double(), vector, line]).view(1, 5, 1, 1).expand(-1, -1, 3, 4)
        local = to_frames(world, "A + E1 + E2", frames)[0]
        assert torch.equal(local[0], world[0, 0])
        for k, part in ((1, local[1:3]), (2, local[3:])):
            angle = k * (0.9 - frames)
            torch.testing.assert_close(part, torch.stack([angle.cos(), angle.sin()]))
        assert relative_error(to_world(local[None], "A + E1 + E2", frames), world) < 1e-15

    def test_vectors(self) -> None:
        """Components times axes give the vector back."""
        frames, world = random_frames(3, 4), random_input(2, (3, 4))
        local = to_frames(world, "E1", frames)
        back = torch.einsum("bahw,hwac->bchw", local, frame_vectors(frames))
        assert relative_error(back, world) < 1e-15

    def test_radial(self) -> None:
        frames = radial_frames(5, 7, centre=(1.0, 2.0))
        assert frames[1, 6] == 0.0
        assert frames[0, 2].item() == pytest.approx(math.pi / 2)
        assert frames[4, 5].item() == pytest.approx(-math.pi / 4)

    def test_random(self) -> None:
        rough, smooth = random_frames(40, 40), random_frames(40, 40, length=20.0)
        steps = [float(one.diff(dim=0).abs().mean()) for one in (rough, smooth)]
        assert steps[0] > 1.5 > 0.7 > steps[1] > 0.05
        assert torch.equal(rough, random_frames(40, 40))
        assert not torch.equal(rough, random_frames(40, 40, seed=1))


@pytest.mark.usefixtures("unchecked_annotations")
def test_errors() -> None:
    conv, x = GaugeConv2d("E1", "E1", 3), torch.zeros(2, 2, 5, 5)
    with pytest.raises(GroupMismatchError, match=r"rep='band2' has the field 'band2'.*sum of irreps of SO2"):
        GaugeConv2d("E1", "band2", 3)
    with pytest.raises(GroupMismatchError, match=r"is a representation of C4, not of SO2"):
        GaugeConv2d(parse("regular", "C4"), "E1", 3)
    with pytest.raises(ShapeError, match=r"the output has \(3, 3\) positions, the input \(5, 5\): give the frames"):
        conv(x, torch.zeros(5, 5))
    with pytest.raises(ShapeError, match=r"frames have shape \(3, 3\), features \(2, 2, 5, 5\): give one"):
        conv(x, torch.zeros(3, 3))
    with pytest.raises(ShapeError, match=r"input has shape \(2, 3, 5, 5\); the representation needs 2 channels"):
        to_world(torch.zeros(2, 3, 5, 5), "E1", torch.zeros(5, 5))
    wrong: Any = (("height", 0, "height=0"), ("length", -1.0, "length=-1.0: give a positive number of pixels, or None"))
    for name, value, message in wrong:
        with pytest.raises(ConfigError, match=message):
            random_frames(**{"height": 3, "width": 3, name: value})
