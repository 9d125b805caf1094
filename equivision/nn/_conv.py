"""Group convolutions as modules: parameters, and one call of :mod:`equivision.functional`."""

import math
from numbers import Integral
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equivision import functional
from equivision.errors import ConfigError, GroupMismatchError
from equivision.functional._algorithm import Algorithm, check_algorithm
from equivision.functional._checks import PADDING_MODES, PaddingMode, Size2, check_output_padding, pair, resolve_padding
from equivision.functional._grid import check_square
from equivision.groups import PlanarGroup, planar

Guarantee = Literal["exact", "approximate", "learned", "none"]


def grid_group(group: PlanarGroup | str) -> PlanarGroup:
    """The group of a layer that is exact on the pixel grid.

    Raises:
        GroupMismatchError: the group does not map the pixel grid onto itself.
    """
    parsed = planar(group)
    if not parsed.is_on_grid:
        raise GroupMismatchError(
            f"group={parsed.name} holds rotations by {360 / parsed.rotations:g} degrees, which do not map the pixel "
            "grid onto itself: choose C1, C2, C4, D1, D2 or D4"
        )
    return parsed


def grid_pair(name: str, value: Size2, group: PlanarGroup, *, least: int = 1) -> tuple[int, int]:
    """An option of a sliding window as a pair (height, width).

    Raises:
        ConfigError: a number is too small, or the value is no number or pair.
        GroupMismatchError: rows and columns differ, but the group exchanges them.
    """
    both = pair(value, name, least=least)
    check_square(group, **{name: both})
    return both


def check_count(name: str, value: int) -> None:
    """Raise ConfigError unless the value is a whole number of at least 1."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ConfigError(f"{name}={value!r}: give a whole number of at least 1")


def uniform_(weight: Tensor, variance: float) -> None:
    """Fill with numbers spread evenly around 0. A variance of 2 / fan-in keeps that of activations through a ReLU."""
    bound = math.sqrt(3 * variance)
    with torch.no_grad():
        weight.uniform_(-bound, bound)


class GroupConvBase(nn.Module):
    """What all group convolutions share: checked arguments, parameters, initialisation, repr.

    Subclasses say whether the kernel has a group axis (``kernel_on_group``) and whether their input lives on the group
    (``input_on_group``).
    """

    equivariance: ClassVar[Guarantee] = "exact"
    kernel_on_group: ClassVar[bool]
    input_on_group: ClassVar[bool]
    transposed: ClassVar[bool] = False
    table_names: ClassVar[tuple[str, ...]] = ("table",)
    weight: Tensor
    table: Tensor

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
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.group = grid_group(group)
        self.in_channels, self.out_channels, self.groups = _check_channels(in_channels, out_channels, groups)
        self.kernel_size = grid_pair("kernel_size", kernel_size, self.group)
        self.stride = grid_pair("stride", stride, self.group)
        self.dilation = grid_pair("dilation", dilation, self.group)
        self.padding = grid_pair(
            "padding", resolve_padding(padding, self.kernel_size, self.dilation), self.group, least=0
        )
        if padding_mode not in PADDING_MODES:
            raise ConfigError(f"padding_mode={padding_mode!r} is not known: choose one of {', '.join(PADDING_MODES)}")
        self.padding_mode = padding_mode
        self.strict = strict
        for name, shape in self._weight_shapes().items():
            setattr(self, name, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))
        self.bias = nn.Parameter(torch.empty(out_channels, device=device, dtype=dtype)) if bias else None
        for name, table in zip(self.table_names, self._tables(), strict=True):
            self.register_buffer(name, torch.empty_like(table, device=device), persistent=False)
        self.reset_parameters()

    def _weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every weight, by its name."""
        first, second = self.out_channels, self.in_channels
        if self.transposed:
            first, second = second, first
        slots = (self.group.order,) if self.kernel_on_group else ()
        return {"weight": (first, second // self.groups, *slots, *self.kernel_size)}

    def _tables(self) -> tuple[Tensor, ...]:
        """Index tables that the filter banks gather by, for the arguments ``table_names`` of the functional twin."""
        return (functional.filter_table(self.group, self.kernel_size, slots=self.kernel_on_group),)

    @property
    def fan_in(self) -> float:
        """Number of products summed in one output value."""
        slots = self.group.order if self.input_on_group else 1
        return float(self.in_channels // self.groups * slots * math.prod(self.kernel_size))

    def reset_parameters(self) -> None:
        """Draw the weights so that activations keep their variance through a ReLU; biases are 0; fill the tables."""
        for name, table in zip(self.table_names, self._tables(), strict=True):
            getattr(self, name).copy_(table)
        self._draw_weights()
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def _draw_weights(self) -> None:
        uniform_(self.weight, 2 / max(self.fan_in, 1))

    def _options(self) -> dict[str, Any]:
        """Keyword arguments of the functional twin."""
        names = ("group", "stride", "padding", "dilation", "groups", "strict", *self.table_names)
        options = {name: getattr(self, name) for name in names}
        return options if self.transposed else options | {"padding_mode": self.padding_mode}

    def extra_repr(self) -> str:
        def short(value: tuple[int, int]) -> str:
            return str(value[0] if value[0] == value[1] else value)

        parts = [f"{self.in_channels}, {self.out_channels}, {short(self.kernel_size)}, group={self.group!r}"]
        defaults = (("stride", 1), ("padding", 0), ("dilation", 1))
        parts += [f"{n}={short(getattr(self, n))}" for n, plain in defaults if getattr(self, n) != (plain, plain)]
        parts += [f"groups={self.groups}"] if self.groups != 1 else []
        parts += ["bias=False"] if self.bias is None else []
        parts += [f"padding_mode={self.padding_mode!r}"] if self.padding_mode != "zeros" else []
        parts += ["strict=False"] if not self.strict else []
        return ", ".join(parts)


def _check_channels(in_channels: int, out_channels: int, groups: int) -> tuple[int, int, int]:
    for name, value in (("in_channels", in_channels), ("out_channels", out_channels), ("groups", groups)):
        check_count(name, value)
    for name, value in (("in_channels", in_channels), ("out_channels", out_channels)):
        if value % groups:
            raise ConfigError(f"{name}={value} must be divisible by groups={groups}")
    return in_channels, out_channels, groups


class LiftConv2d(GroupConvBase):
    """From an image to a feature map on the group: every kernel is applied in all its orientations.

    ``y[o, h](t) = sum_{c, p} x[c](p) psi[o, c](h^-1 (p - t))``

    Args:
        in_channels: channels of the image.
        out_channels: fields, each with one map for every group element.
        kernel_size: one number, or (height, width) for groups without quarter turns; even sizes are fine.
        group: C1, C2, C4, D1, D2 or D4, as a group or its name.
        stride, padding, dilation, groups, bias, padding_mode: as in :class:`torch.nn.Conv2d`.
        strict: raise GridError where stride and size cannot be exact.
        device, dtype: of the parameters.

    Shape:
        ``[B, in_channels, H, W]`` to ``[B, out_channels, |G|, H', W']``.

    Equivariance: exact, ``f(g x) = L_g f(x)``.

    Raises:
        GridError: the input size does not fit stride, kernel and padding.
        GroupMismatchError: the group is off the pixel grid, or rows and columns are treated differently under C4 or D4.
        ConfigError: an argument is out of range.

    Source: Cohen & Welling 2016, eq. 10.

    >>> import torch
    >>> LiftConv2d(3, 16, 3, group="D4", padding=1)(torch.randn(1, 3, 9, 9)).shape
    torch.Size([1, 16, 8, 9, 9])
    """

    kernel_on_group, input_on_group = False, False

    def forward(self, x: Float[Tensor, "batch in_channels height width"]) -> Float[Tensor, "batch channel group h w"]:
        """Convolve."""
        return functional.lift_conv2d(x, self.weight, self.bias, **self._options())


class GroupConv2d(GroupConvBase):
    """Convolution of a feature map on the group.

    ``y[o](t, h) = sum_{c, h', p} x[c](p, h') psi[o, c](h^-1 h', h^-1 (p - t))``

    Args:
        in_channels: fields of the input.
        out_channels: fields of the output.
        kernel_size: one number, or (height, width) for groups without quarter turns; even sizes are fine.
        group: C1, C2, C4, D1, D2 or D4, as a group or its name.
        stride, padding, dilation, groups, bias, padding_mode: as in :class:`torch.nn.Conv2d`.
        strict: raise GridError where stride and size cannot be exact.
        algorithm: ``"expand"``, ``"fourier"`` or ``"auto"``, as in :func:`equivision.functional.group_conv2d`: the same
            parameters and, to rounding, the same results at another speed.
        device, dtype: of the parameters.

    Shape:
        ``[B, in_channels, |G|, H, W]`` to ``[B, out_channels, |G|, H', W']``.

    Equivariance: exact, ``f(L_g x) = L_g f(x)``.

    Raises:
        ShapeError: the input is not a feature map on the group.
        GridError: the input size does not fit stride, kernel and padding.
        ConfigError: an argument is out of range.

    Source: Cohen & Welling 2016, eq. 11.

    >>> import torch
    >>> GroupConv2d(2, 4, 3, group="C4")(torch.randn(1, 2, 4, 9, 9)).shape
    torch.Size([1, 4, 4, 7, 7])
    """

    kernel_on_group, input_on_group = True, True

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
        algorithm: Algorithm = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_algorithm(algorithm)
        super().__init__(
            in_channels, out_channels, kernel_size, group=group, stride=stride, padding=padding, dilation=dilation,
            groups=groups, bias=bias, padding_mode=padding_mode, strict=strict, device=device, dtype=dtype,
        )  # fmt: skip
        self.algorithm = algorithm

    def forward(
        self, x: Float[Tensor, "batch channel group height width"]
    ) -> Float[Tensor, "batch channel2 group h w"]:
        """Convolve."""
        return functional.group_conv2d(x, self.weight, self.bias, **self._options(), algorithm=self.algorithm)

    def extra_repr(self) -> str:
        extra = f", algorithm={self.algorithm!r}" if self.algorithm != "auto" else ""
        return super().extra_repr() + extra


class ProjectConv2d(GroupConvBase):
    """From a feature map on the group back to maps on the plane that turn with the input.

    ``y[o](t) = sum_{c, h, p} x[c](p, h) psi[o, c](h^-1 (p - t))``

    Arguments as in :class:`LiftConv2d`.

    Shape:
        ``[B, in_channels, |G|, H, W]`` to ``[B, out_channels, H', W']``.

    Equivariance: exact, ``f(L_g x) = g f(x)``.

    Raises:
        ShapeError: the input is not a feature map on the group.
        GridError: the input size does not fit stride, kernel and padding.

    Source: Li et al. 2017 (decycle layer).

    >>> import torch
    >>> ProjectConv2d(2, 1, 1, group="C4")(torch.randn(1, 2, 4, 9, 9)).shape
    torch.Size([1, 1, 9, 9])
    """

    kernel_on_group, input_on_group = False, True

    @property
    def fan_in(self) -> float:
        """Number of products summed in one output value, weighed: all |G| slots share a kernel, so their means add up.

        The square of the mean of a rectified Gaussian is 1/pi of its mean square.
        """
        return super().fan_in * (1 + (self.group.order - 1) / math.pi)

    def forward(self, x: Float[Tensor, "batch channel group height width"]) -> Float[Tensor, "batch out_channels h w"]:
        """Convolve."""
        return functional.project_conv2d(x, self.weight, self.bias, **self._options())


class GroupConvTranspose2d(GroupConvBase):
    """Transposed group convolution: learned upsampling. ``y[o](g) = sum_h sum_c x[c](h) psi[c, o](h^-1 g)``.

    Kernel 4, stride 2, padding 1 doubles the size; kernel 3, stride 2, padding 1 takes n to 2n - 1.

    Args:
        in_channels: fields of the input.
        out_channels: fields of the output.
        kernel_size: taps.
        group: C1, C2, C4, D1, D2 or D4.
        output_padding: pixels added on one side; must be 0 unless ``strict=False``.
        stride, padding, dilation, groups, bias: as in :class:`torch.nn.ConvTranspose2d`.
        strict: raise GridError for what cannot be exact.
        device, dtype: of the parameters.

    Shape:
        ``[B, in_channels, |G|, H, W]`` to ``[B, out_channels, |G|, H', W']``.

    Equivariance: exact, regular to regular.

    Raises:
        ShapeError: the input is not a feature map on the group.
        GridError: ``output_padding`` is not 0.

    Source: the G-CNN segmentation study, eq. 11.

    >>> import torch
    >>> GroupConvTranspose2d(2, 1, 4, group="C4", stride=2, padding=1)(torch.randn(1, 2, 4, 5, 5)).shape
    torch.Size([1, 1, 4, 10, 10])
    """

    kernel_on_group, input_on_group, transposed = True, True, True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size2,
        *,
        group: PlanarGroup | str,
        stride: Size2 = 1,
        padding: Size2 = 0,
        output_padding: Size2 = 0,
        dilation: Size2 = 1,
        groups: int = 1,
        bias: bool = True,
        strict: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, group=group, stride=stride, padding=padding, dilation=dilation,
            groups=groups, bias=bias, strict=strict, device=device, dtype=dtype,
        )  # fmt: skip
        self.output_padding = grid_pair("output_padding", output_padding, self.group, least=0)
        check_output_padding(self.group, self.output_padding, strict=strict)

    @property
    def fan_in(self) -> float:
        """Mean number of products summed in one output value: a stride spreads the kernel over its square."""
        return super().fan_in / math.prod(self.stride)

    def forward(
        self, x: Float[Tensor, "batch channel group height width"]
    ) -> Float[Tensor, "batch channel2 group h w"]:
        """Convolve."""
        return functional.group_conv_transpose2d(
            x, self.weight, self.bias, **self._options(), output_padding=self.output_padding
        )

    def extra_repr(self) -> str:
        extra = f", output_padding={self.output_padding}" if self.output_padding != (0, 0) else ""
        return super().extra_repr() + extra
