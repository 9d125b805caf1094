"""Convolution of features whose components are given in frames that change from pixel to pixel."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equivision.errors import ShapeError
from equivision.filters._rings import Profile
from equivision.functional._checks import PaddingMode, Size2
from equivision.gauge._frames import rotation_fields, runs_of, turned
from equivision.gauge._surface import GaugeConv
from equivision.nn import SteerableConv2d
from equivision.nn._base import Guarantee
from equivision.reps import Representation


class GaugeConv2d(SteerableConv2d):
    """Convolution in position-dependent frames, with parallel transport, on the pixels of the plane.

    ``y_p = sum_q K(angle of q - p in the frame of p) rho_in(g_p^-1 g_q) x_q``: the components of x at q are carried to
    the frame of p before the kernel acts, ``g_p`` being the rotation to the frame of p. The kernel obeys ``K(R d) =
    rho_out(R) K(d) rho_in(R)^-1`` for all rotations; from vectors to vectors that is ``a I + b J`` and two parts that
    turn twice, each with free weights along the radius.

    The plane is flat, so that transport does not depend on the way. That is why carrying everything to the world,
    convolving with :class:`~equivision.nn.SteerableConv2d` and going back to the frames is the same sum; this is how it
    is computed.

    Args:
        in_rep: fields of the input, a sum of irreps of SO(2) or its name: ``A`` scalars, ``E1`` vectors, ``E2`` lines.
        out_rep: those of the output.
        kernel_size: taps of a side, odd or even.
        stride, padding, dilation, bias, padding_mode, strict, profile, cutoff: as in
            :class:`~equivision.nn.SteerableConv2d`; the bias is one of scalars.
        device, dtype: of the parameters.

    Shape:
        ``[B, in_rep.size, H, W]`` and frames, ``[H, W]`` or ``[B, H, W]``, angles in radians, to ``[B, out_rep.size,
        H', W']``. Where the output has another size, give its frames too.

    Equivariance: exact under change of frames: in other frames the components change, what they stand for does not. In
    constant frames the layer is exact under quarter turns of the picture with its fields, and approximate under others.

    Raises:
        GroupMismatchError: a representation is no sum of irreps of SO(2).
        ShapeError: features and frames do not fit.
        ConfigError: an argument is out of range.

    Source: the article on the principles of group-equivariant networks (transporter); Cohen et al. 2019 (gauge
    equivariant convolutional networks).

    >>> conv = GaugeConv2d("2 A + E1", "E2", 3, padding=1)
    >>> conv(torch.randn(1, 4, 9, 9), torch.rand(9, 9)).shape
    torch.Size([1, 2, 9, 9])
    """

    def __init__(
        self,
        in_rep: Representation | str,
        out_rep: Representation | str,
        kernel_size: int,
        *,
        stride: Size2 = 1,
        padding: Size2 | str = 0,
        dilation: Size2 = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        strict: bool = True,
        profile: Profile = "gaussian",
        cutoff: float = 3.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        fields = rotation_fields(in_rep), rotation_fields(out_rep)
        super().__init__(
            *fields, kernel_size, stride=stride, padding=padding, dilation=dilation, bias=bias,
            padding_mode=padding_mode, strict=strict, profile=profile, cutoff=cutoff, device=device, dtype=dtype,
        )  # fmt: skip
        self.equivariance = "exact"
        self._in_runs, self._out_runs = (runs_of(one) for one in fields)

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        x: Float[Tensor, "batch in_channels height width"],
        frames: Float[Tensor, "*angles"],
        out_frames: Float[Tensor, "*out_angles"] | None = None,
    ) -> Float[Tensor, "batch out_channels h w"]:
        """Convolve."""
        world = super().forward(turned(x, self._in_runs, frames, "GaugeConv2d"))
        if out_frames is None and world.shape[-2:] != x.shape[-2:]:
            raise ShapeError(
                f"GaugeConv2d: the output has {tuple(world.shape[-2:])} positions, the input {tuple(x.shape[-2:])}: "
                "give the frames of the output, out_frames=, or choose padding='same' and stride=1"
            )
        return turned(world, self._out_runs, -(frames if out_frames is None else out_frames), "GaugeConv2d")


class GaugeSequential(nn.Sequential):
    """Layers one after the other, of which those that need frames get them.

    Args:
        layers: :class:`GaugeConv2d` of constant size, or :class:`GaugeConv`; between them layers that act on the fields
            of every position, such as :class:`~equivision.nn.NormReLU`, :class:`~equivision.nn.GatedNonlinearity` and
            :class:`~equivision.nn.FieldBatchNorm2d` over SO(2), which no change of frames changes.

    Shape:
        features and frames (or a :class:`Stencil`) to features.

    Equivariance: exact under change of frames, if every layer is.

    >>> from equivision.nn import NormReLU
    >>> fields = "2 A + 2 E1"
    >>> net = GaugeSequential(
    ...     GaugeConv2d("E1", fields, 3, padding=1), NormReLU(fields, group="SO2"),
    ...     GaugeConv2d(fields, "E1", 3, padding=1),
    ... )
    >>> net(torch.randn(1, 2, 9, 9), torch.rand(9, 9)).shape
    torch.Size([1, 2, 9, 9])
    """

    equivariance: Guarantee = "exact"

    def forward(self, x: Tensor, frames: Any) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Apply the layers."""
        for layer in self:
            x = layer(x, frames) if isinstance(layer, _WITH_FRAMES) else layer(x)
        return x


_WITH_FRAMES: tuple[type[nn.Module], ...] = (GaugeConv, GaugeConv2d, GaugeSequential)
