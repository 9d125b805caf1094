"""From a network with layers of ours to one of torch alone."""

import copy
from typing import Any

import torch
from torch import Tensor, fx, nn

from equivision._trace import known_as, trace
from equivision._wrapped import unwrapped
from equivision.convert._layers import Example
from equivision.convert._plain import check_plain
from equivision.convert._rewrite import LAYERS, Rewriter
from equivision.errors import ConfigError, ExportError


def freeze(model: nn.Module, *, example: Tensor | None = None, fold_batch_norm: bool = True) -> fx.GraphModule:
    """A network of ``torch.nn`` modules alone that computes the same, for inference.

    Filters are expanded over the group once and for all; maps on a group become the maps of ordinary convolutions;
    batch norm is folded into the convolution before it. The result is a :class:`torch.fx.GraphModule` with inputs and
    outputs of the same shapes. It can be saved, loaded and run where equivision is not installed, and is what
    :func:`equivision.export.export` exports. Sizes that the network refuses with a GridError are refused by the frozen
    one too, with torch's AssertionError.

    The network is traced with :mod:`torch.fx`: its forward must not decide in Python by values or shapes. Arguments of
    the forward that have a default keep it.

    Args:
        model: layers of ours and of torch, in modules of any kind; it is not changed.
        example: a batch of inputs. Needed where the network has a :class:`~equivision.nn.BlurPool2d`, whose taps follow
            the parity of the size: the frozen network takes sizes of the same parity, and refuses others.
        fold_batch_norm: False keeps batch norm as modules of their own.

    Raises:
        ConfigError: the model is no module, or an example is needed.
        ExportError: the network cannot be traced, or calls what is not part of torch; the message names it.

    >>> import equivision as ev
    >>> model = ev.create_model("p4cnn", width=2)
    >>> plain = ev.freeze(model)
    >>> plain.features.get_submodule("3")
    Conv2d(8, 8, kernel_size=(3, 3), stride=(1, 1))
    >>> images = torch.rand(4, 1, 28, 28)
    >>> torch.allclose(plain(images), model.eval()(images), atol=1e-6)
    True
    """
    if not isinstance(model, nn.Module):
        raise ConfigError(f"model is a {type(model).__name__}: give a torch.nn.Module")
    if example is not None and not isinstance(example, Tensor):
        raise ConfigError(f"example is a {type(example).__name__}: give a tensor, a batch of inputs of the network")
    copied = _plain(copy.deepcopy(unwrapped(model)).eval())
    if known_as(copied, LAYERS) or type(copied).__module__.startswith("torch.nn.modules."):
        copied = nn.Sequential(copied).eval() if not isinstance(copied, nn.Sequential) else copied
    cure = "freeze the parts before and after it"
    graph = trace(copied, LAYERS, error=ExportError, purpose="frozen", cure=cure)
    examples = {} if example is None else _observe(copied, graph, example)
    frozen = Rewriter(copied, graph, examples, fold_batch_norm=fold_batch_norm).run()
    check_plain(frozen)
    return frozen.eval().requires_grad_(False)


def _plain(model: nn.Module) -> nn.Module:
    """The same network without what compiles it or spreads it over devices, which matters when it runs by itself."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if unwrapped(child) is not child:
                setattr(module, name, unwrapped(child))
    return model


class _Observer(fx.Interpreter):
    """Runs a graph and notes what every call gives."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.extra_traceback = False
        self.seen: dict[fx.Node, Example] = {}

    def run_node(self, n: fx.Node) -> Any:
        """Run one call."""
        result = super().run_node(n)
        if isinstance(result, Tensor):
            self.seen[n] = Example(tuple(result.shape), result.dtype, result.device)
        return result


@torch.no_grad()
def _observe(model: nn.Module, graph: fx.Graph, example: Tensor) -> dict[fx.Node, Example]:
    observer = _Observer(fx.GraphModule(model, graph))
    observer.run(example.clone())
    return observer.seen
