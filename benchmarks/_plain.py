"""The ordinary network of the same shape: what a network on a group has to be compared with."""

from copy import deepcopy
from typing import Any

from torch import nn

from equivision.nn import GroupConv2d, GroupPool, LiftConv2d, MaxPool2d, SeparableGroupConv2d
from equivision.nn._base import GroupConvBase


def plain_twin(model: nn.Module, *, separable: bool = False) -> nn.Module:
    """A copy of a network of this package without its group: every field becomes ``|G|`` ordinary channels.

    Convolutions become ``torch.nn.Conv2d``, ``BatchNorm3d`` becomes ``BatchNorm2d``; blurs stay, they work on channels
    too. There is no group to pool over, so the linear layer sees all channels. Weights are drawn anew.

    Args:
        model: has at least one group convolution, one group for all, and no linear layer but behind a group pool.
        separable: turn separable group convolutions into a pointwise and a depthwise convolution, not into a dense one.
    """
    orders = {module.group.order for module in model.modules() if isinstance(module, GroupConvBase)}
    if len(orders) != 1:
        raise ValueError(f"the network must live on one group, but the orders of its groups are {sorted(orders)}")
    twin = deepcopy(model)
    _replace(twin, orders.pop(), separable)
    return twin


def _replace(parent: nn.Module, order: int, separable: bool) -> None:
    """Change the parts of a module, and theirs."""
    for name, module in parent.named_children():
        if isinstance(module, GroupConvBase):
            setattr(parent, name, _conv(module, separable))
        elif isinstance(module, nn.BatchNorm3d):
            setattr(parent, name, nn.BatchNorm2d(module.num_features * order))
        elif isinstance(module, MaxPool2d):
            setattr(parent, name, nn.MaxPool2d(module.kernel_size, module.stride, module.padding))
        elif isinstance(module, GroupPool):
            setattr(parent, name, nn.Identity())
        elif isinstance(module, nn.Linear):
            setattr(parent, name, nn.Linear(module.in_features * order, module.out_features))
        else:
            _replace(module, order, separable)


def _conv(module: GroupConvBase, separable: bool) -> nn.Module:
    """The ordinary convolution of the same real width."""
    order, bias = module.group.order, module.bias is not None
    if not isinstance(module, LiftConv2d | GroupConv2d | SeparableGroupConv2d):
        raise TypeError(f"there is no plain form of {type(module).__name__}")
    inputs = module.in_channels * (order if module.input_on_group else 1)
    outputs = module.out_channels * order
    options: dict[str, Any] = {
        "stride": module.stride, "padding": module.padding, "dilation": module.dilation,
        "padding_mode": module.padding_mode, "bias": bias,
    }  # fmt: skip
    if separable and isinstance(module, SeparableGroupConv2d):
        pointwise = nn.Conv2d(inputs, outputs, 1, groups=module.groups, bias=False)
        return nn.Sequential(pointwise, nn.Conv2d(outputs, outputs, module.kernel_size, groups=outputs, **options))
    return nn.Conv2d(inputs, outputs, module.kernel_size, groups=module.groups, **options)
