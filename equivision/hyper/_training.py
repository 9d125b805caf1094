"""Networks that ask whether they are in training: ``F.dropout(x, training=self.training)``.

A traced network has forgotten the question and knows one answer. It is traced in both modes; where the two graphs
differ by True and False, the question is put back.
"""

from typing import Any

from torch import fx, nn
from torch.utils import _pytree as pytree

from equivision._trace import trace
from equivision.errors import ConfigError

_FLAG = "_given_in_training"
_CURE = "wrap the part of it that can be traced"


class InTraining(nn.Module):
    """Says whether the network that it is part of is in training."""

    def forward(self) -> bool:
        return self.training


def traced_in_both_modes(main: nn.Module, leaves: tuple[type[nn.Module], ...]) -> fx.GraphModule:
    """The network as a graph that follows ``train()`` and ``eval()`` as the network does. Takes over its parts.

    Raises:
        ConfigError: it cannot be traced, or takes other ways in training than in evaluation.
    """
    flags = {module: module.training for module in main.modules()}
    graphs = []
    for training in (True, False):
        for module in flags:
            module.training = training
        graphs.append(trace(main, leaves, error=ConfigError, purpose="wrapped", cure=_CURE))
    for module, training in flags.items():
        module.training = training
    graph = fx.Graph()  # the traced one remembers its tracer, and cannot be pickled
    copies: dict[fx.Node, fx.Node] = {}
    graph.output(graph.graph_copy(graphs[0], copies))
    if _put_back(graph, graphs, copies):
        main.add_module(_FLAG, InTraining().train(main.training))
    return fx.GraphModule(main, graph)


def _put_back(graph: fx.Graph, graphs: list[fx.Graph], copies: dict[fx.Node, fx.Node]) -> bool:
    """Ask in ``graph``, a copy of the first one, where the two differ; whether there is such a place."""
    flag: fx.Node | None = None
    in_training, in_evaluation = (list(graph.nodes) for graph in graphs)
    if len(in_training) != len(in_evaluation):
        raise _two_ways("", len(in_training), len(in_evaluation))
    first, second = ({node: i for i, node in enumerate(nodes)} for nodes in (in_training, in_evaluation))
    for one, other in zip(in_training, in_evaluation, strict=True):
        if one.op != other.op or (one.op != "get_attr" and one.target != other.target):
            raise _two_ways(f" at {one.name}", one.target, other.target)
        leaves = [_numbered(node, places) for node, places in ((one, first), (other, second))]
        if len(leaves[0]) != len(leaves[1]):
            raise _two_ways(f" at {one.name}", one.args, other.args)
        asks = [a is True and b is False for a, b in zip(*leaves, strict=True)]
        for a, b, ask in zip(*leaves, asks, strict=True):
            if not ask and repr(a) != repr(b):
                raise _two_ways(f" at {one.name}", a, b)
        if any(asks):
            flag = flag or _asked(graph)
            given, layout = pytree.tree_flatten((copies[one].args, copies[one].kwargs))
            parts: list[Any] = [flag if ask else a for a, ask in zip(given, asks, strict=True)]
            copies[one].args, copies[one].kwargs = pytree.tree_unflatten(parts, layout)
    return flag is not None


def _numbered(node: fx.Node, places: dict[fx.Node, int]) -> list[Any]:
    """What a call is given, with the place of a node for the node."""
    return pytree.tree_leaves(fx.map_arg((node.args, node.kwargs), lambda given: places[given]))


def _asked(graph: fx.Graph) -> fx.Node:
    first = next(node for node in graph.nodes if node.op != "placeholder")  # the images come first
    with graph.inserting_before(first):
        return graph.call_module(_FLAG)


def _two_ways(where: str, training: object, evaluation: object) -> ConfigError:
    return ConfigError(
        f"main takes another way in training than in evaluation{where} ({training} and {evaluation}): a wrapped "
        "network can follow training=self.training alone; put what differs into a module such as nn.Dropout"
    )


def check_ready(main: nn.Module) -> None:
    """Raise ConfigError for what is no network, or one whose parameters have no values yet."""
    if not isinstance(main, nn.Module):
        raise ConfigError(f"main={main!r}: give a network, an instance of torch.nn.Module")
    for name, tensor in (*main.named_parameters(), *main.named_buffers()):
        if nn.parameter.is_lazy(tensor):
            raise ConfigError(f"main: {name} has no shape yet: call the network once on images before it is wrapped")
        if tensor.is_meta:
            raise ConfigError(f"main: {name} is on the meta device and has no values: wrap it where it has some")
