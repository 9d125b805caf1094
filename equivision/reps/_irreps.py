"""Real irreducible representations, in closed form.

A real irrep is of *real* type (only multiples of the identity commute with it: <chi, chi> = 1) or of *complex* type
(a complex irrep and its conjugate, glued together: <chi, chi> = 2). One of complex type is kept as its complex matrices
and made real by ``a + bi -> [[a, -b], [b, a]]``. None of these groups has one of quaternionic type.
"""

from dataclasses import dataclass
from functools import lru_cache, singledispatch
from itertools import product
from typing import Literal, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from equivision.errors import GroupMismatchError
from equivision.groups import DirectProduct, FiniteGroup, Group, OrthogonalGroup, PlanarGroup
from equivision.reps._base import FloatArray, IntArray, Representation
from equivision.reps._orthogonal import OrthogonalIrrep, orthogonal_irrep


class IrrepEntry(NamedTuple):
    """One row of a group's table of irreps; ``matrices`` ``[order, d, d]`` is real or complex as the type is."""

    name: str
    matrices: NDArray[np.float64 | np.complex128]


@singledispatch
def irrep_table(group: FiniteGroup) -> tuple[IrrepEntry, ...]:
    """All irreps of a group, the trivial one first. A new class of group registers its own function here.

    Matrices must be orthogonal (real type) or unitary (complex type, one of each conjugate pair).

    >>> from equivision.groups import cyclic
    >>> [(name, matrices.shape, matrices.dtype.name) for name, matrices in irrep_table(cyclic(3))]
    [('A', (3, 1, 1), 'float64'), ('E1', (3, 1, 1), 'complex128')]

    Raises:
        GroupMismatchError: no function is registered for the class of the group.
    """
    raise GroupMismatchError(
        f"the irreps of {group!r} are not known: they are for C_n, D_n and their direct products; "
        "register a function for its class with equivision.reps.irrep_table"
    )


@irrep_table.register
def _planar(group: PlanarGroup) -> tuple[IrrepEntry, ...]:
    """Mulliken names: A and B are one-dimensional (B changes sign under r), E_k turns k times as fast as the plane."""
    n = group.rotations
    f, r = np.divmod(np.arange(group.order), n)
    lines = {"A": np.ones(group.order)}
    if n % 2 == 0:
        lines["B"] = (-1.0) ** r
    if group.reflections:
        lines = {f"{name}{1 + p}": line * (-1.0) ** (p * f) for name, line in lines.items() for p in (0, 1)}
    entries = [IrrepEntry(name, line[:, None, None]) for name, line in lines.items()]
    for k in range(1, (n + 1) // 2):
        turns = _root_of_unity(k * r, n)[:, None, None]
        if group.reflections:
            turns = _realify(turns) * np.where(f[:, None, None], [1.0, -1.0], 1.0)
        entries.append(IrrepEntry(f"E{k}", turns))
    return tuple(entries)


@irrep_table.register
def _product(group: DirectProduct) -> tuple[IrrepEntry, ...]:
    """Outer tensor products; two factors V, W of complex type give two irreps, V x W and V x conj(W)."""
    entries = []
    for (a, V), (b, W) in product(_table(group.left), _table(group.right)):
        entries.append(IrrepEntry(f"{a}x{b}", _outer(V, W)))
        if np.iscomplexobj(V) and np.iscomplexobj(W):
            entries.append(IrrepEntry(f"{a}x{b}*", _outer(V, W.conj())))
    return tuple(entries)


@lru_cache(maxsize=256)
def _table(group: FiniteGroup) -> tuple[IrrepEntry, ...]:
    return irrep_table(group)


def _root_of_unity(k: IntArray, n: int) -> NDArray:
    """``exp(2 pi i k / n)``, exact at quarter turns (complex128)."""
    quarter, rest = np.divmod(4 * k, n)
    return np.array([1, 1j, -1, -1j])[quarter % 4] * np.exp(0.5j * np.pi * rest / n) + 0.0


def _realify(matrices: NDArray) -> FloatArray:
    """Replace every entry a + bi of ``[order, d, d]`` by the block [[a, -b], [b, a]]: ``[order, 2d, 2d]``."""
    order, d, _ = matrices.shape
    blocks = np.array([[np.real(matrices), -np.imag(matrices)], [np.imag(matrices), np.real(matrices)]])
    return blocks.transpose(2, 3, 0, 4, 1).reshape(order, 2 * d, 2 * d)


def _outer(V: NDArray, W: NDArray) -> NDArray:
    """Outer tensor product: ``(g, h) -> kron(V(g), W(h))``, ``[|G| |H|, d e, d e]``."""
    order, size = V.shape[0] * W.shape[0], V.shape[1] * W.shape[1]
    return np.einsum("gij,hkl->ghikjl", V, W).reshape(order, size, size)


@dataclass(frozen=True, repr=False)
class Irrep(Representation):
    """A real irreducible representation. Build it with :func:`irrep`, :func:`irreps`, :func:`trivial` or :func:`sign`.

    Attributes:
        group: the group that is represented.
        index: its place in ``irreps(group)``.

    Raises:
        GroupMismatchError: the group has no irrep of that index, or its irreps are not known.
    """

    group: FiniteGroup
    index: int

    def __post_init__(self) -> None:
        count = len(_table(self.group))
        if not isinstance(self.index, int) or not 0 <= self.index < count:
            raise GroupMismatchError(
                f"index={self.index!r} is not an irrep of {self.group.name}: its {count} real irreps are numbered "
                f"0 to {count - 1}"
            )

    @property
    def _entry(self) -> IrrepEntry:
        return _table(self.group)[self.index]

    @property
    def type(self) -> Literal["real", "complex"]:
        """``"real"`` or ``"complex"``: what commutes with all matrices is a copy of these numbers."""
        return "complex" if np.iscomplexobj(self._entry.matrices) else "real"

    @property
    def multiplicity(self) -> int:
        """How often it occurs in the regular representation: size for real type, size / 2 for complex type."""
        return self._entry.matrices.shape[1]

    @property
    def size(self) -> int:
        return self.multiplicity * (2 if self.type == "complex" else 1)

    @property
    def name(self) -> str:
        return self._entry.name

    def __repr__(self) -> str:
        if self.index == 0:
            return f"trivial({self.group!r})"
        if self.index == 1 and isinstance(self.group, PlanarGroup) and self.group.reflections:
            return f"sign({self.group!r})"
        return f"irrep({self.group!r}, {self.index})"

    def _build_matrices(self) -> FloatArray:
        matrices = self._entry.matrices
        return _realify(matrices) if np.iscomplexobj(matrices) else np.array(matrices, dtype=np.float64)


@overload
def irrep(group: FiniteGroup, index: int) -> Irrep: ...
@overload
def irrep(group: OrthogonalGroup, index: int) -> OrthogonalIrrep: ...
def irrep(group: Group, index: int) -> Representation:
    """The real irrep number ``index`` in the order of :func:`irreps`; A, E1, E2, ... of SO2, A1, A2, E1, ... of O2.

    >>> from equivision.groups import dihedral
    >>> irrep(dihedral(4), 4).matrix(1).tolist()
    [[0.0, -1.0], [1.0, 0.0]]

    Raises:
        GroupMismatchError: there is no such irrep.
    """
    return orthogonal_irrep(group, index) if isinstance(group, OrthogonalGroup) else Irrep(_finite(group), index)


def _finite(group: Group) -> FiniteGroup:
    if not isinstance(group, FiniteGroup):
        raise GroupMismatchError(f"group={group!r} is not finite, and its irreps are not known")
    return group


def irreps(group: FiniteGroup) -> tuple[Irrep, ...]:
    """All real irreps, up to change of basis, the trivial one first.

    - C_n: A (trivial), B (``(-1)^r``, n even), E_k (rotation by ``2 pi k r / n``, ``1 <= k < n/2``, complex type).
    - D_n: A1 (trivial), A2 (the sign ``(-1)^f``), B1 and B2 (``(-1)^r`` and ``(-1)^(r+f)``, n even), E_k (the same
      rotation after ``diag(1, (-1)^f)``, real type).
    - Products: the outer tensor products, those of the left factor's first irrep first; two of complex type give two
      irreps, the second marked by a star.

    >>> from equivision.groups import cyclic, dihedral
    >>> [rho.name for rho in irreps(dihedral(4))]
    ['A1', 'A2', 'B1', 'B2', 'E1']
    >>> [(rho.size, rho.type) for rho in irreps(cyclic(3))]
    [(1, 'real'), (2, 'complex')]

    Raises:
        GroupMismatchError: the irreps of this kind of group are not known.
    """
    return tuple(Irrep(_finite(group), index) for index in range(len(_table(group))))


@overload
def trivial(group: FiniteGroup) -> Irrep: ...
@overload
def trivial(group: OrthogonalGroup) -> OrthogonalIrrep: ...
def trivial(group: Group) -> Representation:
    """The trivial representation, size 1: every element is the number 1.

    >>> from equivision.groups import cyclic
    >>> trivial(cyclic(4))
    trivial(cyclic(4))
    """
    return orthogonal_irrep(group, 0) if isinstance(group, OrthogonalGroup) else Irrep(_finite(group), 0)


def sign(group: Group) -> Representation:
    """The determinant of the action on the plane, size 1: ``(-1)^f``, so -1 for reflections.

    >>> from equivision.groups import dihedral
    >>> sign(dihedral(2)).character.tolist()
    [1.0, 1.0, -1.0, -1.0]

    Raises:
        GroupMismatchError: the group has no reflections.
    """
    if isinstance(group, OrthogonalGroup) and group.reflections:
        return orthogonal_irrep(group, 1)
    if not isinstance(group, PlanarGroup) or not group.reflections:
        raise GroupMismatchError(
            f"group={group!r} has no reflections, so it has no sign representation; use dihedral(n), or choose from "
            "irreps(group)"
        )
    return Irrep(group, 1)


def multiplicities(representation: Representation) -> tuple[int, ...]:
    """How often each irrep, in the order of :func:`irreps`, occurs in a representation.

    >>> from equivision.groups import dihedral
    >>> from equivision.reps import quotient
    >>> multiplicities(quotient(dihedral(4).subgroup([4])))
    (1, 0, 1, 0, 1)
    """
    group, character = representation.group, representation.character
    if not isinstance(group, FiniteGroup):
        raise GroupMismatchError(f"{representation!r}: {group.name} has infinitely many irreps; use decompose")
    norms = ((rho, group.order * rho.size / rho.multiplicity) for rho in irreps(group))
    return tuple(round(float(character @ rho.character / norm)) for rho, norm in norms)
