"""Separable continuous convolutions over turns and scalings."""

import itertools
import math

import pytest
import torch
from torch import Tensor, nn

from equivision.continuous import SeparableContinuousConv2d, grid_elements, sim2_resnet
from equivision.errors import ConfigError, ShapeError
from equivision.groups import cyclic
from equivision.testing import (
    assert_compiles,
    assert_copies,
    assert_dtypes,
    assert_equivariant,
    assert_exports,
    assert_state_dict,
    random_input,
    randomize_,
)

C4 = cyclic(4)
SCALES = (1.0, 1.3)


def layer(rotations: int = 4, scales: tuple[float, ...] = SCALES, kernel_size: int = 5) -> SeparableContinuousConv2d:
    return randomize_(
        SeparableContinuousConv2d(2, 3, kernel_size, num_rotations=rotations, scales=scales, hidden=8).double()
    )


def turn(x: Tensor, g: int, rotations: int) -> Tensor:
    """Quarter turns of maps on rotations at every scale."""
    moved = x.rot90(g, (-2, -1)).unflatten(2, (-1, rotations))
    return moved.roll(g * rotations // 4, 3).flatten(2, 3)


def noise(channels: int, slots: int, size: tuple[int, int]) -> Tensor:
    return random_input(channels * slots, size).unflatten(1, (channels, slots))


@pytest.mark.parametrize("size", [(7, 7), (8, 8)])
@pytest.mark.parametrize("kernel_size", [1, 4, 5])
@pytest.mark.parametrize(("rotations", "scales"), [(4, (1.0,)), (4, SCALES), (8, SCALES)])
def test_exact_under_quarter_turns(
    size: tuple[int, int], kernel_size: int, rotations: int, scales: tuple[float, ...]
) -> None:
    def move(x: Tensor, g: int) -> Tensor:
        return turn(x, g, rotations)

    conv, x = layer(rotations, scales, kernel_size), noise(2, rotations * len(scales), size)
    assert_equivariant(conv, x, group=C4, act_in=move, act_out=move)


def test_without_moving_kernels_it_is_not() -> None:
    def still(x: Tensor) -> Tensor:
        conv = layer()
        grid = conv.grid()
        return conv(x, grid, grid._replace(angles=0 * grid.angles))

    with pytest.raises(AssertionError, match="not equivariant under C4"):
        assert_equivariant(
            still, noise(2, 8, (7, 7)), group=C4, act_in=lambda x, g: turn(x, g, 4), act_out=lambda y, g: turn(y, g, 4)
        )


@pytest.mark.parametrize(("rotations", "scales"), [(3, (1.0,)), (1, (1.0, 1.4, 2.0)), (3, SCALES)])
def test_against_loops(rotations: int, scales: tuple[float, ...]) -> None:
    """k_r k_s k_x, summed over everything, one output pixel."""
    conv = randomize_(
        SeparableContinuousConv2d(2, 2, 3, num_rotations=rotations, scales=scales, padding=0, hidden=5).double()
    )
    grid, slots = conv.grid(), conv.num_elements
    x = noise(2, slots, (3, 3))[:1]
    span, reach = math.log(scales[-1] / scales[0]), scales[-1]
    expected = torch.zeros(2, slots, dtype=torch.float64)
    for g, h in itertools.product(range(slots), range(slots)):
        between = grid.angles[h] - grid.angles[g]
        step = (grid.log_scales[h] - grid.log_scales[g])[None] / max(span, 1e-3)
        turned = torch.stack([between.cos(), between.sin()])
        mixing = conv.mixing(turned if rotations > 1 else step).unflatten(-1, (2, 2))
        if conv.scaling is not None:
            mixing = mixing * conv.scaling(step)[:, None]
        for row, column in itertools.product(range(3), range(3)):
            right, up = reach * (column - 1.0), reach * (1.0 - row)
            cos, sin, s = grid.angles[g].cos(), grid.angles[g].sin(), grid.log_scales[g].exp()
            place = torch.stack([(cos * right + sin * up) / s, (cos * up - sin * right) / s])
            if place.norm() <= 1 + 1e-9:
                kernel = mixing * conv.spatial(place)[:, None] / s**2
                expected[:, g] += kernel @ x[0, :, h, row, column] / slots
    torch.testing.assert_close(conv(x)[0, :, :, 0, 0] - conv.bias[:, None], expected, rtol=1e-10, atol=1e-10)


def test_parts_are_shared_as_they_should_be() -> None:
    full, turns = layer(), layer(scales=(1.0,))
    scalings, point = layer(1), layer(kernel_size=1)
    assert (full.mixing.in_features, full.mixing.out_features) == (2, 6)
    assert full.scaling is not None
    assert full.scaling.out_features == 3
    assert full.spatial is not None
    assert full.spatial.out_features == 3
    assert turns.scaling is None
    assert (scalings.mixing.in_features, scalings.scaling) == (1, None)
    assert point.spatial is None


def test_the_variance_of_white_noise_doubles_for_the_relu() -> None:
    noise = torch.randn(4, 16, 8, 12, 12)
    convs = (SeparableContinuousConv2d(16, 16, 7, num_rotations=8) for _ in range(12))
    found = torch.stack([conv(noise)[..., 3:-3, 3:-3].detach().var() for conv in convs])
    assert 1.5 < float(found.mean()) < 2.5


def test_life_after_training() -> None:
    conv, x = layer(), noise(2, 8, (5, 5))
    assert_copies(conv, x)
    assert_exports(conv, x)
    assert_state_dict(layer, x)
    assert_dtypes(SeparableContinuousConv2d(2, 3, 5, num_rotations=4, scales=SCALES).double(), x)


@pytest.mark.compile
def test_compile() -> None:
    assert_compiles(layer(), noise(2, 8, (5, 5)))
    net = randomize_(sim2_resnet("Sim2", width=2, num_rotations=4, num_scales=2, hidden=4).double().eval())
    assert_compiles(net, random_input(1, (9, 9)))


class TestNetwork:
    @pytest.mark.parametrize("group", ["SE2", "Sim2"])
    @pytest.mark.parametrize("size", [(11, 11), (12, 12)])
    def test_logits_do_not_change_under_quarter_turns(self, group: str, size: tuple[int, int]) -> None:
        net = randomize_(sim2_resnet(group, width=4, num_rotations=8, hidden=8).double().eval())  # pyright: ignore[reportArgumentType]
        assert_equivariant(net, random_input(1, size), group=C4)

    def test_scalings_alone_do_not_make_it_invariant_under_turns(self) -> None:
        net = randomize_(sim2_resnet("R+", width=4, hidden=8).double().eval())
        with pytest.raises(AssertionError, match="not equivariant under C4"):
            assert_equivariant(net, random_input(1, (11, 11)), group=C4)

    def test_a_plain_network_fails_the_same_check(self) -> None:
        plain = nn.Sequential(
            nn.Conv2d(1, 8, 5, padding=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 5), nn.AdaptiveAvgPool2d(1),
            nn.Flatten(), nn.Linear(8, 10),
        )  # fmt: skip
        with pytest.raises(AssertionError, match="not equivariant under C4"):
            assert_equivariant(randomize_(plain.double().eval()), random_input(1, (11, 11)), group=C4)

    @pytest.mark.parametrize(("group", "count"), [("SE2", 879_722), ("R+", 879_274), ("Sim2", 930_538)])
    def test_parameters(self, group: str, count: int) -> None:
        """The study prints 864 k for Sim2."""
        net = sim2_resnet(group)  # pyright: ignore[reportArgumentType]
        assert sum(p.numel() for p in net.parameters()) == count

    def test_angles_are_moved_together_in_training(self) -> None:
        net = sim2_resnet("Sim2", width=2, num_rotations=8)
        one, two = net.elements(), net.elements()
        assert not torch.equal(one.angles, two.angles)
        torch.testing.assert_close(one.angles.diff(), two.angles.diff())
        assert float(one.angles[0]) < 2 * math.pi / 8
        net.eval()
        expected = grid_elements(8, scales=net.scales)
        for mine, other in zip(net.elements(), expected, strict=True):
            assert torch.equal(mine, other)
        generators = (torch.Generator().manual_seed(1) for _ in range(2))
        drawn = [net.elements(generator=g).angles for g in generators]
        assert torch.equal(*drawn)
        assert not torch.equal(drawn[0], expected.angles)

    def test_life_after_training(self) -> None:
        net = randomize_(sim2_resnet("Sim2", width=2, num_rotations=4, num_scales=2, hidden=4).double().eval())
        x = random_input(1, (9, 9))
        assert torch.equal(net(x), net(x))
        assert_copies(net, x)
        assert_exports(net, x)

    def test_training_moves_every_parameter(self) -> None:
        net = sim2_resnet("Sim2", width=2, num_rotations=4, num_scales=2, hidden=4)
        nn.functional.cross_entropy(net(torch.randn(4, 1, 9, 9)), torch.arange(4)).backward()
        still = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
        assert not still


@pytest.mark.usefixtures("unchecked_annotations")
class TestErrors:
    def test_group(self) -> None:
        with pytest.raises(ConfigError, match=r"group='E2' is not known: choose one of SE2, R\+, Sim2"):
            sim2_resnet("E2")  # pyright: ignore[reportArgumentType]

    def test_widths(self) -> None:
        with pytest.raises(ConfigError, match=r"widths\[0\]=0: give a whole number of at least 1"):
            sim2_resnet("SE2", width=0)

    def test_shapes(self) -> None:
        with pytest.raises(ShapeError, match=r"SeparableContinuousConv2d: input has 4 slot.* but source has 8 element"):
            layer()(noise(2, 4, (5, 5)))
