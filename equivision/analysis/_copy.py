"""Copies of a network that can be run without touching the network."""

import copy
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from equivision.errors import EquivisionError

#: Makes the tensor that stands for a tensor of the network in the copy.
Convert = Callable[[Tensor], Tensor]


def _tensors(model: nn.Module) -> Iterator[Tensor]:
    """Parameters, buffers, and tensors that modules hold as plain attributes."""
    for module in model.modules():
        held = (*module._parameters.values(), *module._buffers.values(), *vars(module).values())
        yield from (value for value in held if isinstance(value, Tensor))


def _copy(model: nn.Module, convert: Convert) -> nn.Module:
    """A deep copy in evaluation mode whose tensors are converted, those that are shared only once.

    Raises:
        EquivisionError: some part of the network cannot be copied.
    """
    memo: dict[int, object] = {}
    for tensor in _tensors(model):
        if id(tensor) not in memo:
            made = convert(tensor.detach())
            memo[id(tensor)] = nn.Parameter(made, requires_grad=False) if isinstance(tensor, nn.Parameter) else made
    try:
        return copy.deepcopy(model, memo).eval()
    except Exception as error:
        raise EquivisionError(
            f"model {type(model).__name__} cannot be copied ({type(error).__name__}: {error}), and cost runs a copy so "
            "that the model stays as it is: give the network itself, without what wraps it"
        ) from error


def device_of(model: nn.Module) -> torch.device:
    """The device of the first tensor of the network; the CPU if it has none."""
    return next((tensor.device for tensor in _tensors(model)), torch.device("cpu"))


def dtype_of(model: nn.Module) -> torch.dtype:
    """The dtype of the first floating-point parameter, else of another tensor; torch's default if there is none."""
    tensors = (*model.parameters(), *_tensors(model))
    return next((tensor.dtype for tensor in tensors if tensor.is_floating_point()), torch.get_default_dtype())


@contextmanager
def without_arithmetic(model: nn.Module) -> Iterator[nn.Module]:
    """A copy whose tensors have shape, dtype and device, but no values: a run of it computes nothing but shapes."""
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    logger = logging.getLogger(FakeTensorMode.__module__)  # writes a traceback when sizes do not fit
    disabled, logger.disabled = logger.disabled, True
    try:
        with torch.no_grad(), mode, device_of(model):
            yield _copy(model, mode.from_tensor)
    finally:
        logger.disabled = disabled


@contextmanager
def with_values(model: nn.Module) -> Iterator[nn.Module]:
    """An ordinary copy, for networks whose forward looks at the values; random numbers are as before afterwards."""
    device = device_of(model)
    generators = [device] if device.type not in ("cpu", "meta") else []
    kind = device.type if generators else "cuda"
    with torch.random.fork_rng(generators, device_type=kind), torch.no_grad(), device:
        yield _copy(model, Tensor.clone)
