"""The Fourier transform on a finite group, over its real irreps."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from equivision.errors import ShapeError
from equivision.groups import FiniteGroup
from equivision.reps._base import FloatArray
from equivision.reps._irreps import irreps


def fourier_transform(f: ArrayLike, group: FiniteGroup) -> tuple[FloatArray, ...]:
    """Fourier coefficients ``f^(rho) = sum_g f(g) rho(g)`` of a function on a group, one per real irrep.

    Convolution ``(f * h)(g) = sum_k f(k) h(k^-1 g)`` becomes the matrix product ``f^(rho) h^(rho)``, and Plancherel's
    formula reads ``sum_g f(g)^2 = 1/|G| sum_rho m_rho |f^(rho)|^2`` with ``m_rho = rho.multiplicity``.

    Args:
        f: values at the elements of the group, ``[..., order]``.
        group: the group.

    Returns:
        Coefficients ``[..., size, size]`` in the order of ``irreps(group)``.

    >>> from equivision.groups import dihedral
    >>> [c.shape for c in fourier_transform(np.ones((5, 8)), dihedral(4))]
    [(5, 1, 1), (5, 1, 1), (5, 1, 1), (5, 1, 1), (5, 2, 2)]

    Raises:
        ShapeError: the last axis does not have one value for each element.
    """
    values = np.asarray(f, dtype=np.float64)
    if values.shape[-1:] != (group.order,):
        raise ShapeError(
            f"f has shape {values.shape}; the last axis must hold one value for each of the {group.order} elements of "
            f"{group.name}"
        )
    return tuple(np.einsum("...g,gij->...ij", values, rho.matrices) for rho in irreps(group))


def inverse_fourier_transform(coefficients: Sequence[ArrayLike], group: FiniteGroup) -> FloatArray:
    """The function with given Fourier coefficients: ``f(g) = 1/|G| sum_rho m_rho tr(rho(g)^T f^(rho))``.

    Here ``m_rho`` is ``rho.multiplicity``: the size of rho, halved for complex type.

    Args:
        coefficients: one array ``[..., size, size]`` per irrep, in the order of ``irreps(group)``.
        group: the group.

    Returns:
        Values at the elements of the group, ``[..., order]``.

    >>> from equivision.groups import cyclic
    >>> coefficients = fourier_transform([1.0, 2.0, 3.0, 4.0], cyclic(4))
    >>> inverse_fourier_transform(coefficients, cyclic(4)).round(12).tolist()
    [1.0, 2.0, 3.0, 4.0]

    Raises:
        ShapeError: the number of arrays or the size of one does not fit the irreps.
    """
    arrays = [np.asarray(array, dtype=np.float64) for array in coefficients]
    found = [array.shape[-2:] for array in arrays]
    required = [(rho.size, rho.size) for rho in irreps(group)]
    if found != required:
        raise ShapeError(
            f"coefficients have matrices of shapes {found}; {group.name} needs one per irrep, of shapes {required}, "
            "as fourier_transform returns them"
        )
    terms = (
        rho.multiplicity * np.einsum("...ij,gij->...g", array, rho.matrices)
        for rho, array in zip(irreps(group), arrays, strict=True)
    )
    return sum(terms, np.zeros(group.order)) / group.order


@lru_cache(maxsize=64)
def fourier_matrix(group: FiniteGroup) -> FloatArray:
    """The orthogonal matrix Q that block-diagonalises the regular representation R (read-only).

    ``Q R(g) Q^T`` is block-diagonal. Its blocks run through ``irreps(group)``, each irrep rho standing
    ``rho.multiplicity`` times in a row. Copy j of rho fills ``rho.size`` rows; for real type these are
    ``sqrt(size / |G|) rho(g)[i, j]``, i = 0 .. size-1, the columns of the Fourier coefficient; for complex type only
    the even columns are taken, as the odd ones repeat them.

    Returns:
        Q, ``[order, order]``; ``Q @ f`` are the scaled Fourier coefficients of f, ``Q.T`` is the inverse.

    >>> from equivision.groups import cyclic
    >>> from equivision.reps import regular
    >>> Q = fourier_matrix(cyclic(3))
    >>> (Q @ regular(cyclic(3)).matrix(1) @ Q.T)[1:, 1:].round(3).tolist()
    [[-0.5, -0.866], [0.866, -0.5]]
    """
    blocks = []
    for rho in irreps(group):
        columns = rho.matrices[:, :, :: rho.size // rho.multiplicity]
        blocks.append(np.sqrt(rho.size / group.order) * columns.transpose(2, 1, 0).reshape(-1, group.order))
    matrix = np.concatenate(blocks)
    matrix.setflags(write=False)
    return matrix
