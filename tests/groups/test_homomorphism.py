import pickle
from itertools import product
from math import gcd

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equivision import groups
from equivision.errors import GroupMismatchError
from equivision.groups import FiniteGroup, Homomorphism, PlanarGroup, cyclic, dihedral, homomorphisms, inclusion
from tests.groups._catalogue import GROUPS, PLANAR, SMALL

TINY = [group for group in SMALL if group.order <= 6]


@pytest.mark.parametrize("n", range(1, 13))
def test_number_between_cyclic_groups_is_the_gcd(n: int) -> None:
    assert [len(homomorphisms(cyclic(n), cyclic(m))) for m in range(1, 13)] == [gcd(n, m) for m in range(1, 13)]


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_number_from_a_cyclic_group_counts_elements(group: FiniteGroup) -> None:
    dividing_six = sum(6 % group.element_order(g) == 0 for g in range(group.order))
    assert len(homomorphisms(cyclic(6), group)) == dividing_six


@pytest.mark.parametrize("source", [group for group in TINY if group.order <= 4], ids=str)
def test_enumeration_against_brute_force(source: FiniteGroup) -> None:
    for target in TINY:
        maps = np.array(list(product(range(target.order), repeat=source.order)))
        keeps = maps[:, source.table] == target.table[maps[:, :, None], maps[:, None, :]]
        expected = maps[keeps.all((1, 2))]
        assert [f.images for f in homomorphisms(source, target)] == list(map(tuple, expected.tolist()))


@pytest.mark.parametrize("group", SMALL, ids=str)
def test_kernel_and_image(group: FiniteGroup) -> None:
    for target in (cyclic(4), dihedral(3), dihedral(4)):
        for f in homomorphisms(group, target):
            kernel, image = f.kernel(), f.image()
            assert kernel.group == group
            assert image.group == target
            assert kernel.is_normal
            assert kernel.order * image.order == group.order
            assert f.is_injective == (kernel.order == 1)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 6, 12])
def test_automorphisms_of_cyclic_groups_are_the_units(n: int) -> None:
    units = sum(gcd(k, n) == 1 for k in range(n))
    assert sum(f.is_injective for f in homomorphisms(cyclic(n), cyclic(n))) == units


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.data())
def test_composition(data: st.DataObject) -> None:
    a, b, c = (data.draw(st.sampled_from(SMALL)) for _ in range(3))
    first = data.draw(st.sampled_from(homomorphisms(a, b)))
    then = data.draw(st.sampled_from(homomorphisms(b, c)))
    composed = then.after(first)
    assert (composed.source, composed.target) == (a, c)
    assert [composed(g) for g in range(a.order)] == [then(first(g)) for g in range(a.order)]
    assert set(first.kernel().elements) <= set(composed.kernel().elements)


@pytest.mark.parametrize("large", PLANAR, ids=str)
def test_inclusion_keeps_the_action_on_the_plane(large: PlanarGroup) -> None:
    contained = [
        small
        for small in PLANAR
        if large.rotations % small.rotations == 0 and (large.reflections or not small.reflections)
    ]
    assert large in contained
    for small in contained:
        include = inclusion(small, large)
        assert include.is_injective
        for g in range(small.order):
            np.testing.assert_allclose(large.matrix(include(g)), small.matrix(g), rtol=0, atol=1e-14)


def test_inclusions_compose() -> None:
    through = inclusion(dihedral(4), dihedral(8)).after(inclusion(cyclic(2), dihedral(4)))
    assert through == inclusion(cyclic(2), dihedral(8))


def test_is_a_value() -> None:
    f = inclusion(cyclic(2), dihedral(4))
    assert eval(repr(f), vars(groups).copy()) == f
    assert pickle.loads(pickle.dumps(f)) == f
    assert hash(Homomorphism(cyclic(2), dihedral(4), (0, 2))) == hash(f)


@pytest.mark.parametrize("pair", [(cyclic(3), cyclic(4)), (dihedral(2), dihedral(3))], ids=str)
def test_inclusion_needs_the_rotations(pair: tuple[PlanarGroup, PlanarGroup]) -> None:
    small, large = pair
    with pytest.raises(GroupMismatchError, match=rf"subgroup={small.name} is not contained in {large.name}: its rot"):
        inclusion(small, large)


def test_inclusion_needs_reflections() -> None:
    with pytest.raises(GroupMismatchError, match=r"subgroup=D2 is not contained in C4: .* which has no reflections"):
        inclusion(dihedral(2), cyclic(4))


def test_wrong_number_of_images() -> None:
    with pytest.raises(GroupMismatchError, match="images has 3 entries; C4 has 4 elements"):
        Homomorphism(cyclic(4), cyclic(2), (0, 1, 0))


def test_image_outside_the_target() -> None:
    with pytest.raises(GroupMismatchError, match="element g=2 is not in C2"):
        Homomorphism(cyclic(4), cyclic(2), (0, 2, 0, 2))


def test_map_that_breaks_a_product() -> None:
    with pytest.raises(
        GroupMismatchError, match=r"is not a homomorphism C4 -> C2: f\(1\)f\(1\) differs from f\(1\*1\)"
    ):
        Homomorphism(cyclic(4), cyclic(2), (0, 1, 1, 1))


def test_composition_needs_matching_groups() -> None:
    with pytest.raises(GroupMismatchError, match="cannot compose: first ends in D4, not in D8"):
        inclusion(dihedral(8), dihedral(16)).after(inclusion(cyclic(2), dihedral(4)))


def test_elements_are_checked() -> None:
    with pytest.raises(GroupMismatchError, match="element g=2 is not in C2"):
        inclusion(cyclic(2), dihedral(4))(2)
