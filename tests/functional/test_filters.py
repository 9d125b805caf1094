"""Filter banks: every slice is a moved copy of the learned kernel."""

import pytest
import torch

from equivision import functional
from equivision.groups import PlanarGroup, cyclic, dihedral

GROUPS = [cyclic(1), cyclic(2), cyclic(4), dihedral(1), dihedral(2), dihedral(4)]


@pytest.mark.parametrize("kernel", [2, 3])
@pytest.mark.parametrize("group", GROUPS, ids=str)
class TestBanks:
    def test_lift(self, group: PlanarGroup, kernel: int) -> None:
        psi = torch.randn(2, 3, kernel, kernel)
        bank = functional.lift_filters(psi, group).unflatten(0, (2, group.order))
        for h in range(group.order):
            assert torch.equal(bank[:, h], functional.act(psi, h, group))

    def test_group(self, group: PlanarGroup, kernel: int) -> None:
        psi = torch.randn(2, 3, group.order, kernel, kernel)
        bank = functional.group_filters(psi, group).unflatten(1, (3, group.order)).unflatten(0, (2, group.order))
        for h in range(group.order):
            assert torch.equal(bank[:, h], functional.act(psi, h, group))

    def test_project_reads_the_lifting_bank_sideways(self, group: PlanarGroup, kernel: int) -> None:
        psi = torch.randn(2, 3, kernel, kernel)
        bank = functional.project_filters(psi, group).unflatten(1, (3, group.order))
        for h in range(group.order):
            assert torch.equal(bank[:, :, h], functional.act(psi, h, group))

    def test_transposed(self, group: PlanarGroup, kernel: int) -> None:
        psi = torch.randn(3, 2, group.order, kernel, kernel)
        assert torch.equal(functional.transposed_filters(psi, group), functional.group_filters(psi, group))

    def test_a_table_given_is_the_table_used(self, group: PlanarGroup, kernel: int) -> None:
        plane, field = torch.randn(2, 3, kernel, kernel), torch.randn(2, 3, group.order, kernel, kernel)
        tables = [functional.filter_table(group, (kernel, kernel), slots=slots) for slots in (False, True)]
        assert torch.equal(functional.lift_filters(plane, group, tables[0]), functional.lift_filters(plane, group))
        assert torch.equal(
            functional.project_filters(plane, group, tables[0]), functional.project_filters(plane, group)
        )
        assert torch.equal(functional.group_filters(field, group, tables[1]), functional.group_filters(field, group))


def test_tables_are_copies() -> None:
    table = functional.filter_table(cyclic(4), (3, 3), slots=False)
    table.zero_()
    assert functional.filter_table(cyclic(4), (3, 3), slots=False).abs().sum() > 0
