"""Steerable convolution as a module."""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equivision import functional
from equivision.errors import ConfigError, GroupMismatchError
from equivision.filters._rings import Profile
from equivision.functional._algorithm import Algorithm, check_algorithm
from equivision.functional._checks import PADDING_MODES, PaddingMode, Size2, resolve_padding, without_autocast
from equivision.functional._steerable import expand_filters, filter_layout, filter_tables, on_grid, regular_conv2d
from equivision.groups import OrthogonalGroup, PlanarGroup, PlaneGroup, parse_plane
from equivision.nn._base import Guarantee, check_count, grid_pair
from equivision.reps import Representation, invariants
from equivision.reps import parse as parse_rep


def representation(name: str, rep: Representation | str, group: PlaneGroup | str | None) -> Representation:
    """A representation of a planar group, given as one or by its name.

    Raises:
        ConfigError: it is neither, or a name, and no group is given.
        GroupMismatchError: its group does not act on the plane, or is not the given one.
    """
    if isinstance(rep, str):
        if group is None:
            raise ConfigError(f"{name}={rep!r} is a name: give group too, such as group='C8' or 'SO2'")
        return parse_rep(rep, parse_plane(group))
    if not isinstance(rep, Representation):
        raise ConfigError(f"{name}={rep!r}: give a representation or its name, such as '3 trivial' or '8 regular'")
    if not isinstance(rep.group, PlanarGroup | OrthogonalGroup):
        raise GroupMismatchError(f"{name}={rep!r} represents {rep.group.name}, which does not act on the plane")
    return rep if group is None else parse_rep(rep, parse_plane(group))


_DEFAULTS = (
    ("stride", (1, 1)), ("padding", (0, 0)), ("dilation", (1, 1)), ("padding_mode", "zeros"), ("strict", True),
    ("profile", "gaussian"), ("cutoff", 3.0), ("algorithm", "auto"),
)  # fmt: skip


class SteerableConv2d(nn.Module):
    """Convolution between feature maps of any two representations of C_n, D_n, SO(2) or O(2).

    ``y(t) = sum_p K(p) x(t + p)``, where ``K(g p) = out_rep(g) K(p) in_rep(g)^-1``: K is a learned sum of profiles
    along the radius times circular harmonics (:func:`equivision.filters.kernel_basis`).

    Args:
        in_rep: representation of the input, or its name, such as ``"3 trivial"`` for a coloured image.
        out_rep: that of the output, such as ``"16 regular"`` or, for SO(2), ``"8 A + 8 E1 + 4 E2"``.
        kernel_size: taps of a side, odd or even.
        group: needed where representations are given by name.
        stride, padding, dilation, bias, padding_mode: as in :class:`torch.nn.Conv2d`. The bias has one number for each
            vector of ``out_rep`` that the group leaves alone.
        strict: raise GridError where stride and size cannot be exact.
        profile, cutoff: as in :func:`equivision.filters.kernel_basis`.
        algorithm: between regular fields, as in :class:`GroupConv2d`; otherwise there is but one.
        device, dtype: of the parameters.

    Shape:
        ``[B, in_rep.size, H, W]`` to ``[B, out_rep.size, H', W']``. With n regular fields of a group, ``[B, n * |G|, H,
        W]`` is the ``[B, n, |G|, H, W]`` of the group convolutions with its two axes flattened.

    Equivariance: exact for elements that map the pixel grid onto itself, so for all of C1, C2, C4, D1, D2 and D4;
    approximate for the others.

    Raises:
        GroupMismatchError: the representations are not of one planar group.
        ConfigError: an argument is out of range, or there is no such kernel.
        GridError: the input size does not fit stride, kernel and padding.

    Source: Weiler & Cesa 2019, eq. 3 and section 2.3; Cohen & Welling 2017.

    >>> conv = SteerableConv2d("3 trivial", "4 A + 2 E1", 5, group="SO2", padding=2)
    >>> conv(torch.randn(1, 3, 9, 9)).shape
    torch.Size([1, 8, 9, 9])
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
        group: PlaneGroup | str | None = None,
        stride: Size2 = 1,
        padding: Size2 | str = 0,
        dilation: Size2 = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        strict: bool = True,
        profile: Profile = "gaussian",
        cutoff: float = 3.0,
        algorithm: Algorithm = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.in_rep = representation("in_rep", in_rep, group)
        self.out_rep = representation("out_rep", out_rep, self.in_rep.group)  # pyright: ignore[reportArgumentType]
        self.group: PlaneGroup = self.in_rep.group  # pyright: ignore[reportAttributeAccessIssue]
        grid = on_grid(self.group)
        if not grid.is_on_grid or isinstance(self.group, OrthogonalGroup):
            self.equivariance = "approximate"
        check_count("kernel_size", kernel_size)
        self.kernel_size = int(kernel_size)
        self.stride = grid_pair("stride", stride, grid)
        self.dilation = grid_pair("dilation", dilation, grid)
        taps = (self.kernel_size, self.kernel_size)
        self.padding = grid_pair("padding", resolve_padding(padding, taps, self.dilation), grid, least=0)
        if padding_mode not in PADDING_MODES:
            raise ConfigError(f"padding_mode={padding_mode!r} is not known: choose one of {', '.join(PADDING_MODES)}")
        self.padding_mode, self.strict, self.profile, self.cutoff = padding_mode, strict, profile, cutoff
        check_algorithm(algorithm)
        self.algorithm = algorithm
        self._layout = filter_layout(*self._basis())
        if not sum(self._layout.sizes):
            raise ConfigError(
                f"in_rep={self.in_rep.name!r}, out_rep={self.out_rep.name!r}, kernel_size={kernel_size}: no kernel of "
                "this size goes from one to the other, so that the output would be 0: use a larger kernel_size or "
                "cutoff, or representations whose frequencies are closer"
            )
        self.weight = nn.Parameter(torch.empty(sum(self._layout.sizes), device=device, dtype=dtype))
        still = len(invariants(self.out_rep)) if bias else 0
        self.bias = nn.Parameter(torch.empty(still, device=device, dtype=dtype)) if still else None
        self._shape: list[int] = []
        for i, tables in enumerate(filter_tables(*self._basis())):
            self._shape.append(len(tables))
            for j, table in enumerate(tables):
                self.register_buffer(f"table_{i}_{j}", torch.empty_like(table, device=device), persistent=False)
        constants = torch.empty(still, self.out_rep.size, device=device, dtype=torch.float64) if still else None
        self.register_buffer("constants", constants, persistent=False)
        self.reset_parameters()

    def _basis(self) -> tuple[Any, ...]:
        return self.in_rep, self.out_rep, self.kernel_size, self.profile, self.cutoff

    def _tables(self) -> list[tuple[Tensor, ...]]:
        return [tuple(getattr(self, f"table_{i}_{j}") for j in range(n)) for i, n in enumerate(self._shape)]

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw the weights so that activations keep their variance through a ReLU; biases are 0; fill the tables.

        Source: Weiler et al. 2018 (generalised He initialisation).
        """
        for tables, values in zip(self._tables(), filter_tables(*self._basis()), strict=True):
            for table, value in zip(tables, values, strict=True):
                table.copy_(value)
        for piece, part in zip(self.weight.split(self._layout.sizes), self._layout.parts, strict=True):
            piece.normal_(std=math.sqrt(2 / max(part.fan_in, 1)))
        if self.bias is not None and self.constants is not None:
            still = torch.from_numpy(invariants(self.out_rep))
            self.constants.copy_(still / still.abs().amax(1, keepdim=True))
            self.bias.zero_()

    def filters(self) -> Float[Tensor, "out_channels in_channels kernel_size kernel_size"]:
        """The filters of the ordinary convolution that this is."""
        return expand_filters(self.weight, self._layout, self._tables())

    def channel_bias(self) -> Float[Tensor, " out_channels"] | None:
        """The bias as one number for each channel."""
        if self.bias is None or self.constants is None:
            return None
        with without_autocast(self.bias):
            return self.bias @ self.constants.to(self.bias.dtype)

    def forward(self, x: Float[Tensor, "batch in_channels height width"]) -> Float[Tensor, "batch out_channels h w"]:
        """Convolve."""
        options = {name: getattr(self, name) for name in ("stride", "padding", "dilation", "padding_mode", "strict")}
        if self._layout.is_regular:
            options |= {"tables": self._tables()[0], "algorithm": self.algorithm}
            return regular_conv2d(x, self.weight, self.bias, self._layout, group=self.group, **options)
        return functional.steerable_conv2d(x, self.filters(), self.channel_bias(), group=self.group, **options)

    def extra_repr(self) -> str:
        def short(value: Any) -> Any:
            return value[0] if isinstance(value, tuple) and value[0] == value[1] else value

        parts = [f"{self.in_rep!r}, {self.out_rep!r}, {self.kernel_size}"]
        given = ((name, getattr(self, name), plain) for name, plain in _DEFAULTS)
        parts += [f"{name}={short(value)!r}" for name, value, plain in given if value != plain]
        return ", ".join(parts + (["bias=False"] if self.bias is None and len(invariants(self.out_rep)) else []))
