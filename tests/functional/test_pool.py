"""Pools over the group and its cosets: left cosets always commute with the group, right ones rarely."""

import pytest
import torch

from equivision import functional
from equivision.errors import ConfigError, GroupMismatchError, ShapeError
from equivision.groups import PlanarGroup, Subgroup, cyclic, dihedral, orthogonal
from equivision.reps import irreps, quotient, sign
from equivision.testing import assert_equivariant, equivariance_error, random_input, relative_error

D4 = dihedral(4)


@pytest.mark.parametrize("subgroup", D4.subgroups(), ids=lambda s: str(s.elements))
def test_why_left_cosets(subgroup: Subgroup) -> None:
    x = random_input(2, (3, 3), D4)
    rep = quotient(subgroup)

    def right(z: torch.Tensor) -> torch.Tensor:
        return torch.stack([z[:, :, list(coset)].amax(2) for coset in subgroup.right_cosets()], 2)

    def error(pool) -> float:
        errors = equivariance_error(pool, x, group=D4, act_out=lambda y, g: functional.act(y, g, D4, rep))
        return float(max(errors.values()))

    assert error(lambda z: functional.coset_pool(z, subgroup)) == 0
    assert (error(right) == 0) == subgroup.is_normal


def test_largest_and_smallest_subgroup() -> None:
    x = random_input(2, (3, 3), D4)
    everything, nothing = D4.subgroup(range(8)), D4.subgroup([])
    assert torch.equal(functional.coset_pool(x, everything)[:, :, 0], functional.group_pool(x))
    assert torch.equal(functional.coset_pool(x, nothing), x)


def test_modes() -> None:
    x = random_input(2, (3, 3), cyclic(4))
    assert torch.equal(functional.group_pool(x, "max"), x.max(2).values)
    assert relative_error(functional.group_pool(x, "mean"), x.sum(2) / 4) < 1e-15
    assert relative_error(functional.group_pool(x, "norm"), x.square().sum(2).sqrt()) < 1e-15


@pytest.mark.parametrize("mode", ["max", "mean", "norm"])
def test_gradients_are_finite_where_the_input_is_zero(mode) -> None:
    x = torch.zeros(2, 3, 4, 2, 2, requires_grad=True)
    functional.group_pool(x, mode).sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize(
    ("ours", "torchs"),
    [
        (functional.max_pool2d, torch.nn.functional.max_pool3d),
        (functional.avg_pool2d, torch.nn.functional.avg_pool3d),
    ],
)
def test_spatial_pools_are_those_of_torch(ours, torchs) -> None:
    x = random_input(2, (7, 7), cyclic(4))
    expected = torchs(x, (1, 3, 3), (1, 2, 2), (0, 1, 1))
    torch.testing.assert_close(ours(x, 3, group=cyclic(4), stride=2, padding=1), expected, rtol=0, atol=1e-15)
    torch.testing.assert_close(
        ours(x[:, 0], 3, group=cyclic(4), stride=2, padding=1), expected[:, 0], rtol=0, atol=1e-15
    )


def test_the_stride_is_the_window_unless_given() -> None:
    assert functional.max_pool2d(random_input(1, (9, 9)), 3, group=cyclic(4)).shape == (2, 1, 3, 3)


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_centred_pools_are_exact_at_every_size(stride: int) -> None:
    def pool(x: torch.Tensor) -> torch.Tensor:
        return functional.centered_max_pool2d(x, stride)

    for size in [(n, n) for n in range(2, 18)] + [(4, 7), (9, 6)]:
        for x in (random_input(1, size), random_input(1, size, dihedral(4))):
            pooled = pool(x)
            assert pooled.shape == (*x.shape[:-2], *(-(-n // stride) for n in size))
            assert_equivariant(pool, x, group=dihedral(4))
            assert float(pooled.max()) == float(x.max())  # every pixel lies in a window


def test_a_centred_pool_of_even_size_is_the_usual_one() -> None:
    x = random_input(2, (6, 9))
    usual = torch.nn.functional.max_pool2d(x, (2, 3), 2, (0, 1))
    assert torch.equal(functional.centered_max_pool2d(x), usual)


@pytest.mark.parametrize("stride", [0, True, 1.5])
@pytest.mark.usefixtures("unchecked_annotations")
def test_strides_of_centred_pools(stride) -> None:
    with pytest.raises(ConfigError, match=f"stride={stride!r}: give a whole number"):
        functional.centered_max_pool2d(random_input(1, (4, 4)), stride)


@pytest.mark.parametrize("group", [cyclic(2), cyclic(4), cyclic(6), dihedral(1), dihedral(2), dihedral(4)], ids=str)
def test_characters_split_the_mean_of_squares(group: PlanarGroup) -> None:
    """Projections onto different representations are orthogonal, and each is a projection."""
    x = random_input(2, (3, 3), group)
    lines = [rep for rep in irreps(group) if rep.size == 1]
    parts = []
    for rep in lines:
        pooled = functional.character_pool(x, rep)
        spread = pooled.unsqueeze(2) * torch.from_numpy(rep.character)[:, None, None]
        assert relative_error(functional.character_pool(spread, rep), pooled) < 1e-15
        assert all(functional.character_pool(spread, other).abs().max() < 1e-15 for other in lines if other != rep)
        parts.append(spread)
    rest = x - torch.stack(parts).sum(0)
    assert all(functional.character_pool(rest, rep).abs().max() < 1e-15 for rep in lines)
    assert relative_error(functional.character_pool(x, lines[0]), functional.group_pool(x, "mean")) < 1e-15


def test_the_sign_is_half_the_difference_of_two_cosets() -> None:
    x = random_input(2, (3, 3), D4)
    right, left = functional.coset_pool(x, D4.subgroup([1]), "mean").unbind(2)
    assert relative_error(functional.character_pool(x, sign(D4)), (right - left) / 2) < 1e-15


def test_a_picture_that_is_its_own_mirror_image_has_no_hand() -> None:
    x, weight = random_input(1, (7, 7)), random_input(1, (3, 3), batch=2)
    symmetric = x + x.flip(-1)
    for picture, empty in ((x, False), (symmetric, True)):
        features = torch.relu(functional.lift_conv2d(picture, weight, group=D4))
        hand = functional.character_pool(features, sign(D4)).mean((2, 3))
        assert (hand.abs().max() < 1e-15) == empty


@pytest.mark.usefixtures("unchecked_annotations")
def test_errors_of_characters() -> None:
    x = random_input(2, (3, 3), D4)
    with pytest.raises(ConfigError, match=r"rep='E1' has size 2: a pool gives one number, so it needs .* 'sign'"):
        functional.character_pool(x, irreps(D4)[4])
    with pytest.raises(GroupMismatchError, match=r"rep=.*: features have one slot for each element, but O2"):
        functional.character_pool(x, sign(orthogonal()))
    with pytest.raises(ShapeError, match=r"CharacterPool: input has dtype torch\.int64; needs a floating-point dtype"):
        functional.character_pool(x.long(), sign(D4))
    with pytest.raises(ShapeError, match=r"CharacterPool: input has shape .* needs a group axis of 4 \(D2\)"):
        functional.character_pool(x, sign(dihedral(2)))
