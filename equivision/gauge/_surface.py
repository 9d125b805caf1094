"""Convolution on the points of a curved surface: neighbours, their directions, and transport between tangent planes."""

import math
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from equivision._numbers import check_count
from equivision.errors import ShapeError
from equivision.filters import kernel_basis
from equivision.functional._checks import check_dtypes, without_autocast
from equivision.gauge._frames import Run, rotation_fields, runs_of, turned
from equivision.nn._base import Guarantee, Movable, uniform_
from equivision.reps import Representation, invariants

Runs = tuple[Run, ...]


class Stencil(NamedTuple):
    """What a convolution needs to know of a surface: for each point its neighbours, as many as the most that one has.

    Attributes:
        neighbours: their numbers, ``[point, neighbour]``.
        distance: how far away, from 0 to 1, the largest distance that counts.
        direction: angle in the frame of the point at which the way to the neighbour begins, in radians.
        transport: angle of the frame of the neighbour, carried along that way, in the frame of the point.
        weight: of the neighbour in a mean over the neighbourhood; 0 where there is none.
    """

    neighbours: Int[Tensor, "points most"]
    distance: Float[Tensor, "points most"]
    direction: Float[Tensor, "points most"]
    transport: Float[Tensor, "points most"]
    weight: Float[Tensor, "points most"]

    def to(self, *args: Any, **kwargs: Any) -> "Stencil":
        """On another device, or with angles and weights of another dtype, as :meth:`torch.Tensor.to` takes them."""
        moved = [one.to(*args, **kwargs) for one in self[1:]]
        return Stencil(self.neighbours.to(moved[0].device), *moved)


def gauge_conv(
    x: Float[Tensor, "batch in_channels *points"],
    weight: Float[Tensor, "rings out_channels in_channels"],
    own: Float[Tensor, "out_channels in_channels"],
    bias: Float[Tensor, " out_channels"] | None = None,
    *,
    stencil: Stencil,
    in_rep: Representation | str,
    out_rep: Representation | str,
) -> Float[Tensor, "batch out_channels *points"]:
    """Convolve features on the points of a surface.

    ``y_p = own x_p + sum_q w_pq rho_out(t) W(d) rho_in(-t) rho_in(s) x_q``, with the distance d of q, the direction t
    in which it lies and the transport s of its frame. In words: everything is expressed in frames along the way from p
    to q, there any matrix W is right, and its result is turned back. W is linear in d between rings.

    Args:
        x: features; positions may have any number of axes, whose points are counted in order.
        weight: the matrices of the rings, in frames along the way; free.
        own: what a point does with its own features; must commute with rotations.
        bias: of scalars.
        stencil: the surface.
        in_rep, out_rep: fields of input and output, sums of irreps of SO(2) or their names.

    Equivariance: exact under change of frames.

    Raises:
        ShapeError: features and stencil do not fit.

    Source: Cohen et al. 2019 (gauge equivariant convolutional networks); de Haan et al. 2021 (gauge equivariant mesh
    CNNs).
    """
    runs = [runs_of(rotation_fields(rep)) for rep in (in_rep, out_rep)]
    return convolve_points(x, weight, own, bias, stencil, runs[0], runs[1])


def convolve_points(
    x: Tensor, weight: Tensor, own: Tensor, bias: Tensor | None, stencil: Stencil, in_runs: Runs, out_runs: Runs
) -> Tensor:
    """:func:`gauge_conv`, with representations looked up: torch.compile does not go through them."""
    if not isinstance(stencil, Stencil):
        raise ShapeError(
            f"GaugeConv: needs a Stencil, what was given is of type {type(stencil).__name__}: frames alone do not say "
            "where neighbours lie; make one with sphere_stencil(points, frames, radius)"
        )
    points = stencil.neighbours.shape[0]
    if x.ndim < 3 or x.shape[1] != weight.shape[2] or math.prod(x.shape[2:]) != points:
        raise ShapeError(
            f"GaugeConv: input has shape {tuple(x.shape)}; needs [batch, {weight.shape[2]}, ...] with {points} points"
        )
    check_dtypes(x, weight, "GaugeConv")
    flat = x.flatten(2)
    seen = flat[:, :, stencil.neighbours]  # batch, channel, point, neighbour
    along = turned(seen, in_runs, stencil.transport - stencil.direction, "GaugeConv")
    shares = ring_shares(stencil.distance, weight.shape[0]) * stencil.weight
    rings = torch.cat([along * share.to(x.dtype) for share in shares], 1)
    bank = weight.transpose(0, 1).flatten(1)[:, :, None, None]
    y = turned(F.conv2d(rings, bank), out_runs, stencil.direction, "GaugeConv").sum(-1)
    y = y + F.conv1d(flat, own[:, :, None], bias)
    return y.unflatten(2, x.shape[2:])


def ring_shares(distance: Tensor, rings: int) -> Float[Tensor, "rings points most"]:
    """How much each ring counts at each distance: linear between the middles of rings, adding up to 1."""
    middles = (torch.arange(rings, device=distance.device, dtype=distance.dtype) + 0.5) / rings
    inside = distance.clamp(0.5 / rings, 1 - 0.5 / rings)
    return (1 - (inside - middles[:, None, None]).abs() * rings).clamp_min(0)


class GaugeConv(Movable):
    """Convolution on the points of a curved surface, in any frames of its tangent planes.

    The sum of :class:`GaugeConv2d` where there are no pixels: neighbours lie in all directions, at all distances, and
    transport depends on the way. What the surface is says a :class:`Stencil`.

    Args:
        in_rep: fields of the input, a sum of irreps of SO(2) or its name.
        out_rep: those of the output.
        rings: number of distances at which the kernel has weights of its own.
        bias: whether scalars get one.
        device, dtype: of the parameters.

    Shape:
        ``[B, in_rep.size, *points]`` and a stencil to ``[B, out_rep.size, *points]``. With ``[B, channels, points, 1]``
        layers for maps go between: :class:`~equivision.nn.NormReLU`, :class:`~equivision.nn.FieldBatchNorm2d`.

    Equivariance: exact under change of frames, and under the motions of the surface that move points onto points and
    keep its orientation, such as rotations of a sphere; not under reflections.

    Raises:
        GroupMismatchError: a representation is no sum of irreps of SO(2).
        ShapeError: features and stencil do not fit.
        ConfigError: an argument is out of range.

    Source: as :func:`gauge_conv`.

    >>> from equivision.gauge import sphere_points, sphere_stencil, stereographic_frames
    >>> points = sphere_points(40)
    >>> stencil = sphere_stencil(points, stereographic_frames(points, (0.0, 0.0, 1.0)), 0.8).to(torch.float32)
    >>> GaugeConv("E1", "4 A + 2 E2")(torch.randn(1, 2, 40, 1), stencil).shape
    torch.Size([1, 8, 40, 1])
    """

    equivariance: Guarantee = "exact"
    weight: Tensor
    own_weight: Tensor | None
    bias: Tensor | None
    own_basis: Tensor
    constants: Tensor

    def __init__(
        self,
        in_rep: Representation | str,
        out_rep: Representation | str,
        *,
        rings: int = 2,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.in_rep, self.out_rep = rotation_fields(in_rep), rotation_fields(out_rep)
        self._runs = runs_of(self.in_rep), runs_of(self.out_rep)
        check_count("rings", rings)
        self.rings = rings
        basis, still = self._tables()
        options: dict[str, Any] = {"device": device, "dtype": dtype}
        self.weight = nn.Parameter(torch.empty(rings, self.out_rep.size, self.in_rep.size, **options))
        self.own_weight = nn.Parameter(torch.empty(len(basis), **options)) if len(basis) else None
        self.bias = nn.Parameter(torch.empty(len(still), **options)) if bias and len(still) else None
        for name, table in (("own_basis", basis), ("constants", still)):
            self.register_buffer(name, torch.empty_like(table, device=device), persistent=False)
        self.reset_parameters()

    def _tables(self) -> tuple[Tensor, Tensor]:
        """What commutes with rotations, ``[weights, out, in]``, and the scalars of the output, ``[scalars, out]``."""
        basis = kernel_basis(self.in_rep, self.out_rep, 1)[..., 0, 0]
        return torch.from_numpy(basis), torch.from_numpy(invariants(self.out_rep).copy())

    def fill_tables(self) -> None:
        """Fill the maps of a point to itself, and the invariants that biases lie in."""
        for buffer, table in zip((self.own_basis, self.constants), self._tables(), strict=True):
            buffer.copy_(table)

    def reset_parameters(self) -> None:
        """Draw the weights so that smooth features about keep their variance; biases are 0; fill the tables."""
        self.fill_tables()
        uniform_(self.weight, 1 / self.in_rep.size)
        if self.own_weight is not None:
            uniform_(self.own_weight, self.out_rep.size / len(self.own_weight))
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(
        self, x: Float[Tensor, "batch in_channels *points"], stencil: Stencil
    ) -> Float[Tensor, "batch out_channels *points"]:
        """Convolve."""
        with without_autocast(self.weight):
            if self.own_weight is None:
                own = self.weight.new_zeros(self.weight.shape[1:])
            else:
                own = torch.einsum("n,noi->oi", self.own_weight, self.own_basis.to(self.weight.dtype))
            bias = None if self.bias is None else self.bias @ self.constants.to(self.bias.dtype)
        return convolve_points(x, self.weight, own, bias, stencil, *self._runs)

    def extra_repr(self) -> str:
        rings = f", rings={self.rings}" if self.rings != 2 else ""
        unbiased = ", bias=False" if self.bias is None and len(self.constants) else ""
        return f"{self.in_rep!r}, {self.out_rep!r}{rings}{unbiased}"
