"""Wigner matrices, spherical harmonics and their couplings, in float64, from e3nn."""

import importlib
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from equivision.errors import ConfigError, MissingExtraError, ShapeError
from equivision.functional._checks import check_floating

#: The highest degree of the spherical harmonics of e3nn.
HIGHEST = 11
#: How far a matrix may be from orthogonal.
_ORTHOGONAL = 1e-5


def _o3() -> Any:
    """The module ``e3nn.o3``.

    Raises:
        MissingExtraError: e3nn is not installed.
    """
    try:
        return importlib.import_module("e3nn.o3")
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.split(".")[0] != "e3nn":
            raise  # e3nn is there; something it needs itself is not
        raise MissingExtraError("e3nn", "volume", "Harmonics of rotations of space") from error


def check_degree(degree: int, name: str = "degree") -> int:
    """Return a degree of harmonics, or raise ConfigError."""
    if isinstance(degree, bool) or not isinstance(degree, int) or degree < 0:
        raise ConfigError(f"{name}={degree!r}: give a whole number of at least 0")
    return degree


@lru_cache(maxsize=512)
def coupling(first: int, second: int, third: int) -> Float[Tensor, "a b c"]:
    """The one array of norm 1 that does not change when D^first, D^second and D^third act on its axes (Wigner's 3j)."""
    with torch.inference_mode(False):  # kept for all that comes, also for what is differentiated
        return _o3().wigner_3j(first, second, third, dtype=torch.float64, device="cpu").clone()


def wigner_d(degree: int, rotations: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch size size"]:
    """The matrices by which the spherical harmonics of one degree turn: ``Y(R p) = D(R) Y(p)``.

    ``D^0 = 1``, ``D^1(R) = R``, and ``D^l`` is what ``D^1`` and ``D^(l-1)`` make of the highest degree in their
    product: sums of products of the entries of R, as exact for a rotation by a tiny angle as for any other, and
    differentiable. Real and orthogonal; the basis is that of e3nn.

    Args:
        degree: l, from 0 on.
        rotations: matrices in coordinates (x, y, z), one or any number of them.

    Returns:
        ``[..., 2 l + 1, 2 l + 1]``, of the dtype of the rotations.

    Raises:
        ShapeError: they are not rotations. For what reverses handedness see :func:`spherical_irrep`.
        ConfigError: the degree is negative.
        MissingExtraError: e3nn is not installed.

    Source: e3nn (Geiger & Smidt 2022), section 2; Varshalovich et al. 1988, section 4.6.

    >>> quarter = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    >>> wigner_d(2, quarter).shape, float(wigner_d(2, quarter).trace().round(decimals=4))
    (torch.Size([5, 5]), -1.0)
    """
    check_degree(degree)
    check_rotations(rotations, "wigner_d")
    if degree == 0:
        return torch.ones_like(rotations[..., :1, :1])
    found = rotations
    for step in range(2, degree + 1):
        c = coupling(1, step - 1, step).to(rotations)
        half = torch.einsum("...ax,xyz->...ayz", rotations, c)
        found = (2 * step + 1) * torch.einsum("abc,...by,...ayz->...cz", c, found, half)
    return found


def spherical_harmonics(degree: int, points: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch size"]:
    """Real spherical harmonics of one degree in the directions of points (x, y, z), whose lengths do not matter.

    Their squares add up to ``2 l + 1`` in every direction. In the origin, which has no direction, they are 0, but for
    degree 0, which is 1 everywhere. The basis is that of e3nn: degree 1 is x, y, z, and the axis of symmetry is y.

    Args:
        degree: l, from 0 to 11.
        points: one or any number of them.

    Returns:
        ``[..., 2 l + 1]``, of the dtype of the points.

    Raises:
        ShapeError: points have no three coordinates.
        ConfigError: the degree is out of range.
        MissingExtraError: e3nn is not installed.

    >>> spherical_harmonics(1, torch.tensor([0.0, 0.0, 2.0])).tolist()
    [0.0, 0.0, 1.7320507764816284]
    """
    if check_degree(degree) > HIGHEST:
        raise ConfigError(f"degree={degree}: spherical harmonics are known up to {HIGHEST}")
    if points.shape[-1:] != (3,):
        raise ShapeError(f"points have shape {tuple(points.shape)}: needs [..., 3], coordinates x, y, z")
    check_floating(points, "spherical_harmonics")
    return _o3().spherical_harmonics(degree, points, normalize=True, normalization="component")


def check_rotations(rotations: Tensor, function: str, name: str = "rotations") -> None:
    """Raise ShapeError unless they are rotation matrices."""
    if not isinstance(rotations, Tensor):
        raise ShapeError(f"{name} are of type {type(rotations).__name__}: give a tensor, as torch.as_tensor makes it")
    if rotations.shape[-2:] != (3, 3):
        raise ShapeError(f"{name} have shape {tuple(rotations.shape)}: needs [..., 3, 3]")
    check_floating(rotations, function)
    with torch.no_grad():
        apart = rotations @ rotations.mT - torch.eye(3).to(rotations)
        turns = torch.linalg.cross(rotations[..., 0, :], rotations[..., 1, :]) - rotations[..., 2, :]
    if rotations.numel() and not max(float(apart.abs().max()), float(turns.abs().max())) < _ORTHOGONAL:
        raise ShapeError(
            f"{name} hold a matrix that is not a rotation: rows must be orthogonal, of length 1, and right-handed"
        )
