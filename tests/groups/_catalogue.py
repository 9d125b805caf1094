"""The groups that the tests of groups and representations run through: order 1 to 32."""

from equivision.groups import FiniteGroup, PlanarGroup, cyclic, dihedral, direct_product

PLANAR: list[PlanarGroup] = [cyclic(n) for n in range(1, 33)] + [dihedral(n) for n in range(1, 17)]


def _power(group: FiniteGroup, exponent: int) -> FiniteGroup:
    result = group
    for _ in range(exponent - 1):
        result = direct_product(result, group)
    return result


PRODUCTS: list[FiniteGroup] = [
    direct_product(cyclic(1), cyclic(1)),
    direct_product(cyclic(1), dihedral(3)),
    direct_product(cyclic(2), cyclic(2)),
    direct_product(cyclic(2), cyclic(3)),
    direct_product(cyclic(4), cyclic(2)),
    direct_product(cyclic(3), cyclic(3)),
    direct_product(cyclic(4), cyclic(4)),
    direct_product(cyclic(3), cyclic(6)),
    direct_product(cyclic(5), cyclic(5)),
    direct_product(cyclic(6), cyclic(5)),
    direct_product(cyclic(4), cyclic(8)),
    direct_product(dihedral(1), dihedral(1)),
    direct_product(dihedral(2), dihedral(2)),
    direct_product(dihedral(3), cyclic(2)),
    direct_product(dihedral(3), cyclic(3)),
    direct_product(cyclic(5), dihedral(3)),
    direct_product(cyclic(3), dihedral(4)),
    direct_product(dihedral(4), dihedral(2)),
    direct_product(dihedral(4), cyclic(4)),
    direct_product(cyclic(2), dihedral(8)),
    direct_product(cyclic(2), direct_product(cyclic(3), cyclic(4))),
    direct_product(_power(cyclic(4), 2), cyclic(2)),
    _power(cyclic(2), 3),
    _power(cyclic(2), 5),
    _power(cyclic(3), 3),
]

#: Every product of two of them that has at most 32 elements: for what is cheap to test.
PAIRS: list[FiniteGroup] = [
    direct_product(left, right) for left in PLANAR for right in PLANAR if left.order * right.order <= 32
]

GROUPS: list[FiniteGroup] = [*PLANAR, *PRODUCTS]
SMALL: list[FiniteGroup] = [group for group in GROUPS if group.order <= 12]
