"""A representation of a planar group as a sum of irreps, block by block."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from equivision.reps._base import Composite, FloatArray, Representation
from equivision.reps._derived import decompose
from equivision.reps._irreps import Irrep
from equivision.reps._lines import BandLimited, Line, line_of
from equivision.reps._orthogonal import OrthogonalIrrep

#: What numbers of size 1 are off by.
_ROUNDING = 1e-9


class Block(NamedTuple):
    """One irrep inside a representation: ``rows`` ``[size of the irrep, size]`` take its coordinates."""

    line: Line
    rows: FloatArray


@lru_cache(maxsize=256)
def blocks(rho: Representation) -> tuple[Block, ...]:
    """The irreps of a representation."""
    parts, rows = _parts(rho)
    ends = np.cumsum([part.size for part in parts])
    return tuple(Block(line_of(part), rows[end - part.size : end]) for part, end in zip(parts, ends, strict=True))


def _parts(rho: Representation) -> tuple[tuple[Representation, ...], FloatArray]:
    if isinstance(rho, BandLimited):
        return rho.parts, np.eye(rho.size)
    if isinstance(rho, OrthogonalIrrep | Irrep):
        return (rho,), np.eye(rho.size)
    whole, rows = decompose(rho)
    return (whole.parts if isinstance(whole, Composite) else (whole,)), rows


def invariants(rho: Representation) -> FloatArray:
    """The vectors that no element moves, as orthonormal rows, ``[number, size]``; of permutations, positive ones.

    >>> from equivision.groups import cyclic
    >>> from equivision.reps import regular
    >>> invariants(regular(cyclic(4))).round(12).tolist()
    [[0.5, 0.5, 0.5, 0.5]]
    """
    if len(rho.fields) > 1:
        found = [invariants(field) for field in rho.fields]
        whole, row, start = np.zeros((sum(map(len, found)), rho.size)), 0, 0
        for rows, field in zip(found, rho.fields, strict=True):
            whole[row : row + len(rows), start : start + field.size] = rows
            row, start = row + len(rows), start + field.size
        return whole
    if (known := rho._invariants()) is not None:
        return known
    rows = [block.rows for block in blocks(rho) if block.line == Line(0, 1)]
    found = np.concatenate(rows) if rows else np.zeros((0, rho.size))
    return found * np.where(found.sum(axis=1, keepdims=True) < -_ROUNDING, -1.0, 1.0)
