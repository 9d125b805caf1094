"""Representations of SO(3) and O(3): the fields that a feature map on a volume is made of."""

import re
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx

from equivision.errors import ConfigError, GroupMismatchError, ShapeError
from equivision.groups import SpaceOrthogonalGroup
from equivision.reps import Representation
from equivision.volume._wigner import check_degree, wigner_d

FloatArray = NDArray[np.float64]
#: What the inversion does to a field: nothing (g, gerade), or it changes the sign (u, ungerade).
Parity = Literal["g", "u"]
_TERM = re.compile(r"\s*(?:(\d+)\s+)?D(\d+)([gu]?)\s*")


@dataclass(frozen=True, repr=False)
class SphericalIrrep(Representation):
    """An irrep of SO(3), or of O(3). Build it with :func:`spherical_irrep`, or read its name with
    :func:`spherical_rep`.

    Attributes:
        group: SO(3) or O(3).
        degree: l; it has 2 l + 1 channels, which turn as spherical harmonics of this degree do.
        odd: whether the inversion changes the sign (O(3) only).
    """

    group: SpaceOrthogonalGroup
    degree: int
    odd: bool = False

    def __post_init__(self) -> None:
        check_degree(self.degree)
        if self.odd and not self.group.reflections:
            raise GroupMismatchError("odd=True: SO3 does not hold the inversion; take group=orthogonal(3)")

    @property
    def size(self) -> int:
        return 2 * self.degree + 1

    @property
    def name(self) -> str:
        return f"D{self.degree}{self._parity}"

    @property
    def _parity(self) -> str:
        return ("u" if self.odd else "g") if self.group.reflections else ""

    def __repr__(self) -> str:
        return f"spherical_irrep({self.degree}{f', {self._parity!r}' if self._parity else ''})"

    @property
    def is_permutation(self) -> bool:
        return self.degree == 0 and not self.odd

    def _build_matrices(self) -> FloatArray:
        raise GroupMismatchError(f"{self!r} has infinitely many matrices: use matrix(R)")

    def _matrix_at(self, g: FloatArray) -> FloatArray:
        sign = 1.0 if np.linalg.det(g) > 0 else -1.0
        turned = wigner_d(self.degree, torch.from_numpy(sign * g)).numpy()
        return sign * turned if self.odd else turned

    def _invariants(self) -> FloatArray:
        return np.ones((1, 1)) if self.is_permutation else np.zeros((0, self.size))


def spherical_irrep(degree: int, parity: Parity | None = None) -> SphericalIrrep:
    """The irrep D^l of SO(3), or of O(3) where a parity is given.

    Args:
        degree: l: 0 scalars, 1 vectors, 2 symmetric traceless matrices, ...
        parity: of O(3): ``"g"`` (gerade), the inversion does nothing, or ``"u"`` (ungerade), it changes the sign.
            Vectors are ``(1, "u")``, axes of rotation ``(1, "g")``, spherical harmonics of odd degree ``"u"``.

    Raises:
        ConfigError: there is no such degree or parity.

    >>> spherical_irrep(2).name, spherical_irrep(1, "u").name
    ('D2', 'D1u')
    """
    if parity not in (None, "g", "u"):
        raise ConfigError(f"parity={parity!r}: give 'g', 'u', or None for SO(3)")
    return SphericalIrrep(SpaceOrthogonalGroup(parity is not None), degree, odd=parity == "u")


def spherical_rep(rep: Representation | str) -> Representation:
    """A direct sum of irreps of SO(3) or of O(3), given as one or by its name.

    Names are those of the irreps, counted and added: ``"8 D0 + 4 D1 + 2 D2"`` of SO(3), ``"8 D0g + 4 D1u"`` of O(3).
    What e3nn writes ``4x1o + 2x2e`` is ``4 D1u + 2 D2g``.

    Raises:
        GroupMismatchError: the text is not understood, mixes both groups, or a field is no such irrep.

    >>> rep = spherical_rep("3 D0 + D2")
    >>> rep.size, rep.name, rep.group.name
    (8, '3 D0 + D2', 'SO3')
    """
    if not isinstance(rep, str):
        if not isinstance(rep, Representation) or not all(isinstance(field, SphericalIrrep) for field in rep.fields):
            raise GroupMismatchError(f"rep={rep!r}: give a sum of irreps of SO(3) or O(3), such as '8 D0 + 4 D1'")
        return rep
    terms = [_TERM.fullmatch(term) for term in rep.split("+")]
    found = [(int(term[1] or 1), int(term[2]), term[3]) for term in terms if term]
    if len(found) < len(terms) or not all(count for count, _, _ in found):
        raise GroupMismatchError(
            f"rep={rep!r} is not understood: write a sum such as '8 D0 + 4 D1 + 2 D2' for SO(3), or, with parities, "
            "'8 D0g + 4 D1u' for O(3)"
        )
    if len({bool(parity) for _, _, parity in found}) > 1:
        raise GroupMismatchError(f"rep={rep!r} mixes SO(3) and O(3): give every term a parity g or u, or none")
    fields = [count * spherical_irrep(degree, parity or None) for count, degree, parity in found]  # pyright: ignore[reportArgumentType]
    return reduce(add, fields)


def check_volumes(x: Tensor, channels: int, layer: str) -> None:
    """Raise ShapeError unless x is a feature map on volumes with that many channels."""
    if isinstance(x, fx.Proxy):  # nothing is known while a network is traced
        return
    if x.ndim != 5 or x.shape[1] != channels:
        raise ShapeError(
            f"{layer}: input has shape {tuple(x.shape)}; the representation needs [batch, {channels}, depth, height, "
            "width]"
        )
