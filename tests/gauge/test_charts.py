"""Charts: transitions that fit together, and layers that give the same in all of them."""

import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from equivision.errors import ConfigError, FrameError, ShapeError
from equivision.functional import relative_error
from equivision.gauge import (
    Atlas,
    Chart,
    GaugeConv,
    GaugeConv2d,
    GaugeSequential,
    frame_vectors,
    random_frames,
    sphere_points,
    sphere_stencil,
    stereographic_frames,
    to_frames,
)
from equivision.nn import NormReLU
from equivision.testing import random_input, randomize_

FIELDS = "2 A + 2 E1 + E2"
CENTRES = {
    "two": [(0.0, 0.0, 1.0), (0.0, 0.0, -1.0)],
    "six": [(1.0, 0.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, 1.0), (0.0, 0.0, -1.0)],
}


def on_sphere(points: Tensor, centres: list[tuple[float, float, float]], reach: float) -> list[Chart]:
    """Stereographic charts of all points up to an angle from their centres."""
    charts = []
    for centre in centres:
        near = (points @ torch.tensor(centre, dtype=torch.float64) > math.cos(reach)).nonzero()[:, 0]
        charts.append(Chart(str(centre), near, stereographic_frames(points[near], centre)))
    return charts


@pytest.mark.parametrize(("name", "reach"), [("two", 2.4), ("six", 1.75)])
@torch.no_grad()
def test_a_vector_field_on_the_charts_of_a_sphere(name: str, reach: float) -> None:
    """A network runs in every chart by itself; where charts overlap, it has found the same."""
    radius, points = 0.35, sphere_points(220)
    charts = on_sphere(points, CENTRES[name], reach)
    atlas = Atlas(charts)
    net = randomize_(
        GaugeSequential(GaugeConv("E1", FIELDS), NormReLU(FIELDS, group="SO2"), GaugeConv(FIELDS, "A + E1")).double()
    )
    field = torch.linalg.cross(points, torch.tensor([0.3, -0.5, 1.0]).double().expand_as(points)) * points[:, :1].exp()
    given, found, inner = {}, {}, {}
    for chart, centre in zip(charts, CENTRES[name], strict=True):
        here = points[chart.points]
        given[chart.name] = torch.einsum("pac,pc->ap", chart.frames, field[chart.points])[None, :, :, None]
        found[chart.name] = net(given[chart.name], sphere_stencil(here, chart.frames, radius, whole=len(points)))
        inner[chart.name] = here @ torch.tensor(centre).double() > math.cos(reach - 2 * radius)
        assert inner[chart.name].sum() > 20
    seen = torch.cat([chart.points[inner[chart.name]] for chart in charts])
    assert set(seen.tolist()) == set(range(len(points)))  # every point is inside some chart
    assert atlas.disagreement(given, "E1") < 1e-12
    assert atlas.disagreement(found, "A + E1", inner) < 1e-12
    assert atlas.disagreement(found, "3 A", inner) > 0.3  # components are other numbers in other charts
    assert atlas.disagreement(found, "A + E1") > 0.01  # where neighbours are missing the charts see different things


@torch.no_grad()
def test_patches_of_a_picture() -> None:
    """Three overlapping patches with frames of their own; pixels whose stencil lies in both agree."""
    x, size, edges = random_input(8, (9, 16)), (9, 16), ((0, 8), (4, 12), (7, 16))
    net = randomize_(
        GaugeSequential(
            GaugeConv2d(FIELDS, FIELDS, 3, padding=1),
            NormReLU(FIELDS, group="SO2"),
            GaugeConv2d(FIELDS, "E1", 3, padding=1),
        ).double()
    )
    numbers, charts, found, inner = torch.arange(9 * 16).view(size), [], {}, {}
    for i, (start, stop) in enumerate(edges):
        frames = random_frames(9, stop - start, seed=i)
        charts.append(Chart(f"patch {i}", numbers[:, start:stop].flatten(), frame_vectors(frames).flatten(0, 1)))
        y = net(to_frames(x[..., start:stop], FIELDS, frames), frames)
        found[f"patch {i}"] = y
        columns = torch.arange(start, stop)
        far = ((columns - start >= 2) | (start == 0)) & ((stop - 1 - columns >= 2) | (stop == 16))
        inner[f"patch {i}"] = far.expand(9, -1).flatten()
    atlas = Atlas(charts)
    assert atlas.disagreement(found, "E1", inner) < 1e-12
    assert atlas.disagreement(found, "E1") > 0.01
    assert atlas.disagreement(found, "2 A", inner) > 0.3


def test_transitions() -> None:
    """``v_j = rho(t_ji) v_i``: components follow from axes alone, and go around without a change."""
    points = sphere_points(80)
    charts = on_sphere(points, CENTRES["six"], 1.3)
    atlas, names = Atlas(charts), [chart.name for chart in charts]
    vectors = torch.linalg.cross(points, torch.ones_like(points))
    local = {c.name: torch.einsum("pac,pc->ap", c.frames, vectors[c.points])[None] for c in charts}
    for to, of in ((names[0], names[2]), (names[4], names[1])):
        here, there = atlas.overlap(to, of)
        assert torch.equal(atlas.charts[to].points[here], atlas.charts[of].points[there])
        assert len(here) > 5
        assert relative_error(atlas.transfer(local[of], "E1", to, of), local[to][:, :, here]) < 1e-12
        torch.testing.assert_close(atlas.transition(of, to).cos(), atlas.transition(to, of).cos())
    with pytest.raises(ConfigError, match=r"do not overlap, or are not in the atlas"):
        atlas.transition(names[0], names[1])


def test_disagreement_of_what_is_not_a_number_and_of_zeros() -> None:
    charts = chain()
    atlas = Atlas(charts)
    zeros = {chart.name: torch.zeros(1, 2, 6, dtype=torch.float64) for chart in charts}
    assert atlas.disagreement(zeros, "E1") == 0
    for name in zeros:  # in any of them, whichever comes first
        broken = zeros | {name: torch.full((1, 2, 6), math.nan, dtype=torch.float64)}
        assert math.isnan(atlas.disagreement(broken, "E1"))
    ones = {name: x + 1 for name, x in zeros.items()}
    ones["middle"][:, :, 3] = math.nan  # one point, which all three share or not
    assert math.isnan(atlas.disagreement(ones, "E1"))
    none = {chart.name: torch.zeros(6, dtype=torch.bool) for chart in charts}
    assert atlas.disagreement(zeros, "E1", none) == 0


def chain(count: int = 3) -> list[Chart]:
    """Charts of six points each, the next one two points further, so that three of them share two points."""
    return [
        Chart(name, torch.arange(2 * i, 2 * i + 6), frame_vectors(random_frames(6, 1, seed=i)[:, 0]))
        for i, name in zip(range(count), ("left", "middle", "right"), strict=False)
    ]


def test_given_transitions() -> None:
    """Any that close; those of frames do, and keep closing when one chart turns its frames."""
    charts = chain()
    atlas = Atlas(charts)
    given = {(a.name, b.name): atlas.transition(a.name, b.name) for a, b in pairwise(charts)}
    given["left", "right"] = atlas.transition("left", "right")
    again = Atlas(charts, given)
    torch.testing.assert_close(again.transition("right", "left"), -given["left", "right"])
    given["left", "right"] = given["left", "right"] + 2 * math.pi
    Atlas(charts, given)


@pytest.mark.usefixtures("unchecked_annotations")
class TestErrors:
    def test_cocycle(self) -> None:
        charts = chain()
        atlas = Atlas(charts)
        given = {
            (a, b): atlas.transition(a, b) for a, b in (("left", "middle"), ("middle", "right"), ("left", "right"))
        }
        broken = given | {("left", "right"): given["left", "right"] + torch.tensor([0.0, 0.25])}
        with pytest.raises(
            FrameError,
            match=r"from 'right' to 'middle' to 'left' and back turn by -?0.25 radians at point 5 .*\(cocycle\)",
        ):
            Atlas(charts, broken)
        both = given | {("right", "left"): given["left", "right"]}
        with pytest.raises(FrameError, match=r"the transitions from '\w+' to '\w+' and back turn by .* at point 4"):
            Atlas(charts, both)

    def test_transitions(self) -> None:
        charts = chain(2)
        with pytest.raises(ConfigError, match=r"'left' and 'middle' overlap: give the angles for \('left', 'middle'\)"):
            Atlas(charts, {})
        with pytest.raises(ShapeError, match=r"transitions\['left', 'middle'\] has shape \(3,\): .* of the 4 points"):
            Atlas(charts, {("left", "middle"): torch.zeros(3)})
        with pytest.raises(FrameError, match=r"turn by nan radians at point 2"):
            Atlas(charts, {("left", "middle"): torch.full((4,), math.nan)})
        good = {("left", "middle"): torch.zeros(4)}
        with pytest.raises(ConfigError, match=r"transitions has \('left', 'right'\): these charts do not overlap, or"):
            Atlas(charts, good | {("left", "right"): torch.zeros(4)})
        far = Chart("far", torch.arange(20, 26), charts[0].frames)
        Atlas([*charts, far], good | {("far", "left"): torch.zeros(0)})
        with pytest.raises(ConfigError, match=r"transitions has \('far', 'left'\): these charts do not overlap, or"):
            Atlas([*charts, far], good | {("far", "left"): torch.zeros(2)})
        with pytest.raises(ConfigError, match="charts='left', 'left': give at least two, with different names"):
            Atlas([charts[0], charts[0]])

    def test_names_and_features(self) -> None:
        atlas = Atlas(chain(2))
        x = {name: torch.ones(1, 2, 6, dtype=torch.float64) for name in atlas.charts}
        unknown = r"of='right' is not a chart of this atlas: choose one of 'left', 'middle'"
        with pytest.raises(ConfigError, match=unknown):
            atlas.overlap("left", "right")
        with pytest.raises(ConfigError, match=unknown):
            atlas.transfer(x["left"], "E1", "left", "right")
        with pytest.raises(ConfigError, match=r"features has nothing for the chart 'middle': give it for every"):
            atlas.disagreement({"left": x["left"]}, "E1")
        with pytest.raises(ConfigError, match=r"inner has nothing for the chart 'left': give it for every"):
            atlas.disagreement(x, "E1", {"middle": torch.ones(6, dtype=torch.bool)})
        short = x | {"middle": x["middle"][:, :, 1:]}
        wrong = r"features of chart 'middle' have shape \(1, 2, 5\): needs \[batch, channels, ...\] with 6 points"
        with pytest.raises(ShapeError, match=wrong):
            atlas.disagreement(short, "E1")
        with pytest.raises(ShapeError, match=wrong):
            atlas.transfer(short["middle"], "E1", "left", "middle")
        for inner in (torch.ones(5, dtype=torch.bool), torch.ones(6, dtype=torch.long)):
            with pytest.raises(ShapeError, match=r"inner\['left'\] has shape .* needs a truth value .* its 6 points"):
                atlas.disagreement(x, "E1", dict.fromkeys(atlas.charts, inner))

    def test_frames(self) -> None:
        left, middle = chain(2)
        clockwise = Chart("middle", middle.points, middle.frames.flip(1))
        with pytest.raises(FrameError, match=r"charts 'left' and 'middle': at point 2 .* one turns clockwise"):
            Atlas([left, clockwise])
        lying = torch.cat([middle.frames, torch.zeros(6, 2, 1)], 2)
        with pytest.raises(ShapeError, match="'left' and 'middle' have frames with 2 and 3 coordinates"):
            Atlas([left, Chart("middle", middle.points, lying)])
        tilted = torch.eye(3)[[1, 2]].expand(6, -1, -1).double()
        with pytest.raises(FrameError, match=r"at point 2 their frames lie in different planes"):
            Atlas(
                [
                    Chart("left", left.points, torch.eye(3)[:2].expand(6, -1, -1).double()),
                    Chart("m", middle.points, tilted),
                ]
            )

    def test_chart(self) -> None:
        left: Any = chain(2)[0]
        with pytest.raises(FrameError, match="chart 'bad': the frame at point 3 is not orthonormal"):
            Chart("bad", left.points, torch.where(torch.arange(6)[:, None, None] == 3, 2 * left.frames, left.frames))
        with pytest.raises(ShapeError, match=r"chart 'bad': \(6,\) points have frames of shape \(5, 2, 2\)"):
            Chart("bad", left.points, left.frames[1:])
        with pytest.raises(ShapeError, match="chart 'bad': points must be whole numbers of at least 0 in ascending"):
            Chart("bad", left.points.flip(0), left.frames)
        for points in (left.points.double(), left.points - 1, left.points > -1):
            with pytest.raises(ShapeError, match="chart 'bad': points must be whole numbers"):
                Chart("bad", points, left.frames)
        with pytest.raises(FrameError, match="chart 'bad': the frame at point 0 is not orthonormal"):
            Chart("bad", left.points, left.frames * math.nan)
