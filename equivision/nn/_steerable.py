"""Steerable convolution as a module."""

import torch
from jaxtyping import Float
from torch import Tensor

from equivision import functional
from equivision.errors import ConfigError, GroupMismatchError
from equivision.filters._rings import Profile
from equivision.filters._steerable import Plan
from equivision.functional._algorithm import Algorithm, check_algorithm
from equivision.functional._checks import PaddingMode, Size2
from equivision.functional._steerable import on_grid, plane_plans, regular_conv2d
from equivision.groups import OrthogonalGroup, PlanarGroup, PlaneGroup, parse_plane
from equivision.nn._steerable_base import SteerableConvBase
from equivision.reps import Representation
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


class SteerableConv2d(SteerableConvBase):
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
        into = representation("in_rep", in_rep, group)
        out = representation("out_rep", out_rep, into.group)  # pyright: ignore[reportArgumentType]
        grid = on_grid(into.group)  # pyright: ignore[reportCallIssue, reportArgumentType]
        super().__init__(
            into, out, kernel_size, grid=grid, stride=stride, padding=padding, dilation=dilation, bias=bias,
            padding_mode=padding_mode, strict=strict, profile=profile, cutoff=cutoff, device=device, dtype=dtype,
        )  # fmt: skip
        self.group: PlaneGroup = into.group  # pyright: ignore[reportAttributeAccessIssue]
        if not grid.is_on_grid or isinstance(self.group, OrthogonalGroup):
            self.equivariance = "approximate"
        check_algorithm(algorithm)
        self.algorithm = algorithm

    def plans(self) -> list[list[Plan]]:
        """The kernels of :func:`equivision.filters.kernel_basis`."""
        return plane_plans(self.in_rep, self.out_rep, self.kernel_size, self.profile, self.cutoff)

    def forward(self, x: Float[Tensor, "batch in_channels height width"]) -> Float[Tensor, "batch out_channels h w"]:
        """Convolve."""
        options = {name: getattr(self, name) for name in ("stride", "padding", "dilation", "padding_mode", "strict")}
        if self._layout.is_regular:
            options |= {"tables": self._tables()[0], "algorithm": self.algorithm}
            return regular_conv2d(x, self.weight, self.bias, self._layout, group=self.group, **options)
        return functional.steerable_conv2d(x, self.filters(), self.channel_bias(), group=self.group, **options)
