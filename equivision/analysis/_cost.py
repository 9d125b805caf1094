"""Parameters, multiplications and activation memory of any network."""

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from equivision._wrapped import unwrapped
from equivision.analysis._copy import dtype_of, with_values, without_arithmetic
from equivision.analysis._report import CostReport, LayerCost
from equivision.errors import ConfigError, EquivisionError, ShapeError


def cost(
    model: nn.Module, input_size: Sequence[int], *, batch_size: int = 1, dtype: torch.dtype | None = None
) -> CostReport:
    """Count what one forward pass of a network costs.

    A copy of the network runs in evaluation mode on tensors that have a shape and no values: nothing is computed, and
    the network is left as it is. A network whose forward looks at values is run on an input of zeros instead.

    **MACs** are half of what :class:`torch.utils.flop_counter.FlopCounterMode` counts, in the operations that torch
    executes: every product that is summed up in convolutions (also transposed ones), matrix products and attention.
    A group convolution counts as the ordinary convolution that it becomes, or, by the algorithm ``"fourier"``, as its
    block products: 12 of 64 for D4, 6 of 16 for C4. ``"auto"`` counts as what it takes on this machine. Not counted:
    biases, norms, activations, pools, Fourier transforms, and moving filters into their orientations.

    **Activation memory** is that of the outputs of the layers, each piece of memory once: an output that is a view of
    an earlier one or written in its place adds nothing. It is about what training keeps for the backward pass, apart
    from what a layer saves besides its output; inference can free most of it earlier.

    An operator of your own counts 0 until it has a formula: see :func:`torch.utils.flop_counter.register_flop_formula`.

    A **layer** is a module without parts, and also a module with parts that has parameters or does counted work of its
    own. A module that is called twice is listed twice, the second time as ``"name (call 2)"`` without parameters.

    Args:
        model: any network of one input, on any device, ``meta`` included.
        input_size: shape of one input without the batch axis, such as ``(1, 28, 28)``.
        batch_size: inputs at once.
        dtype: of the input; by default that of the network.

    Raises:
        ConfigError: an argument is not valid, the network is scripted, or has parameters without a shape yet.
        ShapeError: the network fails on an input of that size.
        EquivisionError: the network cannot be copied.

    >>> report = cost(torch.nn.Conv2d(1, 20, 3), (1, 28, 28))
    >>> report.parameters, report.macs, report.activation_bytes
    (200, 121680, 54080)
    """
    model = unwrapped(model)
    size = _check(model, input_size, batch_size)
    kind = dtype_of(model) if dtype is None else dtype
    layers = _count(model, (batch_size, *size), kind)
    return CostReport(
        model=type(model).__name__,
        input_size=size,
        batch_size=batch_size,
        dtype=str(kind).removeprefix("torch."),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        macs=sum(layer.macs for layer in layers),
        activation_bytes=sum(layer.activation_bytes for layer in layers),
        layers=layers,
    )


def _check(model: object, input_size: object, batch_size: object) -> tuple[int, ...]:
    if not isinstance(model, nn.Module):
        raise ConfigError(f"model is a {type(model).__name__}: cost needs a torch.nn.Module; wrap a function in one")
    if any(isinstance(module, torch.jit.ScriptModule) for module in model.modules()):
        raise ConfigError(
            f"model {type(model).__name__} is or holds a scripted module, whose layers cannot be watched: give the "
            "network as it was before torch.jit"
        )
    if any(is_lazy(tensor) for tensor in (*model.parameters(), *model.buffers())):
        raise ConfigError(
            f"model {type(model).__name__} has parameters without a shape yet (lazy modules): run it once on an input"
        )
    sizes = tuple(input_size) if isinstance(input_size, Sequence) and not isinstance(input_size, str) else ()
    if not sizes or not all(_is_count(n) for n in sizes):
        raise ConfigError(
            f"input_size={input_size!r}: give the shape of one input without the batch axis, in whole numbers of at "
            "least 1, such as (1, 28, 28)"
        )
    if not _is_count(batch_size):
        raise ConfigError(f"batch_size={batch_size!r}: give a whole number of at least 1")
    return sizes


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _count(model: nn.Module, shape: tuple[int, ...], dtype: torch.dtype) -> tuple[LayerCost, ...]:
    from equivision.analysis._count import count

    try:
        with without_arithmetic(model) as copied:
            return count(copied, shape, dtype)
    except Exception:  # noqa: BLE001  a forward that looks at values, or something that has no such tensors
        pass
    with with_values(model) as copied:
        try:
            return count(copied, shape, dtype)
        except Exception as error:
            raise _failure(model, shape, dtype, error) from error


def _failure(model: nn.Module, shape: tuple[int, ...], dtype: torch.dtype, error: Exception) -> EquivisionError:
    size = " x ".join(map(str, shape[1:]))
    return ShapeError(
        f"model {type(model).__name__} fails on {shape[0]} input(s) of size {size}, "
        f"{str(dtype).removeprefix('torch.')} ({math.prod(shape):,} numbers): {type(error).__name__}: {error}. Give "
        "input_size as the model takes it, without the batch axis"
    )
