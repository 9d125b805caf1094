"""Convolutions on groups off the pixel grid: exact where the grid allows it, close elsewhere, layers like others."""

import copy
import pickle
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import equivision as ev
import equivision.nn as evnn
from equivision.errors import ConfigError, GridError, GroupMismatchError
from equivision.filters import sampling_matrices
from equivision.functional import act, group_filters, lift_filters, project_filters, relative_error, rotate
from equivision.groups import PlanarGroup, cyclic, dihedral
from equivision.kernels import channels_last, is_channels_last
from equivision.testing import (
    assert_backward_twice,
    assert_channels_last,
    assert_compiles,
    assert_copies,
    assert_dtypes,
    assert_gradcheck,
    assert_repr,
    randomize_,
)

NAMES = {"cyclic": cyclic, "dihedral": dihedral, **vars(evnn)}
GROUPS = [cyclic(3), cyclic(5), cyclic(6), cyclic(8), cyclic(12), cyclic(16), dihedral(3), dihedral(8), dihedral(12)]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"interpolation": "nearest", "mask": "none"},
    {"interpolation": "bicubic", "mask": "disk", "renormalize": True},
    {"interpolation": "fourier"},
    {"interpolation": "bspline"},
    {"interpolation": "steerable"},
]


def network(group: PlanarGroup, kernel: int = 3, **options: Any) -> nn.Module:
    """Plane to group to group to plane, in float64 with random parameters and running statistics."""
    net = nn.Sequential(
        evnn.LiftConv2d(2, 3, kernel, group=group, **options),
        evnn.BatchNorm3d(3),
        nn.ReLU(),
        evnn.GroupConv2d(3, 2, kernel, group=group, **options),
        nn.ReLU(),
        evnn.SeparableGroupConv2d(2, 3, kernel, group=group, variant="gc", padding=1, **options),
        evnn.SeparableGroupConv2d(3, 2, kernel, group=group, variant="g", padding=1, **options),
        nn.ReLU(),
        evnn.GroupConvTranspose2d(2, 2, kernel, group=group, stride=2, **options),
        evnn.ProjectConv2d(2, 2, kernel, group=group, **options),
    )
    return randomize_(net.double().eval())


def on_grid(group: PlanarGroup) -> list[int]:
    return [g for g in range(group.order) if 4 * group.split(g)[1] % group.rotations == 0]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("group", GROUPS, ids=str)
@torch.no_grad()
def test_exact_for_the_elements_on_the_grid(group: PlanarGroup, options: dict[str, Any]) -> None:
    for kernel, size in product((1, 2, 3, 4, 5), ((14, 14), (15, 15))):
        net, x = network(group, kernel, **options), torch.randn(1, 2, *size, dtype=torch.float64)
        for g in on_grid(group):
            assert float(relative_error(net(act(x, g, group)), act(net(x), g, group))) <= 1e-12


@pytest.mark.parametrize("kernel", [3, 4, 5])
@pytest.mark.parametrize("n", [4, 8, 12, 16, 20])
@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic", "fourier", "bspline", "steerable"])
@torch.no_grad()
def test_strided_blocks_are_exact_for_quarter_turns(mode: Any, n: int, kernel: int) -> None:
    """Convolution, norm, ReLU, blur and stride, in every mode, on every size."""
    group = cyclic(n)
    options: dict[str, Any] = {"group": group, "interpolation": mode, "padding": kernel // 2}
    net = nn.Sequential(
        evnn.LiftConv2d(1, 2, kernel, **options), evnn.BatchNorm3d(2), nn.ReLU(), evnn.BlurPool2d(2),
        evnn.GroupConv2d(2, 2, kernel, **options), evnn.BatchNorm3d(2), nn.ReLU(), evnn.BlurPool2d(2, sigma=0.7),
    )  # fmt: skip
    randomize_(net.double().eval())
    for size in (14, 17):
        x = torch.randn(1, 1, size, size, dtype=torch.float64)
        for g in on_grid(group)[1:]:
            assert float(relative_error(net(act(x, g, group)), act(net(x), g, group))) <= 1e-12


def test_an_ordinary_network_is_not() -> None:
    net, x = nn.Conv2d(2, 2, 3).double(), torch.randn(1, 2, 15, 15, dtype=torch.float64)
    assert float(relative_error(net(act(x, 2, cyclic(8))), act(net(x), 2, cyclic(8))).detach()) > 0.1


@pytest.mark.parametrize(
    "options", [{}, {"stride": 2}, {"dilation": 2, "padding": 2}, {"padding": 1, "padding_mode": "circular"}]
)
@torch.no_grad()
def test_windows(options: dict[str, Any]) -> None:
    group = dihedral(8)
    net = nn.Sequential(
        evnn.LiftConv2d(2, 2, 3, group=group, **options), evnn.GroupConv2d(2, 3, 3, group=group, groups=1, padding=1)
    )
    randomize_(net.double())
    x = torch.randn(1, 2, 15, 15, dtype=torch.float64)
    for g in on_grid(group):
        assert float(relative_error(net(act(x, g, group)), act(net(x), g, group))) <= 1e-12


@pytest.mark.parametrize("on_group", [True, False])
@pytest.mark.parametrize("group", GROUPS, ids=str)
@pytest.mark.parametrize("kind", [evnn.MaxPool2d, evnn.AvgPool2d])
def test_pools_are_exact_for_the_elements_on_the_grid(kind: Any, group: PlanarGroup, on_group: bool) -> None:
    windows: tuple[dict[str, int], ...] = ({"kernel_size": 2}, {"kernel_size": 3, "stride": 2, "padding": 1})
    slots = (group.order,) if on_group else ()
    for options, size in zip(windows, (8, 9), strict=True):
        pool = kind(group=group, **options)
        assert pool.equivariance == "approximate"
        x = torch.randn(1, 2, *slots, size, size, dtype=torch.float64)
        for g in on_grid(group):
            assert float(relative_error(pool(act(x, g, group)), act(pool(x), g, group))) <= 1e-12
        with pytest.raises(GridError, match=f"height {size + 1} .* is not exact under {group.name}.*Exact instead: "):
            pool(torch.randn(1, 2, *slots, size + 1, size + 1))


@pytest.mark.parametrize("kind", [evnn.MaxPool2d, evnn.AvgPool2d])
def test_pools_off_centre_are_not_exact(kind: Any) -> None:
    group, x = cyclic(8), torch.randn(1, 2, 8, 9, 9, dtype=torch.float64)
    pool = kind(2, group=group, strict=False)
    errors = [float(relative_error(pool(act(x, g, group)), act(pool(x), g, group))) for g in on_grid(group) if g]
    assert min(errors) > 0.1


@pytest.mark.parametrize("group", [cyclic(8), dihedral(6)], ids=str)
def test_filter_banks_by_hand(group: PlanarGroup) -> None:
    """``W[o, h, c, h'] = A_h psi[o, c, h^-1 h']``, one filter after the other."""
    k, order = 3, group.order
    matrices = sampling_matrices(group, k, mask="smooth")
    field, plane = torch.randn(2, 3, order, k, k, dtype=torch.float64), torch.randn(2, 3, k, k, dtype=torch.float64)
    for slots_first in (False, True):
        split = (0, (order, 2)) if slots_first else (0, (2, order))
        bank = group_filters(field, group, slots_first=slots_first).unflatten(*split)
        bank = bank.unflatten(2, (order, 3)).transpose(2, 3) if slots_first else bank.unflatten(2, (3, order))
        lifted = lift_filters(plane, group, slots_first=slots_first).unflatten(*split)
        down = project_filters(plane, group, slots_first=slots_first)
        down = down.unflatten(1, (order, 3)).transpose(1, 2) if slots_first else down.unflatten(1, (3, order))
        if slots_first:
            bank, lifted = bank.transpose(0, 1), lifted.transpose(0, 1)
        for o, h, c in product(range(2), range(order), range(3)):
            moved = (matrices[h] @ plane[o, c].numpy().reshape(-1)).reshape(k, k)
            np.testing.assert_allclose(lifted[o, h, c], moved, rtol=0, atol=1e-13)
            np.testing.assert_allclose(down[o, c, h], moved, rtol=0, atol=1e-13)
            for other in range(order):
                slot = group.product(int(group.inverses[h]), other)
                moved = (matrices[h] @ field[o, c, slot].numpy().reshape(-1)).reshape(k, k)
                np.testing.assert_allclose(bank[o, h, c, other], moved, rtol=0, atol=1e-13)


def smooth_image(size: int) -> Tensor:
    """A few random bumps near the middle of a dark image."""
    generator = torch.Generator().manual_seed(0)
    along = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    image = torch.zeros(1, 1, size, size, dtype=torch.float64)
    for _ in range(6):
        x, y = (torch.rand(2, generator=generator, dtype=torch.float64) - 0.5) * size / 2.4
        image += torch.exp(-((along[None, :] - x) ** 2 + (along[:, None] - y) ** 2) / 8)
    return image


@torch.no_grad()
def mean_error(n: int, rotated_by: float) -> float:
    """Error of the invariant features of C_n networks when the image turns by an angle, mean over random networks."""
    size, errors = 41, []
    x = smooth_image(size)
    turned = rotate(x, rotated_by, mode="bicubic")
    for seed in range(4):
        torch.manual_seed(seed)
        group = cyclic(n)
        net = nn.Sequential(
            evnn.LiftConv2d(1, 8, 7, group=group, bias=False, interpolation="bicubic"), nn.ReLU(),
            evnn.GroupConv2d(8, 8, 5, group=group, bias=False, interpolation="bicubic"), nn.ReLU(), evnn.GroupPool(),
        ).double()  # fmt: skip
        one, other = (net(image).mean((2, 3)) for image in (x, turned))
        errors.append(float(relative_error(other, one)))
    return sum(errors) / len(errors)


def test_more_orientations_make_smaller_errors() -> None:
    """Each doubling of n about halves the error; what C16 has left at an angle of its own is interpolation."""
    errors = [mean_error(n, 22.5) for n in (4, 8, 16)]
    assert errors[1] < 0.65 * errors[0], errors
    assert 0 < errors[2] < 0.65 * errors[1], errors
    assert mean_error(8, 45.0) < 0.5 * mean_error(4, 45.0) < mean_error(1, 45.0)


@pytest.mark.parametrize("kind", [evnn.LiftConv2d, evnn.GroupConv2d, evnn.ProjectConv2d])
def test_it_is_a_layer_like_others(kind: type[nn.Module]) -> None:
    group = dihedral(3)
    layer = kind(2, 3, 3, group=group, padding=1)
    assert layer.equivariance == "approximate"  # type: ignore[attr-defined]
    assert set(layer.state_dict()) == {"weight", "bias"}
    shape = (2, 2, 7, 7) if kind is evnn.LiftConv2d else (2, 2, 6, 7, 7)
    x = torch.randn(shape, dtype=torch.float64)
    layer = randomize_(layer.double())
    assert_gradcheck(layer, x[:1, ..., :4, :4])
    assert_dtypes(layer, x)
    assert_channels_last(layer, x, kept=True)
    assert_backward_twice(layer, x)
    assert_copies(layer, x)
    assert_repr(kind(2, 3, 3, group=group, interpolation="fourier", mask="disk", renormalize=True), NAMES)
    with torch.device("meta"):
        empty = kind(2, 3, 3, group=group)
    filled = empty.to_empty(device="cpu")
    filled.reset_parameters()  # type: ignore[operator]
    assert torch.isfinite(filled(x.float())).all()


@pytest.mark.compile
@pytest.mark.parametrize("kernel", [1, 3])
def test_compiles(kernel: int) -> None:
    assert_compiles(network(cyclic(8), kernel), torch.randn(2, 2, 13, 13, dtype=torch.float64))


def test_frozen_exported_and_pickled() -> None:
    net, x = network(dihedral(8)), torch.randn(2, 2, 13, 13, dtype=torch.float64)
    torch.testing.assert_close(ev.freeze(net)(x), net(x), rtol=1e-9, atol=1e-9)
    assert torch.equal(pickle.loads(pickle.dumps(net))(x), net(x))
    other = copy.deepcopy(net)
    randomize_(other, seed=5)
    other.load_state_dict(net.state_dict())
    assert torch.equal(other(x), net(x))


def test_a_mask_on_the_grid_keeps_the_symmetry_exact() -> None:
    group, x = dihedral(4), torch.randn(1, 2, 13, 13, dtype=torch.float64)
    net = network(group, 5, mask="disk")
    assert isinstance(net, nn.Sequential)
    assert net[0].equivariance == "exact"
    bank = lift_filters(net[0].weight, group, sampling=net[0].sampling)
    assert not bank[..., 0, 0].any()
    ev.testing.assert_equivariant(net, x, group=group)


WINDOWS: list[dict[str, Any]] = [
    {}, {"stride": 2, "padding": 1}, {"groups": 2}, {"padding": 2, "padding_mode": "circular", "bias": False},
]  # fmt: skip


@pytest.mark.parametrize("interpolation", ["bilinear", "steerable"])
@pytest.mark.parametrize("group", [cyclic(4), cyclic(6), cyclic(8), dihedral(3), dihedral(8)], ids=str)
def test_both_algorithms_give_the_same(group: PlanarGroup, interpolation: Any) -> None:
    """Over the elements on the grid the Fourier algorithm does what the expanded filters do, and so do gradients."""
    for kernel, window, last in product((2, 3), WINDOWS, (False, True)):
        found, size = (
            [],
            9 - kernel % 2 if window.get("stride") == 2 else 8,
        )  # an even number of steps where they are two
        size = size if (size + 2 - kernel) % window.get("stride", 1) == 0 else size + 1
        x = torch.randn(2, 2, group.order, size, size, dtype=torch.float64)
        x = channels_last(x) if last else x
        for algorithm in ("expand", "fourier"):
            conv = evnn.GroupConv2d(
                2, 4, kernel, group=group, interpolation=interpolation, algorithm=algorithm, **window
            )
            randomize_(conv.double())
            x = x.detach().requires_grad_()
            y = conv(x)
            y.backward(torch.linspace(-1, 1, y.numel(), dtype=torch.float64).view(y.shape))
            assert x.grad is not None and conv.weight.grad is not None  # noqa: PT018
            found.append((y.detach(), x.grad, conv.weight.grad))
            assert not last or is_channels_last(y)
        for one, other in zip(*found, strict=True):
            assert float(relative_error(one, other)) <= 1e-12


def test_mistakes(unchecked_annotations: None) -> None:
    with pytest.raises(GroupMismatchError, match=r"kernel_size=\(3, 5\) differs between rows and columns"):
        evnn.LiftConv2d(1, 1, (3, 5), group="C8")
    with pytest.raises(
        ConfigError, match=r"kernel_size=\(3, 5\): a kernel with a mask, or off the grid, must be square"
    ):
        evnn.LiftConv2d(1, 1, (3, 5), group="D2", mask="disk")
    with pytest.raises(ConfigError, match="interpolation='linear' is not known: choose one of nearest, bilinear"):
        evnn.GroupConv2d(1, 1, 3, group="C8", interpolation="linear")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="mask='ring' is not known"):
        evnn.GroupConv2d(1, 1, 3, group="C8", mask="ring")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"algorithm='fourier' works over .* of which C3 has none but the identity"):
        evnn.GroupConv2d(1, 1, 3, group="C3", algorithm="fourier")(torch.zeros(1, 1, 3, 5, 5))
    with pytest.raises(GroupMismatchError, match=r"kernel_size=\(2, 3\) differs between rows and columns"):
        evnn.MaxPool2d((2, 3), group="C8")
    with pytest.raises(GridError, match="is not exact under C8"):
        evnn.LiftConv2d(1, 1, 3, group="C8", stride=2)(torch.zeros(1, 1, 8, 8))
