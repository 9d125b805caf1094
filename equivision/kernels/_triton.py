"""The fused group convolution for GPUs as operators of torch: shapes, gradients, checks.

The three operators of a convolution (output, gradient of the input, gradient of the weight) are each linear in two
tensors, and the gradients of one are the other two, so they can be differentiated as often as one likes. Triton is
imported when the first of them runs.
"""

import os
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from equivision.errors import ConfigError, GroupMismatchError, MissingExtraError, ShapeError
from equivision.filters import has_quarter_turns
from equivision.groups import PlanarGroup, planar
from equivision.kernels._plan import Window

if TYPE_CHECKING:
    from equivision.kernels._triton_launch import Geometry

Size2 = int | tuple[int, int]
TRITON_GROUPS = ("C2", "C4", "D1", "D2", "D4")
TRITON_DTYPES = (torch.float32, torch.float16, torch.bfloat16)
_INSTALLED = find_spec("triton") is not None
_INTERPRETED = os.environ.get("TRITON_INTERPRET", "0") not in ("", "0")


def supports_triton(x: Tensor, group: PlanarGroup) -> bool:
    """Whether :func:`group_conv2d_triton` can run on this input as it is.

    That is: triton is installed, x is on a GPU, and group and dtype are among those the kernels are written for.

    >>> from equivision.groups import dihedral
    >>> supports_triton(torch.zeros(1, 2, 8, 5, 5, dtype=torch.float64), dihedral(4))
    False
    """
    return _INSTALLED and _can_run_on(x) and x.dtype in TRITON_DTYPES and group.name in TRITON_GROUPS


def _can_run_on(x: Tensor) -> bool:
    return _INTERPRETED or x.device.type == "cuda"


def _pair(value: Size2) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def group_conv2d_triton(
    x: Float[Tensor, "batch in_channels group height width"],
    weight: Float[Tensor, "out_channels in_channels_per_group group kh kw"],
    *,
    group: PlanarGroup,
    stride: Size2 = 1,
    padding: Size2 = 0,
    dilation: Size2 = 1,
    groups: int = 1,
) -> Float[Tensor, "batch out_channels group out_height out_width"]:
    """:func:`equivision.functional.group_conv2d` on a GPU, in one kernel and with less arithmetic.

    ``y[o](t, h) = sum_{c, h', p} x[c](p, h') psi[o, c](h^-1 h', h^-1 (p - t))``, computed in the Fourier basis of the
    group: 12 products instead of 64 for D4, 6 instead of 16 for C4, |G| instead of |G|^2 for C2, D1 and D2. The
    gathered pixels, as many as taps times the input, are never stored. Sums are float32, in a fixed order.

    Args:
        x: feature map on the group, float32, float16 or bfloat16; fastest where neighbouring fields lie side by side,
            as in channels last, which the output is; other layouts are copied to it first.
        weight: one kernel for each output field, of the same dtype; both are cast under autocast, as torch's
            own convolutions do it.
        group: C2, C4, D1, D2 or D4.
        stride, padding, dilation, groups: as in :class:`torch.nn.Conv2d`.

    Float32 inputs are multiplied as TF32 where ``torch.backends.cudnn.conv.fp32_precision`` allows convolutions that
    (torch's default), otherwise as three TF32 products, which keep about 21 bits.

    Equivariance: exact, regular to regular: ``f(L_g x) = L_g f(x)``.

    Raises:
        MissingExtraError: triton is not installed.
        ConfigError: x is not on a GPU.
        GroupMismatchError: the kernels are not written for this group, or the kernel is not square under quarter turns.
        ShapeError: shapes or dtypes do not fit.
    """
    if _can_run_on(x) and torch.is_autocast_enabled(x.device.type) and x.dtype != torch.float64:
        dtype = torch.get_autocast_dtype(x.device.type)
        x, weight = x.to(dtype), weight.to(dtype)
    window = Window(_pair(stride), _pair(padding), _pair(dilation))
    _check(x, weight, group, groups, window)
    return _group_conv2d(x, weight, group.name, *window, groups)


def _check(x: Tensor, weight: Tensor, group: PlanarGroup, groups: int, window: Window) -> None:
    if not _INSTALLED:
        raise MissingExtraError("triton", "triton", "The fused group convolution")
    if not _can_run_on(x):
        raise ConfigError(
            f"group_conv2d_triton: x is on {x.device}, but the kernel runs on GPUs: move x and weight to one, use "
            "functional.group_conv2d, or set TRITON_INTERPRET=1 before Python starts (slow; for tests)"
        )
    if group.name not in TRITON_GROUPS:
        raise GroupMismatchError(
            f"group_conv2d_triton: group={group.name} has no kernel: choose one of {', '.join(TRITON_GROUPS)}, or use "
            "functional.group_conv2d"
        )
    if x.dtype != weight.dtype or x.dtype not in TRITON_DTYPES:
        raise ShapeError(
            f"group_conv2d_triton: x is {x.dtype}, weight is {weight.dtype}: give both the same dtype, float32, "
            "float16 or bfloat16"
        )
    order, size = group.order, weight.shape[3:]
    if x.ndim != 5 or weight.ndim != 5 or x.shape[2] != order or weight.shape[2] != order:
        raise ShapeError(
            f"group_conv2d_triton: x is {tuple(x.shape)}, weight is {tuple(weight.shape)}: {group.name} needs "
            f"[batch, channel, {order}, height, width] and [out, in per group, {order}, kh, kw]"
        )
    if x.shape[1] != weight.shape[1] * groups or weight.shape[0] % groups:
        raise ShapeError(
            f"group_conv2d_triton: x has {x.shape[1]} fields, weight is {tuple(weight.shape)}, groups={groups}: x "
            f"needs {weight.shape[1] * groups} fields, and the number of output fields must be a multiple of groups"
        )
    if size[0] != size[1] and has_quarter_turns(group):
        raise GroupMismatchError(
            f"group_conv2d_triton: kernel_size={tuple(size)} is not square, but {group.name} holds quarter turns: "
            "use a square kernel"
        )
    rows, columns = window.out_size((x.shape[3], x.shape[4]), (size[0], size[1]))
    if rows < 1 or columns < 1:
        raise ShapeError(
            f"group_conv2d_triton: {x.shape[3]} x {x.shape[4]} pixels with kernel_size={tuple(size)}, "
            f"padding={window.padding}, dilation={window.dilation} leave no output: use more padding "
            "or a smaller kernel"
        )


def _geometry(
    group: str, kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int],
    groups: int,
) -> "Geometry":  # fmt: skip
    from equivision.kernels._triton_launch import Geometry

    size, *pairs = ((v[0], v[1]) for v in (kernel, stride, padding, dilation))
    return Geometry(planar(group), size, Window(*pairs), groups)


def _precision() -> str:
    """How float32 is multiplied; other dtypes take no notice."""
    setting = getattr(torch.backends.cudnn, "conv", None)  # torch >= 2.9
    tf32 = torch.backends.cudnn.allow_tf32 if setting is None else setting.fp32_precision == "tf32"
    return "tf32" if tf32 else "tf32x3"


@torch.library.custom_op("equivision::group_conv2d_triton", mutates_args=())
def _group_conv2d(
    x: Tensor, weight: Tensor, group: str, stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int],
    groups: int,
) -> Tensor:  # fmt: skip
    from equivision.kernels._triton_launch import convolve

    geometry = _geometry(group, weight.shape[3:], stride, padding, dilation, groups)
    return convolve(x, weight, geometry, _precision())


@torch.library.custom_op("equivision::group_conv2d_triton_input_grad", mutates_args=())
def _input_grad(
    grad: Tensor, weight: Tensor, size: Sequence[int], group: str, stride: Sequence[int], padding: Sequence[int],
    dilation: Sequence[int], groups: int,
) -> Tensor:  # fmt: skip
    from equivision.kernels._triton_launch import input_gradient

    geometry = _geometry(group, weight.shape[3:], stride, padding, dilation, groups)
    return input_gradient(grad, weight, (size[0], size[1]), geometry, _precision())


@torch.library.custom_op("equivision::group_conv2d_triton_weight_grad", mutates_args=())
def _weight_grad(
    grad: Tensor, x: Tensor, kernel: Sequence[int], group: str, stride: Sequence[int], padding: Sequence[int],
    dilation: Sequence[int], groups: int,
) -> Tensor:  # fmt: skip
    from equivision.kernels._triton_launch import weight_gradient

    return weight_gradient(grad, x, _geometry(group, kernel, stride, padding, dilation, groups), _precision())


def _map_like(x: Tensor, fields: int | torch.SymInt, size: Sequence[int]) -> Tensor:
    return x.new_empty((x.shape[0], *size, x.shape[2], fields)).permute(0, 4, 3, 1, 2)


@_group_conv2d.register_fake
def _(x, weight, group, stride, padding, dilation, groups):
    size = Window(stride, padding, dilation).out_size(x.shape[3:], weight.shape[3:])
    return _map_like(x, weight.shape[0], size)


@_input_grad.register_fake
def _(grad, weight, size, group, stride, padding, dilation, groups):
    return _map_like(grad, weight.shape[1] * groups, size)


@_weight_grad.register_fake
def _(grad, x, kernel, group, stride, padding, dilation, groups):
    return x.new_empty((grad.shape[1], x.shape[1] // groups, x.shape[2], *kernel))


# In the three backward functions: x, w and g stand for input, weight and output gradient, or what takes their places.


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    first, second, *ctx.options = inputs
    ctx.save_for_backward(first, second)


def _backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
    (x, w), options = ctx.saved_tensors, ctx.options
    to_x = _input_grad(g, w, x.shape[3:], *options) if ctx.needs_input_grad[0] else None
    to_w = _weight_grad(g, x, w.shape[3:], *options) if ctx.needs_input_grad[1] else None
    return to_x, to_w, *[None] * len(options)


def _backward_of_input_grad(ctx: Any, x: Tensor) -> tuple[Tensor | None, ...]:
    (g, w), (_, *options) = ctx.saved_tensors, ctx.options
    to_g = _group_conv2d(x, w, *options) if ctx.needs_input_grad[0] else None
    to_w = _weight_grad(g, x, w.shape[3:], *options) if ctx.needs_input_grad[1] else None
    return to_g, to_w, *[None] * len(ctx.options)


def _backward_of_weight_grad(ctx: Any, w: Tensor) -> tuple[Tensor | None, ...]:
    (g, x), (_, *options) = ctx.saved_tensors, ctx.options
    to_g = _group_conv2d(x, w, *options) if ctx.needs_input_grad[0] else None
    to_x = _input_grad(g, w, x.shape[3:], *options) if ctx.needs_input_grad[1] else None
    return to_g, to_x, *[None] * len(ctx.options)


_group_conv2d.register_autograd(_backward, setup_context=_keep)
_input_grad.register_autograd(_backward_of_input_grad, setup_context=_keep)
_weight_grad.register_autograd(_backward_of_weight_grad, setup_context=_keep)
