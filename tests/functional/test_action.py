"""The reference action and rotation by any angle."""

import pytest
import torch

from equivision import functional
from equivision.groups import PlanarGroup, cyclic, dihedral
from equivision.kernels import channels_last, is_channels_last
from equivision.reps import irreps, quotient, trivial
from equivision.testing import random_input, relative_error

GROUPS = [cyclic(1), cyclic(2), cyclic(4), dihedral(1), dihedral(2), dihedral(4)]


@pytest.mark.parametrize("group", GROUPS, ids=str)
@pytest.mark.parametrize("on_group", [True, False])
def test_is_an_action(group: PlanarGroup, on_group: bool) -> None:
    x = random_input(2, (3, 4), group if on_group else None)
    assert torch.equal(functional.act(x, group.identity, group), x)
    for g in range(group.order):
        for h in range(group.order):
            twice = functional.act(functional.act(x, h, group), g, group)
            assert torch.equal(twice, functional.act(x, group.product(g, h), group))


def test_direction() -> None:
    """Flip: rows reversed. Rotation: counter-clockwise, so what was on the right comes to the top."""
    x = torch.tensor([[[[1, 2], [3, 4]]]])
    D4 = dihedral(4)
    assert functional.act(x, D4.element(0, 1), D4).tolist() == [[[[2, 4], [1, 3]]]]
    assert functional.act(x, D4.element(1, 0), D4).tolist() == [[[[3, 4], [1, 2]]]]
    assert functional.act(x, D4.element(1, 1), D4).tolist() == [[[[4, 2], [3, 1]]]]  # flip first, then turn


def test_invariants_do_not_move() -> None:
    x = random_input(3, (1, 1)).flatten(1)
    assert functional.act(x, 3, cyclic(4)) is x


@pytest.mark.parametrize("group", [cyclic(3), cyclic(8), dihedral(5)], ids=str)
def test_values_on_any_group(group: PlanarGroup) -> None:
    x = torch.randn(2, 3, group.order)
    for g in range(group.order):
        moved = functional.act(x, g, group)
        for h in range(group.order):
            assert torch.equal(moved[:, :, h], x[:, :, group.product(group.inverse(g), h)])


def test_other_representations() -> None:
    D4 = dihedral(4)
    subgroup = D4.subgroup([4])
    for rep in (
        trivial(D4),
        quotient(subgroup),
        irreps(D4)[-1],
    ):
        x = torch.randn(2, 3, rep.size, 3, 3, dtype=torch.float64)
        for g in range(D4.order):
            plane = functional.act(x.flatten(1, 2), g, D4).unflatten(1, (3, rep.size))
            expected = torch.einsum("ij,bcjhw->bcihw", torch.tensor(rep.matrix(g)), plane)
            torch.testing.assert_close(functional.act(x, g, D4, rep), expected, rtol=0, atol=1e-14)


class TestRotate:
    @pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
    @pytest.mark.parametrize("size", [6, 7])
    def test_quarter_turns_are_rot90(self, mode: str, size: int) -> None:
        x = random_input(2, (size, size))
        for k in (-1, 0, 1, 2, 3, 4):
            turned = functional.rotate(x, 90.0 * k, mode=mode)
            torch.testing.assert_close(turned, torch.rot90(x, k, (-2, -1)), rtol=0, atol=1e-12)

    def test_one_angle_for_each_image(self) -> None:
        x = random_input(1, (9, 9), batch=3)
        together = functional.rotate(x, torch.tensor([10.0, 20.0, 30.0]))
        for i, angle in enumerate((10.0, 20.0, 30.0)):
            assert torch.equal(together[i : i + 1], functional.rotate(x[i : i + 1], angle))

    def test_there_and_back(self) -> None:
        axis = torch.linspace(-3, 3, 65, dtype=torch.float64)
        bump = torch.exp(-((axis[:, None] - 0.7) ** 2) - axis[None, :] ** 2)[None, None]
        turned = functional.rotate(bump, 30.0, mode="bicubic")
        assert relative_error(turned, bump) > 0.1
        assert relative_error(functional.rotate(turned, -30.0, mode="bicubic"), bump) < 1e-2

    def test_counter_clockwise_off_the_grid_and_no_stretch_on_oblong_images(self) -> None:
        x = torch.zeros(1, 1, 21, 41, dtype=torch.float64)
        x[..., 10, 26] = 1  # 6 pixels to the right of the centre
        turned = functional.rotate(x, 30.0)[0, 0]
        rows, columns = torch.meshgrid(torch.arange(21.0).double(), torch.arange(41.0).double(), indexing="ij")
        assert float((turned * rows).sum() / turned.sum()) == pytest.approx(10 - 3, abs=0.2)
        assert float((turned * columns).sum() / turned.sum()) == pytest.approx(20 + 6 * 3**0.5 / 2, abs=0.2)


@pytest.mark.parametrize("group", [cyclic(4), dihedral(4)], ids=str)
def test_keeps_the_memory_format(group: PlanarGroup) -> None:
    image, field = random_input(3, (4, 5)), random_input(2, (4, 5), group)
    last = image.contiguous(memory_format=torch.channels_last)
    field_last = channels_last(field)
    for g in range(group.order):
        assert functional.act(image, g, group).is_contiguous()
        assert functional.act(field, g, group).is_contiguous()
        moved = functional.act(last, g, group)
        assert moved.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(moved, functional.act(image, g, group))
        moved = functional.act(field_last, g, group)
        assert is_channels_last(moved)
        assert torch.equal(moved, functional.act(field, g, group))
        every_other = functional.act(image[..., ::2], g, group)
        assert torch.equal(every_other, functional.act(image[..., ::2].clone(), g, group))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
def test_half_precision_turns_as_far_as_float32(mode: str, dtype: torch.dtype) -> None:
    """The positions of 255 pixels have more digits than half precision."""
    x = torch.rand(1, 1, 255, 255, generator=torch.Generator().manual_seed(0)).to(dtype)
    turned, expected = functional.rotate(x, 30.0, mode=mode), functional.rotate(x.float(), 30.0, mode=mode)
    assert turned.dtype == dtype
    assert relative_error(turned.float(), expected) < torch.finfo(dtype).eps
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(functional.rotate(x.float(), 30.0, mode=mode), expected)


def test_groups_by_name() -> None:
    x = random_input(3, (4, 4))
    assert torch.equal(functional.act(x, 1, "C4"), functional.act(x, 1, cyclic(4)))
    errors = functional.equivariance_error(torch.relu, x, group="D4")
    assert {g: float(error) for g, error in errors.items()} == dict.fromkeys(range(1, 8), 0.0)


@pytest.mark.parametrize("degrees", [30.0, torch.zeros(0)])
def test_no_images_turn_into_no_images(degrees: float | torch.Tensor) -> None:
    assert functional.rotate(torch.rand(0, 3, 7, 8), degrees).shape == (0, 3, 7, 8)
