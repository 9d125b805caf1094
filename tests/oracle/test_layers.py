"""The fast layers against the slow formulas."""

from itertools import product

import numpy as np
import pytest
import torch

from equivision import functional
from equivision.filters import orbit_basis
from equivision.functional._wallpaper import OrbitAlgorithm
from equivision.groups import PlanarGroup, cyclic, dihedral
from tests.oracle import _slow

GROUPS = [cyclic(1), cyclic(2), cyclic(4), dihedral(1), dihedral(2), dihedral(4)]
# kernel, stride, padding, dilation: odd and even kernels
WINDOWS = [(3, 1, 0, 1), (2, 1, 1, 1), (3, 2, 1, 1), (2, 2, 0, 1), (2, 1, 0, 2), (1, 1, 0, 1)]
SIZE = {(2, 2, 0, 1): (4, 6)}


def random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64)


def agree(fast: torch.Tensor, slow: np.ndarray) -> None:
    np.testing.assert_allclose(fast.numpy(), slow, rtol=0, atol=1e-12)


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("group", GROUPS, ids=str)
class TestConvolutions:
    def test_lift(self, group: PlanarGroup, window: tuple[int, int, int, int]) -> None:
        k, s, p, d = window
        x, psi, bias = random(2, 2, *SIZE.get(window, (5, 3))), random(2, 2, k, k), random(2)
        fast = functional.lift_conv2d(x, psi, bias, group=group, stride=s, padding=p, dilation=d)
        agree(fast, _slow.lift(x.numpy(), psi.numpy(), bias.numpy(), group, s, p, d))

    def test_group(self, group: PlanarGroup, window: tuple[int, int, int, int]) -> None:
        k, s, p, d = window
        x, psi, bias = random(1, 2, group.order, *SIZE.get(window, (3, 3))), random(1, 2, group.order, k, k), random(1)
        fast = functional.group_conv2d(x, psi, bias, group=group, stride=s, padding=p, dilation=d)
        agree(fast, _slow.convolve(x.numpy(), psi.numpy(), bias.numpy(), group, s, p, d))

    @pytest.mark.costly(5)
    @pytest.mark.parametrize("algorithm", ["factored", "expand"])
    @pytest.mark.parametrize("kernels", [2, 1])
    def test_separable(
        self, group: PlanarGroup, window: tuple[int, int, int, int], kernels: int, algorithm: str
    ) -> None:
        k, s, p, d = window
        x, spatial = random(1, 2, group.order, *SIZE.get(window, (3, 3))), random(2, kernels, k, k)
        pointwise, bias = random(2, 2, group.order), random(2)
        fast = functional.separable_group_conv2d(
            x, spatial, pointwise, bias, group=group, stride=s, padding=p, dilation=d, algorithm=algorithm
        )
        parts = spatial.numpy(), pointwise.numpy(), bias.numpy()
        agree(fast, _slow.separable(x.numpy(), *parts, group, s, p, d))

    @pytest.mark.costly(3)
    @pytest.mark.parametrize("algorithm", ["expand", "sums"])
    def test_wallpaper(self, group: PlanarGroup, window: tuple[int, int, int, int], algorithm: OrbitAlgorithm) -> None:
        k, s, p, d = window
        orbits = len(orbit_basis(group, (k, k)))
        x, weight, bias = random(2, 2, *SIZE.get(window, (5, 3))), random(2, 2, orbits), random(2)
        fast = functional.wallpaper_conv2d(
            x, weight, bias, group=group, kernel_size=k, stride=s, padding=p, dilation=d, algorithm=algorithm
        )
        agree(fast, _slow.wallpaper(x.numpy(), weight.numpy(), bias.numpy(), group, (k, k), s, p, d))

    def test_project(self, group: PlanarGroup, window: tuple[int, int, int, int]) -> None:
        k, s, p, d = window
        x, psi, bias = random(1, 2, group.order, *SIZE.get(window, (5, 3))), random(2, 2, k, k), random(2)
        fast = functional.project_conv2d(x, psi, bias, group=group, stride=s, padding=p, dilation=d)
        agree(fast, _slow.project(x.numpy(), psi.numpy(), bias.numpy(), group, s, p, d))

    @pytest.mark.costly(3)
    def test_attentive(self, group: PlanarGroup, window: tuple[int, int, int, int]) -> None:
        k, s, p, d = window
        x, psi, bias = random(1, 2, group.order, *SIZE.get(window, (3, 3))), random(2, 2, group.order, k, k), random(2)
        gates = random(2, 3, 2, group.order), random(2, 2, 3, group.order), random(2, 2, group.order, 3, 3)
        fast = functional.attentive_group_conv2d(x, psi, *gates, bias, group=group, stride=s, padding=p, dilation=d)
        parts = [part.numpy() for part in (x, psi, *gates, bias)]
        agree(fast, _slow.attentive(*parts, group, s, p, d))

    @pytest.mark.costly(3)
    def test_attentive_lift(self, group: PlanarGroup, window: tuple[int, int, int, int]) -> None:
        """The formula on the group with one slot, whose kernels are the same for all elements."""
        k, s, p, d = window
        x, psi, bias = random(2, 2, *SIZE.get(window, (5, 3))), random(2, 2, k, k), random(2)
        gates = random(2, 1, 2), random(2, 2, 1), random(2, 2, 5, 5)
        fast = functional.attentive_lift_conv2d(x, psi, *gates, bias, group=group, stride=s, padding=p, dilation=d)
        over_slots = [
            part.unsqueeze(axis).expand(*part.shape[:axis], group.order, *part.shape[axis:]).numpy()
            for part, axis in zip((psi, *gates), (2, 3, 3, 2), strict=True)
        ]
        agree(fast, _slow.attentive(x.unsqueeze(2).numpy(), *over_slots, bias.numpy(), group, s, p, d))

    def test_transpose(self, group: PlanarGroup, window: tuple[int, int, int, int]) -> None:
        k, s, p, d = window
        x, psi, bias = random(1, 2, group.order, 3, 2), random(2, 1, group.order, k, k), random(1)
        fast = functional.group_conv_transpose2d(x, psi, bias, group=group, stride=s, padding=p, dilation=d)
        agree(fast, _slow.transpose(x.numpy(), psi.numpy(), bias.numpy(), group, s, p, d))


@pytest.mark.costly(3)
@pytest.mark.parametrize("on_group", [False, True])
@pytest.mark.parametrize("window", [(3, 1, 1, 1), (2, 1, 1, 2), (2, 2, 0, 1)], ids=str)
@pytest.mark.parametrize("group", [cyclic(1), cyclic(4), dihedral(1), dihedral(4)], ids=str)
def test_deformable(group: PlanarGroup, window: tuple[int, int, int, int], on_group: bool) -> None:
    k, s, p, d = window
    size = (4, 2) if s == 2 else (3, 2)
    slots = (group.order,) if on_group else ()
    x, psi, bias = random(1, 1, *slots, *size), random(1, 1, *slots, k, k), random(1)
    parts = random(2 * k * k, 1, k, k), random(2 * k * k)
    options = {"group": group, "stride": s, "padding": p, "dilation": d}
    offset = functional.tap_offsets(x, *parts, **options)
    convolve = functional.deformable_group_conv2d if on_group else functional.deformable_lift_conv2d
    on_slots = [(one if on_group else one.unsqueeze(2)).numpy() for one in (x, psi)]
    agree(offset, _slow.offsets(on_slots[0], *(part.numpy() for part in parts), group, s, p, d))
    slow = _slow.deformable(on_slots[0], offset.numpy(), on_slots[1], bias.numpy(), group, s, p, d)
    agree(convolve(x, offset, psi, bias, **options), slow)


@pytest.mark.parametrize("group", GROUPS[:2] + GROUPS[3:5], ids=str)
def test_oblong_kernels(group: PlanarGroup) -> None:
    x, psi, bias = random(1, 1, group.order, 4, 5), random(1, 1, group.order, 2, 3), random(1)
    fast = functional.group_conv2d(x, psi, bias, group=group)
    agree(fast, _slow.convolve(x.numpy(), psi.numpy(), bias.numpy(), group, 1, 0, 1))


@pytest.mark.parametrize("group", GROUPS[2::3], ids=str)
def test_channel_groups_are_separate_convolutions(group: PlanarGroup) -> None:
    x, psi = random(1, 4, group.order, 4, 4), random(2, 2, group.order, 3, 3)
    together = functional.group_conv2d(x, psi, group=group, groups=2)
    for i in range(2):
        alone = functional.group_conv2d(x[:, 2 * i : 2 * i + 2], psi[i : i + 1], group=group)
        torch.testing.assert_close(together[:, i : i + 1], alone, rtol=0, atol=1e-12)


@pytest.mark.parametrize("algorithm", ["factored", "expand"])
@pytest.mark.parametrize("kernels", [2, 1])
@pytest.mark.parametrize("group", GROUPS[2::3], ids=str)
def test_channel_groups_of_separable_convolutions(group: PlanarGroup, kernels: int, algorithm: str) -> None:
    x, spatial, pointwise = random(1, 4, group.order, 4, 4), random(4, kernels, 3, 3), random(4, 2, group.order)
    options = {"group": group, "algorithm": algorithm}
    together = functional.separable_group_conv2d(x, spatial, pointwise, groups=2, **options)
    for i in range(2):
        part = slice(2 * i, 2 * i + 2)
        alone = functional.separable_group_conv2d(x[:, part], spatial[part], pointwise[part], **options)
        torch.testing.assert_close(together[:, part], alone, rtol=0, atol=1e-12)


@pytest.mark.parametrize("group", [*GROUPS, cyclic(5), dihedral(3)], ids=str)
def test_linear(group: PlanarGroup) -> None:
    x, w, bias = random(2, 2, group.order), random(3, 2, group.order), random(3)
    agree(functional.group_linear(x, w, bias, group=group), _slow.linear(x.numpy(), w.numpy(), bias.numpy(), group))


@pytest.mark.parametrize("group", [*GROUPS, dihedral(3)], ids=str)
def test_coset_pool(group: PlanarGroup) -> None:
    x = random(2, 2, group.order)
    for subgroup in group.subgroups():
        pooled = functional.coset_pool(x, subgroup, "max")
        cosets = sorted({tuple(sorted(group.product(g, h) for h in subgroup.elements)) for g in range(group.order)})
        for b, c, (i, coset) in product(range(2), range(2), enumerate(cosets)):
            assert pooled[b, c, i] == max(x[b, c, k] for k in coset)


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_action(group: PlanarGroup) -> None:
    """The reference action, which all equivariance tests lean on, moves points as the matrices say."""
    for size in (3, 4):
        x = random(1, 2, group.order, size, size)
        for g in range(group.order):
            agree(functional.act(x, g, group), _slow.move(x.numpy(), g, group))
            agree(functional.act(x[:, :, 0], g, group), _slow.move(x[:, :, :1].expand_as(x).numpy(), g, group)[:, :, 0])


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_slow_formulas_are_equivariant(group: PlanarGroup) -> None:
    """The oracle itself: ``f(L_g x) = L_g f(x)`` with no line of the library but the Cayley table and the matrices."""
    x, psi, bias = random(1, 1, group.order, 3, 3).numpy(), random(1, 1, group.order, 2, 2).numpy(), np.zeros(1)
    y = _slow.convolve(x, psi, bias, group, 1, 0, 1)
    for g in range(group.order):
        moved = _slow.convolve(_slow.move(x, g, group), psi, bias, group, 1, 0, 1)
        np.testing.assert_allclose(moved, _slow.move(y, g, group), rtol=0, atol=1e-12)
