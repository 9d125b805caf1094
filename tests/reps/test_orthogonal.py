"""SO(2) and O(2), their representations, and frequencies of irreps."""

import pickle

import numpy as np
import pytest

from equivision.errors import ConfigError, GroupMismatchError
from equivision.groups import OrthogonalGroup, cyclic, dihedral, orthogonal, parse_plane, special_orthogonal
from equivision.reps import (
    band_limited,
    blocks,
    decompose,
    invariants,
    irrep,
    irreps,
    line_of,
    multiplicities,
    parse,
    regular,
    restricted,
)

GROUPS = [special_orthogonal(), orthogonal()]
TEXTS = {
    "SO2": ["A", "E3", "2 A + 3 E1 + E4", "E1 * E2", "band3", "2 band1 + E1 * (A + E1)"],
    "O2": ["A1", "A2", "E3", "2 A1 + A2 + 3 E1", "E1 * E1", "band2", "A2 * E2 + band1"],
}
ANGLES = (0.0, 11.0, 90.0, 123.4, 180.0, 270.0)


def elements(group: OrthogonalGroup) -> list[tuple[int, float]]:
    return [(f, a) for f in ((0, 1) if group.reflections else (0,)) for a in ANGLES]


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_a_group(group: OrthogonalGroup) -> None:
    for g in elements(group):
        assert (
            group.product(g, group.inverse(g)) == pytest.approx((0, 0.0)) or group.product(g, group.inverse(g))[1] > 359
        )
        for h in elements(group):
            np.testing.assert_allclose(group.matrix(group.product(g, h)), group.matrix(g) @ group.matrix(h), atol=1e-12)
    assert pickle.loads(pickle.dumps(group)) == group
    assert parse_plane(group.name) == group
    assert eval(repr(group)) == group


def test_elements_agree_with_the_finite_subgroups() -> None:
    for n in (3, 4, 8):
        group = orthogonal().finite(n)
        for g in range(group.order):
            np.testing.assert_allclose(
                orthogonal().matrix((group.split(g)[0], group.degrees(g))), group.matrix(g), atol=1e-12
            )


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_representations_are_homomorphisms_and_read_back(group: OrthogonalGroup) -> None:
    for text in TEXTS[group.name]:
        rho = parse(text, group)
        assert parse(rho.name, group) == rho
        assert pickle.loads(pickle.dumps(rho)) == rho
        for g in elements(group):
            np.testing.assert_allclose(rho.matrix(g) @ rho.matrix(g).T, np.eye(rho.size), atol=1e-12)
            for h in elements(group):
                np.testing.assert_allclose(
                    rho.matrix(group.product(g, h)), rho.matrix(g) @ rho.matrix(h), atol=1e-12, err_msg=text
                )


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_decomposition(group: OrthogonalGroup) -> None:
    for text in TEXTS[group.name]:
        rho = parse(text, group)
        whole, basis = decompose(rho)
        assert parse(whole.name, whole.group) == whole
        for g in elements(group):
            np.testing.assert_allclose(basis @ rho.matrix(g) @ basis.T, whole.matrix(g), atol=1e-10)


def test_band_limited_functions() -> None:
    """The value at h of the moved function is that of the function at g^-1 h; all values are of unit mean square."""
    for group in GROUPS:
        rho = band_limited(group, 3)
        v = np.random.default_rng(0).normal(size=rho.size)
        for g in elements(group):
            for h in elements(group):
                moved = (rho.matrix(g) @ v) @ rho.matrix(h) @ rho.delta
                there = v @ rho.matrix(group.product(group.inverse(g), h)) @ rho.delta
                assert moved == pytest.approx(there, abs=1e-10)
    assert multiplicities(band_limited(dihedral(8), 3)) == (1, 1, 0, 0, 2, 2, 2)
    with pytest.raises(ConfigError, match="frequency=4 is too high for C8"):
        band_limited(cyclic(8), 4)


@pytest.mark.parametrize("finite", [cyclic(3), cyclic(4), dihedral(4), dihedral(5)], ids=str)
def test_restriction_to_a_finite_subgroup(finite: object) -> None:
    rho = restricted(parse("A2 + E1 + E3", "O2"), finite)  # pyright: ignore[reportArgumentType]
    table = rho.group.table  # pyright: ignore[reportAttributeAccessIssue]
    np.testing.assert_allclose(rho.matrices[table], np.einsum("gij,hjk->ghik", rho.matrices, rho.matrices), atol=1e-12)
    assert parse(rho.name, rho.group) == rho


@pytest.mark.parametrize("name", ["C1", "C2", "C5", "C8", "D1", "D2", "D4", "D7", "D8"])
def test_lines_are_what_irreps_do(name: str) -> None:
    group = parse_plane(name)
    for rho in irreps(group):  # pyright: ignore[reportArgumentType]
        line = line_of(rho)
        for g in range(group.order):
            flips, degrees = group.split(g)[0], group.degrees(g)  # pyright: ignore[reportAttributeAccessIssue, reportArgumentType]
            turn = np.exp(1j * line.frequency * np.deg2rad(degrees))
            for z in (1 + 2j, -0.5 + 0.3j) if line.axis is None else (line.axis,):
                moved = turn * (np.conj(z) if flips else z)
                if line.axis is None:
                    np.testing.assert_allclose(rho.matrix(g) @ [z.real, z.imag], [moved.real, moved.imag], atol=1e-12)
                else:
                    assert rho.matrix(g)[0, 0] * z == pytest.approx(moved)


def test_invariants() -> None:
    for text, group, count in (("2 regular + E1", "D4", 2), ("regular * regular", "C4", 4), ("A2 + E1", "O2", 0)):
        rho = parse(text, group)
        still = invariants(rho)
        assert len(still) == count
        np.testing.assert_allclose(still @ still.T, np.eye(count), atol=1e-12)
        g = (1, 33.0) if group == "O2" else 3
        np.testing.assert_allclose(rho.matrix(g) @ still.T, still.T, atol=1e-12)
    for group in (cyclic(2), cyclic(16), dihedral(1), dihedral(8)):  # whose decompositions begin with negative numbers
        np.testing.assert_allclose(invariants(regular(group)), np.full((1, group.order), group.order**-0.5), atol=1e-12)
    rows = np.concatenate([block.rows for block in blocks(regular(dihedral(4)))])
    np.testing.assert_allclose(rows @ rows.T, np.eye(8), atol=1e-12)


def test_errors() -> None:
    with pytest.raises(GroupMismatchError, match="infinitely many"):
        _ = orthogonal().order
    with pytest.raises(GroupMismatchError, match="infinitely many matrices"):
        _ = irrep(orthogonal(), 3).matrices
    with pytest.raises(GroupMismatchError, match=r"g=\(1, 3.0\) is not in SO2"):
        special_orthogonal().matrix((1, 3.0))
    with pytest.raises(GroupMismatchError, match="numbered from 0 on"):
        irrep(orthogonal(), -1)
    with pytest.raises(GroupMismatchError, match="is not a finite subgroup of SO2"):
        restricted(parse("E1", "SO2"), dihedral(4))
    with pytest.raises(GroupMismatchError, match="write sums such as"):
        parse("regular", "SO2")
