"""What is the time of a fast group convolution spent on? The forward pass with parts of its work left out.

"products alone" is what a faster transform could come down to; the ordinary convolution of the same width stands
beside it. Left out: the loops that gather and transform the input, those that transform the products back, and those
that transform the weights; each runs once before, so that the products have numbers to work on.

    python -m benchmarks phases [--quick]
"""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest import mock

import torch

import equivision as ev
from benchmarks._measure import Measured, Part, answer, forward, interleave, summary
from equivision.kernels import _cpu, _pointwise
from equivision.kernels._cpu import Scratch, WeightLayout

#: Group, kernel, fields, pixels of a side; batch 16.
LAYERS = (("D4", 3, 64, 14), ("D4", 3, 128, 14), ("D4", 3, 192, 7), ("D4", 1, 128, 14), ("D4", 1, 192, 7))


def nothing(*_: Any) -> None:
    """In place of a compiled loop."""


def as_they_were(weight: torch.Tensor, index: Any, plan: Any, scratch: Scratch) -> list[torch.Tensor]:
    """In place of the transformation of the weights: whatever the array holds."""
    layout = WeightLayout(plan, weight.shape[0], index.shape[0] * weight.shape[1])
    return list(layout.matrices(scratch.tensor("weights", layout.bounds[-1], weight.dtype)))


def without(*parts: str) -> ExitStack:
    """Leave these parts out: "input", "output", "weights"."""
    stack, left = ExitStack(), ExitStack()
    loops = {"input": ("fill", "analyse"), "output": ("scatter", "synthesise")}
    names = tuple(name for part in parts for name in loops.get(part, ()))
    for module, attribute in ((_cpu, "loop"), (_pointwise, "pointwise_loop")):
        found = getattr(module, attribute)

        def chosen(name: str, dtype: str, found: Callable[..., Any] = found) -> Callable[..., Any]:
            return nothing if name.startswith(names) else found(name, dtype)

        stack.enter_context(mock.patch.object(module, attribute, chosen))
    if "weights" in parts:
        for module in (_cpu, _pointwise):
            stack.enter_context(mock.patch.object(module, "mixed_weights", as_they_were))
    left.push(stack)
    return left


LEFT_OUT = {
    "everything": (),
    "without the transform of the input": ("input",),
    "without the transform of the output": ("output",),
    "without the transform of the weights": ("weights",),
    "products alone": ("input", "output", "weights"),
}


def measure(group: str, kernel: int, fields: int, size: int, *, rounds: int) -> dict[str, Measured]:
    """One layer, with parts left out, and the ordinary convolution."""
    order, options = ev.groups.planar(group).order, {"padding": kernel // 2, "bias": False}
    layer = ev.nn.GroupConv2d(fields, fields, kernel, group=group, algorithm="fourier", **options)
    x = torch.randn(16, fields, order, size, size)
    whole = forward(layer, x)

    def run(parts: tuple[str, ...]) -> None:
        with without(*parts):
            whole()

    width = fields * order
    runs: dict[str, Callable[[], object]] = {name: lambda parts=parts: run(parts) for name, parts in LEFT_OUT.items()}
    runs["Conv2d"] = forward(torch.nn.Conv2d(width, width, kernel, **options), x.flatten(1, 2))
    whole()
    title = f"{group} {kernel}x{kernel}, {fields} fields, {size}x{size}, batch 16"
    return {title: summary(interleave(runs, rounds=rounds), baseline="everything")}


def parts(quick: bool) -> dict[str, Part]:
    """One part for each layer."""
    layers = (("D4", 3, 4, 6), ("D4", 1, 4, 6)) if quick else LAYERS
    rounds = 3 if quick else 20
    return {" ".join(map(str, layer)): lambda layer=layer: measure(*layer, rounds=rounds) for layer in layers}


def main() -> None:
    answer("phases", __doc__, parts)


if __name__ == "__main__":
    main()
