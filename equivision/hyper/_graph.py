"""From a plain network to one that is given its parameters, and the proof that these make it equivariant.

The network is traced, and run on images and on their turned copies with random parameters that turn in the same way,
call by call. The first call whose results do not correspond is the one that the error names.
"""

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.utils import parametrize

import equivision.nn as evnn
from equivision.errors import ConfigError, GridError, GroupMismatchError, ShapeError
from equivision.functional._checks import pair
from equivision.functional._grid import check_grid
from equivision.groups import cyclic
from equivision.hyper._forms import IMAGES, Form, corresponds, revived, turned_images, turned_pieces
from equivision.hyper._layers import Combiner, GeneratedConv2d, GeneratedGroupConv2d, GeneratedLayer, GeneratedLinear
from equivision.hyper._training import check_ready, traced_in_both_modes
from equivision.nn import GroupConv2d, LiftConv2d
from equivision.testing import randomize_

#: Our layers are single calls, as torch's are; and what inherits from these two and keeps their forward.
_LEAVES = (*(kind for kind in vars(evnn).values() if isinstance(kind, type) and issubclass(kind, nn.Module)),
           nn.Conv2d, nn.Linear)  # fmt: skip
_C4 = cyclic(4)
_UNHOOK = (
    "Remove what recomputes weights before each call with torch.nn.utils.parametrize.remove_parametrizations, "
    "torch.nn.utils.remove_weight_norm or torch.nn.utils.prune.remove"
)


def with_given_parameters(
    main: nn.Module, input_shape: tuple[int, int, int], *, combiner: Combiner, static_linear: bool, strict: bool
) -> tuple[fx.GraphModule, dict[str, GeneratedLayer]]:
    """The network with inputs for the parameters of its convolutions and linear layers, and these layers by name.

    Inputs of the result: the images, then for each layer its weights and, if it has one, its bias.

    Raises:
        ConfigError: the network cannot be traced, has nothing to generate, or a layer that cannot be made equivariant.
        GridError: a layer cannot be exact on the sizes it meets.
        ShapeError: the network does not take images of that shape.
    """
    check_ready(main)
    try:
        own = copy.deepcopy(main)
    except RuntimeError as error:
        raise ConfigError(f"main={type(main).__name__} cannot be copied: {error}. {_UNHOOK}") from error
    plain = traced_in_both_modes(own, _LEAVES)
    for node in plain.graph.nodes:
        node.type = None  # nor annotations of shapes
    if str(next(iter(plain.graph.nodes)).target).startswith("*"):
        raise ConfigError(f"main={type(main).__name__} takes *args: give its forward one named argument, the images")
    layers = _Walk(plain, combiner=combiner, static_linear=static_linear, strict=strict).run(input_shape)
    if not layers:
        raise ConfigError(
            f"main={type(main).__name__} has no convolution or linear layer whose weights could be generated"
        )
    return _rewritten(plain, layers), layers


def _rewritten(plain: fx.GraphModule, layers: dict[str, GeneratedLayer]) -> fx.GraphModule:
    """Put the layers in, and the inputs that their calls need."""
    for name, layer in layers.items():
        plain.set_submodule(name, layer)
    first = next(node for node in plain.graph.nodes if node.op == "placeholder")
    given: dict[str, tuple[fx.Node, fx.Node | None]] = {}
    last = first
    for i, (name, layer) in enumerate(layers.items()):
        stem = f"given{i}_{name.replace('.', '_')}"  # the number tells "a.b" from "a_b"
        with plain.graph.inserting_after(last):
            weight = last = plain.graph.placeholder(f"{stem}_weight")
        bias = None
        if layer.has_bias:
            with plain.graph.inserting_after(last):
                bias = last = plain.graph.placeholder(f"{stem}_bias")
        given[name] = (weight, bias)
    for node in plain.graph.nodes:
        if node.op == "call_module" and node.target in layers:
            node.args, node.kwargs = (_input_of(node), *given[node.target]), {}
    plain.recompile()
    return plain


def _input_of(node: fx.Node) -> Any:
    return _first(node.args, node.kwargs)


def _first(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a layer is called with, by position or by name; None if with nothing."""
    return args[0] if args else next(iter(kwargs.values()), None)


class _Run(fx.Interpreter):
    """Runs the network call by call, with given parameters in some layers."""

    def __init__(self, module: fx.GraphModule, images: Tensor, layers: dict[str, GeneratedLayer]) -> None:
        super().__init__(module)
        self.args_iter: Iterator[Any] = iter((images,))
        self.given: dict[str, tuple[Tensor, Tensor | None]] = {}
        self._layers = layers

    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a layer, with its parameters if they are given."""
        if target not in self.given:
            return super().call_module(target, args, kwargs)
        return self._layers[target](_first(args, kwargs), *self.given[target])


class _Walk:
    """Goes through the calls in their order, decides which layers are generated and how, and checks each result."""

    def __init__(self, module: fx.GraphModule, *, combiner: Combiner, static_linear: bool, strict: bool) -> None:
        self._module = randomize_(copy.deepcopy(module).cpu().double().eval())
        self._combiner: Combiner = combiner
        self._static_linear = static_linear
        self._strict = bool(strict) and combiner != "none"
        self._layers: dict[str, GeneratedLayer] = {}
        self._forms: dict[fx.Node, Form] = {}
        self._random = torch.Generator().manual_seed(0)

    @torch.no_grad()
    def run(self, input_shape: tuple[int, int, int]) -> dict[str, GeneratedLayer]:
        """The layers whose parameters are generated, by name, in the order of their first call."""
        images = torch.rand(IMAGES, *input_shape, dtype=torch.float64, generator=self._random)
        inputs = (images, turned_images(images))[: 1 + self._strict]
        self._runs = [_Run(self._module, x, self._layers) for x in inputs]
        for node in self._module.graph.nodes:
            if node.op == "call_module":
                self._meet(node)
            values = [self._result(run, node, input_shape) for run in self._runs]
            self._note(node, values[0])
            if self._strict:
                self._check(node, values[0], values[1])
                self._revive(node, values[0])
        return self._layers

    def _result(self, run: _Run, node: fx.Node, input_shape: tuple[int, ...]) -> Any:
        try:
            value = run.run_node(node)
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            if isinstance(error, ConfigError | GridError | ShapeError):
                raise
            raise ShapeError(
                f"input_shape={input_shape}: main fails on such images at {self._name(node)}: {error}"
            ) from error
        run.env[node] = value
        return value

    def _name(self, node: fx.Node) -> str:
        if node.op == "call_module":
            return f"{node.target} ({type(self._module.get_submodule(str(node.target))).__name__})"
        return f"the call of {getattr(node.target, '__name__', node.target)} ({node.name})"

    def _meet(self, node: fx.Node) -> None:
        """Replace a layer by one that is given its parameters, and draw random ones."""
        name = str(node.target)
        module = self._module.get_submodule(name)
        before = self._forms.get(_input_of(node), Form())
        self._check_options(node, module)
        if self._strict:
            self._check_window(node, module)
        if name in self._layers:
            return
        layer = self._generated(node, module, before)
        if layer is None:
            return
        hooks = (module._forward_hooks, module._forward_pre_hooks)  # pyright: ignore[reportPrivateUsage]
        if parametrize.is_parametrized(module) or any(hooks):
            raise ConfigError(
                f"{self._name(node)} has a parametrization or hooks, which generated weights would not pass. {_UNHOOK}"
            )
        self._layers[name] = layer.double()
        shape = (1 if self._combiner == "none" else 4, IMAGES, layer.count(self._combiner))
        values = torch.randn(shape, dtype=torch.float64, generator=self._random) * layer.fan_in**-0.5
        for run, given in zip(self._runs, (values, turned_pieces(values)), strict=False):
            run.given[name] = layer.parameters_of(given, self._combiner)

    def _generated(self, node: fx.Node, module: nn.Module, before: Form) -> GeneratedLayer | None:
        if isinstance(module, nn.Conv2d) and type(module)._conv_forward is nn.Conv2d._conv_forward:
            return GeneratedConv2d(module)
        if isinstance(module, LiftConv2d | GroupConv2d):
            if self._combiner == "none":
                return GeneratedGroupConv2d(module)
            raise ConfigError(
                f"{self._name(node)} is equivariant by itself: generate the weights of a plain network, or use "
                "combiner='none' for generated group convolutions"
            )
        if isinstance(module, nn.Linear) and not (self._static_linear and before.size is None):
            whole = before.size is not None and module.in_features % before.size**2 == 0
            return GeneratedLinear(module, before.size if whole else None)
        return None

    def _check_options(self, node: fx.Node, module: nn.Module) -> None:
        """Kernels that turn are square; and what is not the same for rows and columns cannot be exact."""
        if not isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d) or self._combiner == "none":
            return
        generated = ("kernel_size",) if isinstance(module, nn.Conv2d) else ()
        for option in ("kernel_size", "stride", "padding", "dilation") if self._strict else generated:
            value = getattr(module, option, 1)
            if not isinstance(value, str) and len(set(pair(value))) > 1:
                raise GroupMismatchError(
                    f"{self._name(node)}: {option}={value} differs between rows and columns, which quarter turns "
                    "exchange: use the same number for both, or combiner='none', which has no symmetry"
                )

    def _check_window(self, node: fx.Node, module: nn.Module) -> None:
        """Say which sizes a strided window needs, where the layer is one that we know."""
        value = self._runs[0].env.get(_input_of(node))
        if not isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d) or not isinstance(value, Tensor):
            return
        if isinstance(module.padding, str) or value.ndim != 4:
            return
        options = [pair(module.kernel_size), pair(module.stride), pair(module.padding)]  # type: ignore[arg-type]
        options.append(pair(getattr(module, "dilation", 1)))
        size = (value.shape[-2], value.shape[-1])
        check_grid(self._name(node), _C4, size, *options, pooling=not isinstance(module, nn.Conv2d))

    def _note(self, node: fx.Node, value: Any) -> None:
        """Remember how a result moves: what keeps all numbers of a map without being one has flattened it."""
        if not isinstance(value, Tensor) or value.ndim < 2:
            return
        numbers = value.numel() // (IMAGES if len(value) % IMAGES == 0 else 1)  # of an image
        if value.ndim >= 4:
            square = value.shape[-1] == value.shape[-2] > 1
            self._forms[node] = Form(is_map=True, size=value.shape[-1] if square else None, numbers=numbers)
            return
        is_linear = node.op == "call_module" and node.target in self._layers
        parents = [] if is_linear else [self._forms[n] for n in node.all_input_nodes if n in self._forms]
        sizes = [form.size for form in parents if form.numbers == numbers and form.size is not None]
        self._forms[node] = Form(size=sizes[0] if sizes else None, numbers=numbers)

    def _check(self, node: fx.Node, value: Any, turned: Any) -> None:
        """Compare the two results of a call."""
        if node.op == "output":
            self._check_output(node)
        if not isinstance(value, Tensor) or node.op in ("placeholder", "get_attr"):
            return
        form = self._forms.get(node, Form())
        square = not form.is_map or value.shape[-2] == value.shape[-1]
        if not square or not corresponds(form.turned(value), turned):
            raise self._fault(node, form)

    def _check_output(self, node: fx.Node) -> None:
        for given in node.all_input_nodes:
            form = self._forms.get(given, Form())
            if form.size is not None and not form.is_map:
                raise ConfigError(
                    "main ends in a flattened feature map, whose numbers change places as the image turns: end in the "
                    "map itself, in a pool to one pixel, or in a linear layer; or pass strict=False"
                )

    def _revive(self, node: fx.Node, value: Any) -> None:
        """Go on with random numbers where a map is constant."""
        form = self._forms.get(node, Form())
        if not isinstance(value, Tensor) or node.op in ("get_attr", "output"):
            return
        alive = revived(value, form)
        if alive is not value:
            for run, found in zip(self._runs, (alive, form.turned(alive)), strict=True):
                run.env[node] = found

    def _fault(self, node: fx.Node, form: Form) -> ConfigError | GridError:
        module = self._module.get_submodule(str(node.target)) if node.op == "call_module" else None
        name = self._name(node)
        if isinstance(module, nn.Conv2d) or "pool" in name.lower():
            return GridError(
                f"{name} is not exact under quarter turns on maps of this size: it pads or leaves out pixels on one "
                "side only; use an odd kernel, the same padding on all sides, ceil_mode=False, windows that cover the "
                "map, and as many rows as columns"
            )
        what = "a feature map" if form.is_map else "a flattened feature map" if form.size else "a vector of invariants"
        return ConfigError(
            f"{name} gives {what} that does not follow when the image turns by 90 degrees: it has weights or treats "
            "positions in a way that does not turn, or mixes the images of a batch. Replace it by a convolution or a "
            "pool, move it behind the first linear layer, or pass strict=False to run without the guarantee"
        )
