"""The tables of the orbit-Fourier algorithm, against sums over the group that are written out."""

import numpy as np
import pytest
import torch

from equivision.errors import GroupMismatchError
from equivision.functional import act
from equivision.groups import PlanarGroup, cyclic, dihedral
from equivision.kernels import OrbitPlan, Window, orbit_plan

GROUPS = [cyclic(2), cyclic(4), dihedral(1), dihedral(2), dihedral(4)]
OBLONG = [(cyclic(2), (3, 2)), (dihedral(1), (1, 4)), (dihedral(2), (5, 2))]
KERNELS = [(group, (k, k)) for group in GROUPS for k in (1, 2, 3, 4, 5)] + OBLONG


def block_products(plan: OrbitPlan, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """``O_ik = sum_j U_ij M_jk`` for every block, rows in the order of the basis."""
    found = []
    for block in plan.blocks:
        u = rows[block.basis : block.basis + block.rows * block.inner].reshape(block.rows, block.inner)
        m = weights[block.mix : block.mix + block.outer * block.inner].reshape(block.outer, block.inner)
        found.append((u @ m.T).reshape(-1))
    return np.concatenate(found)


@pytest.mark.parametrize("group", [cyclic(1), *GROUPS], ids=str)
def test_blocks_compute_the_convolution_over_the_group(group: PlanarGroup) -> None:
    plan, rng = orbit_plan(group, (1, 1)), np.random.default_rng(0)
    u, v = rng.normal(size=group.order), rng.normal(size=group.order)
    direct = [sum(v[group.product(group.inverse(g), h)] * u[h] for h in range(len(group))) for g in range(len(group))]
    in_blocks = plan.basis.T @ block_products(plan, plan.basis @ u, plan.mix @ v)
    np.testing.assert_allclose(in_blocks, direct, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_basis_is_orthogonal_and_needs_no_multiplication(group: PlanarGroup) -> None:
    basis = orbit_plan(group, (3, 3)).basis
    assert basis.shape == (group.order, group.order)
    assert set(np.unique(basis)) <= {-1.0, 0.0, 1.0}
    gram = basis @ basis.T
    assert np.array_equal(gram, np.diag(np.diag(gram)))
    assert np.diag(gram).min() > 0


@pytest.mark.parametrize(
    ("group", "products"),
    [(cyclic(1), 1), (cyclic(2), 2), (dihedral(1), 2), (cyclic(4), 6), (dihedral(2), 4), (dihedral(4), 12)],
    ids=str,
)
def test_number_of_products(group: PlanarGroup, products: int) -> None:
    """C4 has 6 of 16, D4 12 of 64."""
    plan = orbit_plan(group, (1, 1))
    assert sum(b.rows * b.inner * b.outer for b in plan.blocks) == products
    assert sum(b.rows * b.inner for b in plan.blocks) == sum(b.rows * b.outer for b in plan.blocks) == group.order
    assert sum(b.outer * b.inner for b in plan.blocks) == len(plan.mix)


@pytest.mark.parametrize(("group", "kernel_size"), KERNELS, ids=str)
def test_taps_turn_with_the_slot(group: PlanarGroup, kernel_size: tuple[int, int]) -> None:
    """Slot h reads tap p at h p: where the reference action moves an image that is 1 at p."""
    plan = orbit_plan(group, kernel_size)
    count = kernel_size[0] * kernel_size[1]
    images = torch.eye(count).view(count, 1, *kernel_size)
    for h in range(group.order):
        moved = act(images, h, group).flatten(1).argmax(1)
        assert plan.taps[:, h].tolist() == moved.tolist()


@pytest.mark.parametrize(("group", "kernel_size"), KERNELS, ids=str)
def test_weights_and_adjoint(group: PlanarGroup, kernel_size: tuple[int, int]) -> None:
    """The oriented kernel reads psi[t, t p]; that of the adjoint convolution psi[t^-1, t^-1 (-t p)] = psi[t^-1, -p]."""
    plan, count = orbit_plan(group, kernel_size), kernel_size[0] * kernel_size[1]
    for t in range(group.order):
        assert plan.weights[:, t].tolist() == [t * count + plan.taps[p, t] for p in range(count)]
        assert plan.adjoint[:, t].tolist() == [group.inverse(t) * count + count - 1 - p for p in range(count)]
    for table in (plan.weights, plan.adjoint):
        assert sorted(table.ravel()) == list(range(group.order * count))  # every parameter once


def test_plans_are_built_once() -> None:
    assert orbit_plan(dihedral(4), (3, 3)) is orbit_plan(dihedral(4), (3, 3))


def test_groups_off_the_grid_have_no_plan() -> None:
    with pytest.raises(GroupMismatchError, match="C8 is not a group of the pixel grid: choose C1, C2, C4, D1"):
        orbit_plan(cyclic(8), (1, 1))
    with pytest.raises(GroupMismatchError, match=r"kernel_size=\(3, 2\)"):
        orbit_plan(cyclic(4), (3, 2))


@pytest.mark.parametrize(
    ("size", "kernel", "window"),
    [
        ((9, 7), (3, 3), Window((1, 1), (0, 0), (1, 1))),
        ((9, 7), (3, 2), Window((2, 1), (1, 3), (2, 1))),
        ((5, 12), (1, 4), Window((3, 2), (0, 5), (1, 3))),
    ],
)
def test_size_of_the_output_is_that_of_conv2d(size: tuple[int, int], kernel: tuple[int, int], window: Window) -> None:
    y = torch.nn.functional.conv2d(torch.zeros(1, 1, *size), torch.zeros(1, 1, *kernel), None, *window)
    assert window.out_size(size, kernel) == tuple(y.shape[2:])
