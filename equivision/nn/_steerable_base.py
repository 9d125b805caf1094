"""What steerable convolutions of the plane and of volumes share: weights, tables of kernels, biases, options."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equivision._numbers import check_count
from equivision.errors import ConfigError
from equivision.filters._steerable import Plan
from equivision.functional._checks import PaddingMode, without_autocast
from equivision.functional._steerable import expand_filters, layout_of, tables_of
from equivision.groups import SpatialGroup
from equivision.nn._base import Guarantee, Movable, keep_window
from equivision.reps import Representation, invariants


class SteerableConvBase(Movable):
    """A convolution whose filters are a learned sum of kernels that a constraint leaves.

    A subclass says which kernels there are: :meth:`plans`, a row for every type of field of the output. Their arrays
    are buffers that are not saved; :meth:`reset_parameters` fills them, also after ``to_empty``.

    Args:
        in_rep, out_rep: fields of the input and of the output.
        kernel_size: taps of a side.
        grid: the elements that move the grid onto itself, of as many axes as the convolution has.
        profile, cutoff: whatever :meth:`plans` understands.
    """

    equivariance: Guarantee = "exact"
    #: What the irreps of the group are told apart by, for errors.
    numbered_by: ClassVar[str] = "frequencies"
    weight: Tensor
    bias: Tensor | None
    constants: Tensor | None
    stride: Any
    padding: Any
    dilation: Any
    padding_mode: PaddingMode

    def __init__(
        self,
        in_rep: Representation,
        out_rep: Representation,
        kernel_size: int,
        *,
        grid: SpatialGroup,
        stride: int | tuple[int, ...],
        padding: int | tuple[int, ...] | str,
        dilation: int | tuple[int, ...],
        bias: bool,
        padding_mode: PaddingMode,
        strict: bool,
        profile: Any,
        cutoff: float | int,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
    ) -> None:
        super().__init__()
        self.in_rep, self.out_rep = in_rep, out_rep
        check_count("kernel_size", kernel_size)
        self.kernel_size = int(kernel_size)
        taps = (self.kernel_size,) * grid.dimension
        keep_window(self, grid, taps, stride, padding, dilation, padding_mode)
        self.strict, self.profile, self.cutoff = strict, profile, cutoff
        plans = self.plans()
        self._layout = layout_of(in_rep, out_rep, plans, taps)
        if not sum(self._layout.sizes):
            raise ConfigError(
                f"in_rep={in_rep.name!r}, out_rep={out_rep.name!r}, kernel_size={kernel_size}: no kernel of this size "
                "goes from one to the other, so that the output would be 0: use a larger kernel_size or cutoff, or "
                f"representations whose {self.numbered_by} are closer"
            )
        self.weight = nn.Parameter(torch.empty(sum(self._layout.sizes), device=device, dtype=dtype))
        still = len(invariants(out_rep)) if bias else 0
        self.bias = nn.Parameter(torch.empty(still, device=device, dtype=dtype)) if still else None
        self._num_tables: list[int] = []
        for i, tables in enumerate(tables_of(in_rep, out_rep, plans)):
            self._num_tables.append(len(tables))
            for j, table in enumerate(tables):
                self.register_buffer(f"table_{i}_{j}", torch.empty_like(table, device=device), persistent=False)
        constants = torch.empty(still, out_rep.size, device=device, dtype=torch.float64) if still else None
        self.register_buffer("constants", constants, persistent=False)
        self.reset_parameters()

    def plans(self) -> Sequence[Sequence[Plan]]:
        """The kernels: a row for every type of the output, with one plan for every type of the input."""
        raise NotImplementedError

    def _tables(self) -> list[tuple[Tensor, ...]]:
        return [tuple(getattr(self, f"table_{i}_{j}") for j in range(n)) for i, n in enumerate(self._num_tables)]

    def fill_tables(self) -> None:
        """Fill the tables of the filters, and the invariants that biases lie in."""
        for tables, values in zip(self._tables(), tables_of(self.in_rep, self.out_rep, self.plans()), strict=True):
            for table, value in zip(tables, values, strict=True):
                table.copy_(value)
        if self.constants is not None:
            still = torch.from_numpy(invariants(self.out_rep))
            self.constants.copy_(still / still.abs().amax(1, keepdim=True))

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw the weights so that activations keep their variance through a ReLU; biases are 0; fill the tables.

        Source: Weiler et al. 2018 (generalised He initialisation).
        """
        self.fill_tables()
        for piece, part in zip(self.weight.split(self._layout.sizes), self._layout.parts, strict=True):
            piece.normal_(std=math.sqrt(2 / max(part.fan_in, 1)))
        if self.bias is not None:
            self.bias.zero_()

    def filters(self) -> Float[Tensor, "out_channels in_channels *taps"]:
        """The filters of the ordinary convolution that this is."""
        return expand_filters(self.weight, self._layout, self._tables())

    def channel_bias(self) -> Float[Tensor, " out_channels"] | None:
        """The bias as one number for each channel."""
        if self.bias is None or self.constants is None:
            return None
        with without_autocast(self.bias):
            return self.bias @ self.constants.to(self.bias.dtype)

    def extra_repr(self) -> str:
        plain = {"stride": 1, "padding": 0, "dilation": 1, "padding_mode": "zeros", "strict": True,
                 "profile": "gaussian", "cutoff": 3.0, "algorithm": "auto"}  # fmt: skip
        parts = [f"{self.in_rep!r}, {self.out_rep!r}, {self.kernel_size}"]
        for name, usual in plain.items():
            value = getattr(self, name, usual)
            if isinstance(value, tuple) and len(set(value)) == 1:
                value = value[0]
            parts += [f"{name}={value!r}"] if value != usual else []
        return ", ".join(parts + (["bias=False"] if self.bias is None and len(invariants(self.out_rep)) else []))
