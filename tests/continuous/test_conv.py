"""Continuous convolutions: against the group convolutions of the library, against loops, and their symmetry."""

import itertools
from functools import partial

import pytest
import torch
from torch import Tensor, nn

import equivision as ev
from equivision.continuous import ContinuousGroupConv2d, ContinuousLiftConv2d, ElementPool, Elements, grid_elements
from equivision.continuous._elements import combine
from equivision.errors import ConfigError, ShapeError
from equivision.groups import PlanarGroup, cyclic, dihedral
from equivision.testing import (
    assert_copies,
    assert_dtypes,
    assert_equivariant,
    assert_equivariant_gradients,
    assert_exports,
    assert_gradcheck,
    assert_state_dict,
    random_input,
    randomize_,
)

GROUPS = (cyclic(1), cyclic(2), cyclic(4), dihedral(1), dihedral(2), dihedral(4))
SIZES = ((7, 7), (8, 8))


def lift(group: PlanarGroup, kernel_size: int = 5) -> ContinuousLiftConv2d:
    options = {"num_rotations": group.rotations, "reflections": group.reflections}
    return randomize_(ContinuousLiftConv2d(2, 3, kernel_size, **options).double())


def conv(group: PlanarGroup, kernel_size: int = 5) -> ContinuousGroupConv2d:
    options = {"num_rotations": group.rotations, "reflections": group.reflections}
    return randomize_(ContinuousGroupConv2d(2, 3, kernel_size, **options).double())


@pytest.mark.parametrize("group", GROUPS, ids=str)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kernel_size", [1, 4, 5])
def test_exact_at_the_elements_of_groups_of_the_grid(
    group: PlanarGroup, size: tuple[int, int], kernel_size: int
) -> None:
    assert_equivariant(lift(group, kernel_size), random_input(2, size), group=group)
    assert_equivariant(conv(group, kernel_size), random_input(2, size, group), group=group)


@pytest.mark.parametrize("group", [cyclic(4), dihedral(4)], ids=str)
def test_gradients_are_exact_too(group: PlanarGroup) -> None:
    assert_equivariant_gradients(lift(group), random_input(2, (7, 7)), group=group)
    assert_equivariant_gradients(conv(group), random_input(2, (6, 6), group), group=group)


def test_a_plain_convolution_fails_the_same_check() -> None:
    plain = randomize_(nn.Conv2d(2, 3, 5, padding=2).double())
    with pytest.raises(AssertionError, match="not equivariant under C4"):
        assert_equivariant(plain, random_input(2, (7, 7)), group="C4")

    def without_moving_kernels(x: Tensor) -> Tensor:
        layer = conv(cyclic(4))
        still = layer.grid()._replace(angles=torch.zeros(4, dtype=torch.float64))
        return layer(x, layer.grid(), still)

    with pytest.raises(AssertionError, match="not equivariant under C4"):
        assert_equivariant(without_moving_kernels, random_input(2, (7, 7), cyclic(4)), group="C4")


@pytest.mark.parametrize("group", [cyclic(4), dihedral(2), dihedral(4)], ids=str)
def test_at_these_elements_they_are_the_group_convolutions_of_the_library(group: PlanarGroup) -> None:
    """With the weights sampled from the kernel function; the mean over the group aside."""
    ours, theirs = conv(group), ev.nn.GroupConv2d(2, 3, 5, group=group, padding=2).double()
    lifting, theirs_lifting = lift(group), ev.nn.LiftConv2d(2, 3, 5, group=group, padding=2).double()
    one = Elements(*(part[:1] for part in ours.grid()))
    with torch.no_grad():
        theirs.weight.copy_(ours.kernels(ours.grid(), one)[:, 0] / group.order)
        values = lifting.kernel(lifting.taps.places(torch.float64)).unflatten(-1, (3, 2)).permute(1, 2, 0)
        theirs_lifting.weight.copy_(lifting.taps.bank(values))
        for mine, other in ((ours, theirs), (lifting, theirs_lifting)):
            other.bias.copy_(mine.bias)
    x, picture = random_input(2, (7, 7), group), random_input(2, (8, 8))
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(lifting(picture), theirs_lifting(picture), rtol=1e-10, atol=1e-10)


def test_against_loops_at_any_elements() -> None:
    generator = torch.Generator().manual_seed(3)
    layer = randomize_(ContinuousGroupConv2d(2, 2, 3, num_rotations=3, reflections=True, padding=0).double())
    source = combine(torch.randn(2, generator=generator, dtype=torch.float64), reflections=True)
    target = combine(torch.randn(3, generator=generator, dtype=torch.float64), reflections=True)
    source = source._replace(weights=torch.tensor([1.0, 2.0, 0.5, 0.0], dtype=torch.float64))
    x = random_input(2, (3, 3), cyclic(4))[:1]
    expected = torch.zeros(2, 6, dtype=torch.float64)
    for g, h, (row, column) in itertools.product(range(6), range(4), itertools.product(range(3), range(3))):
        place = torch.tensor([column - 1.0, 1.0 - row], dtype=torch.float64)  # right, up
        if place.norm() > 1:
            continue
        at, of = (_matrix(target, g), _matrix(source, h))
        between = torch.linalg.inv(at) @ of
        where = torch.cat([torch.linalg.inv(at) @ place, between[:, 0], torch.linalg.det(between)[None]])
        kernel = layer.kernel(where).unflatten(-1, (2, 2))
        expected[:, g] += source.weights[h] / source.weights.sum() * (kernel @ x[0, :, h, row, column])
    found = layer(x, source, target)[0, :, :, 0, 0] - layer.bias[:, None]
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def _matrix(elements: Elements, i: int) -> Tensor:
    cos, sin = elements.angles[i].cos(), elements.angles[i].sin()
    mirror = 1 - 2 * elements.flips[i]
    return torch.stack([torch.stack([cos, -sin * mirror]), torch.stack([sin, cos * mirror])])


def test_the_variance_of_white_noise_doubles_for_the_relu() -> None:
    x, noise = torch.randn(8, 4, 16, 16), torch.randn(4, 4, 8, 12, 12)
    inner = (slice(None), slice(None), slice(None), slice(3, -3), slice(3, -3))
    lifts = [ContinuousLiftConv2d(4, 8, 7, num_rotations=8)(x)[inner].detach().var() for _ in range(12)]
    convs = [ContinuousGroupConv2d(4, 8, 7, num_rotations=8)(noise)[inner].detach().var() for _ in range(12)]
    assert 1.6 < float(torch.stack(lifts).mean()) < 2.4
    assert 1.6 < float(torch.stack(convs).mean()) < 2.4


def test_scaled_kernels_are_wider_and_weaker() -> None:
    """A large kernel sees a large blob as a small one sees a small blob: 1 / s^2 keeps the integral."""
    layer = ContinuousLiftConv2d(1, 1, 41, num_rotations=1, scales=(1.0, 2.0), bias=False, omega=2.0).double()
    ones = layer(torch.ones(1, 1, 41, 41, dtype=torch.float64))[0, 0, :, 20, 20].detach()
    assert float(ones[1] / ones[0]) == pytest.approx(1, abs=0.05)
    impulse = torch.zeros(1, 1, 41, 41, dtype=torch.float64)
    impulse[..., 20, 20] = 1
    seen = (layer(impulse)[0, 0] != 0).sum((-2, -1))
    assert 3.5 < float(seen[1] / seen[0]) < 4.5


def test_weights_say_which_elements_count() -> None:
    layer, x = conv(dihedral(4)), random_input(2, (6, 6), dihedral(4))
    grid = layer.grid()
    half = Elements(*(part[:4] for part in grid))
    absent = grid._replace(weights=1 - grid.flips)
    torch.testing.assert_close(layer(x, absent, grid), layer(x[:, :, :4], half, grid))
    maps = random_input(2, (3, 3), dihedral(4))
    torch.testing.assert_close(ElementPool()(maps, absent), maps[:, :, :4].mean(2))
    assert torch.equal(ElementPool("max")(maps, absent), maps[:, :, :4].amax(2))


@pytest.mark.parametrize("mode", ["mean", "max"])
def test_pool(mode: str) -> None:
    pool = partial(ElementPool(mode), elements=grid_elements(4, dtype=torch.float64))
    assert_equivariant(pool, random_input(2, (5, 5), cyclic(4)), group="C4")


@pytest.mark.parametrize("make", [lambda: lift(dihedral(2)), lambda: conv(dihedral(2))], ids=["lift", "conv"])
def test_life_after_training(make) -> None:
    layer = make()
    x = random_input(2, (5, 5), None if isinstance(layer, ContinuousLiftConv2d) else dihedral(2))
    assert_copies(layer, x)
    assert_exports(layer, x)
    assert_state_dict(make, x)


def test_half_precision() -> None:
    """With weights as they are drawn: the kernels are computed in float32 from weights that were rounded."""
    assert_dtypes(ContinuousLiftConv2d(2, 3, 5, num_rotations=4).double(), random_input(2, (5, 5)))
    layer = ContinuousGroupConv2d(2, 3, 5, num_rotations=2, reflections=True)
    assert_dtypes(layer.double(), random_input(2, (5, 5), dihedral(2)))


def test_gradcheck() -> None:
    layer = randomize_(ContinuousGroupConv2d(1, 1, 3, num_rotations=2, hidden=3).double())
    assert_gradcheck(layer, random_input(1, (3, 3), cyclic(2)))


@pytest.mark.compile
def test_compile() -> None:
    for layer, on_group in ((lift(dihedral(2)), None), (conv(dihedral(2)), dihedral(2))):
        ev.testing.assert_compiles(layer, random_input(2, (5, 5), on_group))


def test_repr_says_what_was_asked_for() -> None:
    layer = ContinuousLiftConv2d(1, 2, 5, num_rotations=4, reflections=True, scales=(1.0, 2.0), padding=0, bias=False)
    first = "1, 2, 5, num_rotations=4, reflections=True, scales=(1.0, 2.0), padding=0, bias=False"
    assert first in repr(layer)
    assert "padding" not in repr(ContinuousGroupConv2d(1, 2, 5, num_rotations=4))


@pytest.mark.usefixtures("unchecked_annotations")
class TestErrors:
    @pytest.mark.parametrize("name", ["in_channels", "out_channels", "num_rotations", "kernel_size"])
    def test_counts(self, name: str) -> None:
        arguments = {"in_channels": 1, "out_channels": 1, "kernel_size": 3, "num_rotations": 4, name: 0}
        for kind in (ContinuousLiftConv2d, ContinuousGroupConv2d):
            with pytest.raises(ConfigError, match=f"{name}=0: give a whole number of at least 1"):
                kind(**arguments)

    @pytest.mark.parametrize("padding", [-1, 0.5, "same"])
    def test_padding(self, padding: object) -> None:
        with pytest.raises(ConfigError, match=r"padding=.*: give a whole number of at least 0, or None for half"):
            ContinuousLiftConv2d(1, 1, 3, num_rotations=4, padding=padding)  # pyright: ignore[reportArgumentType]

    def test_shapes(self) -> None:
        layer = ContinuousGroupConv2d(2, 3, 3, num_rotations=4)
        with pytest.raises(ShapeError, match=r"needs \[batch, 2 channel\(s\), group, height, width\]"):
            layer(torch.rand(1, 2, 5, 5))
        with pytest.raises(ShapeError, match=r"input has 3 slot.* but source has 4 element"):
            layer(torch.rand(1, 2, 3, 5, 5))
        with pytest.raises(ShapeError, match=r"needs \[batch, 1 channel\(s\), height, width\]"):
            ContinuousLiftConv2d(1, 3, 3, num_rotations=4)(torch.rand(1, 2, 5, 5))
        with pytest.raises(ShapeError, match=r"input has dtype torch.float64, the weights torch.float32"):
            layer(torch.rand(1, 2, 4, 5, 5).double())

    def test_pool(self) -> None:
        with pytest.raises(ConfigError, match="mode='norm' is not known: choose 'mean' or 'max'"):
            ElementPool("norm")
        with pytest.raises(ShapeError, match=r"needs \[batch, channel, group, height, width\] with 4 element"):
            ElementPool()(torch.rand(1, 2, 3, 5, 5), grid_elements(4))
