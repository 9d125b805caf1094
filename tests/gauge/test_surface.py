"""Gauge convolution on points of the sphere: independent of the frames, and moved by the sphere's own rotations."""

import math
from collections.abc import Callable
from itertools import permutations, product
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import equivision as ev
from equivision.errors import ConfigError, FrameError, ShapeError
from equivision.functional import relative_error
from equivision.gauge import (
    GaugeConv,
    GaugeConv2d,
    GaugeSequential,
    Stencil,
    frame_vectors,
    random_frames,
    sphere_points,
    sphere_stencil,
    stereographic_frames,
    to_frames,
    to_world,
)
from equivision.gauge._sphere import carried
from equivision.groups import special_orthogonal
from equivision.nn import FieldBatchNorm2d, NormReLU
from equivision.testing import (
    assert_backward_twice,
    assert_compiles,
    assert_copies,
    assert_dtypes,
    assert_exports,
    assert_gradcheck,
    assert_repr,
    assert_state_dict,
    randomize_,
)

FIELDS = "2 A + 2 E1 + E2"
NORTH = (0.0, 0.0, 1.0)


def features(points: int, channels: int = 8) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(2, channels, points, 1, generator=generator, dtype=torch.float64)


def network() -> GaugeSequential:
    return GaugeSequential(
        GaugeConv(FIELDS, FIELDS, rings=3), FieldBatchNorm2d(FIELDS, group="SO2"), NormReLU(FIELDS, group="SO2"),
        GaugeConv(FIELDS, "A + E1", bias=False),
    )  # fmt: skip


def octahedral_points() -> tuple[Tensor, list[Tensor]]:
    """96 points that 24 rotations permute, and the rotations."""
    eye = torch.eye(3, dtype=torch.float64)
    signs = [torch.diag(torch.tensor(s, dtype=torch.float64)) for s in product((1, -1), repeat=3)]
    moves = [sign @ eye[list(order)] for order in permutations(range(3)) for sign in signs]
    rotations = [move for move in moves if torch.linalg.det(move) > 0]
    seeds = torch.tensor([[0.3, 0.5, 0.9], [0.1, 0.7, 0.2], [0.8, 0.2, 0.45], [0.5, -0.6, 0.55]], dtype=torch.float64)
    seeds = seeds / seeds.norm(dim=1, keepdim=True)
    return torch.cat([seeds @ rotation.T for rotation in rotations]), rotations


@pytest.mark.parametrize("training", [False, True])
@torch.no_grad()
def test_the_result_does_not_depend_on_the_frames(training: bool) -> None:
    points, net = sphere_points(150), randomize_(network().double()).train(training)
    axes, x = stereographic_frames(points, NORTH), features(150)
    expected = net(x, sphere_stencil(points, axes, 0.5))
    angles = random_frames(150, 1)
    stencil = sphere_stencil(points, frame_vectors(angles[:, 0]) @ axes, 0.5)
    local = net(to_frames(x, FIELDS, angles), stencil)
    assert relative_error(to_world(local, "A + E1", angles), expected) < 1e-12
    assert relative_error(local, expected) > 0.1
    forgets = stencil._replace(transport=torch.zeros_like(stencil.transport))
    wrong = to_world(net(to_frames(x, FIELDS, angles), forgets), "A + E1", angles)
    assert relative_error(wrong, expected) > 0.05  # without transport


@torch.no_grad()
def test_rotations_of_the_sphere() -> None:
    """Where they move points onto points they are exact; the frames need not move along, and cannot."""
    points, rotations = octahedral_points()
    axes, net = stereographic_frames(points, (0.3, 0.2, 1.0)), randomize_(network().double())
    stencil, x = sphere_stencil(points, axes, 0.7), features(len(points))
    still = net(x, stencil)
    for rotation in rotations[1::3]:
        target = (points @ rotation.T @ points.T).argmax(1)  # where each point goes
        source = target.argsort()
        moved = torch.einsum("pac,pbc->pab", axes, (axes @ rotation.T)[source])
        angle = torch.atan2(moved[:, 1, 0], moved[:, 0, 0])[:, None]  # of the frame that has come, in the frame here
        turned = net(to_world(x[:, :, source], FIELDS, angle), stencil)
        assert relative_error(turned, to_world(still[:, :, source], "A + E1", angle)) < 1e-12
    assert relative_error(still.flip(2), still) > 0.5


@pytest.mark.parametrize(("out", "sign"), [("A", 1.0), ("A", -1.0), ("E1", 1.0), ("E1", -1.0)])
@torch.no_grad()
def test_reflections_of_the_sphere_are_not_exact(out: str, sign: float) -> None:
    """Not even up to a sign, though they move the same points onto points as the rotations, which are."""
    points, rotations = octahedral_points()
    points, move = torch.cat([points, -points]), sign * rotations[5]
    axes, conv = stereographic_frames(points, (0.3, 0.2, 1.0)), randomize_(GaugeConv("E1", out, bias=False).double())
    stencil, x = sphere_stencil(points, axes, 0.5), features(len(points), 2)[..., 0]
    source = (points @ move.T @ points.T).argmax(1).argsort()
    matrix = torch.einsum("pac,pbc->pab", axes, (axes @ move.T)[source])  # of vectors that have come

    def moved(y: Tensor) -> Tensor:
        return torch.einsum("pab,nbp->nap", matrix, y[:, :, source]) if y.shape[1] == 2 else y[:, :, source]

    found, expected = conv(moved(x), stencil), moved(conv(x, stencil))
    error = min(relative_error(found, expected), relative_error(found, -expected))
    assert error < 1e-12 if sign > 0 else error > 0.1


def test_transport_around_a_triangle_turns_by_its_area() -> None:
    """The sphere is curved (Gauss and Bonnet): an octant has the area pi / 2."""
    corners = torch.eye(3, dtype=torch.float64)
    for scale in (1.0, 0.3, 0.01):
        middle = torch.full((3,), 1 / math.sqrt(3), dtype=torch.float64)
        triangle = middle + scale * (corners - middle)
        a, b, c = triangle / triangle.norm(dim=1, keepdim=True)
        area = 2 * torch.atan2(torch.linalg.cross(a, b) @ c, 1 + a @ b + b @ c + c @ a)
        start = torch.linalg.cross(a, b)
        end = carried(carried(carried(start, a, b), b, c), c, a)
        turn = torch.atan2(torch.linalg.cross(start, end) @ a, start @ end)
        assert float(turn) == pytest.approx(float(area), rel=1e-9)
        assert end.norm() == pytest.approx(float(start.norm()))
        if scale == 1:
            assert float(area) == pytest.approx(math.pi / 2)


def test_stencil() -> None:
    """Directions and distances are those of great circles; transport there and back undoes itself."""
    points = sphere_points(60)
    axes = stereographic_frames(points, NORTH)
    found = sphere_stencil(points, axes, 0.7)
    assert found.weight.sum(1).mean() == pytest.approx(1, abs=0.2)  # the point itself is left out
    numbers = {(p, int(q)): (p, k) for p, row in enumerate(found.neighbours) for k, q in enumerate(row)}
    pairs = [(p, q) for (p, q), at in numbers.items() if found.weight[at]]
    assert len(pairs) > 300
    for p, q in pairs:
        at, distance = numbers[p, q], 0.7 * float(found.distance[numbers[p, q]])
        assert distance == pytest.approx(math.acos(float(points[p] @ points[q])), abs=1e-9)
        way = found.direction[at].cos() * axes[p, 0] + found.direction[at].sin() * axes[p, 1]
        assert torch.allclose(math.cos(distance) * points[p] + math.sin(distance) * way, points[q], atol=1e-12)
        around = float(found.transport[at] + found.transport[numbers[q, p]])
        assert math.remainder(around, 2 * math.pi) == pytest.approx(0, abs=1e-12)


def test_stereographic_frames() -> None:
    """They are the coordinate directions: moving along an axis moves one coordinate, and both as much."""
    points = sphere_points(40)[:-1]
    axes = stereographic_frames(points, NORTH)

    def coordinates(p: Tensor) -> Tensor:
        return p[:, :2] / (1 + p[:, 2:])

    step = 1e-6
    for axis in (0, 1):
        along = (coordinates(points + step * axes[:, axis]) - coordinates(points - step * axes[:, axis])) / (2 * step)
        scale = (1 + points[:, 2]) ** -1
        assert torch.allclose(along[:, axis] / scale, torch.ones(39).double(), atol=1e-6)
        assert torch.allclose(along[:, 1 - axis], torch.zeros(39).double(), atol=1e-6 / float(1 + points[-1, 2]))
    assert torch.allclose(torch.linalg.cross(axes[:, 0], axes[:, 1]), points)


class OnSphere(nn.Module):
    """A layer with its surface, as a function of features alone."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        points = sphere_points(12)
        for name, value in sphere_stencil(points, stereographic_frames(points, NORTH), 1.2)._asdict().items():
            self.register_buffer(name, value, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x, Stencil(*(getattr(self, name) for name in Stencil._fields)))


@pytest.mark.parametrize("out", [FIELDS, "E1 + E2"])
def test_life_after_training(out: str) -> None:
    def make() -> nn.Module:
        return OnSphere(GaugeConv(FIELDS, out))

    net, x = randomize_(make().double().eval()), features(12)
    assert_gradcheck(net, x[:1])
    assert_backward_twice(net, x)
    assert_dtypes(net, x)
    assert_copies(net, x)
    assert_exports(net, x)
    assert_state_dict(make, x)


@pytest.mark.compile
def test_compile() -> None:
    assert_compiles(randomize_(OnSphere(GaugeConv(FIELDS, FIELDS)).double()), features(12))


def test_repr_and_parameters() -> None:
    names = {**vars(ev.gauge), **vars(ev.reps), "special_orthogonal": special_orthogonal}
    for conv in (GaugeConv(FIELDS, FIELDS), GaugeConv("A", "E1", rings=4), GaugeConv("E1", "A", bias=False)):
        assert_repr(conv, names)
    assert GaugeConv("A", "E1").own_weight is None  # a scalar has no direction of its own
    assert GaugeConv("E1", "E1").own_weight is not None
    with torch.device("meta"):
        conv = GaugeConv(FIELDS, FIELDS)
    conv.to_empty(device="cpu").reset_parameters()
    assert torch.equal(conv.own_basis, GaugeConv(FIELDS, FIELDS).own_basis)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (lambda axes, p: axes.flip(0), "is clockwise from outside"),
        (lambda axes, p: axes * torch.tensor([[1.0], [-1.0]]), "is clockwise from outside"),
        (lambda axes, p: 2 * axes, "is not orthonormal"),
        (lambda axes, p: axes * torch.tensor([[2.0], [0.5]]), "is not orthonormal"),
        (lambda axes, p: axes * math.nan, "is not orthonormal"),
        (lambda axes, p: torch.stack([axes[0], p]), "is not tangent"),
    ],
)
def test_frames_of_a_sphere_are_checked(fault: Callable[[Tensor, Tensor], Tensor], message: str) -> None:
    points = sphere_points(20)
    axes = stereographic_frames(points, NORTH)
    axes[7] = fault(axes[7], points[7])
    with pytest.raises(FrameError, match=f"frames: the one at point 7 {message}"):
        sphere_stencil(points, axes, 0.9)


@pytest.mark.usefixtures("unchecked_annotations")
def test_errors() -> None:
    points = sphere_points(20)
    axes = stereographic_frames(points, NORTH)
    stencil = sphere_stencil(points, axes, 0.9)
    with pytest.raises(ShapeError, match=r"points have shape \(20, 3\): needs \[points, 3\], vectors of length 1"):
        sphere_stencil(2 * points, axes, 0.9)
    with pytest.raises(ShapeError, match=r"frames have shape \(19, 2, 3\): needs .*\(20, 2, 3\)"):
        sphere_stencil(points, axes[1:], 0.9)
    for radius, message in ((0.0, "give an angle in radians between 0 and pi"), (0.01, "no point has a neighbour")):
        with pytest.raises(ConfigError, match=f"radius={radius}: {message}"):
            sphere_stencil(points, axes, radius)
    with pytest.raises(ConfigError, match=r"centre=\(0.0, 0.0, 0.0\): give a vector that is not 0"):
        stereographic_frames(points, (0.0, 0.0, 0.0))
    south = torch.tensor([[0.0, 0.0, -1.0]])
    with pytest.raises(FrameError, match=r"centre=\(0.0, 0.0, 1.0\): a point is its antipode"):
        stereographic_frames(south, NORTH)
    for options in ({"whole": 0}, {"whole": 10.5}):
        with pytest.raises(ConfigError, match=r"whole=.*: give a whole number of at least 1"):
            sphere_stencil(points, axes, 0.9, **options)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigError, match="whole=19: the whole sphere has at least the 20 points given here"):
        sphere_stencil(points, axes, 0.9, whole=19)
    with pytest.raises(ConfigError, match="no point has a neighbour: give a larger radius, or more points"):
        sphere_stencil(points[:0], axes[:0], 0.9)
    with pytest.raises(ShapeError, match="points: 4 and 9 are the same"):
        sphere_stencil(points[[*range(9), 4]], axes[[*range(9), 4]], 0.9)
    with pytest.raises(ShapeError, match="vectors of length 1"):
        sphere_stencil(math.nan * points, axes, 0.9)
    with pytest.raises(ConfigError, match=r"centre=\(0, 1\): give three coordinates"):
        stereographic_frames(points, (0, 1))  # pyright: ignore[reportArgumentType]
    wrong: Any = torch.zeros(1, 2, 19)
    with pytest.raises(ShapeError, match=r"GaugeConv: input has shape \(1, 2, 19\); needs \[batch, 2, ...\] with 20"):
        GaugeConv("E1", "E1")(wrong, stencil)
    chain, x = GaugeSequential(GaugeConv("E1", "E1")), torch.zeros(1, 2, 20, 1)
    with pytest.raises(ShapeError, match="GaugeConv: needs a Stencil, what was given is of type Tensor: frames alone"):
        chain(x, torch.zeros(20, 1))
    with pytest.raises(ShapeError, match="GaugeConv2d: frames are of type Stencil: give a tensor with one angle"):
        GaugeSequential(GaugeConv2d("E1", "E1", 1))(x, stencil)
    with pytest.raises(ConfigError, match="rings=0: give a whole number of at least 1"):
        GaugeConv("E1", "E1", rings=0)
