"""The orbit-Fourier algorithm of a group convolution: compiled loops, a GPU kernel, or else plain torch operators.

The operator for the CPU is opaque to autograd and compilers, so its derivatives, its shapes and the number of its
products are registered here.
"""

from importlib.util import find_spec
from types import ModuleType

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn import functional as F

from equivision.functional._checks import is_autocast
from equivision.functional._filters import group_filters
from equivision.functional._layout import FieldLayout
from equivision.groups import PlanarGroup, planar
from equivision.kernels import (
    Window,
    channels_last,
    group_conv2d_triton,
    is_channels_last,
    orbit_plan,
    supports_triton,
)
from equivision.kernels._format import empty_like_format

#: Whether numba is installed, which compiles the loops.
HAS_LOOPS = find_spec("numba") is not None


def fourier_conv2d(
    x: Tensor, weight: Tensor, bias: Tensor | None, group: PlanarGroup, window: Window, groups: int = 1
) -> Tensor:
    """Group convolution of ``x [B, C, G, H, W]`` with ``weight [O, C / groups, G, kh, kw]``, checked and padded."""
    if is_autocast(x):
        x, weight = _cast(x), _cast(weight)
        bias = None if bias is None else _cast(bias)
    if supports_triton(x, group) and x.dtype == weight.dtype:
        y = group_conv2d_triton(x, weight, group=group, **window._asdict(), groups=groups)
        return y if bias is None else y + bias[:, None, None, None]
    if groups > 1:
        parts = zip(x.chunk(groups, 1), weight.chunk(groups), _chunks(bias, groups), strict=True)
        y = torch.cat([fourier_conv2d(*part, group, window) for part in parts], 1)
        return channels_last(y) if is_channels_last(x) else y
    if x.device.type in ("cpu", "meta") and HAS_LOOPS:
        return _loops_conv2d(x, weight, bias, group.name, *map(list, window))
    return composite_conv2d(x, weight, bias, group, window)


def _cast(x: Tensor) -> Tensor:
    """To the dtype of autocast, which leaves float64 as it is."""
    return x if x.dtype == torch.float64 else x.to(torch.get_autocast_dtype(x.device.type))


def is_transformed() -> bool:
    """Inside ``torch.func`` transforms or forward-mode differentiation, for which the operator has no rules."""
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0


def _chunks(bias: Tensor | None, groups: int) -> tuple[Tensor | None, ...]:
    return (None,) * groups if bias is None else bias.chunk(groups)


def composite_conv2d(x: Tensor, weight: Tensor, bias: Tensor | None, group: PlanarGroup, window: Window) -> Tensor:
    """The algorithm in plain torch operators: differentiable any number of times, on every device.

    It gathers ``taps`` times the input and is meant to be right, not fast.
    """
    kernel_size = (weight.shape[-2], weight.shape[-1])
    plan = orbit_plan(group, kernel_size)
    height, width = window.out_size((x.shape[-2], x.shape[-1]), kernel_size)
    (sy, sx), (py, px), (dy, dx) = window
    padded = F.pad(x, (px, px, py, py))

    def read(slot: int, tap: int) -> Tensor:
        row, column = divmod(int(plan.taps[tap, slot]), kernel_size[1])
        rows = slice(row * dy, row * dy + (height - 1) * sy + 1, sy)
        columns = slice(column * dx, column * dx + (width - 1) * sx + 1, sx)
        return padded[:, :, slot, rows, columns]

    taps = range(len(plan.taps))
    oriented = torch.stack([torch.stack([read(h, p) for h in range(group.order)]) for p in taps])  # T G B C H W
    basis, mix = (torch.from_numpy(table).to(x) for table in (plan.basis, plan.mix))
    rows = torch.einsum("rh,thbcyx->rtbcyx", basis, oriented)
    index = torch.from_numpy(plan.weights).to(x.device)
    products = torch.einsum("eg,octg->eoct", mix, weight.flatten(2)[:, :, index])
    found = []
    for block in plan.blocks:
        u = rows[block.basis : block.basis + block.rows * block.inner].unflatten(0, (block.rows, block.inner))
        m = products[block.mix : block.mix + block.outer * block.inner].unflatten(0, (block.outer, block.inner))
        found.append(torch.einsum("ijtbcyx,kjoct->ikboyx", u, m).flatten(0, 1))
    y = torch.einsum("rg,rboyx->bogyx", basis, torch.cat(found))
    return y if bias is None else y + bias[:, None, None, None]


@torch.library.custom_op("equivision::group_conv2d", mutates_args=(), device_types="cpu")
def _loops_conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    group: str,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
) -> Tensor:
    given, w, window = _computed(x), _computed(weight), _window(stride, padding, dilation)
    b = None if bias is None else _computed(bias)
    return _form(given, w, window).convolve(given, w, b, planar(group), window).to(x.dtype)


@_loops_conv2d.register_fake
def _(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    group: str,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
) -> Tensor:
    size = _window(stride, padding, dilation).out_size((x.shape[-2], x.shape[-1]), (weight.shape[-2], weight.shape[-1]))
    return empty_like_format(x, weight.shape[0], size)


@torch.library.custom_op("equivision::group_conv2d_backward", mutates_args=(), device_types="cpu")
def _loops_backward(
    grad: Tensor,
    x: Tensor,
    weight: Tensor,
    group: str,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    for_x: bool,
    for_weight: bool,
) -> tuple[Tensor, Tensor]:
    g, given, w = (_computed(t) for t in (grad, x, weight))
    options = (planar(group), _window(stride, padding, dilation))
    form = _form(given, w, options[1])
    # in this order, for weight_gradient makes use of the memory that dx will need
    dw = form.weight_gradient(g, given, w, *options).to(weight.dtype) if for_weight else weight.new_empty(0)
    dx = form.input_gradient(g, given, w, *options).to(x.dtype) if for_x else x.new_empty(0)
    return dx, dw


@_loops_backward.register_fake
def _(
    grad: Tensor,
    x: Tensor,
    weight: Tensor,
    group: str,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    for_x: bool,
    for_weight: bool,
) -> tuple[Tensor, Tensor]:
    dx = empty_like_format(x, x.shape[1], (x.shape[-2], x.shape[-1])) if for_x else x.new_empty(0)
    return dx, weight.new_empty(weight.shape) if for_weight else weight.new_empty(0)


def _form(x: Tensor, weight: Tensor, window: Window) -> ModuleType:
    """The module with the loops for such a convolution."""
    from equivision.kernels import _cpu, _pointwise

    kernel_size = (weight.shape[-2], weight.shape[-1])
    return _pointwise if _pointwise.applies(x, kernel_size, window) else _cpu


def _window(stride: list[int], padding: list[int], dilation: list[int]) -> Window:
    return Window((stride[0], stride[1]), (padding[0], padding[1]), (dilation[0], dilation[1]))


def _computed(x: Tensor) -> Tensor:
    """In a dtype that the loops know: half precision is computed in float32."""
    return x.detach() if x.dtype in (torch.float32, torch.float64) else x.detach().float()


def _save(ctx: torch.autograd.function.FunctionCtx, inputs: tuple, output: Tensor) -> None:
    x, weight, bias, *options = inputs
    ctx.save_for_backward(x, weight)
    ctx.options, ctx.has_bias = options, bias is not None  # pyright: ignore[reportAttributeAccessIssue]


def _backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> tuple[Tensor | None, ...]:
    x, weight = ctx.saved_tensors  # pyright: ignore[reportAttributeAccessIssue]
    options, has_bias = ctx.options, ctx.has_bias  # pyright: ignore[reportAttributeAccessIssue]
    for_x, for_weight, for_bias = ctx.needs_input_grad[:3]  # pyright: ignore[reportAttributeAccessIssue]
    if not (for_x or for_weight):
        dx, dw = None, None
    elif torch.is_grad_enabled() and not torch.compiler.is_compiling():
        dx, dw = _differentiable_gradients(
            grad, x, weight, planar(options[0]), _window(*options[1:]), for_x, for_weight
        )
    else:
        dx, dw = _loops_backward(grad, x, weight, *options, for_x, for_weight)
    db = grad.sum((0, 2, 3, 4)) if has_bias and for_bias else None
    return dx if for_x else None, dw if for_weight else None, db, None, None, None, None


def _differentiable_gradients(
    grad: Tensor, x: Tensor, weight: Tensor, group: PlanarGroup, window: Window, for_x: bool, for_weight: bool
) -> tuple[Tensor | None, Tensor | None]:
    """Gradients that can be differentiated again (``create_graph=True``), through the expanded filters."""
    wanted = [t for t, needed in ((x, for_x), (weight, for_weight)) if needed]
    layout = FieldLayout.of(x)
    bank = group_filters(weight, group, slots_first=layout.slots_first)
    y = layout.unflatten(F.conv2d(layout.flatten(x), bank, None, *window))
    found = list(torch.autograd.grad(y, wanted, grad, create_graph=True))
    return found.pop(0) if for_x else None, found.pop(0) if for_weight else None


_loops_conv2d.register_autograd(_backward, setup_context=_save)
