"""From a network to the graph of the layers that it calls, with words for what cannot be traced."""

import inspect
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jaxtyping
import torch
from torch import fx, nn

from equivision.errors import EquivisionError

_TORCH = os.path.dirname(torch.__file__)


class LayerTracer(fx.Tracer):
    """Records calls of torch's modules and of the given layers; goes into every other module."""

    def __init__(self, layers: tuple[type[nn.Module], ...]) -> None:
        super().__init__()
        self._layers = layers
        self.failed: tuple[str, nn.Module] | None = None

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether a module stays one call."""
        return known_as(m, self._layers) is not None or super().is_leaf_module(m, module_qualified_name)

    def call_module(self, m: nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
        """Trace a call, and remember the innermost module that fails."""
        try:
            return super().call_module(m, forward, args, kwargs)
        except Exception:
            self.failed = self.failed or (self.path_of_module(m), m)
            raise


def known_as(module: nn.Module, kinds: tuple[type[nn.Module], ...]) -> type[nn.Module] | None:
    """The class among ``kinds`` whose forward a module runs: itself, or a base whose forward it has not replaced."""
    bases = (base for base in type(module).__mro__ if base in kinds)
    return next((base for base in bases if type(module).forward is base.forward), None)


def trace(
    model: nn.Module, layers: tuple[type[nn.Module], ...], *, error: type[EquivisionError], purpose: str, cure: str
) -> fx.Graph:
    """The calls of a network in their order; arguments of its forward that have a default keep it.

    Args:
        model: the network.
        layers: classes that stay one call, besides torch's modules.
        error: what is raised where the network decides in Python what to do next, by values or shapes.
        purpose: what cannot be done then, as a participle: ``"frozen"``.
        cure: what else could be done.
    """
    tracer = LayerTracer(layers)
    options = inspect.signature(model.forward).parameters.values()
    plain = (bool, int, float, str, type(None))
    defaults = {option.name: option.default for option in options if isinstance(option.default, plain)}
    try:
        with _unchecked():
            return tracer.trace(model, concrete_args=defaults or None)
    except Exception as reason:
        path, module = tracer.failed or ("", model)
        where = f"{type(module).__name__}{f' ({path})' if path else ''}"
        what = " ".join(str(reason).split()) or type(reason).__name__
        raise error(
            f"model cannot be {purpose}: the forward of {where} cannot be traced at {_line(reason)}: {what}. What is "
            "done must not depend on values or shapes through Python's if, for, int() or len(): use torch functions "
            f"such as torch.where, or {cure}"
        ) from reason


@contextmanager
def _unchecked() -> Iterator[None]:
    """Annotations of shapes are not checked: what stands for a tensor while tracing has none."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", before)


def _line(error: BaseException) -> str:
    """File and line of the user's code that an error comes from."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(_TORCH) and frame.filename != __file__]
    frame = (own or frames)[-1]
    return f"{os.path.basename(frame.filename)}:{frame.lineno}"
