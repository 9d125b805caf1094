"""What users read when a wrapper cannot be built or fed."""

import pytest
import torch
from torch import Tensor, nn

from equivision.canonical import (
    CanonicalizedNetwork,
    Canonicalizer,
    EnergyNetwork,
    FrameAveragedNetwork,
    FrameAveragedPoints,
    OrbitEnergy,
    RotationCanonicalizer,
    VectorEnergy,
    pca_frames,
)
from equivision.errors import ConfigError, EquivisionError, FrameError, GroupMismatchError, ShapeError

pytestmark = pytest.mark.usefixtures("unchecked_annotations")
SQUARE, OBLONG = torch.rand(2, 1, 8, 8), torch.rand(2, 1, 8, 9)


def own(group: str = "C4") -> Canonicalizer:
    return Canonicalizer(EnergyNetwork(1, group=group, width=2))


@pytest.mark.parametrize("name", ["width", "num_layers", "kernel_size"])
@pytest.mark.parametrize(
    "energy", [lambda **kw: EnergyNetwork(1, group="C4", **kw), lambda **kw: VectorEnergy(1, **kw)]
)
def test_sizes_of_an_energy(energy, name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}=0: give a whole number of at least 1"):
        energy(**{name: 0})
    with pytest.raises(ConfigError, match="kernel_size=4: give an odd number, so that the size is kept"):
        energy(kernel_size=4)


class TestCanonicalizer:
    def test_no_group(self) -> None:
        with pytest.raises(ConfigError, match="energy=Flatten states no group: give group=, such as group='C4'"):
            Canonicalizer(nn.Flatten())
        with pytest.raises(GroupMismatchError, match="group=D4, but the energy is one of C4: leave out group="):
            Canonicalizer(EnergyNetwork(1, group="C4"), group="D4")
        with pytest.raises(GroupMismatchError, match="group='SO2' is not a group name"):
            Canonicalizer(nn.Flatten(), group="SO2")

    def test_options(self) -> None:
        with pytest.raises(ConfigError, match="beta=0: give a positive number"):
            Canonicalizer(nn.Flatten(), group="C4", beta=0)
        with pytest.raises(ConfigError, match="sampling='linear' is not known: choose one of 'nearest', 'bilinear'"):
            Canonicalizer(nn.Flatten(), group="C4", sampling="linear")  # pyright: ignore[reportArgumentType]

    def test_images(self) -> None:
        with pytest.raises(
            ShapeError, match=r"Canonicalizer: input has shape \(1, 8, 8\): give images \[batch, channel"
        ):
            own()(SQUARE[0])
        with pytest.raises(ShapeError, match=r"Canonicalizer: input has dtype torch\.uint8; needs a floating"):
            own()(SQUARE.byte())
        with pytest.raises(ShapeError, match=r"8 x 9 pixels; C4 mixes rows and columns: give square images"):
            own()(OBLONG)
        own("D2")(OBLONG)

    def test_scores(self) -> None:
        with pytest.raises(ShapeError, match=r"gives shape \(2, 64\) for 2 images: it must give a score for each"):
            Canonicalizer(nn.Flatten(), group="C4")(SQUARE)
        with pytest.raises(ShapeError, match=r"OrbitEnergy: the network gives shape \(8, 64\) for 8 images"):
            OrbitEnergy(nn.Flatten(), group="C4")(SQUARE)


class TestOutput:
    @pytest.mark.parametrize(
        "make",
        [
            lambda p, **kw: CanonicalizedNetwork(p, own(), **kw),
            lambda p, **kw: FrameAveragedNetwork(p, group="C4", **kw),
        ],
    )
    def test_shapes(self, make) -> None:
        with pytest.raises(
            ConfigError, match="output='maps' is not known: choose one of 'invariant', 'plane', 'regular'"
        ):
            make(nn.Flatten(), output="maps")
        with pytest.raises(ShapeError, match=r"gives shape .*output='plane' needs maps.*output='invariant'"):
            make(nn.Flatten(), output="plane")(SQUARE)
        with pytest.raises(ShapeError, match=r"gives shape .*output='regular' needs.*\[batch, channel, 4\]"):
            make(nn.Conv2d(1, 2, 3), output="regular")(SQUARE)
        with pytest.raises(ShapeError, match="output of the predictor: 6 x 8 pixels; C4 mixes rows"):
            make(nn.Conv2d(1, 2, (3, 1)), output="plane")(SQUARE)

    def test_no_tensor(self) -> None:
        class Nothing(nn.Module):
            def forward(self, x: Tensor) -> None:
                return None

        with pytest.raises(ShapeError, match="the predictor gives a NoneType: it must give one tensor"):
            FrameAveragedNetwork(Nothing(), group="C4")(SQUARE)
        with pytest.raises(ShapeError, match="the predictor gives a NoneType: it must give one tensor"):
            CanonicalizedNetwork(Nothing(), own(), output="plane")(SQUARE)

    def test_no_canonicalizer(self) -> None:
        with pytest.raises(
            ConfigError, match=r"canonicalizer=EnergyNetwork has no method restore: give a Canonicalizer"
        ):
            CanonicalizedNetwork(nn.Flatten(), EnergyNetwork(1, group="C4"))


def test_frame_average_options() -> None:
    with pytest.raises(ConfigError, match="group=None: give group=, such as group='C4', or an energy that states one"):
        FrameAveragedNetwork(nn.Flatten())
    with pytest.raises(ConfigError, match="num_samples=0: give a whole number of at least 1"):
        FrameAveragedNetwork(nn.Flatten(), group="C4", num_samples=0)
    with pytest.raises(GroupMismatchError, match="group=D4, but the energy is one of C4"):
        FrameAveragedNetwork(nn.Flatten(), group="D4", energy=EnergyNetwork(1, group="C4"))
    with pytest.raises(ShapeError, match="FrameAveragedNetwork: 8 x 9 pixels"):
        FrameAveragedNetwork(nn.Flatten(), group="D4")(OBLONG)


def test_rotation() -> None:
    with pytest.raises(ConfigError, match="smallest=0: give a positive number"):
        RotationCanonicalizer(VectorEnergy(1), smallest=0)
    with pytest.raises(ConfigError, match="sampling='linear' is not known"):
        RotationCanonicalizer(VectorEnergy(1), sampling="linear")  # pyright: ignore[reportArgumentType]
    canonicalizer = RotationCanonicalizer(VectorEnergy(1))
    with pytest.raises(ShapeError, match=r"input has shape \(2, 1, 8, 9\): give square images"):
        canonicalizer(OBLONG)
    with pytest.raises(ShapeError, match=r"RotationCanonicalizer: input has dtype torch\.uint8"):
        canonicalizer(SQUARE.byte())
    with pytest.raises(ShapeError, match=r"gives shape \(2, 64\) for 2 images: it must give a vector"):
        RotationCanonicalizer(nn.Flatten())(SQUARE)
    with pytest.raises(ConfigError, match="output='regular': a continuous angle moves 'plane' outputs only"):
        CanonicalizedNetwork(nn.Flatten(), canonicalizer, output="regular")(SQUARE)


def test_points() -> None:
    points = torch.randn(2, 5, 3)
    with pytest.raises(ConfigError, match="group='E3' is not known: choose one of 'O', 'SO', 'E', 'SE'"):
        FrameAveragedPoints(nn.Flatten(), group="E3")  # pyright: ignore[reportArgumentType]
    with pytest.raises(
        ConfigError, match="output='plane' is not known: choose one of 'invariant', 'points', 'vectors'"
    ):
        FrameAveragedPoints(nn.Flatten(), output="plane")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigError, match="group='C4' is not known"):
        pca_frames(points, "C4")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ShapeError, match=r"points has shape \(5, 3\) and dtype torch.float32: give floating-point"):
        pca_frames(points[0])
    with pytest.raises(ShapeError, match=r"dtype torch.int64: give floating-point numbers \[batch, point, dimension\]"):
        pca_frames(points.long())
    with pytest.raises(ShapeError, match=r"gives shape \(16, 15\); output='points' needs \[batch, point, 3\]"):
        FrameAveragedPoints(nn.Flatten(), output="points")(points)
    with pytest.raises(FrameError, match="give strict=False to average over an arbitrary choice"):
        FrameAveragedPoints(nn.Flatten())(torch.eye(3)[None])
    assert issubclass(FrameError, EquivisionError)


class Pair(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


class Mean(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(0, keepdim=True)


def test_networks_that_give_something_else() -> None:
    with pytest.raises(ShapeError, match="the energy gives a tuple for 2 images"):
        Canonicalizer(Pair(), group="C4")(SQUARE)
    with pytest.raises(ShapeError, match="OrbitEnergy: the network gives a tuple for 8 images"):
        OrbitEnergy(Pair(), group="C4")(SQUARE)
    for net in (CanonicalizedNetwork(Mean(), own(), output="plane"), FrameAveragedNetwork(Mean(), group="C4")):
        with pytest.raises(ShapeError, match=r"gives shape \(1, 1, 8, 8\) for \d image\(s\): its first axis must be"):
            net(SQUARE)
    points = torch.rand(2, 5, 3)
    for predictor in (Pair(), Mean()):
        with pytest.raises(ShapeError, match=r"FrameAveragedPoints: the predictor gives .* for 16 point set\(s\)"):
            FrameAveragedPoints(predictor)(points)
    with pytest.raises(ShapeError, match=r"features has shape \(1, 5, 4\) for 2 point set"):
        FrameAveragedPoints(nn.Flatten())(points, torch.rand(1, 5, 4))
    with pytest.raises(ConfigError, match="predictor='cnn' cannot be frozen"):
        CanonicalizedNetwork("cnn", own(), frozen=True)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("value", ["1", None, float("inf"), float("nan"), True])
def test_numbers_that_are_none(value) -> None:
    with pytest.raises(ConfigError, match=f"beta={value!r}: give a positive number"):
        Canonicalizer(nn.Flatten(), group="C4", beta=value)
    with pytest.raises(ConfigError, match=f"smallest={value!r}: give a positive number"):
        RotationCanonicalizer(nn.Flatten(), smallest=value)


def test_points_without_axes() -> None:
    with pytest.raises(FrameError, match="points have no principal axes"):
        pca_frames(torch.full((1, 5, 3), float("nan")), "E")
