"""Steerable layers: exact where the grid allows it for every kind of representation, layers like others."""

from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import equivision as ev
import equivision.nn as evnn
from equivision.errors import ConfigError, GridError, GroupMismatchError, ShapeError
from equivision.filters import kernel_basis
from equivision.functional import act, group_filters, relative_error, rotate, steerable_filters
from equivision.groups import PlanarGroup, cyclic, dihedral, parse_plane, special_orthogonal
from equivision.reps import parse, regular, restricted
from equivision.testing import assert_compiles, randomize_

TYPES = {
    "C1": ("2 regular", "3 A"),
    "C3": ("regular + E1", "2 A + regular"),
    "C6": ("regular + B", "A + E2 + E1"),
    "C8": ("2 regular + A + E1", "A + 2 regular + B + E3 + regular"),
    "D2": ("A1 + B2 + regular", "2 A2 + B1"),
    "D4": ("regular", "2 E1 + regular + D4/{e, m}"),
    "D8": ("regular + A2", "E2 + B2 + A2 + E1 * E1"),
    "SO2": ("A + E1 + A + E3 + band2", "2 E1 + A + E2"),
    "O2": ("A2 + E1 + A1", "E2 + A2 + band1"),
}


def on_grid(name: str) -> list[Any]:
    """The elements that map the pixel grid onto itself."""
    group = parse_plane(name)
    if isinstance(group, PlanarGroup):
        return [g for g in range(group.order) if 4 * group.split(g)[1] % group.rotations == 0]
    return [(f, 90.0 * q) for f in (0, 1)[: 1 + group.reflections] for q in range(4)]


def network(name: str) -> tuple[nn.Module, ev.reps.Representation, ev.reps.Representation]:
    """Every kind of steerable layer, with random parameters and running statistics."""
    first, last = TYPES[name]
    gated = evnn.GatedNonlinearity(last, group=name)
    net = nn.Sequential(
        evnn.SteerableConv2d(first, first, 3, group=name, padding=1),
        evnn.FieldBatchNorm2d(first, group=name),
        evnn.NormReLU(first, group=name),
        evnn.SteerableConv2d(first, gated.in_rep, 2, group=name, padding=1),
        gated,
        evnn.SteerableConv2d(last, last, 5, group=name, padding=2, profile="bspline", bias=False),
    )
    return randomize_(net.double().eval()), parse(first, parse_plane(name)), parse(last, parse_plane(name))


@pytest.mark.parametrize("name", list(TYPES))
@torch.no_grad()
def test_exact_on_the_grid(name: str) -> None:
    net, first, last = network(name)
    group, plain = parse_plane(name), nn.Conv2d(first.size, last.size, 3).double()
    for size in ((9, 9), (10, 10)):
        x = torch.randn(2, first.size, *size, dtype=torch.float64)
        for g in on_grid(name):
            assert float(relative_error(net(act(x, g, group, first)), act(net(x), g, group, last))) <= 1e-12
        if len(on_grid(name)) > 1:
            g = on_grid(name)[-1]
            assert float(relative_error(plain(act(x, g, group, first)), act(plain(x), g, group, last))) > 0.1


@pytest.mark.parametrize("name", list(TYPES))
@torch.no_grad()
def test_invariants_do_not_change(name: str) -> None:
    rep, group = parse(TYPES[name][0], parse_plane(name)), parse_plane(name)
    for mode in ("max", "mean", "norm"):
        layer, x = evnn.InvariantMap(rep, mode), torch.randn(2, rep.size, 6, 6, dtype=torch.float64)
        assert layer(x).shape == (2, len(rep.fields), 6, 6)
        for g in on_grid(name):
            assert float(relative_error(layer(act(x, g, group, rep)), act(layer(x), g, group))) <= 1e-12


@torch.no_grad()
def test_fields_of_any_angle_at_one_point() -> None:
    """At a single pixel nothing is sampled: nonlinearities and norms are exact for every element."""
    group = special_orthogonal()
    for text in ("2 A + 3 E1 + E2", "2 band2"):
        rep = parse(text, group)
        layers: list[nn.Module] = [evnn.NormReLU(rep), evnn.FieldBatchNorm2d(rep)]
        layers += [evnn.FourierNonlinearity(rep, points=64)] if "band" in text else []
        for layer in layers:
            randomize_(layer.double().eval())
            x = torch.randn(3, rep.size, 1, 1, dtype=torch.float64)
            turn = torch.from_numpy(rep.matrix((0, 37.0)))
            moved = torch.einsum("ij,bjhw->bihw", turn, x)
            error = float(relative_error(layer(moved), torch.einsum("ij,bjhw->bihw", turn, layer(x))))
            assert error <= (3e-3 if isinstance(layer, evnn.FourierNonlinearity) else 1e-12)


@torch.no_grad()
def test_vectors_of_a_flat_background_stay_short() -> None:
    """There a convolution gives rounding errors; a positive bias must not make vectors of length b of them."""
    group, rep = special_orthogonal(), parse("4 E1", "SO2")
    torch.manual_seed(0)
    net = nn.Sequential(evnn.SteerableConv2d("3 A", rep, 5, group=group, padding=2), evnn.NormReLU(rep))
    nn.init.ones_(net[1].bias)
    x = torch.full((1, 3, 33, 33), 0.7)
    x[:, :, 12:20, 12:22] = torch.rand(1, 3, 8, 10)
    for turns in (1, 2, 3):
        g = (0, 90.0 * turns)
        assert float(relative_error(net(act(x, g, group)), act(net(x), g, group, rep))) <= 1e-5


def test_gradients_of_norms_are_bounded_at_zero() -> None:
    layer = evnn.NormReLU("2 E1", group="SO2")
    nn.init.ones_(layer.bias)
    for scale in (0.0, 1e-8, 1e-3):
        x = torch.full((1, 4, 2, 2), scale, requires_grad=True)
        layer(x).sum().backward()
        assert x.grad is not None
        assert float(x.grad.abs().max()) <= 4000


@torch.no_grad()
def test_more_points_make_a_fourier_nonlinearity_better() -> None:
    rep = parse("band3", "SO2")
    turn, x = torch.from_numpy(rep.matrix((0, 10.0))), torch.randn(64, 7, 1, 1, dtype=torch.float64)
    errors = []
    for points in (8, 16, 32, 64):
        layer = evnn.FourierNonlinearity(rep, points=points).double()
        moved = torch.einsum("ij,bjhw->bihw", turn, x)
        errors.append(float(relative_error(layer(moved), torch.einsum("ij,bjhw->bihw", turn, layer(x)))))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < errors[0] / 10


@torch.no_grad()
def test_closer_to_any_rotation_than_an_ordinary_convolution() -> None:
    """Turned by an angle off the grid: smooth pictures, inner disk; harmonics against free weights."""
    torch.manual_seed(0)
    group, x = special_orthogonal(), torch.randn(8, 1, 33, 33, dtype=torch.float64)
    x = nn.functional.avg_pool2d(x, 9, 1, 4)
    x = nn.functional.avg_pool2d(x, 7, 1, 3)
    rep = parse("4 A + 2 E1 + 2 E2", group)
    conv = randomize_(evnn.SteerableConv2d("A", rep, 7, group=group, padding=3, bias=False).double())
    plain = randomize_(nn.Conv2d(1, rep.size, 7, padding=3, bias=False).double())
    y, x_axis = torch.meshgrid(torch.arange(33) - 16, torch.arange(33) - 16, indexing="ij")
    disk = ((y**2 + x_axis**2) <= 81).double()
    for degrees in (20.0, 45.0, 75.0):
        turned = rotate(x, degrees, mode="bicubic")
        matrix = torch.from_numpy(rep.matrix((0, degrees)))
        errors = []
        for layer, move in ((conv, matrix), (plain, torch.eye(rep.size, dtype=torch.float64))):
            expected = torch.einsum("ij,bjhw->bihw", move, rotate(layer(x), degrees, mode="bicubic"))
            errors.append(float(relative_error(layer(turned) * disk, expected * disk)))
        assert errors[0] < 0.05 < errors[1]


@pytest.mark.parametrize("name", ["C2", "C4", "D1", "D4"])
@torch.no_grad()
def test_with_pixels_it_is_the_group_convolution(name: str) -> None:
    """Any exact group convolution has its filters in the space of the steerable ones, and the same output."""
    group = dihedral(int(name[1])) if name[0] == "D" else cyclic(int(name[1]))
    rho = regular(group)
    for size in (2, 3):
        ours = evnn.GroupConv2d(1, 1, size, group=group, bias=False).double()
        bank = group_filters(ours.weight, group).reshape(-1)
        basis = torch.from_numpy(kernel_basis(rho, rho, size, profile="pixels")).flatten(1)
        weight = torch.linalg.lstsq(basis.T, bank[:, None], driver="gelsd").solution[:, 0]
        steerable = evnn.SteerableConv2d(rho, rho, size, profile="pixels", bias=False).double()
        steerable.weight.copy_(weight)
        x = torch.randn(2, 1, group.order, 7, 7, dtype=torch.float64)
        assert float(relative_error(steerable(x.flatten(1, 2)), ours(x).flatten(1, 2))) <= 1e-12


@torch.no_grad()
def test_filters_are_sums_of_the_basis() -> None:
    for name, (first, last) in TYPES.items():
        group = parse_plane(name)
        for a, b in product(set(parse(first, group).fields), set(parse(last, group).fields)):
            basis = torch.from_numpy(kernel_basis(a, b, 3))
            weight = torch.randn(len(basis), dtype=torch.float64)
            filters = steerable_filters(weight, a, b, 3)
            torch.testing.assert_close(filters, torch.einsum("n,noixy->oixy", weight, basis), rtol=0, atol=1e-12)


def test_the_order_of_fields_is_kept() -> None:
    """Fields of one type need not stand side by side: channels stand where the name says."""
    mixed, sorted_ = parse("A + E1 + A + E1", "SO2"), parse("2 A + 2 E1", "SO2")
    first = evnn.SteerableConv2d(mixed, mixed, 3).double()
    second = evnn.SteerableConv2d(sorted_, sorted_, 3).double()
    with torch.no_grad():
        second.weight.copy_(first.weight)
    order = [0, 3, 1, 2, 4, 5]  # channels of the sorted representation in those of the mixed one
    torch.testing.assert_close(first.filters()[order][:, order], second.filters())


def test_activations_keep_their_variance() -> None:
    torch.manual_seed(0)
    for name, text in (("C8", "8 regular"), ("SO2", "16 A + 8 E1 + 8 E2"), ("D4", "8 regular + 8 E1")):
        rep = parse(text, parse_plane(name))
        for size in (3, 5):
            y = evnn.SteerableConv2d(rep, rep, size)(torch.randn(4, rep.size, 16, 16))
            assert 0.8 < float(y.detach().std()) / 2**0.5 < 1.2


def test_batch_norm_on_regular_fields_is_that_of_group_features() -> None:
    torch.manual_seed(0)
    rep = parse("3 regular", "D4")
    ours, theirs = evnn.FieldBatchNorm2d(rep).double(), nn.BatchNorm3d(3).double()
    for _ in range(2):
        x = 3 * torch.randn(4, 3, 8, 5, 5, dtype=torch.float64) + 1
        torch.testing.assert_close(ours(x.flatten(1, 2)), theirs(x).flatten(1, 2))
    torch.testing.assert_close(ours.running_var, theirs.running_var, rtol=1e-3, atol=1e-3)
    with torch.no_grad():
        for norm in (ours, theirs):
            norm.weight.copy_(torch.tensor([1.0, 2.0, 3.0]))
            norm.bias.copy_(torch.tensor([0.5, 0.0, -1.0]))
    ours.running_var.copy_(theirs.running_var)  # pyright: ignore[reportArgumentType]
    ours.running_mean.copy_(theirs.running_mean * 8**0.5)  # pyright: ignore[reportOptionalOperand]
    x = torch.randn(2, 3, 8, 5, 5, dtype=torch.float64)
    torch.testing.assert_close(ours.eval()(x.flatten(1, 2)), theirs.eval()(x).flatten(1, 2))


def test_restriction_goes_on_with_a_smaller_group() -> None:
    rep = parse("band2 + E1", "O2")
    small = restricted(rep, dihedral(4))
    net = nn.Sequential(
        evnn.SteerableConv2d("A1", rep, 5, group="O2", padding=2), evnn.SteerableConv2d(small, "regular", 3, padding=1)
    )
    randomize_(net.double())
    x = torch.randn(1, 1, 9, 9, dtype=torch.float64)
    for g in range(8):
        expected = act(net(x), g, "D4", regular(dihedral(4)))
        assert float(relative_error(net(act(x, g, "D4")), expected).detach()) <= 1e-12


@torch.no_grad()
def test_induction_repeats_fills_and_knows_its_limits() -> None:
    layer = evnn.Induce(1, 1, "C4", "C16", bias=False).double()
    x = torch.randn(1, 1, 4, 5, 5, dtype=torch.float64)
    layer.weight.copy_(torch.tensor([1.0] * 4 + [0.0] * 12))
    torch.testing.assert_close(layer(x), x.repeat_interleave(4, 2))
    layer.weight.copy_(torch.tensor([1.0] + [0.0] * 15))
    y = layer(x)
    torch.testing.assert_close(y[:, :, ::4], x)
    assert float(y[:, :, 1::4].abs().max()) == 0
    net = nn.Sequential(
        evnn.LiftConv2d(1, 2, 3, group="C4"), evnn.Induce(2, 2, "C4", "C16"), evnn.Restrict("C16", "C4")
    )
    randomize_(net.double())
    image = torch.randn(1, 1, 9, 9, dtype=torch.float64)
    for g in range(4):
        assert float(relative_error(net(act(image, g, "C4")), act(net(image), g, "C4"))) <= 1e-12
    fine = net[:2]  # coarse first, fine later: the fine rotations do not become a symmetry
    values = fine(image)
    assert float((values.roll(1, 2) - values).abs().max()) > 0.1


@pytest.mark.costly(3)
@pytest.mark.compile
@pytest.mark.parametrize("name", ["C8", "SO2"])
def test_compiles(name: str) -> None:
    net, first, _ = network(name)
    assert_compiles(net, torch.randn(2, first.size, 9, 9, dtype=torch.float64))


@pytest.mark.compile
@pytest.mark.parametrize("name", ["C4", "D4", "SO2", "O2"])
def test_layers_on_irreps_compile(name: str) -> None:
    rep = parse("2 A1 + 2 E1" if name in ("D4", "O2") else "2 A + 2 E1", name)
    net = nn.Sequential(evnn.FieldBatchNorm2d(rep), evnn.NormReLU(rep), evnn.InvariantMap(rep))
    assert_compiles(randomize_(net.double().eval()), torch.randn(2, rep.size, 5, 5, dtype=torch.float64))


@pytest.mark.parametrize("name", ["C2", "C4", "C16", "D1", "D8"])
@torch.no_grad()
def test_between_regular_fields_it_is_the_convolution_that_it_says(name: str) -> None:
    layer = randomize_(evnn.SteerableConv2d("2 regular", "regular", 3, group=name).double())
    x = torch.randn(1, layer.in_rep.size, 6, 6, dtype=torch.float64)
    expected = nn.functional.conv2d(x, layer.filters(), layer.channel_bias())
    torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-12)


@pytest.mark.usefixtures("unchecked_annotations")
def test_a_network_freezes() -> None:
    for name in ("C8", "SO2"):
        net, first, last = network(name)
        net.append(evnn.InvariantMap(last))
        x = torch.randn(2, first.size, 9, 9, dtype=torch.float64)
        frozen = ev.freeze(net)
        assert float(relative_error(frozen(x), net(x)).detach()) <= 1e-12
        assert not any(type(m).__module__.startswith("equivision") for m in frozen.modules())


@pytest.mark.usefixtures("unchecked_annotations")
def test_errors() -> None:
    image = torch.randn(1, 3, 8, 8)
    with pytest.raises(ConfigError, match=r"in_rep='regular' is a name: give group too"):
        evnn.SteerableConv2d("regular", "regular", 3)
    with pytest.raises(GroupMismatchError, match="is a representation of C8, not of C4"):
        evnn.SteerableConv2d(regular(cyclic(4)), regular(cyclic(8)), 3)
    with pytest.raises(ShapeError, match=r"SteerableConv2d: input has shape \(1, 3, 8, 8\); .* needs \[batch, 8"):
        evnn.SteerableConv2d("regular", "regular", 3, group="C8")(image)
    with pytest.raises(GridError, match="SteerableConv2d: height 8"):
        evnn.SteerableConv2d("3 A", "E1", 3, group="SO2", stride=2, padding=1)(image)
    with pytest.raises(ConfigError, match="the field 'E1' of C8 mixes its channels"):
        evnn.PointwiseNonlinearity("regular + E1", group="C8")
    with pytest.raises(ConfigError, match="needs copies of one band-limited representation"):
        evnn.FourierNonlinearity("2 A", group="SO2")
    with pytest.raises(ConfigError, match="points=4: frequencies up to 2 need at least 5 points"):
        evnn.FourierNonlinearity("band2", group="SO2", points=4)
    with pytest.raises(ConfigError, match=r"in_rep=3: give a representation or its name, such as '3 trivial'"):
        evnn.SteerableConv2d(3, "regular", 3, group="C8")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="no kernel of this size goes from one to the other"):
        evnn.SteerableConv2d("A", "2 E1", 1, group="SO2", bias=False)
    for size in ([3, 3], (3, 3), 3.0, True, "3", 0):
        with pytest.raises(ConfigError, match=r"kernel_size=.*: give a whole number of at least 1"):
            evnn.SteerableConv2d("A", "A", size, group="C4", padding="same")  # type: ignore[arg-type]
    for cutoff in (float("inf"), float("nan"), -1, None, "3"):
        with pytest.raises(ConfigError, match=r"cutoff=.*: give a number of at least 0"):
            evnn.SteerableConv2d("A", "A", 3, group="C4", cutoff=cutoff)  # type: ignore[arg-type]
    for shape in ((3, 8, 8), (1, 3, 4, 8, 8), (1, 2, 8, 8)):
        with pytest.raises(ShapeError, match=r"SteerableConv2d: input has shape .* needs \[batch, 3, height, width\]"):
            evnn.SteerableConv2d("3 A", "E1", 3, group="SO2")(torch.zeros(shape))
    with pytest.raises(ShapeError, match=r"GatedNonlinearity: .* needs \[batch, 3"):
        evnn.GatedNonlinearity("E1", group="SO2")(image[:, :2])
    for layer in (evnn.NormReLU("3 A", group="SO2"), evnn.FieldBatchNorm2d("3 A", group="SO2")):
        with pytest.raises(ShapeError, match=r"input has dtype torch.int64; needs a floating-point dtype"):
            layer(torch.ones(1, 3, 4, 4, dtype=torch.int64))
    with pytest.raises(ShapeError, match="NormReLU"):
        evnn.NormReLU("E1", group="SO2")(image)
    with pytest.raises(ConfigError, match="mode='median' is not known"):
        evnn.InvariantMap("E1", "median", group="SO2")
    with pytest.raises(ShapeError, match=r"Induce: input has shape \(1, 3, 8, 8\)"):
        evnn.Induce(1, 1, "C4", "C16")(image)


def test_moves_of_fields() -> None:
    rep = parse("A + E1", "SO2")
    x = torch.randn(1, 3, 4, 4)
    moved: Tensor = act(x, (0, 90.0), "SO2", rep)
    torch.testing.assert_close(moved[:, 1], -torch.rot90(x[:, 2], 1, (-2, -1)))
    with pytest.raises(ShapeError, match="axis 1 must be the channel axis of size 3"):
        act(x[:, :2], (0, 90.0), "SO2", rep)
    with pytest.raises(GroupMismatchError, match="does not map the pixel grid onto itself"):
        act(x, (0, 45.0), "SO2", rep)
