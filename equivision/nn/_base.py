"""What all group convolutions as modules share."""

import math
from collections.abc import Callable
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from equivision import functional
from equivision._numbers import check_count
from equivision.errors import ConfigError, GroupMismatchError
from equivision.filters._sample import Interpolation, Mask
from equivision.functional._checks import PADDING_MODES, PaddingMode, Size2, each_axis, resolve_padding
from equivision.functional._grid import check_square
from equivision.groups import PlanarGroup, SpatialGroup, planar

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


def grid_numbers(name: str, value: int | tuple[int, ...], group: SpatialGroup, *, least: int = 1) -> tuple[int, ...]:
    """An option of a sliding window as one number for each axis, (height, width) or (depth, height, width).

    Raises:
        ConfigError: a number is too small, or the value is no number and has not one for each axis.
        GroupMismatchError: the numbers of axes differ that the group exchanges.
    """
    numbers = each_axis(value, name, axes=group.dimension, least=least)
    check_square(group, **{name: numbers})
    return numbers


def grid_pair(name: str, value: Size2, group: PlanarGroup, *, least: int = 1) -> tuple[int, int]:
    """:func:`grid_numbers` of the plane."""
    rows, columns = grid_numbers(name, value, group, least=least)
    return rows, columns


def keep_window(
    module: Any,
    grid: SpatialGroup,
    taps: tuple[int, ...],
    stride: int | tuple[int, ...],
    padding: int | tuple[int, ...] | str,
    dilation: int | tuple[int, ...],
    padding_mode: PaddingMode,
) -> None:
    """Check the options of a sliding window and keep them on the module, numbers as one for each axis.

    Raises:
        ConfigError, GroupMismatchError: as :func:`grid_numbers`; or the padding mode is not known.
    """
    module.stride = grid_numbers("stride", stride, grid)
    module.dilation = grid_numbers("dilation", dilation, grid)
    module.padding = grid_numbers("padding", resolve_padding(padding, taps, module.dilation), grid, least=0)
    if padding_mode not in PADDING_MODES:
        raise ConfigError(f"padding_mode={padding_mode!r} is not known: choose one of {', '.join(PADDING_MODES)}")
    module.padding_mode = padding_mode


def uniform_(weight: Tensor, variance: float) -> None:
    """Fill with numbers spread evenly around 0. A variance of 2 / fan-in keeps that of activations through a ReLU."""
    bound = math.sqrt(3 * variance)
    with torch.no_grad():
        weight.uniform_(-bound, bound)


class Movable(nn.Module):
    """A module that can be moved where torch's own cannot.

    Weights with five axes, which ``to(memory_format=torch.channels_last)`` does not take, stay contiguous: the filter
    bank is built from them anew, in the layout of the input. Constants in double precision become single on devices
    that have no double, such as Apple's. Tables, which no ``state_dict`` holds, are filled again when one is loaded:
    ``to_empty`` leaves in them what was in the memory.
    """

    def fill_tables(self) -> None:
        """Fill what is neither learned nor saved; here there is nothing."""

    def reset_parameters(self) -> None:
        """Fill the tables; where weights are learned, draw them, too."""
        self.fill_tables()

    def _load_from_state_dict(self, *arguments: Any, **options: Any) -> None:
        super()._load_from_state_dict(*arguments, **options)
        with torch.no_grad():
            self.fill_tables()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        def apply(tensor: Tensor) -> Tensor:
            try:
                return fn(tensor)
            except TypeError:  # what torch raises there
                if tensor.dtype != torch.float64 or isinstance(tensor, nn.Parameter):
                    raise
                return fn(tensor.float())
            except RuntimeError:
                if tensor.ndim != 5:
                    raise
            return fn(tensor.flatten(1, 2)).contiguous().view(tensor.shape)

        return super()._apply(apply, recurse)


class GroupConvBase(Movable):
    """What all group convolutions share: checked arguments, parameters, initialisation, repr.

    Subclasses say whether the kernel has a group axis (``kernel_on_group``) and whether their input lives on the group
    (``input_on_group``), and whether they take groups off the pixel grid (``any_angle``). Those for volumes say how
    their group is read (``acting``).
    """

    equivariance: Guarantee = "exact"
    any_angle: ClassVar[bool] = True
    kernel_on_group: ClassVar[bool]
    input_on_group: ClassVar[bool]
    transposed: ClassVar[bool] = False
    table_names: ClassVar[tuple[str, ...]] = ("table",)
    group: Any
    kernel_size: Any
    stride: Any
    padding: Any
    dilation: Any
    weight: Tensor
    table: Tensor
    sampling: Tensor | None
    interpolation: Interpolation
    mask: Mask | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        *,
        group: SpatialGroup | str,
        stride: int | tuple[int, ...] = 1,
        padding: int | tuple[int, ...] | str = 0,
        dilation: int | tuple[int, ...] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        strict: bool = True,
        interpolation: Interpolation = "bilinear",
        mask: Mask | None = None,
        renormalize: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.group = self.acting(group)
        if not self.group.is_on_grid:
            self.equivariance = "approximate"
        self.in_channels, self.out_channels, self.groups = _check_channels(in_channels, out_channels, groups)
        self.kernel_size = grid_numbers("kernel_size", kernel_size, self.group)
        keep_window(self, self.group, self.kernel_size, stride, padding, dilation, padding_mode)
        self.strict = strict
        self.interpolation, self.mask, self.renormalize = interpolation, mask, renormalize
        for name, shape in self._weight_shapes().items():
            setattr(self, name, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))
        self.bias = nn.Parameter(torch.empty(out_channels, device=device, dtype=dtype)) if bias else None
        for name, table in zip(self.table_names, self._tables(), strict=True):
            self.register_buffer(name, torch.empty_like(table, device=device), persistent=False)
        sampling = self._sampling()
        empty = None if sampling is None else torch.empty_like(sampling, device=device)
        self.register_buffer("sampling", empty, persistent=False)
        self.reset_parameters()

    @classmethod
    def acting(cls, group: Any) -> SpatialGroup:
        """The group that acts, of a group or its name."""
        return planar(group) if cls.any_angle else grid_group(group)

    def _weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every weight, by its name."""
        first, second = self.out_channels, self.in_channels
        if self.transposed:
            first, second = second, first
        slots = (self.group.order,) if self.kernel_on_group else ()
        return {"weight": (first, second // self.groups, *slots, *self._numbers())}

    def _numbers(self) -> tuple[int, ...]:
        """The last axes of a weight: its taps, or ``(n, 1)`` where n numbers make a kernel."""
        if self.interpolation == "steerable" and (sampling := self._sampling()) is not None:
            return (sampling.shape[2], 1)
        return self.kernel_size

    def _taps(self) -> float:
        """Number of taps of a kernel; a moved one counts by the square of its norm."""
        sampling = self._sampling()
        if sampling is None:
            return float(math.prod(self.kernel_size))
        return float(sampling.square().sum()) / self.group.order

    def _tables(self) -> tuple[Tensor, ...]:
        """Index tables that the filter banks gather by, for the arguments ``table_names`` of the functional twin."""
        size = (1, 1) if self._sampling() is not None else self.kernel_size
        return (functional.filter_table(self.group, size, slots=self.kernel_on_group),)

    def _sampling(self) -> Tensor | None:
        """Sampling matrices of the kernels, where a table cannot move them."""
        return functional.filter_sampling(
            self.group, self.kernel_size, interpolation=self.interpolation, mask=self.mask, renormalize=self.renormalize
        )

    @property
    def fan_in(self) -> float:
        """Number of products summed in one output value; a moved kernel counts by the square of its norm.

        Where all |G| slots share a kernel their means add up, too: the square of the mean of a rectified Gaussian is
        1/pi of its mean square.
        """
        slots = self.group.order if self.input_on_group else 1
        shared = slots if self.input_on_group and not self.kernel_on_group else 1
        return float(self.in_channels // self.groups * slots * self._taps()) * (1 + (shared - 1) / math.pi)

    def fill_tables(self) -> None:
        """Fill the index tables and the sampling matrices."""
        for name, table in zip(self.table_names, self._tables(), strict=True):
            getattr(self, name).copy_(table)
        if self.sampling is not None and (sampling := self._sampling()) is not None:
            self.sampling.copy_(sampling)

    def reset_parameters(self) -> None:
        """Draw the weights so that activations keep their variance through a ReLU; biases are 0; fill the tables."""
        self.fill_tables()
        self._draw_weights()
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def _draw_weights(self) -> None:
        uniform_(self.weight, 2 / max(self.fan_in, 1))

    def _options(self) -> dict[str, Any]:
        """Keyword arguments of the functional twin."""
        names = ("group", "stride", "padding", "dilation", "groups", "strict", *self.table_names)
        options = {name: getattr(self, name) for name in names}
        options |= {"sampling": self.sampling} if self.any_angle else {}
        return options if self.transposed else options | {"padding_mode": self.padding_mode}

    def extra_repr(self) -> str:
        def short(value: tuple[int, ...]) -> str:
            return str(value[0] if len(set(value)) == 1 else value)

        parts = [f"{self.in_channels}, {self.out_channels}, {short(self.kernel_size)}, group={self.group!r}"]
        defaults = (("stride", 1), ("padding", 0), ("dilation", 1))
        parts += [f"{n}={short(getattr(self, n))}" for n, plain in defaults if set(getattr(self, n)) != {plain}]
        parts += [f"groups={self.groups}"] if self.groups != 1 else []
        parts += ["bias=False"] if self.bias is None else []
        parts += [f"padding_mode={self.padding_mode!r}"] if self.padding_mode != "zeros" else []
        parts += ["strict=False"] if not self.strict else []
        defaults = (("interpolation", "bilinear"), ("mask", None), ("renormalize", False))
        parts += [f"{n}={getattr(self, n)!r}" for n, plain in defaults if getattr(self, n) != plain]
        return ", ".join(parts)


def _check_channels(in_channels: int, out_channels: int, groups: int) -> tuple[int, int, int]:
    for name, value in (("in_channels", in_channels), ("out_channels", out_channels), ("groups", groups)):
        check_count(name, value)
    for name, value in (("in_channels", in_channels), ("out_channels", out_channels)):
        if value % groups:
            raise ConfigError(f"{name}={value} must be divisible by groups={groups}")
    return in_channels, out_channels, groups
