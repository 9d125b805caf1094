"""Bases of the kernels that map one representation to another: steerable filters."""

from functools import lru_cache
from numbers import Real
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from equivision.errors import ConfigError, GroupMismatchError
from equivision.filters._harmonics import harmonics
from equivision.filters._rings import PROFILES, Profile, functions_of, rings
from equivision.groups import OrthogonalGroup, PlanarGroup, PlaneGroup
from equivision.reps import Line, Representation, blocks, regular

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
#: A kernel of which less than this is not a sum of the ones before it is left out.
_DEPENDENT = 0.05


def kernel_basis(
    in_rep: Representation,
    out_rep: Representation,
    kernel_size: int,
    *,
    profile: Profile = "gaussian",
    cutoff: float = 3.0,
) -> FloatArray:
    """A basis of the kernels K with ``K(g p) = out_rep(g) K(p) in_rep(g)^-1`` on a square of taps.

    Kernels are profiles along the radius times circular harmonics, whose coefficients between two irreps are known in
    closed form; other representations are decomposed into irreps, and their kernels put together again. What turns is
    0 at the centre.

    Args:
        in_rep, out_rep: representations of the same group: C_n, D_n, SO(2) or O(2).
        kernel_size: taps of a side, odd or even.
        profile: along the radius: ``"gaussian"``, a bell about every whole radius (half ones for even sizes);
            ``"bspline"``, a cubic B-spline there; ``"pixels"``, one value for each radius that a tap has: for C1, C2,
            C4, D1, D2 and D4 this is every kernel there is, so that the layer is the group convolution itself, but
            other elements are far from exact.
        cutoff: the largest frequency of a ring for each pixel of its radius; above pi, harmonics cannot be told apart
            on the grid. Not used by ``"pixels"``.

    Returns:
        ``[kernels, out_size, in_size, kernel_size, kernel_size]``, float64. The squares of each kernel add up to
        ``out_size``, none is nearly a sum of others.

    Equivariance: the constraint holds to 1e-12 for the elements that map the grid onto itself; for others it holds for
    the functions that are sampled.

    Raises:
        GroupMismatchError: the representations are not of one planar group.
        ConfigError: an argument is out of range.

    Source: Weiler & Cesa 2019, section 2.3 and appendix F; Worrall et al. 2017, eq. 3 (harmonics).

    >>> from equivision.groups import cyclic
    >>> from equivision.reps import regular
    >>> kernel_basis(regular(cyclic(8)), regular(cyclic(8)), 3).shape
    (64, 8, 8, 3, 3)
    """
    plan = kernel_plan(in_rep, out_rep, kernel_size, profile, cutoff)
    return plan.kernels().reshape(plan.size, out_rep.size, in_rep.size, kernel_size, kernel_size).copy()


def _check(in_rep: Representation, out_rep: Representation, size: int, profile: str, cutoff: float) -> None:
    group = in_rep.group
    if group != out_rep.group or not isinstance(group, PlanarGroup | OrthogonalGroup):
        raise GroupMismatchError(
            f"in_rep represents {in_rep.group.name} and out_rep {out_rep.group.name}: both must represent the same "
            "C_n, D_n, SO2 or O2"
        )
    if profile not in PROFILES:
        raise ConfigError(f"profile={profile!r} is not known: choose one of {', '.join(PROFILES)}")
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ConfigError(f"kernel_size={size!r}: give a whole number of at least 1")
    if not isinstance(cutoff, Real) or not 0 <= cutoff < np.inf:
        raise ConfigError(f"cutoff={cutoff!r}: give a number of at least 0")


class KernelPlan(NamedTuple):
    """How a kernel between two representations is put together from its weights: a sum of kernels.

    Attributes:
        size: number of weights.
        basis: the kernel of each weight, ``[size, out_size, in_size, taps]``.
    """

    size: int
    basis: FloatArray

    def kernels(self) -> FloatArray:
        """The kernel of each weight, ``[size, out_size, in_size, taps]``."""
        return self.basis


class RegularPlan(NamedTuple):
    """The same between two regular representations of C_n or D_n, which is a group convolution.

    The kernel to slot h from slot s is the sum of the functions, moved by h, with the weights of slot ``h^-1 s``.

    Attributes:
        size: number of weights, ``order * functions``.
        slots: ``h^-1 s``, ``[order, order]``.
        moved: values of the moved functions at the taps, ``[order, taps, functions]``.
    """

    size: int
    slots: IntArray
    moved: FloatArray

    def kernels(self) -> FloatArray:
        """The kernel of each weight, ``[size, order, order, taps]``."""
        weights = np.eye(self.size).reshape(self.size, len(self.slots), -1)
        return np.einsum("khsf,hpf->khsp", weights[:, self.slots], self.moved, optimize=True)


#: How a kernel between two representations is put together.
Plan = KernelPlan | RegularPlan


def kernel_plan(
    in_rep: Representation, out_rep: Representation, size: int, profile: Profile = "gaussian", cutoff: float = 3.0
) -> Plan:
    """The plan behind :func:`kernel_basis`, which says what the arguments are."""
    _check(in_rep, out_rep, size, profile, cutoff)  # here: to a cache, 3.0 and 3 are the same size
    return _kernel_plan(in_rep, out_rep, size, profile, float(cutoff))


@lru_cache(maxsize=512)
def _kernel_plan(in_rep: Representation, out_rep: Representation, size: int, profile: Profile, cutoff: float) -> Plan:
    group: PlaneGroup = in_rep.group  # pyright: ignore[reportAssignmentType]
    if isinstance(group, PlanarGroup) and in_rep == out_rep == regular(group):
        return _regular_plan(group, size, profile, cutoff)
    found = [
        np.einsum("oa,noip,ib->nabp", out.rows, kernels, into.rows, optimize=True)
        for out in blocks(out_rep)
        for into in blocks(in_rep)
        if len(kernels := _between(into.line, out.line, group, size, profile, cutoff))
    ]
    basis = np.concatenate([np.zeros((0, out_rep.size, in_rep.size, size * size)), *found]) * np.sqrt(out_rep.size)
    basis.setflags(write=False)
    return KernelPlan(len(basis), basis)


def _regular_plan(group: PlanarGroup, size: int, profile: Profile, cutoff: float) -> RegularPlan:
    moved = moved_functions(group, size, profile, cutoff)
    return RegularPlan(group.order * moved.shape[2], group.table[group.inverses], moved)


@lru_cache(maxsize=256)
def moved_functions(group: PlanarGroup, size: int, profile: Profile = "gaussian", cutoff: float = 3.0) -> FloatArray:
    """Independent functions on the rings, moved by every element: ``[order, taps, functions]``, of mean norm 1."""
    ring = rings(size, profile, cutoff)
    names = functions_of(ring)
    plain = [ring.function(*name) for name in names]
    chosen = independent(plain)
    moved = np.empty((group.order, size * size, len(chosen)))
    for g in range(group.order):
        flips, _ = group.split(g)
        turned = ring.moved(np.deg2rad(group.degrees(g)), flips=bool(flips))
        moved[g] = np.stack([turned.function(*names[f]) for f in chosen], axis=1)
    moved /= np.linalg.norm(moved, axis=(0, 1)) / np.sqrt(group.order)
    moved.setflags(write=False)
    return moved


@lru_cache(maxsize=4096)
def _between(
    line_in: Line, line_out: Line, group: PlaneGroup, size: int, profile: Profile, cutoff: float
) -> FloatArray:
    """Independent kernels between two irreps, of norm 1, those of low frequency first: ``[kernels, out, in, taps]``."""
    ring = rings(size, profile, cutoff)
    shape = (1 if line_out.axis else 2, 1 if line_in.axis else 2, size * size)
    sampled = [
        harmonic.at(ring.phi) * ring.profile(q, harmonic.frequency)
        for harmonic in harmonics(line_in, line_out, group, max(ring.highest))
        for q, highest in enumerate(ring.highest)
        if harmonic.frequency <= highest
    ]
    chosen = [sampled[n] / np.linalg.norm(sampled[n]) for n in independent([one.reshape(-1) for one in sampled])]
    return np.array(chosen).reshape(len(chosen), *shape)


def independent(vectors: list[FloatArray]) -> list[int]:
    """Which vectors are not nearly zero, nor sums of chosen ones before them."""
    norms = [float(np.linalg.norm(vector)) for vector in vectors]
    least = max(_DEPENDENT * max(norms, default=0.0), 1e-9)
    chosen: list[int] = []
    space: list[FloatArray] = []
    for n, (vector, norm) in enumerate(zip(vectors, norms, strict=True)):
        if norm <= least:
            continue
        rest = vector / norm
        for _ in range(2):  # the second time for rounding
            rest = rest - sum((direction * (direction @ rest) for direction in space), np.zeros_like(rest))
        if (length := float(np.linalg.norm(rest))) > _DEPENDENT:
            chosen.append(n)
            space.append(rest / length)
    return chosen
