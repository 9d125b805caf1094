"""Counting, call by call, while a network runs.

Imported only when something is counted: torch's counter imports Triton where that is installed.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import flop_counter
from torch.utils.flop_counter import FlopCounterMode

from equivision.analysis._report import LayerCost
from equivision.functional._cost_model import PRODUCTS

aten = torch.ops.aten


def _vector_flops(a_shape: Any, b_shape: Any, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    """Matrix by vector, vector by vector."""
    del b_shape, args, out_shape, kwargs
    return 2 * torch.Size(a_shape).numel()


def _recurrent_flops(x: Any, w_in: Any, w_hidden: Any, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    """One layer of an LSTM in one direction: both matrices, at every step of every sequence."""
    del args, out_shape, kwargs
    return 2 * x[0] * x[1] * (torch.Size(w_in).numel() + torch.Size(w_hidden).numel())


def _attention_flops(q: Any, k: Any, v: Any, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    """Queries by keys, and the result by values."""
    del args, out_shape, kwargs
    return 2 * torch.Size(q[:-1]).numel() * k[-2] * (q[-1] + v[-1])


def _fourier_flops(x: Any, w: Any, *rest: Any, out_shape: Any = None, **kwargs: Any) -> int:
    """A group convolution in the Fourier basis: its block products, at every pixel of the output."""
    group = next(argument for argument in (*rest, *kwargs.values()) if isinstance(argument, str))
    images, _, _, *size = out_shape
    pairs_and_taps = torch.Size(w).numel() // w[2]
    return 2 * PRODUCTS[group] * images * pairs_and_taps * torch.Size(size).numel()


def _more_formulas() -> dict[Any, Any]:
    """Formulas for products that torch's counter has none for; what is registered there goes first."""
    ours = {
        "mv": _vector_flops,
        "dot": _vector_flops,
        "vdot": _vector_flops,
        "mkldnn_rnn_layer": _recurrent_flops,
        "_scaled_dot_product_flash_attention_for_cpu": _attention_flops,
    }
    found = {getattr(aten, name): formula for name, formula in ours.items() if hasattr(aten, name)}
    found |= {
        torch.ops.equivision.group_conv2d: _fourier_flops,
        torch.ops.equivision.group_conv2d_triton: _fourier_flops,
    }
    return {target: formula for target, formula in found.items() if target not in flop_counter.flop_registry}


@dataclass
class _Call:
    """A call that has not returned yet."""

    module: nn.Module
    number: int
    flops_before: int
    listed_before: int


@dataclass
class _Recorder:
    """Hooks on every module of a network that turn its calls into rows.

    ``_listed`` counts the operations that finished calls have claimed, so that what is left in a call is its own.
    """

    model: nn.Module
    counter: FlopCounterMode
    rows: dict[int, LayerCost] = field(default_factory=dict)
    _open: list[_Call] = field(default_factory=list)
    _started: int = 0
    _listed: int = 0
    _calls: Counter[str] = field(default_factory=Counter)
    _counted: set[int] = field(default_factory=set)
    _memory: dict[int, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._names = {module: name for name, module in self.model.named_modules()}
        for module in self._names:
            module.register_forward_pre_hook(self._enter, prepend=True)
            module.register_forward_hook(self._leave)
        for tensor in (*self.model.parameters(), *self.model.buffers()):
            self.new_bytes(tensor)

    def new_bytes(self, tensor: Tensor) -> int:
        """Bytes of the memory behind a tensor; 0 when it was seen before."""
        storage = tensor.untyped_storage()
        if storage._cdata in self._memory:
            return 0
        self._memory[storage._cdata] = storage  # kept, so that no other memory gets its number
        return storage.nbytes()

    def _enter(self, module: nn.Module, inputs: Any) -> None:
        self._open.append(_Call(module, self._started, self.counter.get_total_flops(), self._listed))
        self._started += 1

    def _leave(self, module: nn.Module, inputs: Any, output: Any) -> None:
        while self._open[-1].module is not module:  # calls that ended in an exception, which the network has caught
            self._open.pop()
        call = self._open.pop()
        flops = self.counter.get_total_flops() - call.flops_before - (self._listed - call.listed_before)
        self._listed += flops
        own = [p for p in module.parameters(recurse=False) if id(p) not in self._counted]
        self._counted |= {id(p) for p in own}
        is_leaf = next(module.children(), None) is None and not isinstance(module, nn.Identity)
        if is_leaf or flops or own:
            self.rows[call.number] = self._row(module, output, sum(p.numel() for p in own), flops // 2)

    def _row(self, module: nn.Module, output: Any, parameters: int, macs: int) -> LayerCost:
        name = self._names[module]
        self._calls[name] += 1
        tensors = list(_tensors(output))
        return LayerCost(
            name=name if self._calls[name] == 1 else f"{name} (call {self._calls[name]})",
            kind=type(module).__name__,
            output_shapes=tuple(tuple(tensor.shape) for tensor in tensors),
            parameters=parameters,
            macs=macs,
            activation_bytes=sum(map(self.new_bytes, tensors)),
        )


def _tensors(output: Any) -> Iterator[Tensor]:
    """The tensors in what a module returns."""
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, dict):
        for value in output.values():
            yield from _tensors(value)
    elif isinstance(output, list | tuple):
        for value in output:
            yield from _tensors(value)


def count(model: nn.Module, shape: tuple[int, ...], dtype: torch.dtype) -> tuple[LayerCost, ...]:
    """Run a network that may be spoiled on zeros, and report its layers in the order in which they are called."""
    with FlopCounterMode(display=False, custom_mapping=_more_formulas()) as counter:
        recorder = _Recorder(model, counter)
        x = torch.zeros(shape, dtype=dtype)
        recorder.new_bytes(x)
        model(x)
    return tuple(recorder.rows[number] for number in sorted(recorder.rows))
