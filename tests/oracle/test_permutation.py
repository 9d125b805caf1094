"""Layers on sets against sums over all pairs of members, with one weight for each orbit of pairs."""

from itertools import product

import numpy as np
import pytest
import torch

from equivision.groups import PermutationGroup
from equivision.permutation import PermutationConv2d, PermutationLayer, PermutationLinear
from equivision.testing import randomize_
from tests.groups.test_permutation import KNOWN
from tests.oracle._slow import value

Array = np.ndarray


def blocks(group: PermutationGroup, r: int) -> set[tuple[int, int]]:
    """The pairs in relation r: an orbit of pairs, or the coarser blocks that it completes."""
    orbit = {(i, j) for i, j in product(range(group.degree), repeat=2) if group.pair_orbits[i, j] == r}
    members = {i for i, _ in orbit}
    if members != {j for _, j in orbit}:
        return orbit
    near = orbit | {(j, i) for i, j in orbit} | {(i, i) for i in members}
    while len(further := {(i, k) for i, j in near for j2, k in near if j == j2}) > len(near):
        near = further
    numbers = {group.pair_orbits[i, j] for i, j in near}
    others = [q for q in numbers - {r} if within(group, q) == near]
    return orbit if others else near


def within(group: PermutationGroup, r: int) -> set[tuple[int, int]]:
    """The smallest equivalence that holds an orbit of pairs."""
    near = {(i, j) for i, j in product(range(group.degree), repeat=2) if group.pair_orbits[i, j] == r}
    near |= {(j, i) for i, j in near} | {(i, i) for i, _ in near}
    while len(further := {(i, k) for i, j in near for j2, k in near if j == j2}) > len(near):
        near = further
    return near


def weight_of_pair(group: PermutationGroup, weight: Array) -> dict[tuple[int, int], Array]:
    """What member j adds to member i, for every pair."""
    matrices = {pair: np.zeros_like(weight[:, :, 0]) for pair in product(range(group.degree), repeat=2)}
    for r in range(group.pair_orbits.max() + 1):
        related = blocks(group, r)
        for i, j in related:
            matrices[i, j] = matrices[i, j] + weight[:, :, r] / sum(i2 == i for i2, _ in related)
    return matrices


def bias_of(group: PermutationGroup, bias: Array, i: int) -> Array:
    return bias[:, next(k for k, orbit in enumerate(group.orbits) if i in orbit)]


@pytest.mark.parametrize("name", KNOWN)
def test_linear(name: str) -> None:
    group = KNOWN[name][0]
    layer = randomize_(PermutationLinear(2, 3, group=group).double())
    x = torch.randn(2, group.degree, 2, dtype=torch.float64)
    matrices = weight_of_pair(group, layer.weight.detach().numpy())
    assert layer.bias is not None
    for b, i in product(range(2), range(group.degree)):
        slow = bias_of(group, layer.bias.detach().numpy(), i)
        slow = slow + sum(matrices[i, j] @ x[b, j].numpy() for j in range(group.degree))
        np.testing.assert_allclose(layer(x)[b, i].detach().numpy(), slow, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["S2", "S5", "C6", "S2xS3", "S3wrS2", "scattered"])
def test_conv(name: str) -> None:
    group = KNOWN[name][0]
    layer = PermutationConv2d(2, 2, (3, 2), group=group, stride=2, padding=(1, 2), dilation=(1, 2)).double()
    randomize_(layer)
    x = torch.randn(1, group.degree, 2, 5, 4, dtype=torch.float64)
    fast, kernels = layer(x)[0].detach().numpy(), weight_of_pair(group, layer.weight.detach().numpy())
    assert layer.bias is not None
    slow = np.zeros(fast.shape)
    for i, o, row, column in product(*map(range, fast.shape)):
        slow[i, o, row, column] = bias_of(group, layer.bias.detach().numpy(), i)[o]
        for j, c, a, b in product(range(group.degree), range(2), range(3), range(2)):
            place = (2 * row - 1 + a, 2 * column - 2 + 2 * b)
            slow[i, o, row, column] += kernels[i, j][o, c, a, b] * value(x[0, j, c].numpy(), *place)
    np.testing.assert_allclose(fast, slow, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["S5", "C6", "S1xS4", "S3wrS2", "scattered"])
def test_any_layer(name: str) -> None:
    """With linear layers inside, it is the linear layer."""
    group = KNOWN[name][0]
    linear = randomize_(PermutationLinear(2, 3, group=group, bias=False).double())
    layer = PermutationLayer(lambda: torch.nn.Linear(2, 3, bias=False), group=group).double()
    for r, one in enumerate(layer.layers):
        one.weight.data.copy_(linear.weight[..., r])
    x = torch.randn(2, group.degree, 2, dtype=torch.float64)
    torch.testing.assert_close(layer(x), linear(x), rtol=0, atol=1e-12)
