"""Nonlinearities and invariants of feature maps of any representation."""

import math
from collections.abc import Callable
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equivision import functional
from equivision._numbers import check_count
from equivision.errors import ConfigError
from equivision.functional._fields import check_channels, check_permutation, is_plain, runs_of
from equivision.groups import OrthogonalGroup, PlanarGroup, PlaneGroup, SpaceOrthogonalGroup
from equivision.nn._base import Guarantee, Movable
from equivision.nn._steerable import representation
from equivision.reps import BandLimited, Representation, trivial

Maps = Float[Tensor, "batch channels height width"]


class FieldModule(Movable):
    """A layer on the fields of a representation.

    Attributes:
        in_rep, out_rep: representations of input and output.
    """

    equivariance: Guarantee = "exact"

    def __init__(self, rep: Representation | str, group: PlaneGroup | str | None) -> None:
        super().__init__()
        self.rep = self._read(rep, group)
        self.in_rep = self.out_rep = self.rep
        self._channels = self.rep.size  # looked up once: torch.compile does not go through representations
        self._runs = tuple((count, field.size) for field, count in runs_of(self.rep))
        self._plain = tuple(is_plain(field) for field, _ in runs_of(self.rep))

    def _read(self, rep: Representation | str, group: PlaneGroup | str | None) -> Representation:
        """The representation, given as one or by its name."""
        return representation("rep", rep, group)

    def _trivial(self) -> Representation:
        """The trivial representation."""
        return trivial(self.group)  # pyright: ignore[reportCallIssue, reportArgumentType]

    @property
    def group(self) -> PlaneGroup | SpaceOrthogonalGroup:
        """The group that is represented."""
        return self.rep.group  # pyright: ignore[reportReturnType]

    def extra_repr(self) -> str:
        return repr(self.rep)


class PointwiseNonlinearity(FieldModule):
    """A function of every channel by itself, which is equivariant on permutation representations only.

    ``torch.nn.ReLU`` does the same; this class refuses representations on which it would be wrong.

    Args:
        rep: direct sum of permutation representations, such as ``"8 regular"``, or its name.
        function: applied to all numbers; ``torch.relu`` by default.
        group: needed where the representation is given by name.

    Shape:
        ``[B, rep.size, H, W]`` to the same.

    Equivariance: exact.

    Raises:
        ConfigError: a field is no permutation representation.

    >>> PointwiseNonlinearity("2 regular + trivial", group="D4")(torch.randn(1, 17, 3, 3)).min() >= 0
    tensor(True)
    """

    def __init__(
        self,
        rep: Representation | str,
        function: Callable[[Tensor], Tensor] = torch.relu,
        *,
        group: PlaneGroup | str | None = None,
    ) -> None:
        super().__init__(rep, group)
        check_permutation(self.rep, "PointwiseNonlinearity")
        self.function = function

    def forward(self, x: Maps) -> Maps:
        """Apply the function."""
        check_channels(x, self._channels, "PointwiseNonlinearity")
        return self.function(x)


class NormReLU(FieldModule):
    """``v ReLU(|v| + b) / |v|`` for every field v, with b learned; ``ReLU(v + b)`` for invariants.

    The C-ReLU of harmonic networks. Fields shorter than 0.001 are multiplied by ``(|v| / 0.001)^2`` besides: where a
    picture is flat, vectors are rounding errors, and would otherwise get the length b.

    Args:
        rep: any representation of C_n, D_n, SO(2) or O(2), or its name.
        group: needed where the representation is given by name.
        device, dtype: of the biases.

    Shape:
        ``[B, rep.size, H, W]`` to the same.

    Equivariance: exact.

    Source: Worrall et al. 2017, section 4.2.

    >>> NormReLU("2 A + 3 E1", group="SO2")(torch.randn(1, 8, 5, 5)).shape
    torch.Size([1, 8, 5, 5])
    """

    def __init__(
        self,
        rep: Representation | str,
        *,
        group: PlaneGroup | str | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(rep, group)
        self.bias = nn.Parameter(torch.empty(len(self.rep.fields), device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Biases are 0."""
        nn.init.zeros_(self.bias)

    def forward(self, x: Maps) -> Maps:
        """Shorten every field."""
        return functional.norm_relu(x, self.bias, self._runs, self._plain)


class GatedNonlinearity(FieldModule):
    """``v sigmoid(s)`` for every field v, where s is an invariant of its own; ``ReLU(v)`` for invariants.

    Args:
        rep: representation of the output, or its name.
        group: needed where the representation is given by name.

    Attributes:
        in_rep: ``rep`` and one trivial representation for each field that is not an invariant; what the layer before
            must give.

    Shape:
        ``[B, in_rep.size, H, W]`` to ``[B, rep.size, H, W]``.

    Equivariance: exact.

    Source: Weiler et al. 2018 (3D steerable CNNs), section 4.3.

    >>> layer = GatedNonlinearity("2 A + 3 E1", group="SO2")
    >>> layer.in_rep.name, layer(torch.randn(1, 11, 5, 5)).shape
    ('2 A + 3 E1 + 3 A', torch.Size([1, 8, 5, 5]))
    """

    def __init__(self, rep: Representation | str, *, group: PlaneGroup | str | None = None) -> None:
        super().__init__(rep, group)
        gates = sum(not is_plain(field) for field in self.rep.fields)
        self.in_rep = self.rep + gates * self._trivial() if gates else self.rep

    def forward(self, x: Maps) -> Float[Tensor, "batch fields height width"]:
        """Scale every field."""
        return functional.gate(x, self._runs, self._plain)


class FourierNonlinearity(FieldModule):
    """A function of the values of band-limited functions on the group, sampled at points of the group.

    Args:
        rep: copies of one :func:`equivision.reps.band_limited` representation, such as ``"8 band2"``, or its name.
        function: applied to all values; ``torch.relu`` by default.
        points: number of rotations to sample; by default the first multiple of 4 that is twice what the frequencies
            need.
        group: needed where the representation is given by name.

    Shape:
        ``[B, rep.size, H, W]`` to the same.

    Equivariance: exact for the elements that exchange the points: all of C_n and D_n by default, and the quarter turns
        of SO(2) and O(2); approximate for others, with an error that falls as points are added.

    Raises:
        ConfigError: the fields are not band-limited, differ, or have too high frequencies for the points.

    Source: Cesa, Lang & Weiler 2022, section 4; Franzen & Wand 2021.

    >>> FourierNonlinearity("4 band2", group="SO2")(torch.randn(1, 20, 5, 5)).shape
    torch.Size([1, 20, 5, 5])
    """

    samples: Tensor
    back: Tensor

    def __init__(
        self,
        rep: Representation | str,
        function: Callable[[Tensor], Tensor] = torch.relu,
        *,
        points: int | None = None,
        group: PlaneGroup | str | None = None,
    ) -> None:
        super().__init__(rep, group)
        field = self.rep.fields[0]
        if not isinstance(field, BandLimited) or len(set(self.rep.fields)) > 1:
            raise ConfigError(
                f"rep={self.rep.name!r}: FourierNonlinearity needs copies of one band-limited representation, such as "
                "'8 band2'"
            )
        least = 2 * field.frequency + 1
        self.points = points if points is not None else _points(self.group, least)  # pyright: ignore[reportArgumentType]
        check_count("points", self.points)
        turns = self.group.rotations if isinstance(self.group, PlanarGroup) else 1
        if self.points < least or (turns % self.points and self.points % turns):
            raise ConfigError(
                f"points={self.points}: frequencies up to {field.frequency} need at least {least} points"
                + (f", which divide {turns} or are a multiple of it" if turns > 1 else "")
            )
        if isinstance(self.group, OrthogonalGroup) or self.points % turns:
            self.equivariance = "approximate"
        self.function = function
        empty = torch.empty((1 + self.group.reflections) * self.points, field.size, dtype=torch.float64)
        self.register_buffer("samples", empty, persistent=False)
        self.register_buffer("back", torch.empty_like(empty.t()), persistent=False)
        self.reset_parameters()

    def fill_tables(self) -> None:
        """Fill the matrices that sample the fields, and the way back."""
        samples = _samples(self.rep.fields[0], self.points)
        self.samples.copy_(samples)
        self.back.copy_(samples.t() / len(samples))

    def forward(self, x: Maps) -> Maps:
        """Apply the function."""
        check_channels(x, self._channels, "FourierNonlinearity")
        return functional.sampled_pointwise(x, self.samples, self.back, self.function)

    def extra_repr(self) -> str:
        return f"{self.rep!r}, points={self.points}"


def _points(group: PlaneGroup, least: int) -> int:
    if isinstance(group, OrthogonalGroup):
        return 4 * math.ceil(least / 2)
    return group.rotations * math.ceil(2 * least / group.rotations)


def _samples(field: Representation, points: int) -> Tensor:
    """Values from coefficients, ``[elements, size]``, at rotations by multiples of ``360 / points``, flipped too."""
    assert isinstance(field, BandLimited)  # noqa: S101 (the layer has checked it)
    whole = BandLimited(OrthogonalGroup(field.group.reflections), field.frequency)  # pyright: ignore[reportAttributeAccessIssue]
    flips = (0, 1) if whole.group.reflections else (0,)  # pyright: ignore[reportAttributeAccessIssue]
    elements = [(f, 360.0 * r / points) for f in flips for r in range(points)]
    return torch.stack([torch.from_numpy(whole.matrix(g) @ whole.delta) for g in elements])


class InvariantMap(FieldModule):
    """One number for every field that no element changes: what a classifier may see.

    Permutation representations are pooled by ``mode``; of the others the norm is taken. Invariants stay as they are.

    Args:
        rep: any representation of C_n, D_n, SO(2) or O(2), or its name.
        mode: ``"max"``, ``"mean"`` or ``"norm"``, of permutation representations.
        group: needed where the representation is given by name.

    Shape:
        ``[B, rep.size, H, W]`` to ``[B, number of fields, H, W]``.

    Equivariance: exact, to the plane: ``f(g x) = g f(x)``.

    Raises:
        ConfigError: unknown mode.

    Source: Weiler & Cesa 2019, section 2.6.

    >>> InvariantMap("2 regular + E1", group="D4")(torch.randn(1, 18, 5, 5)).shape
    torch.Size([1, 3, 5, 5])
    """

    _modes: ClassVar[tuple[str, ...]] = ("max", "mean", "norm")

    def __init__(self, rep: Representation | str, mode: str = "max", *, group: PlaneGroup | str | None = None) -> None:
        super().__init__(rep, group)
        if mode not in self._modes:
            raise ConfigError(f"mode={mode!r} is not known: choose one of {', '.join(self._modes)}")
        self.mode = mode
        self.out_rep = len(self.rep.fields) * self._trivial()
        self._reduce = tuple(
            "same" if is_plain(field) else mode if field.is_permutation else "norm" for field, _ in runs_of(self.rep)
        )

    def forward(self, x: Maps) -> Float[Tensor, "batch fields height width"]:
        """Reduce every field to a number."""
        check_channels(x, self._channels, "InvariantMap")
        return functional.reduce_fields(x, self._runs, self._reduce)

    def extra_repr(self) -> str:
        return super().extra_repr() + (f", {self.mode!r}" if self.mode != "max" else "")
