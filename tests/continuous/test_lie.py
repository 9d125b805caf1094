"""LieConv: pairs do not change when all elements move, and neither does the network."""

import math

import pytest
import torch
from torch import Tensor, nn

from equivision.continuous import (
    LieConv,
    LieConvNet,
    LieGroup,
    Lifted,
    RotoTranslations,
    Translations,
    image_points,
    lie_group,
)
from equivision.errors import ConfigError, ShapeError
from equivision.testing import assert_copies, assert_equivariant, assert_exports, random_input, randomize_

NAMES = ("T2", "SO2", "SE2", "R+xSO2")
FLOATS = {torch.float32: 1e-6, torch.float64: 1e-12}


def points(num: int = 12, batch: int = 2, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.rand(batch, num, 2, dtype=dtype, generator=torch.Generator().manual_seed(0)) * 2 - 1


def element(group: LieGroup, dtype: torch.dtype = torch.float64, seed: int = 1) -> Tensor:
    return torch.randn(group.dim, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def relative(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / b.norm())


def turning(angle: float) -> Tensor:
    cos, sin = math.cos(angle), math.sin(angle)
    return torch.tensor([[cos, -sin], [sin, cos]], dtype=torch.float64)


def net(name: str, **options: object) -> LieConvNet:
    made = LieConvNet(name, width=4, num_blocks=2, **options).double().eval()  # pyright: ignore[reportArgumentType]
    randomize_(made)
    for conv in made.modules():
        if isinstance(conv, LieConv):
            conv.running_radius.fill_(0.63)
    return made


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("seed", range(4))
def test_pairs_do_not_change_when_all_elements_move(name: str, dtype: torch.dtype, seed: int) -> None:
    group = lie_group(name)
    lifted = group.lift(points(dtype=dtype))
    moved = lifted._replace(elements=group.product(element(group, dtype, seed), lifted.elements))
    assert relative(moved.elements, lifted.elements) > 0.1
    before, after = group.pairs(lifted), group.pairs(moved)
    assert relative(after.coordinates, before.coordinates) < FLOATS[dtype]
    assert relative(after.distance, before.distance) < FLOATS[dtype]


def test_moving_one_of_two_elements_changes_the_pair() -> None:
    for name in NAMES:
        group = lie_group(name)
        u = group.lift(points()).elements
        assert relative(group.between(group.product(element(group), u), u.flip(1)), group.between(u, u.flip(1))) > 0.1


def test_the_logarithm_on_se2_is_that_of_matrices() -> None:
    group = RotoTranslations(3)
    elements = group.lift(points(4, 1), shift=0.3).elements[0]
    for u in elements:
        for v in elements:
            angle, right, up = group.between(u, v).tolist()
            generator = torch.tensor([[0, -angle, right], [angle, 0, up], [0, 0, 0]], dtype=torch.float64)
            expected = torch.linalg.inv(_matrix(v)) @ _matrix(u)
            torch.testing.assert_close(torch.linalg.matrix_exp(generator), expected, atol=1e-9, rtol=0)


def _matrix(u: Tensor) -> Tensor:
    cos, sin = math.cos(u[0]), math.sin(u[0])
    return torch.tensor([[cos, -sin, u[1]], [sin, cos, u[2]], [0, 0, 1]], dtype=torch.float64)


def test_small_angles_need_no_division_by_zero() -> None:
    group = RotoTranslations(1)
    u = torch.tensor([1e-9, 0.3, -0.2], dtype=torch.float64, requires_grad=True)
    found = group.between(u, torch.zeros(3, dtype=torch.float64))
    torch.testing.assert_close(found.detach(), torch.tensor([1e-9, 0.3, -0.2], dtype=torch.float64))
    found.sum().backward()
    assert bool(torch.isfinite(u.grad).all())


@pytest.mark.parametrize("name", ["T2", "SO2", "R+xSO2"])
def test_lifting_a_moved_point_is_moving_its_element(name: str) -> None:
    group, x = lie_group(name), points()
    angle, scale = 0.7, math.log(1.4)
    g = {"T2": [0.2, -0.5], "SO2": [angle], "R+xSO2": [angle, scale]}[name]
    turn = turning(angle)
    moved = {"T2": x + torch.tensor([0.2, -0.5], dtype=torch.float64), "SO2": x @ turn.T, "R+xSO2": 1.4 * x @ turn.T}[
        name
    ]
    before, after = group.lift(x), group.lift(moved)
    zero = group.between(group.product(torch.tensor(g, dtype=torch.float64), before.elements), after.elements)
    assert float(zero.abs().max()) < 1e-12
    torch.testing.assert_close(after.orbits, before.orbits)


@pytest.mark.parametrize("name", NAMES)
def test_point_sets_keep_their_logits_when_they_move(name: str) -> None:
    """By any element of the group, in float64; for SE2 by those that map the lifts of a point onto lifts."""
    network, x, values = net(name), points(), random_input(1, (12, 1))[..., 0]
    angle = math.pi / 2 if name == "SE2" else 0.7
    turn = turning(angle)
    move = torch.tensor([0.4, -1.1], dtype=torch.float64)
    moved = {"T2": x + move, "SO2": x @ turn.T, "SE2": x @ turn.T + move, "R+xSO2": 1.7 * x @ turn.T}[name]
    with torch.no_grad():
        logits = network(values, x)
        assert float(logits.std(0).min()) > 0
        assert relative(network(values, moved), logits) < 1e-12
        assert relative(network(values, x * torch.tensor([-1.0, 1.0])), logits) > 1e-9


@pytest.mark.parametrize("name", ["SO2", "SE2", "R+xSO2"])
@pytest.mark.parametrize("size", [(9, 9), (10, 10)])
def test_images_keep_their_logits_under_quarter_turns(name: str, size: tuple[int, int]) -> None:
    assert_equivariant(net(name), random_input(1, size), group="C4")


@pytest.mark.parametrize("size", [(9, 9), (10, 10)])
def test_translations_do_not_make_it_invariant_under_turns(size: tuple[int, int]) -> None:
    with pytest.raises(AssertionError, match="not equivariant under C4"):
        assert_equivariant(net("T2"), random_input(1, size), group="C4")


def test_shifted_lifts_are_invariant_only_approximately() -> None:
    """Turns between the lifts: incomplete, so not exact."""
    network, x, values = net("SE2"), points(), random_input(1, (12, 1))[..., 0]
    turn = turning(0.4)
    with torch.no_grad():
        assert relative(network(values, x @ turn.T), network(values, x)) > 1e-9


def test_against_loops() -> None:
    """Every pair by itself, with a kernel of in_channels times out_channels."""
    group = lie_group("SO2")
    conv = randomize_(LieConv(2, 3, group=group, radius=0.7).double().eval())
    conv.running_radius.fill_(0.7)
    lifted, f = group.lift(points(6, 1)), torch.randn(1, 2, 6, dtype=torch.float64)
    pairs = group.pairs(lifted, alpha=0.3)
    expected = torch.zeros(3, 6, dtype=torch.float64)
    for u in range(6):
        log = group.between(lifted.elements[0, u], lifted.elements[0])
        q = lifted.orbits[0]
        distance = 0.3 * log.norm(dim=-1) + 0.7 * (q[u] - q).norm(dim=-1)
        near = torch.nonzero(distance <= 0.7).flatten().tolist()
        assert 1 <= len(near) <= 6
        for v in near:
            columns = conv.kernel(torch.cat([log[v], q[u], q[v]]))
            kernel = torch.einsum("ock,k->oc", conv.linear.weight.reshape(3, 16, 2).transpose(1, 2), columns)
            expected[:, u] += kernel @ f[0, :, v] / len(near)
        expected[:, u] += conv.linear.bias
    torch.testing.assert_close(conv(f, pairs)[0], expected)


def test_points_that_are_not_there_do_not_count() -> None:
    network, x = net("SE2"), points()
    values = random_input(1, (12, 1))[..., 0]
    more = torch.cat([x, torch.full((2, 3, 2), 0.1)], 1)
    padded = torch.cat([values, torch.full((2, 1, 3), 9.0)], -1)
    mask = torch.arange(15).expand(2, 15) < 12
    with torch.no_grad():
        torch.testing.assert_close(network(padded, more, mask), network(values, x))
        assert relative(network(padded, more), network(values, x)) > 1e-9


def test_the_radius_follows_the_share_of_near_pairs() -> None:
    group = lie_group("T2")
    pairs = group.pairs(group.lift(points(60, 4, torch.float32)))
    conv = LieConv(1, 1, group=group, fill=0.1, radius=2.9)
    for _ in range(60):
        conv(torch.rand(4, 1, 60), pairs)
    share = float((pairs.distance <= conv.running_radius).float().mean())
    assert share == pytest.approx(0.1, abs=0.02)
    radius = float(conv.running_radius)
    conv.eval()(torch.rand(4, 1, 60), pairs)
    assert float(conv.running_radius) == radius
    conv.reset_parameters()
    assert float(conv.running_radius) == pytest.approx(2.9)


def test_all_pairs() -> None:
    group = Translations()
    pairs = group.pairs(group.lift(points(5, 1, torch.float32)))
    conv = LieConv(1, 2, group=group, fill=1.0, radius=1e-6).train()
    before = float(conv.running_radius)
    weights = conv._neighbours(pairs)
    torch.testing.assert_close(weights, torch.full((1, 5, 5), 0.2))
    assert float(conv.running_radius) == before


def test_pixels() -> None:
    places, index = image_points((4, 6))
    assert len(places) == len(index) == 24
    assert float(places[:, 0].max()) == pytest.approx(5 / 6)
    assert places[0].tolist() == pytest.approx([-5 / 6, 3 / 6]), "the first pixel is at the top left"
    assert len(image_points((10, 10))[1]) < 100
    assert len(image_points((9, 9))[1]) == len(image_points((9, 9), centre=False)[1]) + 1


def test_life_after_training() -> None:
    network, x = net("SE2"), random_input(1, (6, 6))
    assert_copies(network, x)
    assert_exports(network, x)
    keys = set(network.state_dict())
    assert keys == set(network.train().state_dict())
    extra = keys - {name for name, _ in network.named_parameters()}
    assert all(key.endswith(("running_radius", "running_mean", "running_var", "num_batches_tracked")) for key in extra)
    other = LieConvNet("SE2", width=4, num_blocks=2).double().eval()
    other.load_state_dict(network.state_dict())
    assert torch.equal(other(x), network.eval()(x))


@pytest.mark.compile
def test_compile() -> None:
    from equivision.testing import assert_compiles

    assert_compiles(net("SE2"), random_input(1, (6, 6)))


def test_training_moves_every_parameter() -> None:
    network = LieConvNet("SE2", width=4, num_blocks=1)
    nn.functional.cross_entropy(network(torch.randn(4, 1, 6, 6)), torch.arange(4)).backward()
    assert not [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]


def test_groups_are_values() -> None:
    assert lie_group("SE2") == RotoTranslations(4) != RotoTranslations(3)
    assert hash(Translations()) == hash(lie_group("T2"))
    assert eval(repr(lie_group("SE2"))) == RotoTranslations(4)
    assert lie_group(RotoTranslations(2)).num_lifts == 2
    assert Translations() != lie_group("SO2")


@pytest.mark.usefixtures("unchecked_annotations")
class TestErrors:
    def test_group(self) -> None:
        with pytest.raises(ConfigError, match=r"group='SE3' is not known: choose one of T2, SO2, SE2, R\+xSO2"):
            lie_group("SE3")
        with pytest.raises(ConfigError, match=r"num_lifts=2: Translations.* has one element for each point"):
            Translations(2)
        with pytest.raises(ConfigError, match="num_lifts=0: give a whole number"):
            RotoTranslations(0)

    def test_numbers(self) -> None:
        with pytest.raises(ConfigError, match="in_channels=0: give a whole number"):
            LieConv(0, 1, group="T2")
        with pytest.raises(ConfigError, match="fill=0: give the share of pairs that are near"):
            LieConv(1, 1, group="T2", fill=0)
        with pytest.raises(ConfigError, match="radius=0: give a positive number"):
            LieConv(1, 1, group="T2", radius=0)
        with pytest.raises(ConfigError, match="num_blocks=0: give a whole number"):
            LieConvNet("T2", num_blocks=0)
        group = Translations()
        with pytest.raises(ConfigError, match="alpha=2: give a number from 0"):
            group.pairs(group.lift(points()), alpha=2)

    def test_shapes(self) -> None:
        group = Translations()
        pairs = group.pairs(Lifted(points(5), points(5)[..., :0]))
        with pytest.raises(ShapeError, match=r"needs \[batch, 2 channel\(s\), 5 element\(s\)\]"):
            LieConv(2, 1, group=group)(torch.rand(2, 2, 6), pairs)
        with pytest.raises(ShapeError, match=r"points have shape \(5, 2\): give \[batch, point, 2\]"):
            group.lift(torch.rand(5, 2))
        network = LieConvNet("T2", width=2, num_blocks=1)
        with pytest.raises(ShapeError, match=r"needs images \[batch, channel, height, width\]"):
            network(torch.rand(2, 1, 5))
        with pytest.raises(ShapeError, match=r"give \[batch, channel, point\], one value a point"):
            network(torch.rand(2, 1, 5), torch.rand(2, 4, 2))
        with pytest.raises(ConfigError, match=r"size=\(3,\): give height and width"):
            image_points((3,))


@pytest.mark.usefixtures("unchecked_annotations")
def test_what_does_not_fit_together() -> None:
    net = LieConvNet("T2", width=2, num_blocks=1)
    points, values = torch.rand(2, 6, 2), torch.rand(2, 1, 6)
    with pytest.raises(ShapeError, match=r"x has shape \(2, 1, 6\) for points of shape \(3, 6, 2\)"):
        net(values, torch.rand(3, 6, 2))
    with pytest.raises(ShapeError, match=r"mask has shape \(2, 5\) for points of shape \(2, 6, 2\)"):
        net(values, points, torch.ones(2, 5, dtype=torch.bool))
    with pytest.raises(ShapeError, match=r"LieConvNet: input has dtype torch.float64, the weights torch.float32"):
        net(values.double(), points.double())
    with pytest.raises(ConfigError, match=r"size=.*has its only pixel in the middle"):
        LieConvNet("SO2", width=2, num_blocks=1)(torch.rand(1, 1, 1, 1))
    for name, value in (("fill", "a"), ("fill", float("nan")), ("radius", "a"), ("radius", float("inf"))):
        with pytest.raises(ConfigError, match=f"{name}={value!r}: give "):
            LieConv(1, 1, group="T2", **{name: value})
    with pytest.raises(ConfigError, match=r"size=\(0, 3\): give height and width"):
        image_points((0, 3))
