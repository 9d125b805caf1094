"""SO(3) and O(3): Wigner matrices, spherical harmonics, and the representations that they make."""

import sys

import numpy as np
import pytest
import torch
from torch import Tensor

import equivision as ev
from equivision.errors import ConfigError, GroupMismatchError, MissingExtraError, ShapeError
from equivision.groups import full_octahedral, octahedral, orthogonal, point_group, special_orthogonal
from equivision.reps import invariants, parse, regular, restricted
from equivision.volume import spherical_harmonics, spherical_irrep, spherical_rep, wigner_d


def rotations(count: int, seed: int = 0) -> Tensor:
    """Random rotations, and the identity but for a very small angle."""
    drawn = torch.randn(count, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    found = torch.linalg.qr(drawn).Q
    found = found * torch.linalg.det(found)[:, None, None]
    angle = torch.tensor(1e-9, dtype=torch.float64)
    tiny = torch.eye(3, dtype=torch.float64)
    tiny[0, 0] = tiny[1, 1] = angle.cos()
    tiny[0, 1], tiny[1, 0] = -angle.sin(), angle.sin()
    return torch.cat([found, tiny[None]])


@pytest.mark.parametrize("degree", range(13))
def test_wigner_matrices(degree: int) -> None:
    """They multiply as rotations do, are orthogonal, and move the harmonics."""
    first, second = rotations(6), rotations(6, seed=1)
    matrices = wigner_d(degree, first)
    assert (matrices @ wigner_d(degree, second) - wigner_d(degree, first @ second)).abs().max() < 1e-12
    assert (matrices @ matrices.mT - torch.eye(2 * degree + 1)).abs().max() < 1e-12
    if degree < 12:
        points = torch.randn(7, 3, dtype=torch.float64)
        harmonics = spherical_harmonics(degree, points)
        moved = spherical_harmonics(degree, points @ first[0].T)
        assert (moved - harmonics @ matrices[0].T).abs().max() < 1e-12
        torch.testing.assert_close(harmonics.square().sum(1), torch.full((7,), 2.0 * degree + 1, dtype=torch.float64))


@pytest.mark.parametrize("degree", [1, 2, 5])
def test_they_are_those_of_e3nn(degree: int) -> None:
    o3 = pytest.importorskip("e3nn.o3")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # e3nn keeps its generators in this precision
    try:
        found = rotations(5)[:-1]
        expected = o3.wigner_D(degree, *o3.matrix_to_angles(found))
    finally:
        torch.set_default_dtype(before)
    assert (wigner_d(degree, found) - expected).abs().max() < 1e-12


def test_low_degrees_are_what_they_should_be() -> None:
    """Scalars, vectors, and symmetric traceless matrices."""
    turns = rotations(3)
    assert torch.equal(wigner_d(0, turns), torch.ones(4, 1, 1, dtype=torch.float64))
    assert torch.equal(wigner_d(1, turns), turns)
    basis = torch.einsum("ma,mb->mab", *2 * [torch.randn(40, 3, dtype=torch.float64)])
    basis = basis + basis.mT - 2 * torch.eye(3) * basis.diagonal(dim1=1, dim2=2).sum(1)[:, None, None] / 3
    for turn, matrix in zip(turns, wigner_d(2, turns), strict=True):
        moved = (turn @ basis @ turn.T).flatten(1)  # the trace of the map on their span is the character
        on_span = torch.linalg.lstsq(basis.flatten(1), moved, driver="gelsd").solution
        assert float(on_span.trace()) == pytest.approx(float(matrix.trace()), abs=1e-9)
    assert float(spherical_harmonics(3, torch.zeros(3)).abs().max()) == 0.0


def test_gradients_and_precision() -> None:
    assert wigner_d(4, rotations(2).float()).dtype == torch.float32
    turns = rotations(1)[:1].requires_grad_()
    wigner_d(3, turns).sum().backward()
    assert turns.grad is not None
    assert turns.grad.abs().max() > 0


@pytest.mark.parametrize("name", ["2 D0 + D1 + D3", "D0g + 2 D0u + D1u + D2g + D3g"])
def test_representations(name: str) -> None:
    rep = spherical_rep(name)
    assert rep.name == name
    assert spherical_rep(rep) is rep
    assert eval(repr(rep), {"spherical_irrep": spherical_irrep}) == rep
    first, second = (one.numpy() for one in rotations(2)[:2])
    if rep.group.name == "O3":
        first = -first
    product = rep.group.product(first, second)  # pyright: ignore[reportAttributeAccessIssue]
    assert np.abs(rep.matrix(first) @ rep.matrix(second) - rep.matrix(product)).max() < 1e-12
    assert np.abs(rep.matrix(first).T - rep.matrix(rep.group.inverse(first))).max() < 1e-12  # pyright: ignore[reportAttributeAccessIssue]
    still = invariants(rep)
    assert len(still) == (2 if rep.group.name == "SO3" else 1)
    assert np.abs(still @ rep.matrix(first) - still).max() == 0.0


def test_what_the_inversion_does() -> None:
    inversion = -np.eye(3)
    for parity, sign in (("g", 1.0), ("u", -1.0)):
        for degree in (0, 1, 2):
            matrix = spherical_irrep(degree, parity).matrix(inversion)  # pyright: ignore[reportArgumentType]
            assert np.abs(matrix - sign * np.eye(2 * degree + 1)).max() < 1e-15
    assert np.array_equal(spherical_irrep(1, "u").matrix(inversion), inversion)  # a vector


def test_restriction_to_point_groups() -> None:
    """D3 of SO(3) is A2 + T1 + T2 of O: no invariant; D4 has one."""
    group = octahedral()
    for degree, count in ((3, 0), (4, 1)):
        rep = restricted(spherical_irrep(degree), group)
        products = rep.matrices[:, None] @ rep.matrices[None]
        assert np.abs(products - rep.matrices[group.table]).max() < 1e-12
        assert round(float(rep.character.mean())) == count
    assert restricted(spherical_irrep(1, "u"), full_octahedral()).matrices.shape == (48, 3, 3)
    assert (
        np.abs(restricted(spherical_irrep(1), point_group("622")).matrices - point_group("622").matrices).max() < 1e-15
    )


def test_the_groups() -> None:
    assert orthogonal(3).contains(full_octahedral())
    assert not special_orthogonal(3).contains(full_octahedral())
    assert [eval(repr(group), vars(ev.groups)) == group for group in (orthogonal(3), special_orthogonal(3))] == [
        True,
        True,
    ]
    assert special_orthogonal(3) != special_orthogonal(2) == special_orthogonal()


@pytest.mark.usefixtures("unchecked_annotations")
def test_errors() -> None:
    for text, message in (
        ("2 E1", r"rep='2 E1' is not understood: write a sum such as '8 D0"),
        ("0 D1", "is not understood"),
        ("D0 + D1u", r"mixes SO\(3\) and O\(3\): give every term a parity"),
    ):
        with pytest.raises(GroupMismatchError, match=message):
            spherical_rep(text)
    for wrong in (regular(ev.groups.cyclic(4)), 3):
        with pytest.raises(GroupMismatchError, match=r"give a sum of irreps of SO\(3\) or O\(3\)"):
            spherical_rep(wrong)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigError, match="parity='e': give 'g', 'u', or None"):
        spherical_irrep(1, "e")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigError, match="degree=-1: give a whole number of at least 0"):
        spherical_irrep(-1)
    with pytest.raises(ConfigError, match="degree=12: spherical harmonics are known up to 11"):
        spherical_harmonics(12, torch.zeros(3))
    with pytest.raises(ShapeError, match=r"points have shape \(2,\)"):
        spherical_harmonics(1, torch.zeros(2))
    with pytest.raises(ShapeError, match=r"rotations have shape \(2, 3\)"):
        wigner_d(1, torch.zeros(2, 3))
    for matrix in (2 * torch.eye(3), -torch.eye(3)):
        with pytest.raises(ShapeError, match="not a rotation: rows must be orthogonal, of length 1, and right-handed"):
            wigner_d(2, matrix)
    with pytest.raises(GroupMismatchError, match="is not in SO3: it reverses handedness"):
        spherical_irrep(1).matrix(-np.eye(3))
    with pytest.raises(GroupMismatchError, match="elements are orthogonal 3x3 matrices"):
        orthogonal(3).check_element(np.ones((3, 3)))
    with pytest.raises(GroupMismatchError, match=r"infinitely many elements.*such as octahedral\(\)"):
        _ = special_orthogonal(3).order
    with pytest.raises(GroupMismatchError, match="has infinitely many matrices"):
        _ = spherical_irrep(1).matrices
    with pytest.raises(GroupMismatchError, match="dimension=4: give 2 for the plane, or 3"):
        orthogonal(4)  # pyright: ignore[reportCallIssue, reportArgumentType]
    with pytest.raises(GroupMismatchError, match=r"is not a point group in SO3"):
        restricted(spherical_irrep(1), full_octahedral())
    with pytest.raises(GroupMismatchError, match="is a representation of C4; give a Homomorphism"):
        restricted(parse("regular", "C4"), octahedral())
    with pytest.raises(GroupMismatchError, match="SO3 does not hold the inversion"):
        ev.volume.SphericalIrrep(special_orthogonal(3), 1, odd=True)


def test_without_e3nn_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "e3nn", None)
    monkeypatch.setitem(sys.modules, "e3nn.o3", None)
    with pytest.raises(MissingExtraError, match=r"needs the package 'e3nn'.*pip install 'equivision\[volume\]'"):
        spherical_harmonics(1, torch.ones(3))
