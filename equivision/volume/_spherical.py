"""Convolution on volumes between fields of irreps of SO(3) and O(3), as a module."""

import math
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor, nn

from equivision.errors import ConfigError, GroupMismatchError
from equivision.functional._checks import PADDING_MODES, PaddingMode, Size3, resolve_padding, without_autocast
from equivision.functional._conv import convolve
from equivision.functional._steerable import expand_filters, layout_of, on_grid, tables_of
from equivision.nn._base import Guarantee, check_count, grid_numbers
from equivision.reps import Representation, invariants
from equivision.volume._irreps import check_volumes, spherical_rep
from equivision.volume._kernels import plans_at, spherical_plans

#: Profiles along the radius that can be read anywhere.
RadialProfile = Literal["gaussian", "bspline"]
_DEFAULTS = (
    ("stride", (1, 1, 1)), ("padding", (0, 0, 0)), ("dilation", (1, 1, 1)), ("padding_mode", "zeros"),
    ("strict", True), ("profile", "gaussian"), ("cutoff", 3.0),
)  # fmt: skip


class SphericalConv3d(nn.Module):
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

    equivariance: Guarantee = "exact"
    weight: Tensor
    bias: Tensor | None
    constants: Tensor | None

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
        super().__init__()
        self.in_rep, self.out_rep = spherical_rep(in_rep), spherical_rep(out_rep)
        if self.in_rep.group != self.out_rep.group:
            raise GroupMismatchError(
                f"in_rep={self.in_rep.name!r} is of {self.in_rep.group.name}, out_rep={self.out_rep.name!r} of "
                f"{self.out_rep.group.name}: give parities, g or u, to both or to neither"
            )
        self.group = self.in_rep.group
        self._grid = on_grid(self.group)  # pyright: ignore[reportCallIssue, reportArgumentType]
        check_count("kernel_size", kernel_size)
        if padding_mode not in PADDING_MODES:
            raise ConfigError(f"padding_mode={padding_mode!r} is not known: choose one of {', '.join(PADDING_MODES)}")
        if profile not in get_args(RadialProfile):
            raise ConfigError(f"profile={profile!r} is not known: choose 'gaussian' or 'bspline'")
        if isinstance(cutoff, bool) or not 0 <= cutoff < math.inf:
            raise ConfigError(f"cutoff={cutoff!r}: give a number of at least 0")
        self.kernel_size = int(kernel_size)
        self.stride = grid_numbers("stride", stride, self._grid)
        self.dilation = grid_numbers("dilation", dilation, self._grid)
        border = resolve_padding(padding, 3 * (self.kernel_size,), self.dilation)
        self.padding = grid_numbers("padding", border, self._grid, least=0)
        self.padding_mode, self.strict, self.cutoff = padding_mode, strict, cutoff
        self.profile: RadialProfile = profile
        plans = spherical_plans(*self._basis())
        self._layout = layout_of(self.in_rep, self.out_rep, plans, 3 * (self.kernel_size,))
        if not sum(self._layout.sizes):
            raise ConfigError(
                f"in_rep={self.in_rep.name!r}, out_rep={self.out_rep.name!r}, kernel_size={kernel_size}: no kernel of "
                "this size goes from one to the other, so that the output would be 0: use a larger kernel_size or "
                "cutoff, or representations whose degrees are closer"
            )
        self.weight = nn.Parameter(torch.empty(sum(self._layout.sizes), device=device, dtype=dtype))
        still = len(invariants(self.out_rep)) if bias else 0
        self.bias = nn.Parameter(torch.empty(still, device=device, dtype=dtype)) if still else None
        self._num_tables: list[int] = []
        for i, tables in enumerate(tables_of(self.in_rep, self.out_rep, plans)):
            self._num_tables.append(len(tables))
            for j, table in enumerate(tables):
                self.register_buffer(f"table_{i}_{j}", torch.empty_like(table, device=device), persistent=False)
        constants = torch.empty(still, self.out_rep.size, device=device, dtype=torch.float64) if still else None
        self.register_buffer("constants", constants, persistent=False)
        self.reset_parameters()

    def _basis(self) -> tuple[Any, ...]:
        return self.in_rep, self.out_rep, self.kernel_size, self.profile, self.cutoff

    def _tables(self) -> list[tuple[Tensor, ...]]:
        return [tuple(getattr(self, f"table_{i}_{j}") for j in range(n)) for i, n in enumerate(self._num_tables)]

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw the weights so that activations keep their variance through a ReLU; biases are 0; fill the tables."""
        values = tables_of(self.in_rep, self.out_rep, spherical_plans(*self._basis()))
        for tables, filled in zip(self._tables(), values, strict=True):
            for table, value in zip(tables, filled, strict=True):
                table.copy_(value)
        for piece, part in zip(self.weight.split(self._layout.sizes), self._layout.parts, strict=True):
            piece.normal_(std=math.sqrt(2 / max(part.fan_in, 1)))
        if self.bias is not None and self.constants is not None:
            self.constants.copy_(torch.from_numpy(invariants(self.out_rep)))
            self.bias.zero_()

    def filters(self) -> Float[Tensor, "out_channels in_channels depth height width"]:
        """The filters of the ordinary convolution that this is."""
        return expand_filters(self.weight, self._layout, self._tables())

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

    def channel_bias(self) -> Float[Tensor, " out_channels"] | None:
        """The bias as one number for each channel."""
        if self.bias is None or self.constants is None:
            return None
        with without_autocast(self.bias):
            return self.bias @ self.constants.to(self.bias.dtype)

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

    def extra_repr(self) -> str:
        parts = [f"{self.in_rep!r}, {self.out_rep!r}, {self.kernel_size}"]
        given = ((name, getattr(self, name)) for name, plain in _DEFAULTS if getattr(self, name) != plain)
        parts += [f"{name}={value[0] if isinstance(value, tuple) else value!r}" for name, value in given]
        return ", ".join(parts + (["bias=False"] if self.bias is None and len(invariants(self.out_rep)) else []))
