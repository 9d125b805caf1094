"""Maps that are read at places which the network computes, as calls of torch on a graph."""

from typing import Any

from torch import fx
from torch.fx.proxy import GraphAppendingTracer
from torch.nn import functional as F

from equivision.functional._deformable import sample_at
from equivision.kernels import Window


def read_where_taps_are(graph: fx.Graph, maps: fx.Node, places: fx.Node, layer: Any) -> fx.Node:
    """What a deformable convolution reads: places are ``[B, 2 T, H', W']``, from the centre of the window."""
    window = Window(layer.stride, layer.padding, layer.dilation)
    if layer.padding_mode != "zeros" and layer.padding != (0, 0):
        (rows, columns), window = layer.padding, window._replace(padding=(0, 0))
        maps = graph.call_function(F.pad, (maps, (columns, columns, rows, rows), layer.padding_mode))
    tracer = GraphAppendingTracer(graph)
    vectors: Any = fx.Proxy(graph.call_method("unflatten", (places, 1, (-1, 2))), tracer)
    traced: Any = fx.Proxy(maps, tracer)
    read: Any = sample_at(traced, vectors, layer.kernel_size, window)
    return read.node
