"""What the symmetry of a crystal leaves of spherical harmonics, and of orientations: allowed and forbidden features."""

from collections.abc import Sequence
from functools import lru_cache, reduce
from operator import add

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from equivision.errors import ConfigError, ShapeError
from equivision.groups import PointGroup, parse_point
from equivision.reps import Representation
from equivision.volume._irreps import Parity, spherical_irrep
from equivision.volume._wigner import check_degree, check_rotations, wigner_d

FloatArray = NDArray[np.float64]
#: Degrees that a message names.
_NAMED = 12


def multiplicity(point_group: PointGroup | str, degree: int, parity: Parity | None = None) -> int:
    """How many features of a degree the symmetry of a crystal allows: the dimension of what it leaves alone in D^l.

    ``m_l = 1/|P| sum_{h in P} s(h) sin((l + 1/2) w) / sin(w / 2)``, where h, or -h if h reverses handedness, rotates by
    w. For rotations s is 1, for all else it is what the inversion does: ``(-1)^l`` for spherical harmonics. Degrees
    with 0 are forbidden.

    Args:
        point_group: one of the crystal classes, or its Hermann-Mauguin symbol.
        degree: l, from 0 on.
        parity: what the inversion does. None: what it does to spherical harmonics of this degree, ``(-1)^l``, so that
            functions of a direction are counted. ``"g"``: nothing; then all classes of one Laue class have the same
            numbers, those of its rotations: right for orientations where a crystal cannot be told from its inverse, as
            in diffraction. ``"u"``: it changes the sign. Of no account where there are rotations only.

    Raises:
        GroupMismatchError: there is no such crystal class.
        ConfigError: the degree or the parity is not valid.

    Source: Bunge 1982 (texture analysis in materials science), chapter 14; the article on the principles of
    group-equivariant networks.

    >>> [multiplicity("432", degree) for degree in range(13)]
    [1, 0, 0, 0, 1, 0, 1, 0, 1, 1, 1, 0, 2]
    >>> multiplicity("m-3m", 9), multiplicity("m-3m", 9, "g"), multiplicity("-1", 3)
    (0, 1, 0)
    """
    group, odd = parse_point(point_group), _is_odd(degree, parity)
    signs = np.linalg.det(group.matrices).round()
    angles = np.arccos(((signs * np.trace(group.matrices, axis1=1, axis2=2) - 1) / 2).clip(-1, 1))
    return round(float((_characters(degree, angles) * (signs if odd else 1.0)).mean()))


def _characters(degree: int, angles: FloatArray) -> FloatArray:
    """The traces of D^l of rotations by angles."""
    still = angles < 1e-6
    halves = np.where(still, 1.0, angles / 2)
    return np.where(still, 2 * degree + 1, np.sin((2 * degree + 1) * halves) / np.sin(halves))


def _is_odd(degree: int, parity: Parity | None) -> bool:
    """Whether the inversion changes the sign."""
    if parity not in (None, "g", "u"):
        raise ConfigError(f"parity={parity!r}: give 'g', 'u', or None for that of spherical harmonics")
    check_degree(degree)
    return degree % 2 == 1 if parity is None else parity == "u"


def symmetrised_harmonics(
    point_group: PointGroup | str, degree: int, parity: Parity | None = None
) -> Float[Tensor, "size allowed"]:
    """An orthonormal basis of what the symmetry of a crystal leaves alone in D^l, as columns.

    The columns span the image of the projector ``1/|P| sum_{h in P} D^l(h)``. With ``y = spherical_harmonics(l, p)``
    the numbers ``y @ basis`` are functions of a direction in the crystal that all of P leave as they are.

    Args:
        point_group, degree, parity: as in :func:`multiplicity`.

    Returns:
        ``[2 l + 1, m_l]``, float64; no columns where the degree is forbidden.

    Raises:
        GroupMismatchError, ConfigError: as :func:`multiplicity`.
        MissingExtraError: e3nn is not installed.

    >>> symmetrised_harmonics("432", 4).shape, symmetrised_harmonics("432", 2).shape
    (torch.Size([9, 1]), torch.Size([5, 0]))
    """
    found = _basis(parse_point(point_group), degree, _is_odd(degree, parity))
    return torch.from_numpy(found.copy())


@lru_cache(maxsize=512)
def _basis(group: PointGroup, degree: int, odd: bool) -> FloatArray:
    signs = np.linalg.det(group.matrices).round()[:, None, None]
    moved = wigner_d(degree, torch.from_numpy(signs * group.matrices)).numpy()
    left, columns = (signs * moved if odd else moved).mean(0), []
    for _ in range(round(float(np.trace(left)))):
        pivot = int(np.argmax(np.diag(left).round(9)))  # the first of equals: the same basis on every machine
        column = left[:, pivot] / np.sqrt(left[pivot, pivot])
        columns.append(column)
        left = left - np.outer(column, column)
    return np.stack(columns, axis=1) if columns else left[:, :0]


def crystal_rep(point_group: PointGroup | str, degrees: Sequence[int], parity: Parity | None = "g") -> Representation:
    """The fields of :func:`crystal_features`: m_l times D^l of SO(3) for every degree.

    Raises:
        ConfigError: a degree is forbidden, or degrees are no list of them.
        GroupMismatchError: there is no such crystal class.

    >>> crystal_rep("432", [4, 6]).name, crystal_rep("622", [2, 6]).name
    ('D4 + D6', 'D2 + 2 D6')
    """
    group = parse_point(point_group)
    if not isinstance(degrees, Sequence):
        raise ConfigError(f"degrees={degrees!r}: give a list of degrees, such as [4, 6]")
    counts = {degree: multiplicity(group, degree, parity) for degree in degrees}
    for degree, count in counts.items():
        if not count:
            allowed = [str(one) for one in range(_NAMED + 1) if multiplicity(group, one, parity)]
            raise ConfigError(
                f"degrees={list(degrees)}: the symmetry {group.name} forbids features of degree {degree}, all of them "
                f"would be 0: choose from {', '.join(allowed)}, ..."
            )
    if not counts:
        raise ConfigError("degrees=[]: give at least one degree")
    return reduce(add, (count * spherical_irrep(degree) for degree, count in counts.items()))


def crystal_features(
    orientations: Float[Tensor, "*batch 3 3"],
    point_group: PointGroup | str,
    degrees: Sequence[int],
    parity: Parity | None = "g",
) -> Float[Tensor, "*batch channels"]:
    """Features of the orientations of crystals that the symmetry of the crystal does not change.

    An orientation g takes directions in the crystal to directions in the sample. It is the same crystal at g h for all
    rotations h in P, and ``D^l(g) B`` with the columns B of :func:`symmetrised_harmonics` does not tell them apart.
    Turned with the sample, ``g -> R g``, every column turns by ``D^l(R)``: these are fields for
    :class:`SphericalConv3d`. Averaged over a sample they are the coefficients of its texture.

    Args:
        orientations: rotation matrices, one or any number of them.
        point_group: crystal class, or its Hermann-Mauguin symbol.
        degrees: allowed ones.
        parity: as in :func:`multiplicity`, but ``"g"`` by default.

    Returns:
        ``[..., crystal_rep(...).size]``, of length 1 for every column.

    Raises:
        ConfigError: a degree is forbidden.
        GroupMismatchError: there is no such crystal class.
        ShapeError: orientations are no rotations.
        MissingExtraError: e3nn is not installed.

    Source: Bunge 1982, section 4.1.

    >>> turned = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    >>> both = crystal_features(torch.stack([torch.eye(3), turned]), "432", [4])
    >>> torch.allclose(both[0], both[1], atol=1e-6)  # a cube, before and after a quarter turn
    True
    """
    crystal_rep(point_group, degrees, parity)  # says what is wrong
    parts = []
    for degree in dict.fromkeys(degrees):
        basis = symmetrised_harmonics(point_group, degree, parity).to(orientations)
        parts.append((wigner_d(degree, orientations) @ basis).mT.flatten(-2))
    return torch.cat(parts, -1)


def texture_coefficients(
    orientations: Float[Tensor, "*batch grains 3 3"],
    point_group: PointGroup | str,
    degrees: Sequence[int],
    weights: Float[Tensor, "*batch grains"] | None = None,
    parity: Parity | None = "g",
) -> Float[Tensor, "*batch channels"]:
    """Coefficients of an orientation distribution: the mean of :func:`crystal_features` over the grains of a sample.

    The distribution is ``f(g) = sum_l (2 l + 1) sum_mn c^l_mn [D^l(g) B]_mn``, 1 for a sample without texture, whose
    coefficients are all 0 but those of degree 0.

    Args:
        orientations: of the grains.
        point_group, degrees, parity: as in :func:`crystal_features`.
        weights: volumes of the grains, not negative, some of every sample above 0; equal by default.

    Raises:
        ShapeError: weights and orientations do not fit, or there are no grains.
        ConfigError: weights are negative or not finite, or those of a sample are all 0; or as
            :func:`crystal_features`.
        GroupMismatchError, MissingExtraError: as :func:`crystal_features`.

    Source: Bunge 1982, section 4.2.

    >>> texture_coefficients(torch.eye(3).expand(5, 3, 3), "432", [0, 4, 6]).square().sum().round(decimals=4)
    tensor(3.)
    """
    features = crystal_features(orientations, point_group, degrees, parity)
    if features.ndim < 2 or not features.shape[-2]:
        raise ShapeError(f"orientations have shape {tuple(orientations.shape)}: needs [..., grain, 3, 3], some grains")
    if weights is None:
        return features.mean(-2)
    if weights.shape != features.shape[:-1]:
        raise ShapeError(
            f"weights have shape {tuple(weights.shape)}: needs one for each grain, {tuple(features.shape[:-1])}"
        )
    volume = weights.sum(-1, keepdim=True)
    if not bool(((weights >= 0).all(-1, keepdim=True) & (volume > 0) & volume.isfinite()).all()):
        raise ConfigError("weights are volumes of grains: give none that is negative or NaN, and some above 0")
    return (weights[..., None] * features).sum(-2) / volume


def texture_power(
    coefficients: Float[Tensor, "*batch channels"],
    point_group: PointGroup | str,
    degrees: Sequence[int],
    parity: Parity | None = "g",
) -> Float[Tensor, "*batch degrees"]:
    """How strong a texture is at every degree, from 0 (none) to 1 (a single crystal): the mean square of the columns.

    No rotation of the sample changes it. The texture index is ``sum_l (2 l + 1) m_l`` times it, 1 without a texture.

    Args:
        coefficients: those of :func:`texture_coefficients`.
        point_group, degrees, parity: as there.

    Raises:
        ShapeError: there are more or fewer coefficients.
        ConfigError, GroupMismatchError: as :func:`crystal_rep`.

    >>> texture_power(texture_coefficients(torch.eye(3).expand(5, 3, 3), "622", [2, 6]), "622", [2, 6])
    tensor([1.0000, 1.0000])
    """
    crystal_rep(point_group, degrees, parity)  # says what is wrong
    counts = [multiplicity(point_group, degree, parity) for degree in dict.fromkeys(degrees)]
    sizes = [count * (2 * degree + 1) for count, degree in zip(counts, dict.fromkeys(degrees), strict=True)]
    if coefficients.shape[-1] != sum(sizes):
        raise ShapeError(
            f"coefficients have shape {tuple(coefficients.shape)}: degrees {list(degrees)} have {sum(sizes)} of them"
        )
    parts = coefficients.square().split(sizes, -1)
    return torch.stack([part.sum(-1) / count for part, count in zip(parts, counts, strict=True)], -1)


def equivalent_orientations(
    orientations: Float[Tensor, "*batch 3 3"], point_group: PointGroup | str
) -> Float[Tensor, "equivalents *batch 3 3"]:
    """All orientations in which a crystal is the same: g h for the rotations h of its point group, its own first.

    Raises:
        GroupMismatchError: there is no such crystal class.
        ShapeError: orientations are no rotations.

    >>> equivalent_orientations(torch.eye(3), "622").shape
    torch.Size([12, 3, 3])
    """
    check_rotations(orientations, "equivalent_orientations", "orientations")
    rotations = _rotations(parse_point(point_group)).to(orientations)
    return orientations @ rotations.view(-1, *(1 for _ in orientations.shape[:-2]), 3, 3)


def disorientation(
    first: Float[Tensor, "*#batch 3 3"], second: Float[Tensor, "*#batch 3 3"], point_group: PointGroup | str
) -> Float[Tensor, "*angles"]:
    """The smallest angle, in radians, by which one crystal must turn to lie as another does.

    Differentiable; where both lie alike, and where they are half a turn apart, the gradient is that of no change, 0.

    Args:
        first, second: orientations of the two.
        point_group: crystal class of both; its rotations count.

    Raises:
        GroupMismatchError: there is no such crystal class.
        ShapeError: orientations are no rotations, or differ in dtype.

    >>> half = torch.diag(torch.tensor([-1.0, -1.0, 1.0]))
    >>> disorientation(torch.eye(3), half, "1").rad2deg(), disorientation(torch.eye(3), half, "432")
    (tensor(180.), tensor(0.))
    """
    for name, given in (("first orientations", first), ("second orientations", second)):
        check_rotations(given, "disorientation", name)
    if first.dtype != second.dtype:
        raise ShapeError(f"first is {first.dtype}, second {second.dtype}: convert one of them, as in second.to(first)")
    rotations = _rotations(parse_point(point_group)).to(first)
    between = first.mT @ second
    nearest = torch.einsum("...jk,hjk->...h", between, rotations).argmax(-1)
    turn = between @ rotations[nearest].mT
    cosine = turn.diagonal(dim1=-2, dim2=-1).sum(-1) - 1
    odd = turn - turn.mT  # twice the sine of the angle, twice along the axis: acos has no derivative at 0
    sine = torch.linalg.vector_norm(torch.stack([odd[..., 2, 1], odd[..., 0, 2], odd[..., 1, 0]], -1), dim=-1)
    return torch.atan2(sine, cosine)


def boundary_disorientation(
    grains: Int[Tensor, "sample depth height width"],
    orientations: Float[Tensor, "sample grain 3 3"],
    point_group: PointGroup | str,
) -> Float[Tensor, " sample"]:
    """The mean disorientation, in radians, over all faces between voxels of different grains of periodic samples.

    Args:
        grains: number of the grain at every voxel.
        orientations: of the grains.
        point_group: as in :func:`disorientation`.

    Raises:
        GroupMismatchError: there is no such crystal class.
        ShapeError: orientations are no rotations, or grains are not numbers of theirs.

    >>> grains = torch.tensor([0, 1]).view(1, 1, 1, 2).expand(1, 2, 2, 2)
    >>> both = torch.stack([torch.eye(3), torch.diag(torch.tensor([-1.0, -1.0, 1.0]))])[None]
    >>> boundary_disorientation(grains, both, "1").rad2deg()
    tensor([180.])
    """
    check_grains(grains, orientations)
    angles = disorientation(orientations[:, :, None], orientations[:, None], point_group)
    count = angles.shape[1]
    pairs = torch.cat([(count * grains + grains.roll(1, axis)).flatten(1) for axis in (1, 2, 3)], 1)
    apart = pairs // count != pairs % count
    found = angles.flatten(1).gather(1, pairs) * apart
    return found.sum(1) / apart.sum(1).clamp_min(1)


def check_grains(grains: Tensor, orientations: Tensor) -> None:
    """Raise ShapeError unless every voxel holds the number of an orientation of its sample."""
    if grains.ndim != 4 or orientations.ndim != 4 or len(grains) != len(orientations):
        raise ShapeError(
            f"grains have shape {tuple(grains.shape)}, orientations {tuple(orientations.shape)}: needs [sample, depth, "
            "height, width] and [sample, grain, 3, 3]"
        )
    count = orientations.shape[1]
    if grains.numel() and not 0 <= int(grains.min()) <= int(grains.max()) < count:
        raise ShapeError(
            f"grains hold numbers from {int(grains.min())} to {int(grains.max())}: there are orientations of {count} "
            f"grains in a sample, numbered from 0"
        )


def _rotations(group: PointGroup) -> Float[Tensor, "rotations 3 3"]:
    matrices = torch.from_numpy(group.matrices.copy())
    return matrices[torch.linalg.det(matrices) > 0]
