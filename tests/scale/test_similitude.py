"""Turns and scalings together: exact where the grid is, near elsewhere, and what networks without an axis lose."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import equivision as ev
from equivision.errors import ConfigError, GridError, ShapeError
from equivision.filters import HermiteBasis, LogPolarBasis, ScaleBasis
from equivision.functional import act, equivariance_error, relative_error
from equivision.groups import planar
from equivision.scale import (
    ScaleConv2d,
    ScaleLiftConv2d,
    ScalePool,
    ScaleSteerableConv2d,
    scale_error,
    similitude_errors,
)
from equivision.testing import random_input, randomize_
from tests.scale.test_layers import ROOT, smooth

SCALES = tuple(1.5 * ROOT**i for i in range(3))


def on_grid(name: str) -> list[int]:
    """The elements that map the pixel grid onto itself."""
    group = planar(name)
    return [g for g in range(1, group.order) if 4 * group.split(g)[1] % group.rotations == 0]


def move(x: Tensor, g: int, name: str) -> Tensor:
    """Images and maps on scales and orientations, moved by an element."""
    group = planar(name)
    if x.ndim == 4:
        return act(x, g, group)
    channels, scales = x.shape[1], x.shape[2] // group.order
    maps = x.reshape(len(x), channels * scales, group.order, *x.shape[3:])
    return act(maps, g, group).unflatten(1, (channels, scales)).flatten(2, 3)


@torch.no_grad()
def errors(net: nn.Module, name: str, size: int) -> dict[int, Tensor]:
    def moved(x: Tensor, g: int) -> Tensor:
        return move(x, g, name)

    x = random_input(1, (size, size))
    return equivariance_error(net, x, group=name, elements=on_grid(name), act_in=moved, act_out=moved)


def maps_network(name: str, basis: ScaleBasis, **options: Any) -> nn.Module:
    both: dict[str, Any] = {"scales": (1.0, 1.6), "group": name, "basis": basis}
    lift = ScaleLiftConv2d(1, 3, 7, padding=2, **both, **options)
    net = nn.Sequential(lift, nn.BatchNorm3d(3), nn.ReLU(), ScaleConv2d(3, 2, 5, extent=2, **both))
    return randomize_(net.double()).eval()


@pytest.mark.parametrize("size", [12, 13])
@pytest.mark.parametrize(
    ("name", "basis"),
    [("D4", HermiteBasis(2)), ("C8", HermiteBasis()), ("D6", HermiteBasis(2)), ("D8", LogPolarBasis(3))],
)
def test_what_the_grid_has_is_exact(name: str, basis: ScaleBasis, size: int) -> None:
    found = errors(maps_network(name, basis), name, size)
    assert len(found) == {"D4": 7, "C8": 3, "D6": 3, "D8": 7}[name]
    assert max(map(float, found.values())) < 1e-12


@torch.no_grad()
def test_slots_that_stay_where_they_are_fail() -> None:
    net, x = maps_network("C4", HermiteBasis(2)), random_input(1, (12, 12))
    for g in (1, 2, 3):
        still = act(net(x).flatten(1, 2), g, "C4").unflatten(1, (2, 8))
        assert relative_error(net(act(x, g, "C4")), still) > 0.3


def test_kernels_that_do_not_turn_fail() -> None:
    plain = randomize_(nn.Sequential(nn.Conv2d(1, 16, 7, bias=False), nn.Unflatten(1, (2, 8))).double())
    assert min(map(float, errors(plain, "C4", 12).values())) > 0.3


def test_the_most_of_all_poses_turns_with_the_image() -> None:
    layer = ScaleSteerableConv2d(1, 3, 7, scales=(1.0, 1.6), group="D8", basis=HermiteBasis(2))
    assert max(map(float, errors(randomize_(layer.double()), "D8", 13).values())) < 1e-12
    fixed = ScaleSteerableConv2d(1, 3, 7, scales=(1.0, 1.6), basis=HermiteBasis(2))
    assert min(map(float, errors(randomize_(fixed.double()), "D8", 13).values())) > 0.1


def test_strides_that_leave_pixels_over() -> None:
    options: dict[str, Any] = {"scales": (1.0, 1.6), "group": "C4", "basis": HermiteBasis(2), "stride": 2}
    strided = randomize_(ScaleLiftConv2d(1, 3, 7, **options).double())
    assert max(map(float, errors(strided, "C4", 13).values())) < 1e-12
    with pytest.raises(GridError, match=r"ScaleLiftConv2d: height 12 .* Exact instead: size 9, 11, 13\. With"):
        strided(random_input(1, (12, 12)))
    loose = randomize_(ScaleLiftConv2d(1, 3, 7, strict=False, **options).double())
    assert min(map(float, errors(loose, "C4", 12).values())) > 0.1
    free = ScaleLiftConv2d(1, 3, 7, scales=(1.0, 1.6), stride=2)
    assert free(torch.zeros(1, 1, 12, 12)).shape == (1, 3, 2, 3, 3)


def poses_network(name: str, scales: tuple[float, ...]) -> nn.Module:
    options: dict[str, Any] = {
        "scales": scales,
        "group": name,
        "basis": HermiteBasis(2),
        "padding": "same",
        "bias": False,
    }
    net = nn.Sequential(ScaleLiftConv2d(1, 2, 21, **options), nn.ReLU(), ScaleConv2d(2, 1, 21, **options))
    return randomize_(net.double())


@torch.no_grad()
def test_turned_and_enlarged() -> None:
    """Within 2 % over the slots that both have; without one of the axes the error of that motion is of another size."""
    x = smooth(41)[:1]
    options: dict[str, Any] = {"factors": (1, ROOT), "degrees": (0, 45, 90), "margin": 10}
    both = similitude_errors(poses_network("C8", SCALES), x, ratio=ROOT, group="C8", **options)
    assert both.shared.max() < 0.02
    assert both.shared[0, [0, 2]].max() < 1e-12
    assert torch.equal(both.shared[0], both.full[0])  # no slot leaves the axis
    assert both.full[1].min() > 0.3  # what moves in at its end is not 0
    assert both.unshifted[1].min() > 0.2
    turns = similitude_errors(poses_network("C8", SCALES[1:2]), x, group="C8", **options)
    assert turns.shared[0].max() < 0.02
    assert turns.shared[1].min() > 0.2
    scales = similitude_errors(poses_network("C1", SCALES), x, ratio=ROOT, **options)
    assert scales.shared[:, 0].max() < 0.02
    assert scales.shared[:, 1:].min() > 0.3


@torch.no_grad()
def test_between_the_slots_and_the_printed_table() -> None:
    net = poses_network("C4", SCALES[:2])
    found = similitude_errors(net, smooth(33)[:1], factors=(1, 1.6), degrees=(0, 30), ratio=ROOT, group="C4", margin=8)
    assert found.shared[0, 1] > 0.1  # 30 degrees are between 0 and 90
    lines = str(found).splitlines()
    assert lines[0].split() == ["scale", "0°", "30°"]
    assert lines[1].split()[:2] == ["1.000", "0.0"]
    assert f"{100 * float(found.full[1, 1]):.1f})" in lines[2]


@pytest.mark.usefixtures("unchecked_annotations")
@torch.no_grad()
def test_errors_of_what_cannot_be_compared() -> None:
    net, x = maps_network("C4", HermiteBasis(2)), random_input(1, (12, 12))
    table: dict[str, Any] = {"factors": (1,), "degrees": (0,), "group": "C4"}
    for wrong, message in (
        ({"factors": (1, 0)}, "factors=0: give a positive number"),
        ({"factors": ()}, r"factors=\(\): give a list of at least one number"),
        ({"degrees": []}, r"degrees=\[\]: give a list of at least one number"),
        ({"degrees": (float("nan"),)}, "degrees=nan: give an angle in degrees"),
        ({"margin": 2.5}, r"margin=2\.5: give a whole number of pixels"),
    ):
        with pytest.raises(ConfigError, match=message):
            similitude_errors(net, x, **table | wrong)
    one: dict[str, Any] = {"factor": 1.2, "group": "C4"}
    for wrong, message in (
        ({"factor": 0}, "factor=0: give a positive number"),
        ({"steps": 0.5}, r"steps=0\.5: give a whole number of slots"),
        ({"margin": 2.5}, r"margin=2\.5: give a whole number of pixels"),
    ):
        with pytest.raises(ConfigError, match=message):
            scale_error(net, x, **one | wrong)
    oblong = random_input(1, (12, 15))
    with pytest.raises(ShapeError, match=r"images have 12 x 15 pixels, which a turn by 90 degrees .* give square ones"):
        similitude_errors(net, oblong, **table | {"degrees": (0, 90)})
    with pytest.raises(ShapeError, match=r"images have 12 x 15 pixels, which a turn by -30 degrees"):
        scale_error(net, oblong, **one, steps=0, degrees=-30)
    assert similitude_errors(net, oblong, **table).shared.max() < 1e-12  # they may be as long as nothing turns
    with pytest.raises(ShapeError, match=r"images have shape \(1, 12, 12\): needs \[batch, channel, height, width\]"):
        scale_error(net, x[0], **one)


@torch.no_grad()
def test_pooled_over_scales_it_is_a_map_on_the_group() -> None:
    net, x = maps_network("D4", HermiteBasis(2)), random_input(1, (12, 12))
    head = randomize_(ev.nn.GroupConv2d(2, 2, 3, group="D4").double())

    def whole(x: Tensor) -> Tensor:
        return head(net(x).unflatten(2, (2, 8)).amax(2))

    found = equivariance_error(whole, x, group="D4")
    assert max(map(float, found.values())) < 1e-12
    pooled = equivariance_error(lambda x: ScalePool()(net(x)), x, group="D4")
    assert max(map(float, pooled.values())) < 1e-12
