"""Convolutions whose kernels are drawn at several scales, and turned."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equivision._numbers import check_count
from equivision.errors import ConfigError
from equivision.filters import HermiteBasis, LogPolarBasis, ScaleBasis, scale_windows
from equivision.groups import PlanarGroup, planar
from equivision.nn._base import Guarantee, Movable, uniform_
from equivision.scale._functional import scale_conv2d, scale_lift_conv2d, slot_table


class _ScaleConvBase(Movable):
    """What the convolutions over scales share: coefficients of functions that are drawn in every pose, once.

    A pose is a scale and an element of a group, number ``s * order + h``.
    """

    equivariance: Guarantee = "approximate"
    default_basis: ScaleBasis = HermiteBasis()
    _num_steps: int = 0  # between scales, where the input has any
    functions: Tensor
    bias: Tensor | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        scales: Sequence[float],
        group: PlanarGroup | str = "C1",
        basis: ScaleBasis | None = None,
        stride: int = 1,
        padding: int | Literal["same"] = 0,
        bias: bool = True,
        strict: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        for name, count in (("in_channels", in_channels), ("out_channels", out_channels), ("stride", stride)):
            check_count(name, count)
        self.windows = scale_windows(kernel_size, scales)
        self.scales, self.group, self.strict = tuple(float(s) for s in scales), planar(group), strict
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, kernel_size
        self.stride, self.padding = stride, kernel_size // 2 if padding == "same" else padding
        if isinstance(self.padding, bool) or not isinstance(self.padding, int) or self.padding < 0:
            raise ConfigError(f"padding={padding!r}: give a whole number of at least 0, or 'same'")
        self.basis = self.default_basis if basis is None else basis
        if not isinstance(self.basis, ScaleBasis):
            raise ConfigError(
                f"basis={basis!r}: give functions for all scales, such as equivision.filters.HermiteBasis()"
            )
        tables = self._tables()
        slots = (self._num_steps * self.group.order,) if self._num_steps else ()
        shape = (out_channels, in_channels, *slots, tables["functions"].shape[0])
        self.weight = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.empty(out_channels, device=device, dtype=dtype)) if bias else None
        for name, table in tables.items():
            self.register_buffer(name, torch.empty(table.shape, dtype=table.dtype, device=device), persistent=False)
        self.reset_parameters()

    def _tables(self) -> dict[str, Tensor]:
        """What is computed once: the functions, and where a kernel has slots, how they are permuted."""
        drawn = self.basis.sample(self.kernel_size, self.scales, self.group)
        return {"functions": torch.tensor(drawn, device="cpu")}

    @property
    def fan_in(self) -> float:
        """Number of products summed in one output value; functions count by the mean square of their norms."""
        functions = self._tables()["functions"]
        seen = self._num_steps * self.group.order or 1
        return self.in_channels * seen * float(functions.square().sum()) / functions.shape[1]

    def fill_tables(self) -> None:
        """Draw the functions, and fill the index table."""
        for name, table in self._tables().items():
            self.get_buffer(name).copy_(table)

    def reset_parameters(self) -> None:
        """Draw the weights so that activations keep their variance through a ReLU; biases are 0; draw the functions."""
        self.fill_tables()
        uniform_(self.weight, 2 / max(self.fan_in, 1e-9))
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def _options(self) -> dict[str, Any]:
        names = ("group", "windows", "stride", "padding", "strict")
        return {"basis": self.functions} | {name: getattr(self, name) for name in names}

    def extra_repr(self) -> str:
        parts = [f"{self.in_channels}, {self.out_channels}, {self.kernel_size}, scales={self.scales}"]
        parts += [f"group={self.group!r}"] if self.group.order > 1 else []
        parts += [f"extent={self._num_steps}"] if self._num_steps > 1 else []
        parts += [f"basis={self.basis!r}"] if self.basis != self.default_basis else []
        parts += [
            f"{n}={getattr(self, n)}" for n, plain in (("stride", 1), ("padding", 0)) if getattr(self, n) != plain
        ]
        parts += ["bias=False"] if self.bias is None else []
        parts += ["strict=False"] if not self.strict else []
        return ", ".join(parts)


class ScaleLiftConv2d(_ScaleConvBase):
    """From an image to a feature map on scales, or on scales and orientations: every kernel is applied in all of them.

    ``y[o, s, h](t) = sum_{c, p} x[c](p) s^-2 psi[o, c](h^-1 (p - t) / s)``, where psi is a learned sum of functions
    that can be drawn at any scale and any angle.

    Args:
        in_channels: channels of the image.
        out_channels: fields, each with one map for every scale.
        kernel_size: taps of a side at the largest scale, odd; smaller scales have fewer, in proportion.
        scales: of the kernels, in pixels, ascending; for equivariance, each as many times the one before it.
        group: C_n or D_n, any n, by which kernels are turned and reflected; nothing is interpolated. By default none.
        basis: the functions; :class:`~equivision.filters.HermiteBasis` by default.
        stride, padding, bias: as in :class:`torch.nn.Conv2d`; ``"same"`` pads half the largest kernel.
        strict: raise GridError where stride and size cannot be exact under the quarter turns and flips of the group.
        device, dtype: of the parameters.

    Shape:
        ``[B, in_channels, H, W]`` to ``[B, out_channels, S * order, H', W']``: for each scale, all elements of the
        group.

    Equivariance: approximate: an image enlarged by the ratio of two scales gives the enlarged maps, one scale further.
    What moves beyond the first or last scale is lost. An image moved by an element of the group gives the moved maps,
    their slots permuted: exact for the elements that move the pixel grid onto itself, approximate for the others.
    Translations: exact away from the border.

    Raises:
        ConfigError: an argument is out of range.
        ShapeError: the input does not fit.
        GridError: the input size does not fit stride, kernel and padding.

    Source: Sosnovik, Szmaja & Smeulders 2020, eq. 9; with turns Weiler, Hamprecht & Storath 2018, eq. 6.

    >>> ScaleLiftConv2d(3, 16, 13, scales=(1.5, 2.1, 3.0), padding="same")(torch.randn(2, 3, 28, 28)).shape
    torch.Size([2, 16, 3, 28, 28])
    >>> ScaleLiftConv2d(3, 16, 13, scales=(1.5, 3.0), group="C8", padding="same")(torch.randn(2, 3, 28, 28)).shape
    torch.Size([2, 16, 16, 28, 28])
    """

    def forward(self, x: Float[Tensor, "batch in_channels height width"]) -> Float[Tensor, "batch channel slot h w"]:
        """Convolve."""
        return scale_lift_conv2d(x, self.weight, self.bias, **self._options())


class ScaleConv2d(_ScaleConvBase):
    """Convolution of a feature map on scales, or on scales and orientations.

    ``y[o, s, h](t) = sum_{c, e, h', p} x[c, s + e, h'](p) s^-2 psi[o, c, e, h^-1 h'](h^-1 (p - t) / s)``: every output
    sees its own scale and the ``extent - 1`` next larger ones, in all orientations.

    Args:
        in_channels: fields of the input.
        out_channels: fields of the output.
        kernel_size: taps of a side at the largest scale, odd.
        scales: those of the input.
        extent: how many neighbouring scales a kernel covers.
        group: that of the input.
        basis, stride, padding, bias, strict, device, dtype: as in :class:`ScaleLiftConv2d`.

    Shape:
        ``[B, in_channels, S * order, H, W]`` to ``[B, out_channels, S * order, H', W']``.

    Equivariance: approximate, as for :class:`ScaleLiftConv2d`; with ``extent`` above 1 the last ``extent - 1`` scales
    see zeros beyond the largest, so that they do not take part.

    Raises:
        ConfigError: an argument is out of range.
        ShapeError: the input does not fit.
        GridError: the input size does not fit stride, kernel and padding.

    Source: Sosnovik, Szmaja & Smeulders 2020, eq. 10; with turns Cohen & Welling 2016, eq. 11.

    >>> ScaleConv2d(4, 8, 7, scales=(1.0, 1.4, 2.0), extent=2)(torch.randn(2, 4, 3, 9, 9)).shape
    torch.Size([2, 8, 3, 3, 3])
    """

    table: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        scales: Sequence[float],
        group: PlanarGroup | str = "C1",
        extent: int = 1,
        basis: ScaleBasis | None = None,
        stride: int = 1,
        padding: int | Literal["same"] = 0,
        bias: bool = True,
        strict: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_count("extent", extent)
        number = len(scale_windows(kernel_size, scales))
        if extent > number:
            raise ConfigError(f"extent={extent}: there are {number} scale(s) only; give at most as many")
        self._num_steps = extent
        super().__init__(
            in_channels, out_channels, kernel_size, scales=scales, group=group, basis=basis, stride=stride,
            padding=padding, bias=bias, strict=strict, device=device, dtype=dtype,
        )  # fmt: skip

    def _tables(self) -> dict[str, Tensor]:
        return super()._tables() | {"table": slot_table(self.group, self.extent)}

    @property
    def extent(self) -> int:
        """How many neighbouring scales a kernel covers."""
        return self._num_steps

    def forward(
        self, x: Float[Tensor, "batch in_channels slot height width"]
    ) -> Float[Tensor, "batch channel slot h w"]:
        """Convolve."""
        return scale_conv2d(x, self.weight, self.bias, **self._options(), table=self.table)


class ScaleSteerableConv2d(_ScaleConvBase):
    """Locally invariant convolution: at every place, the response of the scale and orientation that respond most.

    ``y[o](t) = max_{s, h} sum_{c, p} x[c](p) s^-2 psi[o, c](h^-1 (p - t) / s)``. With the functions of
    :class:`~equivision.filters.LogPolarBasis`, the default, it is the layer of SS-CNN; with those of
    :class:`~equivision.filters.HermiteBasis` that of the scalar network of SESN.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: taps of a side at the largest scale, odd.
        scales: of the kernels, in pixels, ascending.
        basis: the functions.
        group, stride, padding, bias, strict, device, dtype: as in :class:`ScaleLiftConv2d`.

    Shape:
        ``[B, in_channels, H, W]`` to ``[B, out_channels, H', W']``.

    Equivariance: approximate: an image enlarged by the ratio of two scales gives the enlarged map, but for what
    responds most at the first or last scale. Which scale it was is forgotten, and which orientation: an image moved by
    an element of the group gives the moved map, exact for the elements that move the pixel grid onto itself.

    Raises:
        ConfigError: an argument is out of range.
        ShapeError: the input does not fit.
        GridError: the input size does not fit stride, kernel and padding.

    Source: Ghosh & Gupta 2019; Sosnovik, Szmaja & Smeulders 2020 (scalar).

    >>> ScaleSteerableConv2d(3, 16, 9, scales=(5.0, 7.0, 9.0), padding="same")(torch.randn(2, 3, 28, 28)).shape
    torch.Size([2, 16, 28, 28])
    """

    default_basis = LogPolarBasis()

    def forward(self, x: Float[Tensor, "batch in_channels height width"]) -> Float[Tensor, "batch channel h w"]:
        """Convolve in all poses, and take the largest."""
        return scale_lift_conv2d(x, self.weight, self.bias, **self._options()).amax(2)
