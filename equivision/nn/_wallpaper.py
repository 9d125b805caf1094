"""Convolution with kernels that are themselves invariant under a point group, as a module."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from equivision import functional
from equivision.filters._orbits import check_point_group
from equivision.functional._checks import PaddingMode, Size2
from equivision.functional._wallpaper import OrbitAlgorithm, basis_of, check_orbit_algorithm, orbits_of
from equivision.groups import PlanarGroup, planar
from equivision.nn._base import GroupConvBase


class WallpaperConv2d(GroupConvBase):
    """Convolution whose kernels have the symmetry of a wallpaper: ``K(g p) = K(p)`` for all g of a point group.

    One learned number for each orbit of taps: 3 instead of 9 for 3x3 under C4 and D4, 6 instead of 25 for 5x5 under
    D4. Maps on the plane stay maps on the plane, so that any layers of torch that commute with the group go between.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: one number, or (height, width) for groups without quarter turns; odd for C3, C6, D3 and D6.
        group: C1, C2, C3, C4, C6, D1, D2, D3, D4 or D6, the point groups of wallpapers, as a group or its name. Taps of
            C3, C6, D3 and D6 lie on a triangular lattice, read by interpolation
            (:func:`equivision.filters.orbit_basis`).
        stride, padding, dilation, groups, bias, padding_mode: as in :class:`torch.nn.Conv2d`.
        strict: raise GridError where stride and size cannot be exact.
        algorithm: ``"expand"``, ``"sums"`` or ``"auto"``, as in :func:`equivision.functional.wallpaper_conv2d`: the
            same parameters and, to rounding, the same results at another speed.
        device, dtype: of the parameters.

    Shape:
        ``[B, in_channels, H, W]`` to ``[B, out_channels, H', W']``; the weight is ``[out_channels, in_channels /
        groups, orbits]``, orbits from the centre outwards.

    Equivariance: plane to plane, ``f(g x) = g f(x)``; exact for the elements that move the pixel grid onto itself, so
    for all of C1, C2, C4, D1, D2 and D4; approximate for the rotations by 60 and 120 degrees of the others.

    It commutes with the group because it cannot tell directions apart: a kernel under C4 sees no edge. Where directions
    matter, :class:`GroupConv2d` keeps them apart instead. Without groups of channels it is the SteerableConv2d between
    trivial representations with ``profile="pixels"``, in other coordinates.

    Raises:
        GridError: the input size does not fit stride, kernel and padding.
        GroupMismatchError: the group is no point group of a lattice, or rows and columns are treated differently under
            one with more than half turns.
        ConfigError: an argument is out of range.

    Source: the article on the principles of group-equivariant networks (wallpaper-constrained kernels).

    >>> conv = WallpaperConv2d(3, 8, 3, group="D4", padding=1)
    >>> conv.weight.shape, conv(torch.randn(1, 3, 9, 9)).shape
    (torch.Size([8, 3, 3]), torch.Size([1, 8, 9, 9]))
    """

    kernel_on_group, input_on_group = False, False
    table_names = ("basis",)
    basis: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size2,
        *,
        group: PlanarGroup | str,
        stride: Size2 = 1,
        padding: Size2 | str = 0,
        dilation: Size2 = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        strict: bool = True,
        algorithm: OrbitAlgorithm = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_point_group(planar(group))
        check_orbit_algorithm(algorithm, planar(group))
        super().__init__(
            in_channels, out_channels, kernel_size, group=group, stride=stride, padding=padding, dilation=dilation,
            groups=groups, bias=bias, padding_mode=padding_mode, strict=strict, device=device, dtype=dtype,
        )  # fmt: skip
        self.algorithm: OrbitAlgorithm = algorithm
        self._orbits = orbits_of(self.group, self.kernel_size)  # torch.compile does not go through NumPy's tables

    def _tables(self) -> tuple[Tensor, ...]:
        return (basis_of(self.group, self.kernel_size),)

    def _sampling(self) -> None:
        return None

    def _weight_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"weight": (self.out_channels, self.in_channels // self.groups, len(self._tables()[0]))}

    def _taps(self) -> float:
        return float(self._tables()[0].square().sum())

    def _options(self) -> dict[str, Any]:
        options = super()._options() | {"kernel_size": self.kernel_size, "algorithm": self.algorithm}
        options["orbits"] = self._orbits
        return {name: value for name, value in options.items() if name != "sampling"}

    def filters(self) -> Float[Tensor, "out_channels in_channels kh kw"]:
        """The filters of the ordinary convolution that this is."""
        return functional.wallpaper_filters(self.weight, self.group, self.kernel_size, self.basis)

    def forward(self, x: Float[Tensor, "batch in_channels height width"]) -> Float[Tensor, "batch out_channels h w"]:
        """Convolve."""
        return functional.wallpaper_conv2d(x, self.weight, self.bias, **self._options())

    def extra_repr(self) -> str:
        return super().extra_repr() + (f", algorithm={self.algorithm!r}" if self.algorithm != "auto" else "")
