"""Partial group convolutions: which elements, how p learns, what is kept of the symmetry."""

import math
from copy import deepcopy
from functools import partial

import pytest
import torch
from torch import Tensor, nn

import equivision as ev
from equivision.continuous import (
    ContinuousGroupConv2d,
    Elements,
    PartialGroupConv2d,
    grid_elements,
    monotone_loss,
    partial_layers,
    stratified_angles,
)
from equivision.continuous._partial import _UnitInterval
from equivision.errors import ConfigError
from equivision.functional import act
from equivision.groups import cyclic, dihedral
from equivision.testing import assert_equivariant, random_input, randomize_

C4, D4 = cyclic(4), dihedral(4)


def layer(p: float = 1.0, **options: object) -> PartialGroupConv2d:
    made = PartialGroupConv2d(2, 3, 5, num_rotations=4, p=p, **options)  # pyright: ignore[reportArgumentType]
    made = randomize_(made.double().eval())
    made.p.data.fill_(p)
    if made.reflection_logit is not None:
        made.reflection_logit.data.fill_(2.0)
    return made


@pytest.mark.parametrize(
    ("n", "p", "degrees"),
    [
        (4, 1.0, [-135, -45, 45, 135]), (8, 0.5, [-67.5, -22.5, 22.5, 67.5]), (4, 0.3, [-27, 27]), (4, 0.25, [0]),
        (16, 0.001, [0]), (8, 0.0, [0]), (1, 1.0, [0]),
    ],
)  # fmt: skip
def test_elements_in_eval_mode(n: int, p: float, degrees: list[float]) -> None:
    conv = PartialGroupConv2d(1, 1, 3, num_rotations=n, p=p).double().eval()
    torch.testing.assert_close(conv.elements().angles.rad2deg(), torch.tensor(degrees).double(), atol=1e-5, rtol=0)


def test_elements_are_drawn_in_training_mode_one_in_each_part() -> None:
    conv = layer(p=0.5).train()
    conv.num_rotations = 8
    draws = torch.stack([conv.elements().angles.detach() for _ in range(500)])
    assert draws.shape == (500, 4)
    edges = torch.linspace(-math.pi / 2, math.pi / 2, 5, dtype=torch.float64)
    assert bool((draws >= edges[:-1]).all())
    assert bool((draws <= edges[1:]).all())
    torch.testing.assert_close(draws.diff(dim=1), torch.full((500, 3), math.pi / 4, dtype=torch.float64))
    place = (draws[:, 0] - edges[0]) / (math.pi / 4)
    assert abs(float(place.mean()) - 0.5) < 0.05
    assert abs(float(place.std()) - 12**-0.5) < 0.03


def test_what_is_random_and_what_is_not() -> None:
    conv = layer(p=0.7)
    assert torch.equal(conv.elements().angles, conv.elements().angles)
    generators = (torch.Generator().manual_seed(s) for s in (5, 5, 6))
    one, same, other = (conv.elements(generator=g).angles for g in generators)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    conv.train()
    assert not torch.equal(conv.elements().angles, conv.elements().angles)
    assert torch.equal(conv.elements(random=False).angles, conv.eval().elements().angles)


@pytest.mark.parametrize("size", [(7, 7), (8, 8)])
def test_all_of_p_is_a_full_group_convolution(size: tuple[int, int]) -> None:
    conv = layer(p=1.0)
    assert_equivariant(lambda x: conv(x, None, conv.elements()), random_input(2, size, C4), group=C4)
    plain = ContinuousGroupConv2d(2, 3, 5, num_rotations=4).double()
    plain.load_state_dict({k: v for k, v in conv.state_dict().items() if k != "p"})
    x = random_input(2, size, C4)
    torch.testing.assert_close(
        conv(x, None, conv.elements()), plain(x, None, grid_elements(4, shift=-1.5, dtype=x.dtype))
    )


@pytest.mark.parametrize("p", [0.2, 0.5, 0.9])
def test_less_of_p_is_not_equivariant(p: float) -> None:
    """Neither with its slots moved, nor pooled."""
    conv = layer(p=p)

    def pooled(x: Tensor) -> Tensor:
        return conv(x, None, conv.elements()).mean(2)

    with pytest.raises(AssertionError, match="not equivariant under C4"):
        assert_equivariant(pooled, random_input(2, (7, 7), C4), group=C4)


def test_the_error_falls_as_p_grows() -> None:
    errors = []
    for p in (0.0, 0.5, 1.0):
        conv = PartialGroupConv2d(2, 8, 5, num_rotations=8, p=p).double().eval()
        for seed in range(3):
            randomize_(conv.kernel, seed)

        def pooled(x: Tensor, conv: PartialGroupConv2d = conv) -> Tensor:
            return conv(x, conv.grid(), conv.elements()).mean(2)

        x = random_input(2, (9, 9), cyclic(8))
        found = ev.testing.relative_error(pooled(act(x, 2, "C8")), act(pooled(x), 1, C4))
        errors.append(float(found.detach()))
    assert errors[0] > errors[1] > 1e3 * errors[2]


@pytest.mark.parametrize("gradient", ["shift", "elements"])
@pytest.mark.parametrize("p", [0.3, 0.6])
def test_gradient_of_p_agrees_with_finite_differences(gradient: str, p: float) -> None:
    """For "shift" the steps between the angles are held, as the gradient takes them."""
    conv = layer(p=p)
    conv.num_rotations = 5
    x, shift, step = random_input(2, (5, 5), C4), torch.tensor(0.3, dtype=torch.float64), 1e-5
    source = grid_elements(4, dtype=torch.float64)
    num = math.ceil(5 * p)

    def loss(value: float, spread: float) -> Tensor:
        angles = -math.pi * value + 2 * math.pi / num * (value * shift + spread * torch.arange(num).double())
        still = torch.zeros_like(angles)
        return conv(x, source, Elements(angles, still, still, still + 1)).square().mean()

    at = torch.tensor(p, dtype=torch.float64, requires_grad=True)
    angles = stratified_angles(at, num, shift, gradient)  # pyright: ignore[reportArgumentType]
    still = torch.zeros_like(angles).detach()
    value = conv(x, source, Elements(angles, still, still, still + 1)).square().mean()
    (found,) = torch.autograd.grad(value, at)
    ends = [loss(p + s, p if gradient == "shift" else p + s) for s in (-step, step)]
    expected = (ends[1] - ends[0]) / (2 * step)
    assert float(found) != 0
    torch.testing.assert_close(found, expected.detach(), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("gradient", ["shift", "elements"])
@pytest.mark.parametrize("p", [0.0, 0.4, 1.0])
def test_gradients_reach_p(gradient: str, p: float) -> None:
    """Inwards at least, where p is at an end of its range."""
    conv, x = layer(p=p, p_gradient=gradient).train(), random_input(2, (5, 5), C4)
    signs = set()
    for _ in range(20):
        conv.p.grad = None
        (conv(x, None, conv.elements()) * torch.randn(1, 3, 1, 5, 5)).sum().backward()
        signs.add(float(conv.p.grad.sign()))
    assert signs - {0.0} == {0.0: {-1.0}, 0.4: {-1.0, 1.0}, 1.0: {1.0}}[p]


def test_p_stays_between_0_and_1() -> None:
    p = torch.tensor([-0.2, 0.0, 0.5, 1.0, 1.3], requires_grad=True)
    clipped = _UnitInterval.apply(p)
    assert clipped.tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]
    for sign, expected in ((1.0, [0.0, 0.0, 1.0, 1.0, 1.0]), (-1.0, [-1.0, -1.0, -1.0, 0.0, 0.0])):
        (gradient,) = torch.autograd.grad(clipped.sum() * sign, p, retain_graph=True)
        assert gradient.tolist() == expected
    conv = layer(p=1.0)
    conv.p.data.fill_(1.2)
    assert conv.coverage == 1.0
    assert len(conv.elements().angles) == 4


def test_reflections_are_kept_or_not() -> None:
    conv = layer(reflections=True).train()
    assert conv.reflection_probability == pytest.approx(0.8808, abs=1e-4)
    drawn = torch.stack([conv.elements().weights.detach() for _ in range(2000)])
    assert drawn.shape == (2000, 8)
    torch.testing.assert_close(drawn, drawn.round())
    assert bool((drawn[:, :4] == 1).all()), "turns without a flip are always kept"
    assert bool((drawn[:, 4:] == drawn[:, 4:5]).all()), "reflections come together"
    assert abs(float(drawn[:, 4].mean()) - 0.8808) < 0.03
    conv.eval()
    assert conv.elements().weights.tolist() == [1.0] * 8
    conv.reflection_logit.data.fill_(-0.1)
    assert conv.elements().weights.tolist() == [1.0] * 4 + [0.0] * 4


@pytest.mark.parametrize("kept", [True, False])
def test_with_and_without_reflections(kept: bool) -> None:
    """The invariant of D4 is one when reflections are kept, and an invariant of C4 alone when they are not."""
    first, second = layer(reflections=True), ContinuousGroupConv2d(3, 2, 3, num_rotations=4, reflections=True)
    randomize_(second.double())
    first.reflection_logit.data.fill_(2.0 if kept else -2.0)

    def pooled(x: Tensor) -> Tensor:
        elements = first.elements()
        return second(first(x, None, elements), elements).mean(2)

    x = random_input(2, (7, 7), D4)
    turns = [1, 2, 3]
    assert_equivariant(pooled, x, group=D4, elements=turns)
    check = partial(assert_equivariant, pooled, x, group=D4, elements=[4, 5, 6, 7])
    if kept:
        check()
    else:
        with pytest.raises(AssertionError, match="not equivariant"):
            check()


def test_gradients_reach_the_probability_of_reflections() -> None:
    conv = layer(reflections=True).train()
    after = randomize_(ContinuousGroupConv2d(3, 1, 3, num_rotations=4, reflections=True).double())
    x = random_input(2, (5, 5), D4)
    for _ in range(5):
        elements = conv.elements()
        after(conv(x, None, elements), elements).square().sum().backward()
    assert float(conv.reflection_logit.grad.abs()) > 0


def test_monotone_loss() -> None:
    net = nn.Sequential(*(layer(p=p) for p in (0.5, 0.9, 0.4, 0.6)))
    loss = monotone_loss(net, weight=0.1)
    assert float(loss.detach()) == pytest.approx(0.1 * (0.4 + 0.2))
    loss.backward()
    gradients = [float(conv.p.grad) for conv in partial_layers(net)]
    assert gradients == pytest.approx([-0.1, 0.1, -0.1, 0.1])
    ordered = nn.Sequential(*(layer(p=p) for p in (0.9, 0.9, 0.1)))
    assert float(monotone_loss(ordered).detach()) == 0


def test_an_optimiser_can_move_p() -> None:
    """A loss that only the upright response serves: p falls."""
    torch.manual_seed(0)
    conv = layer(p=0.8, p_gradient="elements").train()
    optimizer = torch.optim.Adam([conv.p], 0.05)
    for _ in range(40):
        optimizer.zero_grad()
        (1 - torch.cos(conv.elements().angles)).mean().backward()
        optimizer.step()
    assert conv.coverage < 0.3


def test_copies() -> None:
    conv = layer(p=0.6, reflections=True)
    other = deepcopy(conv)
    other.p.data.fill_(0.1)
    assert (conv.coverage, other.coverage) == (pytest.approx(0.6), pytest.approx(0.1))
    assert {"p", "reflection_logit"} < set(conv.state_dict())
    assert set(conv.train().state_dict()) == set(conv.eval().state_dict())
    assert conv.equivariance == "learned"


def test_repr() -> None:
    assert "num_rotations=4, p=0.5" in repr(PartialGroupConv2d(1, 1, 3, num_rotations=4, p=0.5))
    assert "p_gradient='elements'" in repr(PartialGroupConv2d(1, 1, 3, num_rotations=4, p_gradient="elements"))


@pytest.mark.usefixtures("unchecked_annotations")
class TestErrors:
    @pytest.mark.parametrize("p", [-0.1, 1.1, math.nan])
    def test_p(self, p: float) -> None:
        with pytest.raises(ConfigError, match=rf"p={p}: give a number from 0 \(no turns\) to 1 \(all turns\)"):
            PartialGroupConv2d(1, 1, 3, num_rotations=4, p=p)

    def test_gradient(self) -> None:
        with pytest.raises(ConfigError, match="p_gradient='exact' is not known: choose 'shift' or 'elements'"):
            PartialGroupConv2d(1, 1, 3, num_rotations=4, p_gradient="exact")  # pyright: ignore[reportArgumentType]

    def test_nothing_to_keep_in_order(self) -> None:
        with pytest.raises(ConfigError, match="net=Linear has no PartialGroupConv2d"):
            monotone_loss(nn.Linear(1, 1))
