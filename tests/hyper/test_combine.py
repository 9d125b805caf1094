"""The equi-combiner: parameters that turn with the image, and arrangements that do not."""

import itertools

import pytest
import torch
from torch import Tensor

from equivision.errors import ConfigError, ShapeError
from equivision.hyper import average_kernels, column_index, combine_columns, combine_kernels
from tests.oracle import _hyper as oracle

SIZES = [1, 2, 3, 4, 5, 6, 7]


def turned(maps: Tensor, turns: int = 1) -> Tensor:
    return torch.rot90(maps, turns, (-2, -1))


def random_pieces(*shape: int) -> Tensor:
    return torch.randn(4, *shape, dtype=torch.float64)


@pytest.mark.parametrize("taps", SIZES)
def test_kernels_are_those_of_the_slow_sum(taps: int) -> None:
    pieces = random_pieces(3, 2, -(-taps // 2), -(-taps // 2))
    torch.testing.assert_close(combine_kernels(pieces, taps), oracle.kernels(pieces, taps), rtol=0, atol=1e-15)


@pytest.mark.parametrize("taps", SIZES)
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_kernels_turn_with_the_image(taps: int, turns: int) -> None:
    """An image turned k times gives the same pieces, k places earlier."""
    pieces = random_pieces(3, 2, -(-taps // 2), -(-taps // 2))
    found = combine_kernels(pieces.roll(-turns, 0), taps)
    torch.testing.assert_close(found, turned(combine_kernels(pieces, taps), turns), rtol=0, atol=1e-15)


@pytest.mark.parametrize("taps", [3, 4])
def test_of_all_arrangements_one_is_right(taps: int) -> None:
    """Pieces that turn the other way, or not, or are placed the other way round, are exact for neither direction."""
    pieces = random_pieces(2, 2, 2, 2)
    right = []
    for turn, place in itertools.product((-1, 0, 1), (-1, 1)):
        kernels = oracle.kernels(pieces, taps, turn=turn, place=place)
        moved = oracle.kernels(pieces.roll(-1, 0), taps, turn=turn, place=place)
        if (moved - turned(kernels)).abs().max() < 1e-14:
            right.append((turn, place))
    assert right == [(-1, -1)]


@pytest.mark.parametrize("size", SIZES)
def test_columns_follow_the_cycles_of_the_study(size: int) -> None:
    """``W_i = c0, W_l = c1, W_k = c2, W_j = c3``; the mean of all where the centre stays."""
    cycles = oracle.cycles(size)
    pieces = random_pieces(3, 2, len(cycles))
    weights = combine_columns(pieces, column_index(size))
    columns = {frozenset(cycle): [weights[..., place] for place in cycle] for cycle in cycles}
    for cycle in cycles:
        if len(cycle) == 1:
            continue
        found = columns[frozenset(cycle)]
        owners = [
            [i for i in range(4) for q in range(len(cycles)) if torch.equal(column, pieces[i, ..., q])]
            for column in found
        ]
        first = owners[0][0]
        assert [(own[0] - first) % 4 for own in owners] == [0, 3, 2, 1]
    used = torch.bincount(column_index(size), minlength=4 * len(cycles))
    assert int(used.max()) == 1  # no column twice


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_linear_layer_does_not_see_that_image_and_map_have_turned(size: int, turns: int) -> None:
    index = column_index(size)
    pieces = random_pieces(5, 2, -(-size * size // 4))
    maps = torch.randn(2, size, size, dtype=torch.float64)
    before = torch.einsum("mcp,cp->m", combine_columns(pieces, index), maps.flatten(1))
    after = torch.einsum("mcp,cp->m", combine_columns(pieces.roll(-turns, 0), index), turned(maps, turns).flatten(1))
    torch.testing.assert_close(after, before, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("size", [2, 3, 4])
def test_columns_in_the_order_of_the_cycle_are_wrong(size: int) -> None:
    index = column_index(size)
    pieces = random_pieces(5, 1, -(-size * size // 4))
    maps = torch.randn(1, size, size, dtype=torch.float64)
    outputs = []
    for pieces_now, maps_now in ((pieces, maps), (pieces.roll(-1, 0), turned(maps))):
        forwards = pieces_now[[0, 3, 2, 1]]
        outputs.append(torch.einsum("mcp,cp->m", combine_columns(forwards, index), maps_now.flatten(1)))
    assert (outputs[0] - outputs[1]).abs().max() > 0.1


@pytest.mark.parametrize("taps", SIZES)
def test_naive_kernels_turn_with_the_image(taps: int) -> None:
    pieces = random_pieces(3, 2, taps, taps)
    torch.testing.assert_close(average_kernels(pieces.roll(-1, 0)), turned(average_kernels(pieces)), rtol=0, atol=1e-15)


def test_pieces_that_do_not_see_turns_give_kernels_equal_to_their_rotations() -> None:
    pieces = random_pieces(3, 2, 2, 2)[:1].expand(4, -1, -1, -1, -1)
    for taps in (3, 4):
        kernels = combine_kernels(pieces, taps)
        torch.testing.assert_close(turned(kernels), kernels, rtol=0, atol=1e-15)
        assert kernels.std() > 0.1


@pytest.mark.usefixtures("unchecked_annotations")
def test_pieces_that_fit_no_kernel_are_refused() -> None:
    for pieces, taps in ((random_pieces(2, 2), 5), (random_pieces(2, 3), 4), (random_pieces(2, 2)[:3], 4)):
        with pytest.raises(ShapeError, match=rf"pieces has shape .*taps={taps} needs \[4, ..., "):
            combine_kernels(pieces, taps)
    with pytest.raises(ConfigError, match="taps=0"):
        combine_kernels(random_pieces(2, 2), 0)
    with pytest.raises(ConfigError, match="size=-1"):
        column_index(-1)
    with pytest.raises(ShapeError, match="a map of 16 positions needs"):
        combine_columns(random_pieces(2, 3), column_index(4))
    with pytest.raises(ShapeError, match="mean of turned kernels needs"):
        average_kernels(random_pieces(2, 3))
