"""Representations as text: what is written is what is read."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from equivision.errors import GroupMismatchError
from equivision.groups import FiniteGroup, PlanarGroup, cyclic, dihedral, direct_product, homomorphisms
from equivision.reps import (
    Representation,
    induced,
    irrep,
    irreps,
    multiplicities,
    parse,
    quotient,
    regular,
    restricted,
    sign,
    trivial,
)
from tests.groups._catalogue import GROUPS

C2, C4, D4 = cyclic(2), cyclic(4), dihedral(4)


def atoms(group: FiniteGroup) -> list[Representation]:
    found: list[Representation] = [*irreps(group), regular(group), *map(quotient, group.subgroups()[:6])]
    if isinstance(group, PlanarGroup):
        bigger = PlanarGroup(2 * group.rotations, group.reflections)
        smaller = PlanarGroup(1, group.reflections)
        found += [restricted(irreps(bigger)[-1], group), induced(regular(smaller) + trivial(smaller), group)]
        found += [induced(trivial(C2), f) for f in homomorphisms(C2, group) if f.is_injective]
    return found


#: A number for an atom, a pair for a sum, a list of two for a product, a dictionary for copies; built in the test, for
#: checks of annotations draw random numbers, which strategies must not do.
TREES = st.recursive(
    st.integers(0, 30),
    lambda inner: st.one_of(
        st.tuples(inner, inner),
        st.lists(inner, min_size=2, max_size=2),
        st.dictionaries(st.integers(1, 3), inner, min_size=1, max_size=1),
    ),
    max_leaves=6,
)


def built(tree: Any, some: list[Representation]) -> Representation:
    if isinstance(tree, int):
        return some[tree % len(some)]
    if isinstance(tree, tuple):
        return built(tree[0], some) + built(tree[1], some)
    if isinstance(tree, list):
        return built(tree[0], some) * built(tree[1], some)
    ((count, inner),) = tree.items()
    return count * built(inner, some)


@given(st.sampled_from(GROUPS), TREES)
def test_the_name_is_read_back(group: FiniteGroup, tree: Any) -> None:
    rho = built(tree, atoms(group))
    assert parse(rho.name, group) == rho


@pytest.mark.parametrize(
    ("text", "group", "expected"),
    [
        ("regular", "C4", regular(C4)),
        ("  trivial ", C4, trivial(C4)),
        ("sign + A1", D4, sign(D4) + trivial(D4)),
        ("8 regular+4 A1", "D4", 8 * regular(D4) + 4 * trivial(D4)),
        ("E1 * E1 + B1", D4, irrep(D4, 4) * irrep(D4, 4) + irrep(D4, 2)),
        ("E1 * (E1 + B1)", D4, irrep(D4, 4) * (irrep(D4, 4) + irrep(D4, 2))),
        ("2 (A + B)", C4, 2 * (trivial(C4) + irrep(C4, 1))),
        ("D4/{e, m}", D4, quotient(D4.subgroup([4]))),
        ("Ind(C2: B)", C4, induced(irrep(C2, 1), C4)),
        ("Res(D4: E1)", C4, restricted(irrep(D4, 4), C4)),
        ("E1xE1*", direct_product(cyclic(3), cyclic(3)), irreps(direct_product(cyclic(3), cyclic(3)))[-1]),
    ],
)
def test_what_texts_mean(text: str, group: FiniteGroup | str, expected: Representation) -> None:
    assert parse(text, group) == expected
    assert parse(expected, group) is expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "regular +",
        "C3",
        "E2",
        "2",
        "0 A1",
        "A1 A1",
        "(A1",
        "A1)",
        "* A1",
        "D4/{e, q}",
        "D4/{r}",
        "D8/{e}",
        "Ind(C2: C)",
    ],
)
def test_what_is_not_understood(text: str) -> None:
    with pytest.raises(GroupMismatchError, match=r"representation .* is not understood .*: write sums such as"):
        parse(text, D4)


def test_other_mistakes() -> None:
    with pytest.raises(GroupMismatchError, match="is a representation of C4, not of D4"):
        parse(regular(C4), D4)
    with pytest.raises(GroupMismatchError, match="subgroup=C3 is not contained in D4"):
        parse("Ind(C3: A)", D4)
    with pytest.raises(GroupMismatchError, match=r"sums such as '4 trivial \+ 2 E1', of the irreps of SO2"):
        parse("2 regular", "SO2")  # which has none
    assert multiplicities(parse("2 regular", "C1")) == (2,)
    assert parse("A + E1", "so2") == parse("A + E1", "SO2")
