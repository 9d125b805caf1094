"""Slices of a beating heart: a wall that keeps its area, fibres that turn across it, noise of the size asked for."""

import math
from typing import Any

import pytest
import torch

from equivision.data import fibre_slices
from equivision.errors import ConfigError


def test_the_wall_contracts_and_keeps_its_area() -> None:
    slices = fibre_slices(4, times=8, size=64)
    area = slices.wall.sum((2, 3)).double()
    assert (area / area.mean(1, keepdim=True) - 1).abs().max() < 0.08
    assert len(slices) == 4
    line = torch.arange(64)
    for number in range(4):
        row, column = slices.centres[number].tolist()
        radius = torch.hypot(line[:, None] - row, line - column)
        inner = [float(radius[slices.wall[number, time]].min()) for time in range(8)]
        assert inner[4] < 0.8 * inner[0]
        assert inner[0] > inner[1] > inner[2] > inner[3] > inner[4] < inner[5] < inner[6] < inner[7]
        outer = [float(radius[slices.wall[number, time]].max()) for time in range(8)]
        assert outer[4] - inner[4] > 1.1 * (outer[0] - inner[0])  # thicker
        assert max(outer) < 31


def test_fibres_turn_across_the_wall() -> None:
    """From the inner surface to the outer one by 80 to 140 degrees, through the direction of the circumference."""
    slices = fibre_slices(6, times=1, size=96, noise=0.0)
    line = torch.arange(96)
    for number in range(6):
        row, column = slices.centres[number].tolist()
        up, right = row - line[:, None], line - column
        around = torch.atan2(up.expand(96, 96), right.expand(96, 96)) + math.pi / 2
        wall, radius = slices.wall[number, 0], torch.hypot(up, right)
        found = torch.atan2(slices.lines[number, 0, 1], slices.lines[number, 0, 0]) - 2 * around
        tilt = torch.atan2(found.sin(), found.cos()).rad2deg() / 2  # from the circumference, -90 to 90
        low, high = radius[wall].min(), radius[wall].max()
        depth = (radius - low) / (high - low)
        inside, outside = (float(tilt[wall & part].median()) for part in (depth < 0.1, depth > 0.9))
        assert 20 < inside < 75
        assert -75 < outside < -20
        middle = float(tilt[wall & (depth > 0.4) & (depth < 0.65)].median())
        assert abs(middle) < 20
        assert torch.equal(slices.measured[number], slices.lines[number])
        assert slices.lines[number, 0][:, ~wall].abs().max() == 0
        torch.testing.assert_close(slices.lines[number, 0][:, wall].norm(dim=0), torch.ones(int(wall.sum())))


def test_noise() -> None:
    slices = fibre_slices(3, times=3, noise=0.8)
    rest = (slices.measured - slices.lines).double()
    assert float(rest.std()) == pytest.approx(0.8, rel=0.02)
    assert abs(float(rest.mean())) < 0.02
    brightness = slices.images[:, :, 0][slices.wall].double()
    assert float(brightness.mean()) == pytest.approx(0.7, abs=0.02)
    assert float(brightness.std()) == pytest.approx(0.2, rel=0.05)


def test_these_are_the_slices() -> None:
    """Others would mean that numbers published before belong to other data; the count changes nothing."""
    many, one = fibre_slices(3, times=2, seed=1), fibre_slices(1, times=2, seed=1)
    assert torch.equal(many.measured[:1], one.measured)
    assert not torch.equal(fibre_slices(1, times=2, seed=2).measured, one.measured)
    assert one.measured[0, 1, :, 20, 12].tolist() == pytest.approx([0.098982, 0.025291], abs=1e-5)
    assert int(one.wall.sum()) == 1045


@pytest.mark.usefixtures("unchecked_annotations")
def test_errors() -> None:
    for name, value, message in (
        ("count", 0, "count=0: give a whole number of at least 1"),
        ("times", 0, "times=0: give a whole number of at least 1"),
        ("size", 8, "size=8: give a whole number of at least 16"),
        ("noise", -1.0, "noise=-1.0: give a number of at least 0"),
    ):
        options: dict[str, Any] = {"count": 1, name: value}
        with pytest.raises(ConfigError, match=message):
            fibre_slices(**options)
