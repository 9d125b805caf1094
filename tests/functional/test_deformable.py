"""Deformable convolution over a group: where taps go, and what constrained offsets are worth."""

import pytest
import torch
from torch import Tensor, nn

from equivision import functional
from equivision.errors import ConfigError, GroupMismatchError, ShapeError
from equivision.filters import tap_table
from equivision.functional import act
from equivision.groups import PlanarGroup, cyclic, dihedral
from equivision.nn import DeformableGroupConv2d, DeformableLiftConv2d, GroupConv2d, LiftConv2d
from equivision.testing import assert_equivariant, equivariance_error, random_input, randomize_, relative_error

C4, D4 = cyclic(4), dihedral(4)
GROUPS = [cyclic(1), cyclic(2), C4, dihedral(1), dihedral(2), D4]


def random(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


@pytest.mark.parametrize("group", GROUPS, ids=str)
@pytest.mark.parametrize(
    "options", [{"padding": 1}, {"stride": 2, "padding": 1}, {"dilation": 2, "padding_mode": "reflect"}]
)
@torch.no_grad()
def test_at_first_no_tap_moves(group: PlanarGroup, options: dict) -> None:
    for deformable, rigid, x in (
        (DeformableLiftConv2d, LiftConv2d, random_input(2, (7, 9))),
        (DeformableGroupConv2d, GroupConv2d, random_input(2, (7, 9), group)),
    ):
        moving = deformable(2, 4, 3, group=group, groups=2, **options).double()
        still = rigid(2, 4, 3, group=group, groups=2, **options).double()
        state = moving.state_dict()
        assert not any(state.pop(name).abs().max() for name in ("offset_weight", "offset_bias"))
        still.load_state_dict(state)
        assert relative_error(moving(x), still(x)) < 1e-14
        assert relative_error(moving.float()(x.float()), still(x)) < 1e-5


def turned(offset: Tensor, g: int, group: PlanarGroup) -> Tensor:
    """Taps exchanged, vectors turned, positions moved."""
    matrix, taps = torch.from_numpy(group.matrix(g)), tap_table(group, (3, 3))[g].copy()
    vectors = torch.einsum("wv,btvij->btwij", matrix, offset[:, taps])
    return act(vectors.flatten(1, 2), g, group).unflatten(1, (-1, 2))


@pytest.mark.parametrize("slots", [False, True])
@pytest.mark.parametrize("group", GROUPS, ids=str)
@torch.no_grad()
def test_offsets_turn_with_the_picture(group: PlanarGroup, slots: bool) -> None:
    """``D[g j](g p; L_g x) = R_g D[j](p; x)``, one element at a time, without the layer."""
    weight, bias = random(18, 2, 3, 3), random(18)
    for size in ((7, 7), (6, 5)):
        x = random_input(2, size, group if slots else None)
        still = functional.tap_offsets(x, weight, bias, group=group, padding=1)
        assert still.std() > 0.1
        for g in range(group.order):
            moved = functional.tap_offsets(act(x, g, group), weight, bias, group=group, padding=1)
            assert relative_error(moved, turned(still, g, group)) < 1e-12


@pytest.mark.parametrize("slots", [False, True])
@pytest.mark.parametrize("group", GROUPS[1:], ids=str)
@torch.no_grad()
def test_free_offsets_fail_where_constrained_ones_pass(group: PlanarGroup, slots: bool) -> None:
    """The same sampling and the same filters: nothing but the constraint is missing."""
    x = random_input(2, (7, 7), group if slots else None)
    kernels = random(3, 2, *((group.order,) if slots else ()), 3, 3)
    convolve = functional.deformable_group_conv2d if slots else functional.deformable_lift_conv2d
    parts = random(18, 2, 3, 3), random(18)
    free = randomize_(nn.Conv2d(x.flatten(1, -3).shape[1], 18, 3, padding=1).double())

    def constrained(x: Tensor) -> Tensor:
        offset = functional.tap_offsets(x, *parts, group=group, padding=1)
        return convolve(x, offset, kernels, group=group, padding=1)

    def unconstrained(x: Tensor) -> Tensor:
        offset = free(x.flatten(1, -3)).unflatten(1, (-1, 2))
        return convolve(x, offset, kernels, group=group, padding=1)

    assert_equivariant(constrained, x, group=group)
    errors = equivariance_error(unconstrained, x, group=group)
    assert min(float(error) for g, error in errors.items() if g) > 0.3


def test_filters_of_a_map_on_the_plane_are_their_own_moved_copies() -> None:
    """Averaging once more changes nothing, and there is no number for the centre to the centre."""
    weight = random(18, 2, 3, 3)
    filters = functional.offset_filters(weight, D4, slots=False)
    assert relative_error(functional.offset_filters(filters, D4, slots=False), filters) < 1e-15
    assert filters[8:10, :, 1, 1].abs().max() < 1e-15
    assert filters.abs().max() > 0.1


def test_offsets_that_lie_on_the_grid() -> None:
    """Taps that move outwards by their own place are those of a dilated kernel."""
    x, weight = random_input(2, (9, 8)), random(3, 2, 3, 3)
    line = torch.arange(-1.0, 2.0, dtype=torch.float64)
    away = torch.stack(torch.meshgrid(line, -line, indexing="xy"), -1).reshape(1, 9, 2, 1, 1)
    moved = functional.deformable_lift_conv2d(x, away.expand(2, -1, -1, 9, 8), weight, group=D4, padding=1)
    dilated = functional.lift_conv2d(x, weight, group=D4, dilation=2, padding=2)
    assert relative_error(moved, dilated) < 1e-13


def test_a_kernel_follows_what_has_moved() -> None:
    """The offsets of a shift undo it: to the right by 0.5 and up by 0.25 pixels."""
    x, weight = random_input(1, (9, 9)), random(2, 1, 3, 3)
    shift = torch.tensor([0.5, 0.25], dtype=torch.float64).view(1, 1, 2, 1, 1).expand(2, 9, -1, 9, 9)
    moved = functional.deformable_lift_conv2d(x, shift, weight, group=C4, padding=1)
    up = 0.75 * x + 0.25 * x.roll(1, -2)
    shifted = 0.5 * up + 0.5 * up.roll(-1, -1)
    still = functional.lift_conv2d(shifted, weight, group=C4, padding=1)
    inner = (..., slice(2, -2), slice(2, -2))
    assert relative_error(moved[inner], still[inner]) < 1e-13


def test_offsets_are_learned() -> None:
    """Kernels of 3 x 3 taps come to see what is 2 pixels away."""
    x = functional.blur_pool2d(torch.rand(8, 1, 12, 12), 1, sigma=2.0)
    target, losses = x.roll(2, -1), []
    for kind in (LiftConv2d, DeformableLiftConv2d):
        layer = kind(1, 1, 3, group="C1", padding=1)
        optimizer = torch.optim.Adam(layer.parameters(), 0.05)
        for _ in range(60):
            optimizer.zero_grad()
            loss = (layer(x)[:, :, 0] - target)[..., 3:-3, 3:-3].square().mean()
            loss.backward()
            optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[1] < losses[0] / 3


@pytest.mark.usefixtures("unchecked_annotations")
def test_errors() -> None:
    x, weight = torch.zeros(1, 2, 5, 5), torch.zeros(3, 2, 3, 3)
    offset = torch.zeros(1, 9, 2, 3, 3)
    with pytest.raises(ShapeError, match=r"offset has shape \(1, 9, 2, 5, 5\); needs .*, \(1, 9, 2, 3, 3\)"):
        functional.deformable_lift_conv2d(x, torch.zeros(1, 9, 2, 5, 5), weight, group=C4)
    with pytest.raises(ShapeError, match=r"DeformableLiftConv2d: input has shape .* go through DeformableGroupConv2d"):
        functional.deformable_lift_conv2d(torch.zeros(1, 2, 4, 5, 5), offset, weight, group=C4)
    for shape in ((3,), (2, 5, 5)):
        for layer in (DeformableLiftConv2d(2, 3, 3, group="C4"), DeformableGroupConv2d(2, 3, 3, group="C4")):
            with pytest.raises(ShapeError, match=r"tap_offsets: input has shape \(.*\); needs an image, \[batch, chan"):
                layer(torch.zeros(shape))
    with pytest.raises(ShapeError, match=r"weight has shape \(9, 2, 3, 3\).* needs \[2 \* kh \* kw, in_chann"):
        functional.tap_offsets(x, torch.zeros(9, 2, 3, 3), group=C4)
    for convolve, given, kernels in (
        (functional.deformable_lift_conv2d, x, weight),
        (functional.deformable_group_conv2d, torch.zeros(1, 2, 8, 5, 5), torch.zeros(3, 2, 8, 3, 3)),
    ):
        with pytest.raises(GroupMismatchError, match="group=C8 holds rotations by 45 degrees, which do not exch"):
            convolve(given, offset, kernels, group=cyclic(8))
    with pytest.raises(GroupMismatchError, match="group=C8 holds rotations by 45 degrees, which do not map the pixel"):
        DeformableLiftConv2d(2, 3, 3, group="C8")
    with pytest.raises(ConfigError, match=r"kernel_size=1: one tap .* under C4: use kernel_size=2 or more"):
        DeformableLiftConv2d(2, 3, 1, group="C4")
