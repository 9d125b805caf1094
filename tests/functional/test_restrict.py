"""Restriction to a subgroup: equivariant, nothing lost, slots in the order that is promised."""

import pytest
import torch

from equivision import functional
from equivision.groups import PlanarGroup, cyclic, dihedral, inclusion

PAIRS = [
    (dihedral(4), cyclic(4)), (dihedral(4), dihedral(2)), (dihedral(4), dihedral(1)), (dihedral(4), cyclic(1)),
    (cyclic(4), cyclic(2)), (dihedral(6), dihedral(3)), (dihedral(4), dihedral(4)),
]  # fmt: skip


@pytest.mark.parametrize(("group", "subgroup"), PAIRS, ids=str)
def test_values(group: PlanarGroup, subgroup: PlanarGroup) -> None:
    x = torch.randn(2, 3, group.order)
    y = functional.restrict(x, group, subgroup)
    embed = inclusion(subgroup, group)
    copies = group.order // subgroup.order
    firsts = [coset[0] for coset in embed.image().right_cosets()]
    assert y.shape == (2, 3 * copies, subgroup.order)
    for c in range(3):
        for j, first in enumerate(firsts):
            for h in range(subgroup.order):
                assert torch.equal(y[:, c * copies + j, h], x[:, c, group.product(embed(h), first)])
    assert torch.equal(y.flatten(1).sort().values, x.flatten(1).sort().values)
    for h in range(subgroup.order):
        moved = functional.restrict(functional.act(x, embed(h), group), group, subgroup)
        assert torch.equal(moved, functional.act(y, h, subgroup))


def test_in_two_steps() -> None:
    """The same cosets, each perhaps entered at another of its elements."""
    D4, D2, C2 = dihedral(4), dihedral(2), cyclic(2)
    x = torch.randn(1, 1, 8)
    steps = functional.restrict(functional.restrict(x, D4, D2), D2, C2)
    direct = functional.restrict(x, D4, C2)
    assert steps.shape == direct.shape
    assert {frozenset(row) for row in steps[0].tolist()} == {frozenset(row) for row in direct[0].tolist()}
