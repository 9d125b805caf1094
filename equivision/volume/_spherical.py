"""Convolution on volumes between fields of irreps of SO(3) and O(3), as a module."""

import math
from collections.abc import Sequence
from numbers import Real
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor

from equivision.errors import ConfigError, GroupMismatchError
from equivision.filters._steerable import Plan
from equivision.functional._checks import PaddingMode, Size3
from equivision.functional._conv import convolve
from equivision.functional._steerable import expand_filters, on_grid, tables_of
from equivision.nn._steerable_base import SteerableConvBase
from equivision.reps import Representation
from equivision.volume._irreps import check_volumes, spherical_rep
from equivision.volume._kernels import plans_at, spherical_plans

#: Profiles along the radius that can be read anywhere.
RadialProfile = Literal["gaussian", "bspline"]


class SphericalConv3d(SteerableConvBase):
    """Convolution between volumes of scalars, vectors and higher fields, equivariant under rotations of space.

    ``y(t) = sum_p K(p) x(t + p)``, where ``K(R p) = D_out(R) K(p) D_in(R)^-1``: between the irreps of degrees i and o K
    is a learned sum of profiles along the radius times spherical harmonics of the degrees l from |i - o| to i + o,
    ``R(|p|) C^{o i l} Y_l(p / |p|)``, coupled by Clebsch-Gordan coefficients. Between irreps of O(3) only those l take
    part whose parity fits, so that reflections are respected too.

    Args:
        in_rep: fields of the input, a sum of irreps of SO(3) or O(3) or its name (:func:`spherical_rep`), such as
            ``"D0"`` for a volume of grey values.
        out_rep: those of the output, such as ``"8 D0 + 4 D1 + 2 D2"``.
        kernel_size: taps of a side, odd or even.
        stride, padding, dilation, bias, padding_mode: as in :class:`torch.nn.Conv3d`, the same for all axes. The
            bias is one of scalars.
        strict: raise GridError where stride and size cannot be exact.
        profile: along the radius, ``"gaussian"`` or ``"bspline"``, as in :func:`equivision.filters.kernel_basis`.
        cutoff: the largest degree of a ring for each voxel of its radius; at most 11.
        device, dtype: of the parameters.

    Shape:
        ``[B, in_rep.size, D, H, W]`` to ``[B, out_rep.size, D', H', W']``. Coordinates (x, y, z) of vectors are those
        of :class:`~equivision.groups.PointGroup`: x along the width, y against the height, z against the depth.

    Equivariance: the kernel obeys its constraint exactly, for all of SO(3) or O(3) (:meth:`kernel_at`). On voxels that
    is exact for the 24 rotations of a cube, O, and between irreps of O(3) for Oh; approximate for other rotations.

    Raises:
        GroupMismatchError: a representation is no sum of irreps of SO(3) or O(3), or the two are not of one group.
        ConfigError: an argument is out of range, or there is no such kernel.
        GridError: the input size does not fit stride, kernel and padding.
        MissingExtraError: e3nn is not installed.

    Source: Weiler et al. 2018 (3D steerable CNNs), eq. 10; Thomas et al. 2018 (tensor field networks), section 3.1.

    >>> conv = SphericalConv3d("D0", "4 D0 + 2 D1 + D2", 3, padding=1)
    >>> conv(torch.randn(1, 1, 5, 5, 5)).shape
    torch.Size([1, 15, 5, 5, 5])
    """

    numbered_by = "degrees"

    def __init__(
        self,
        in_rep: Representation | str,
        out_rep: Representation | str,
        kernel_size: int,
        *,
        stride: Size3 = 1,
        padding: Size3 | str = 0,
        dilation: Size3 = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        strict: bool = True,
        profile: RadialProfile = "gaussian",
        cutoff: float = 3.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        into, out = spherical_rep(in_rep), spherical_rep(out_rep)
        if into.group != out.group:
            raise GroupMismatchError(
                f"in_rep={into.name!r} is of {into.group.name}, out_rep={out.name!r} of {out.group.name}: give "
                "parities, g or u, to both or to neither"
            )
        if profile not in get_args(RadialProfile):
            raise ConfigError(f"profile={profile!r} is not known: choose 'gaussian' or 'bspline'")
        if isinstance(cutoff, bool) or not isinstance(cutoff, Real) or not 0 <= cutoff < math.inf:
            raise ConfigError(f"cutoff={cutoff!r}: give a number of at least 0")
        grid = on_grid(into.group)  # pyright: ignore[reportCallIssue, reportArgumentType]
        super().__init__(
            into, out, kernel_size, grid=grid, stride=stride, padding=padding, dilation=dilation, bias=bias,
            padding_mode=padding_mode, strict=strict, profile=profile, cutoff=cutoff, device=device, dtype=dtype,
        )  # fmt: skip
        self.group, self._grid = into.group, grid

    def plans(self) -> Sequence[Sequence[Plan]]:
        """Profiles along the radius times spherical harmonics, for every pair of irreps."""
        return spherical_plans(self.in_rep, self.out_rep, self.kernel_size, self.profile, self.cutoff)

    def kernel_at(self, points: ArrayLike) -> Float[Tensor, "points out_channels in_channels"]:
        """The kernel at any points (x, y, z), in voxels from its centre; the filters are its values at the taps.

        Args:
            points: ``[points, 3]``.
        """
        at = np.asarray(points, dtype=np.float64).reshape(-1, 3)
        plans = plans_at(self.in_rep, self.out_rep, at, self.kernel_size, self.profile, self.cutoff)
        tables = [
            tuple(table.to(self.weight.device) for table in tables)
            for tables in tables_of(self.in_rep, self.out_rep, plans)
        ]
        return expand_filters(self.weight, self._layout._replace(taps=(len(at),)), tables).movedim(-1, 0)

    def forward(
        self, x: Float[Tensor, "batch in_channels depth height width"]
    ) -> Float[Tensor, "batch out_channels d h w"]:
        """Convolve."""
        check_volumes(x, self.in_rep.size, "SphericalConv3d")
        return convolve(
            x, self.filters(), self.channel_bias(), groups=1, layer="SphericalConv3d", group=self._grid,
            stride=self.stride, padding=self.padding, dilation=self.dilation, padding_mode=self.padding_mode,
            strict=self.strict,
        )  # fmt: skip
