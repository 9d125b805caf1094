"""From the calls of our layers to the calls of torch's.

A feature map on a group, ``[batch, field, group, height, width]``, is kept as the maps ``[batch, field * group, height,
width]`` that ordinary convolutions take and give, for as long as nothing asks for its five axes.
"""

import itertools
import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import torch
from torch import fx, nn
from torch.fx.proxy import GraphAppendingTracer
from torch.nn import functional as F
from torch.nn.modules.conv import _ConvNd

from equivision._trace import known_as
from equivision.convert import _layers as plain
from equivision.convert._pointwise import FUNCTIONS, IDLE, METHODS, MODULES, NORMS, on_planes
from equivision.convert._reads import read_where_taps_are
from equivision.errors import ConfigError, ExportError
from equivision.filters import reversed_axes
from equivision.filters._permute import AXES
from equivision.functional._attention import attended_sum
from equivision.functional._checks import each_axis
from equivision.functional._resample import blur_window
from equivision.functional._steerable import on_grid
from equivision.groups import SpatialGroup
from equivision.nn import (
    BatchNorm3d,
    BlurPool2d,
    CenteredMaxPool2d,
    CharacterPool,
    CosetPool,
    FieldBatchNorm2d,
    GroupConvTranspose2d,
    GroupLinear,
    GroupPool,
    Induce,
    Restrict,
    SteerableConv2d,
    WallpaperConv2d,
)
from equivision.volume import SphericalConv3d

#: Our layers.
LAYERS = (
    *plain.CONVOLUTIONS, *plain.ATTENTIVE, *plain.DEFORMABLE, *plain.SPATIAL, GroupPool, CharacterPool, CosetPool,
    GroupLinear, Restrict, Induce, SteerableConv2d, SphericalConv3d, WallpaperConv2d, FieldBatchNorm2d,
    BatchNorm3d,
)  # fmt: skip


@dataclass
class Value:
    """What stands for the result of a call.

    Attributes:
        node: in the new graph.
        fields: fields and order of the group, if ``node`` has flattened the two axes.
        ndim: number of axes of the original result, where known.
        whole: node with the original axes.
    """

    node: fx.Node
    fields: tuple[int, int] | None = None
    ndim: int | None = None
    whole: fx.Node | None = None


class Rewriter:
    """Builds the plain graph, call by call.

    Args:
        model: in evaluation mode; its modules become part of the result.
        graph: what :func:`trace` found.
        examples: what the calls gave on an example; may be empty.
        fold_batch_norm: put batch norm into the convolution before it.
    """

    def __init__(
        self, model: nn.Module, graph: fx.Graph, examples: dict[fx.Node, plain.Example], *, fold_batch_norm: bool
    ) -> None:
        self._model, self._old, self._examples, self._fold = model, graph, examples, fold_batch_norm
        self._new = fx.Graph()
        self._parts: dict[str, Any] = {}
        self._names: dict[tuple[Any, ...], str] = {}
        self._values: dict[fx.Node, Value] = {}

    def run(self) -> fx.GraphModule:
        """The plain network."""
        for node in self._old.nodes:
            if node not in self._values:
                self._values[node] = self._module(node) if node.op == "call_module" else self._other(node)
        for node in self._new.nodes:
            node.type = None  # annotations would have to be imported with the network
        return fx.GraphModule(self._parts, self._new, "FrozenNetwork")

    # --- values

    def _whole(self, node: fx.Node) -> fx.Node:
        """The result of an old node with its own axes."""
        value = self._values[node]
        if value.fields is None:
            return value.node
        if value.whole is None:
            value.whole = self._new.call_method("unflatten", (value.node, 1, value.fields))
        return value.whole

    def _ndim(self, node: fx.Node) -> int | None:
        return len(self._examples[node].shape) if node in self._examples else self._values[node].ndim

    def _other(self, node: fx.Node) -> Value:
        """Copy a call that is not of a module."""
        if node.op == "get_attr":
            name = str(node.target)
            found = operator.attrgetter(name)(self._model)
            return Value(self._new.get_attr(self._part(("attribute", name), name.replace(".", "_"), lambda: found)))
        pointwise = {"call_function": FUNCTIONS, "call_method": METHODS}.get(node.op, frozenset())
        if node.target in pointwise and node.all_input_nodes:
            return self._pointwise(node)
        return Value(self._new.node_copy(node, self._whole))

    def _pointwise(self, node: fx.Node) -> Value:
        """Copy a call that does the same to every number, in whatever layout its inputs have."""
        inputs = [self._values[one] for one in node.all_input_nodes]
        first = inputs[0]
        if all(one.fields is not None and one.fields == first.fields for one in inputs):
            return Value(self._new.node_copy(node, lambda one: self._values[one].node), first.fields, first.ndim)
        return Value(self._new.node_copy(node, self._whole), None, first.ndim if len(inputs) == 1 else None)

    # --- modules

    def _module(self, node: fx.Node) -> Value:
        name = str(node.target)
        module = self._model.get_submodule(name)
        kind = known_as(module, LAYERS)
        self._check_hooks(name, module)
        if kind in plain.CONVOLUTIONS:
            return self._group_conv(node, name, module)
        if kind in plain.ATTENTIVE:
            return self._attentive(node, name, module)
        if kind in plain.DEFORMABLE:
            return self._deformable(node, name, module)
        if kind in plain.SPATIAL:
            return self._spatial(node, name, module)
        if kind in (SteerableConv2d, SphericalConv3d, WallpaperConv2d):
            return self._constrained(node, name, module)
        if kind is FieldBatchNorm2d:
            part = self._part((name,), name, lambda: plain.over_maps(module, 1))
            return Value(self._new.call_module(part, (self._whole(_argument(node)),)), None, 4)
        if kind is BatchNorm3d:
            return self._batch_norm(node, name, module)
        if kind is not None:
            return self._over_group(node, name, module)
        return self._torch_module(node, name, module)

    def _torch_module(self, node: fx.Node, name: str, module: nn.Module) -> Value:
        source = _argument(node)
        value = self._values[source]
        if type(module) in IDLE:
            return value
        if plain.can_fold(module) and (norm := self._norm_after(node)) is not None:
            part = self._part((name, norm), name, lambda: plain.fold(cast(_ConvNd, module), self._at(norm)))
            return self._finish(node, Value(self._new.call_module(part, (self._whole(source),))), norm)
        if type(module) in MODULES and value.fields is not None:
            part = self._part((name,), name, lambda: module)
            return Value(self._new.call_module(part, (value.node,)), value.fields, value.ndim)
        if value.fields is not None and plain.has_statistics(module):
            order = value.fields[1]
            part = self._part((name, order), name, lambda: plain.over_maps(module, order, space=value.ndim == 6))
            return Value(self._new.call_module(part, (value.node,)), value.fields, value.ndim)
        twin = on_planes(module) if value.fields is not None else None
        if twin is not None:
            part = self._part((name, "planes"), name, lambda: twin)
            return Value(self._new.call_module(part, (value.node,)), value.fields, value.ndim)
        copied = self._new.node_copy(node, self._whole)
        copied.target = self._part((name,), name, lambda: module)
        same = type(module) in (*MODULES, *NORMS) or plain.has_statistics(module)
        known = {nn.Conv2d: 4, nn.Conv3d: 5}.get(type(module))
        return Value(copied, None, value.ndim if same else known)

    def _batch_norm(self, node: fx.Node, name: str, module: nn.Module) -> Value:
        """Our batch norm is torch's but for the layout, and takes an axis more, of space, as one with the group."""
        source, graph, module = _argument(node), self._new, plain.torch_norm(module)
        ndim = self._ndim(source)
        if self._values[source].fields is not None or ndim == 5:
            return self._torch_module(node, name, module)
        whole, part = self._whole(source), self._part((name,), name, lambda: module)
        out = graph.call_module(part, (graph.call_method("flatten", (whole, 2, -3)),))
        return Value(graph.call_method("reshape_as", (out, whole)), None, ndim)

    def _group_conv(self, node: fx.Node, name: str, module: Any) -> Value:
        source = _argument(node)
        maps, axes = self._flat(source) if module.input_on_group else self._whole(source), module.group.dimension
        if module.strict and not isinstance(module, GroupConvTranspose2d):
            self._guard_stride(maps, name, module, module.dilation)
        norm = self._norm_after(node)
        on_plane = module.input_on_group and not module.kernel_on_group

        def build() -> nn.Module:
            convs = plain.plain_convolutions(module)
            if norm is not None:
                over_maps = plain.over_maps(self._at(norm), 1 if on_plane else module.group.order)
                convs[-1] = plain.fold(convs[-1], over_maps)
            return convs[0] if len(convs) == 1 else nn.Sequential(*convs)

        out = self._new.call_module(self._part((name, norm), name, build), (maps,))
        fields = None if on_plane else (module.out_channels, module.group.order)
        value = Value(out, fields, 2 + axes if on_plane else 3 + axes)
        return value if norm is None else self._finish(node, value, norm)

    def _constrained(self, node: fx.Node, name: str, module: Any) -> Value:
        """A convolution from plane to plane, or in space, whose kernels are put together from fewer numbers."""
        maps, wallpaper = self._whole(_argument(node)), isinstance(module, WallpaperConv2d)
        if module.strict:
            self._guard_stride(
                maps, name, module, module.dilation, module.group if wallpaper else on_grid(module.group)
            )
        norm, axes = self._norm_after(node), 2 + len(module.stride)

        def build() -> nn.Module:
            conv = plain.plain_wallpaper(module) if wallpaper else plain.plain_steerable(module)
            return conv if norm is None else plain.fold(conv, plain.over_maps(self._at(norm), 1))

        return self._finish(
            node, Value(self._new.call_module(self._part((name, norm), name, build), (maps,)), None, axes), norm
        )

    def _attentive(self, node: fx.Node, name: str, module: Any) -> Value:
        """Two ordinary convolutions with gates between them: what the layer does, traced on the new graph."""
        source, graph = _argument(node), self._new
        tracer = GraphAppendingTracer(graph)
        maps = self._flat(source) if module.input_on_group else self._whole(source)
        if module.strict:
            self._guard_stride(maps, name, module, module.dilation)
        if f"{name}.products" not in self._parts:
            found = plain.plain_attention(module)
            self._parts |= {f"{name}.{part}": value for part, value in found._asdict().items() if value is not None}

        def called(part: str, x: fx.Proxy) -> fx.Proxy:
            return fx.Proxy(graph.call_module(f"{name}.{part}", (x.node,)), tracer)

        def constant(part: str) -> Any:
            return fx.Proxy(graph.get_attr(f"{name}.{part}"), tracer)

        gates = constant("squeeze"), constant("excite")
        fields, slots = module.in_channels, module.group.order if module.kernel_on_group else 1
        attend: Any = partial(called, "attend")
        products: Any = called("products", fx.Proxy(maps, tracer))
        out: Any = attended_sum(products, *gates, attend, fields=fields, slots=slots)
        out = out if module.bias is None else out + constant("bias")
        return Value(out.node, (module.out_channels, module.group.order), 5)

    def _deformable(self, node: fx.Node, name: str, module: Any) -> Value:
        """A convolution that says where to read, and one of what is read."""
        source, graph, norm = _argument(node), self._new, self._norm_after(node)
        maps = self._flat(source) if module.input_on_group else self._whole(source)
        if module.strict:
            self._guard_stride(maps, name, module, module.dilation)
        self._parts[f"{name}.places"], conv = plain.plain_deformable(module)
        if norm is not None:
            conv = plain.fold(conv, plain.over_maps(self._at(norm), module.group.order))
        read = read_where_taps_are(graph, maps, graph.call_module(f"{name}.places", (maps,)), module)
        out = graph.call_module(self._part((name, norm), name, lambda: conv), (read,))
        return self._finish(node, Value(out, (module.out_channels, module.group.order), 5), norm)

    def _spatial(self, node: fx.Node, name: str, module: Any) -> Value:
        """A layer over space runs on maps, whether they belong to a group or not."""
        source = _argument(node)
        value, example, ndim = self._values[source], self._examples.get(source), self._ndim(source)
        blurs = isinstance(module, BlurPool2d) and module.sigma is not None
        sized = blurs or isinstance(module, CenteredMaxPool2d)
        axes = 3 if known_as(module, plain.IN_SPACE) else 2
        on_group = ndim == 3 + axes
        fields = (example.shape[1], example.shape[2]) if example is not None and on_group else value.fields
        if ndim not in (2 + axes, 3 + axes) or (on_group and fields is None) or (sized and example is None):
            either = f"its input may have {2 + axes} or {3 + axes} axes"
            what = "its window follows the size of its input" if sized else either
            raise ConfigError(
                f"example=None: {name} is a {type(module).__name__}, and {what}. Give a batch of the inputs that the "
                "frozen network is for, as in freeze(model, example=images[:1])"
            )
        maps = self._flat(source) if on_group else value.node
        if sized and example is not None:
            self._guard_window(maps, name, module, example.shape[-2:])
        elif getattr(module, "strict", False):
            self._guard_stride(maps, name, module, (1,) * axes)
        if (size := _argument(node, 1)) is not None:  # of an Upsample2d
            size = fx.map_arg(size, self._whole)
            out = self._new.call_function(F.interpolate, (maps, size, None, "bilinear", False))
            return Value(out, fields if on_group else None, ndim)
        key = (name, example) if sized else (name,)
        out = self._new.call_module(self._part(key, name, lambda: plain.plain_spatial(module, example)), (maps,))
        return Value(out, fields if on_group else None, ndim)

    def _over_group(self, node: fx.Node, name: str, module: nn.Module) -> Value:
        """Pooling over the group, restriction, linear maps: calls of torch on the original axes."""
        source = _argument(node)
        whole, ndim, graph = self._whole(source), self._ndim(source), self._new
        if isinstance(module, GroupPool):
            return Value(_reduce(graph, whole, module.mode, 2), None, None if ndim is None else ndim - 1)
        if isinstance(module, CharacterPool):
            self._parts[f"{name}.signs"] = module.signs
            signed = graph.call_method("movedim", (whole, 2, -1))
            signed = graph.call_function(operator.mul, (signed, graph.get_attr(f"{name}.signs")))
            return Value(graph.call_method("mean", (signed, -1)), None, None if ndim is None else ndim - 1)
        if isinstance(module, Induce):
            return self._induce(source, name, module, ndim)
        if isinstance(module, GroupLinear):
            part = self._part((name,), name, lambda: plain.plain_linear(module))
            flat = graph.call_method("flatten", (whole, 1, 2))
            out = graph.call_method("unflatten", (graph.call_module(part, (flat,)), 1, (-1, module.group.order)))
            return Value(out, None, 3)
        assert isinstance(module, CosetPool | Restrict)  # noqa: S101
        self._parts[f"{name}.slots"] = module.slots
        moved = graph.call_method("index_select", (whole, 2, graph.get_attr(f"{name}.slots")))
        if isinstance(module, CosetPool):
            cosets = graph.call_method("unflatten", (moved, 2, (module.subgroup.index, module.subgroup.order)))
            return Value(_reduce(graph, cosets, module.mode, 3), None, ndim)
        copies = graph.call_method("unflatten", (moved, 2, (-1, module.subgroup.order)))
        return Value(graph.call_method("flatten", (copies, 1, 2)), None, ndim)

    def _induce(self, source: fx.Node, name: str, module: Induce, ndim: int | None) -> Value:
        """A 1x1 convolution of maps; of values, or where it is not known which, a linear map of the last axis."""
        fields, graph, axes = (module.out_channels, module.group.order), self._new, module.group.dimension
        if ndim == 3 + axes or self._values[source].fields is not None:
            part = self._part((name, "maps"), name, lambda: plain.plain_induction(module))
            return Value(graph.call_module(part, (self._flat(source),)), fields, 3 + axes)
        part = self._part((name, "values"), name, lambda: plain.pointwise_linear(plain.plain_induction(module)))
        last = graph.call_method("movedim", (self._flat(source), 1, -1))
        out = graph.call_method("movedim", (graph.call_module(part, (last,)), -1, 1))
        return Value(graph.call_method("unflatten", (out, 1, fields)), None, ndim)

    # --- helpers

    def _at(self, name: str) -> nn.Module:
        return self._model.get_submodule(name)

    def _flat(self, node: fx.Node) -> fx.Node:
        """A map on a group with fields and group in one axis."""
        value = self._values[node]
        return value.node if value.fields is not None else self._new.call_method("flatten", (value.node, 1, 2))

    def _part(self, key: tuple[Any, ...], name: str, build: Callable[[], nn.Module]) -> str:
        """Name of a module of the new network, built when it is first asked for."""
        if key not in self._names:
            names = itertools.chain((name,), (f"{name}_{i}" for i in itertools.count(2)))
            free = next(one for one in names if one not in self._parts)
            self._names[key], self._parts[free] = free, build()
        return self._names[key]

    def _norm_after(self, node: fx.Node) -> str | None:
        """Name of the batch norm that alone takes the result of a convolution, if it can be folded into that."""
        users = list(node.users)
        if not self._fold or len(users) != 1 or users[0].op != "call_module":
            return None
        conv, norm = self._at(str(node.target)), self._at(str(users[0].target))
        if not plain.has_statistics(norm):
            return None
        grouped_transposed = isinstance(conv, GroupConvTranspose2d) and conv.groups > 1
        return None if grouped_transposed else str(users[0].target)

    def _finish(self, node: fx.Node, value: Value, norm: str | None) -> Value:
        """The batch norm after a convolution has been folded into it: its result is that of the convolution."""
        if norm is not None:
            self._values[next(iter(node.users))] = value
        return value

    def _check_hooks(self, name: str, module: nn.Module) -> None:
        if module._forward_hooks or module._forward_pre_hooks:
            raise ExportError(
                f"model cannot be frozen: {name} ({type(module).__name__}) has forward hooks, which are no part of "
                "torch or would be lost: remove them first, those of weight_norm with torch.nn.utils.remove_weight_norm"
            )

    def _require(self, condition: fx.Node, message: str) -> None:
        self._new.call_function(torch._assert, (condition, message))

    def _guard_stride(
        self, maps: fx.Node, name: str, module: Any, dilation: tuple[int, ...], group: SpatialGroup | None = None
    ) -> None:
        """Refuse the sizes on which a strict layer is not exact, as the layer itself does."""
        graph, acting = self._new, group if group is not None else module.group
        names = AXES[acting.dimension]
        taps = each_axis(module.kernel_size, "kernel_size", axes=len(names))
        window = zip(names, reversed_axes(acting), taps, module.stride, module.padding, dilation, strict=True)
        for axis, (side, moved, k, s, p, d) in enumerate(window, start=-len(names)):
            if not moved or s == 1:
                continue
            size = graph.call_method("size", (maps, axis))
            rest = (d * (k - 1) + 1 - 2 * p) % s
            fits = graph.call_function(operator.eq, (graph.call_function(operator.mod, (size, s)), rest))
            self._require(
                fits,
                f"{name}: {side} modulo {s} must be {rest}, or the layer is not exact under {module.group.name}",
            )

    def _guard_window(
        self, maps: fx.Node, name: str, module: BlurPool2d | CenteredMaxPool2d, sizes: tuple[int, ...]
    ) -> None:
        """Refuse the sizes for which a layer has another window than that which it was frozen with."""
        graph, stride = self._new, module.stride
        for axis, side, n in zip((-2, -1), AXES[2], sizes, strict=True):
            size = graph.call_method("size", (maps, axis))
            cure = f"{name}: frozen for a {side} of {n} here; freeze again with an example of this size"
            same = graph.call_function(operator.eq, (graph.call_function(operator.mod, (size, stride)), n % stride))
            self._require(same, cure)
            if isinstance(module, BlurPool2d) and module.padding_mode in ("reflect", "circular"):
                assert module.sigma is not None  # noqa: S101 (without, there is no window)
                _, border = blur_window(n, stride, module.sigma)
                compare = operator.gt if n > border else operator.le
                self._require(graph.call_function(compare, (size, border)), cure)


def _argument(node: fx.Node, position: int = 0) -> Any:
    """What a module was called with at that position, its input by default; None: nothing."""
    given = [*node.args, *node.kwargs.values()]
    return given[position] if position < len(given) else None


def _reduce(graph: fx.Graph, x: fx.Node, mode: str, dim: int) -> fx.Node:
    if mode == "norm":
        return graph.call_function(torch.linalg.vector_norm, (x,), {"dim": dim})
    return graph.call_method({"max": "amax", "mean": "mean"}[mode], (x, dim))
