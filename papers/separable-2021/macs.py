"""Multiply-accumulate operations as the paper counts them, for the tables of README.md.

Convolutions only: no bias, batch norm, pooling or linear layer. A separable convolution is a pointwise and a spatial
step; the paper's formulas (section 3.4) charge both at the size of the output, as if there were neither a border nor a
stride. A pointwise step that comes first works on the input, which is larger: ``pointwise="input"`` charges that.

    python papers/separable-2021/macs.py
"""

import math
from collections.abc import Iterator
from typing import Any, Literal

import torch
from _networks import TABLE_1, TABLE_2
from torch import Tensor, nn

import equivision as ev

Charge = Literal["output", "input"]
_CONVOLUTIONS = (nn.Conv2d, ev.nn.LiftConv2d, ev.nn.GroupConv2d, ev.nn.SeparableGroupConv2d)


def macs(model: nn.Module, input_size: tuple[int, int, int], *, pointwise: Charge = "output") -> int:
    """Multiply-accumulate operations for one image of ``input_size`` (channels, height, width)."""
    total = 0

    def add(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        pixels = math.prod((inputs[0] if pointwise == "input" else output).shape[-2:])
        spatial, mixing = _products(module)
        total += spatial * math.prod(output.shape[-2:]) + mixing * pixels

    hooks = [module.register_forward_hook(add) for module in _convolutions(model)]
    modes = [(module, module.training) for module in model.modules()]
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(1, *input_size))
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in modes:
            module.training = training
    return total


def _convolutions(module: nn.Module) -> Iterator[nn.Module]:
    """All convolutions, a pointwise and a depthwise one in a row as one."""
    if isinstance(module, _CONVOLUTIONS) or _is_depthwise_pair(module):
        yield module
    else:
        for child in module.children():
            yield from _convolutions(child)


def _is_depthwise_pair(module: nn.Module) -> bool:
    parts = list(module.children())
    if not isinstance(module, nn.Sequential) or len(parts) != 2:
        return False
    first, second = parts
    return (
        isinstance(first, nn.Conv2d)
        and isinstance(second, nn.Conv2d)
        and first.kernel_size == (1, 1)
        and second.groups == second.in_channels > 1
    )


def _products(module: nn.Module) -> tuple[int, int]:
    """Products for one position of the output: of the spatial and of the pointwise step."""
    if isinstance(module, nn.Sequential):
        first, second = (_products(part)[0] for part in module)
        return second, first
    conv: Any = module
    taps, seen, out = math.prod(conv.kernel_size), conv.in_channels // conv.groups, conv.out_channels
    if isinstance(module, nn.Conv2d):
        return out * seen * taps, 0
    order = conv.group.order
    if isinstance(module, ev.nn.LiftConv2d):
        return out * order * seen * taps, 0
    if isinstance(module, ev.nn.SeparableGroupConv2d):
        kernels = seen if module.variant == "g" else 1  # spatial kernels of one output field
        return out * order * kernels * taps, out * order * seen * order
    return out * order * seen * order * taps, 0


def main() -> None:
    print("million multiply-accumulate operations; pointwise steps charged at the output, at the input; the paper")
    for network in (*TABLE_1, *TABLE_2):
        model = network.build()
        at_output = macs(model, network.image) / 1e6
        at_input = macs(model, network.image, pointwise="input") / 1e6
        print(f"{network.name:15} {network.width or '':2} {at_output:9.3f} {at_input:9.3f}  {network.paper_macs}")


if __name__ == "__main__":
    main()
