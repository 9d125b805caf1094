"""What torch does to every number by itself, so that the layout of fields and group does not matter."""

import operator
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

#: Modules that do nothing in evaluation.
IDLE: tuple[type[nn.Module], ...] = (
    nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout,
)  # fmt: skip
MODULES: tuple[type[nn.Module], ...] = (
    nn.CELU, nn.ELU, nn.GELU, nn.Hardshrink, nn.Hardsigmoid, nn.Hardswish, nn.Hardtanh, nn.LeakyReLU, nn.LogSigmoid,
    nn.Mish, nn.ReLU, nn.ReLU6, nn.SELU, nn.Sigmoid, nn.SiLU, nn.Softplus, nn.Softshrink, nn.Softsign, nn.Tanh,
    nn.Tanhshrink, nn.Threshold,
)  # fmt: skip
#: Modules, besides these, whose result has the shape of what they are given.
NORMS: tuple[type[nn.Module], ...] = (nn.GroupNorm, nn.LayerNorm, nn.PReLU)
FUNCTIONS: frozenset[Any] = frozenset(
    {
        operator.add, operator.iadd, operator.sub, operator.isub, operator.mul, operator.imul, operator.truediv,
        operator.neg, torch.add, torch.sub, torch.mul, torch.div, torch.neg, torch.abs, torch.exp, torch.maximum,
        torch.minimum, torch.relu, torch.sigmoid, torch.tanh, F.relu, F.relu6, F.elu, F.gelu, F.silu, F.mish,
        F.leaky_relu, F.selu, F.softplus, F.hardtanh, F.hardswish, F.sigmoid, F.tanh,
    }
)  # fmt: skip
METHODS = frozenset(
    {
        "abs", "add", "add_", "div", "div_", "exp", "mul", "mul_", "neg", "relu", "relu_", "sigmoid", "sigmoid_", "sub",
        "sub_", "tanh", "tanh_",
    }
)  # fmt: skip


def on_planes(module: nn.Module) -> nn.Module | None:
    """The two-dimensional twin of a torch pool that leaves the group axis alone; None for everything else."""
    kind = type(module)
    if kind in (nn.MaxPool3d, nn.AvgPool3d):
        size, stride, padding = (_three(getattr(module, name)) for name in ("kernel_size", "stride", "padding"))
        if (size[0], stride[0], padding[0]) != (1, 1, 0):
            return None
        plane: dict[str, Any] = {"kernel_size": size[1:], "stride": stride[1:], "padding": padding[1:]}
        plane["ceil_mode"] = module.ceil_mode
        if isinstance(module, nn.AvgPool3d):
            more = {name: getattr(module, name) for name in ("count_include_pad", "divisor_override")}
            return nn.AvgPool2d(**plane, **more)
        if isinstance(module, nn.MaxPool3d) and not module.return_indices:
            return nn.MaxPool2d(**plane, dilation=_three(module.dilation)[1:])
    if kind in (nn.AdaptiveAvgPool3d, nn.AdaptiveMaxPool3d):
        size = module.output_size
        if isinstance(size, tuple) and size[0] is None and not getattr(module, "return_indices", False):
            twin: Any = nn.AdaptiveAvgPool2d if kind is nn.AdaptiveAvgPool3d else nn.AdaptiveMaxPool2d
            return twin(size[1:])
    return None


def _three(value: Any) -> tuple[int, int, int]:
    return tuple(value) if isinstance(value, tuple | list) else (value, value, value)
