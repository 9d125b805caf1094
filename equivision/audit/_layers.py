"""The exact part of an audit: the network, and each of its layers, under every element of the group."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from equivision.audit._errors import Errors, Spread
from equivision.audit._masks import MaskMeter, Masks, move_mask
from equivision.audit._moves import Move, declared_groups, move_of
from equivision.audit._report import LayerResult
from equivision.audit._run import Pools, Runner, watch
from equivision.errors import ShapeError
from equivision.filters._permute import AXES
from equivision.functional import act
from equivision.functional._tolerance import TOLERANCE
from equivision.groups import SpatialGroup


def tolerance_of(x: Tensor) -> float:
    """Largest relative error that counts as exact for the dtype of x."""
    return TOLERANCE.get(x.dtype, TOLERANCE[torch.float32])


@dataclass
class _Layer:
    """One layer while it is measured."""

    kind: str
    shape: tuple[int, ...]
    tolerance: float
    move: Move
    errors: list[Errors]

    def give_up(self, note: str) -> None:
        self.move = Move("unknown", note)


@dataclass
class ElementMeasurement:
    """Everything measured under the elements of the group.

    Attributes:
        errors: for every element, the error of every image.
        predictions: for every element, the class of every image; None if the output is no class scores.
        move: action on the output.
        output: that of the first batch, for its shape and dtype.
        spread: see :class:`~equivision.audit.AuditReport`.
        input_change: how much the images themselves change, at most, under the elements; 0 if they are symmetric.
        layers: results of the layers.
        masks: for every element, what became of the masks.
    """

    errors: list[Float[Tensor, " images"]]
    predictions: list[Int[Tensor, " images"]] | None
    move: Move
    output: Tensor
    spread: float | None
    input_change: float
    layers: tuple[LayerResult, ...]
    masks: list[MaskMeter]


@dataclass
class LayerWatch:
    """Compares every layer on the moved input with the moved layer on the input."""

    model: nn.Module
    group: SpatialGroup
    pools: Pools | None = None
    layers: dict[str, _Layer] = field(default_factory=dict)
    _reference: dict[str, Tensor] = field(default_factory=dict)
    _declared: frozenset[SpatialGroup] = frozenset()

    def __post_init__(self) -> None:
        self._declared = declared_groups(self.model)

    def run_reference(self, runner: Runner, x: Tensor) -> Tensor:
        """Run on the unmoved batch and keep a copy of every output (a later layer may write into it)."""
        self._reference.clear()

        def keep(key: str, module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
            if key not in self.layers:
                self.layers[key] = self._new(module, inputs, output, len(x))
            if isinstance(output, Tensor) and self.layers[key].move.apply is not None:
                self._reference[key] = output.clone()

        with watch(self.model, keep, self.pools):
            return runner(x)

    def run_moved(self, runner: Runner, x: Tensor, g: int) -> Tensor:
        """Run on the batch moved by g and compare."""
        missing = {key for key in self._reference if self.layers[key].move.apply is not None}

        def compare(key: str, module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
            layer, reference = self.layers.get(key), self._reference.get(key)
            if layer is None or reference is None or layer.move.apply is None or not isinstance(output, Tensor):
                return
            missing.discard(key)
            if output.shape != reference.shape:
                layer.give_up(f"its shape changes to {tuple(output.shape[1:])} when the input moves")
            elif not (torch.isfinite(output).all() and torch.isfinite(reference).all()):
                layer.give_up("its output is not finite")
            else:
                layer.errors[g].add(output, layer.move(reference, g))

        with watch(self.model, compare, self.pools):
            y = runner(x)
        for key in missing:
            self.layers[key].give_up("it does not run the same number of times when the input moves")
        return y

    def _new(self, module: nn.Module, inputs: tuple[object, ...], output: object, batch: int) -> _Layer:
        errors = [Errors() for _ in range(self.group.order)]
        kind = type(module).__name__
        if not isinstance(output, Tensor):
            return _Layer(kind, (), 0.0, Move("unknown", f"its output is a {type(output).__name__}"), errors)
        shape, tolerance = tuple(output.shape[1:]), tolerance_of(output)
        if output.ndim == 0 or output.shape[0] != batch:
            note = f"it runs on {output.shape[0] if output.ndim else 'no'} images where the network is given {batch}"
            return _Layer(kind, shape, tolerance, Move("unknown", note), errors)
        if not output.is_floating_point():
            return _Layer(kind, shape, tolerance, Move("unknown", f"its output is of {output.dtype}"), errors)
        move = move_of(output, self.group, module=module, inputs=inputs, declared=self._declared)
        return _Layer(kind, shape, tolerance, move, errors)

    def results(self) -> tuple[LayerResult, ...]:
        """What was found, layer by layer."""
        return tuple(_result(name, layer) for name, layer in self.layers.items())


def _result(name: str, layer: _Layer) -> LayerResult:
    head = (name, layer.kind, layer.shape, layer.move.action, layer.move.note, layer.tolerance)
    if layer.move.apply is None:
        return LayerResult(*head, None, None)
    each = [errors.relative() for errors in layer.errors]
    return LayerResult(*head, tuple(float(e.max()) for e in each), tuple(float(e.mean()) for e in each))


def output_move(model: nn.Module, output: Tensor, group: SpatialGroup) -> Move:
    """The action on the output of the network.

    Raises:
        ShapeError: it cannot be known.
    """
    move = move_of(output, group, module=model, declared=declared_groups(model))
    space = ", ".join(AXES[group.dimension])
    if move.apply is None:
        raise ShapeError(
            f"the output of model {type(model).__name__} has shape {tuple(output.shape)}: {move.note}. audit knows "
            f"[batch, classes], [batch, channel, {space}] and [batch, channel, group, {space}]"
        )
    return move


def predictions_of(output: Tensor) -> Int[Tensor, " batch"] | None:
    """The classes, where the output is class scores."""
    return output.argmax(1).cpu() if output.ndim == 2 and output.shape[1] > 1 else None


def measure_elements(
    runner: Runner, images: Tensor, group: SpatialGroup, first: Tensor, move: Move, masks: Masks | None, *,
    layers: bool, batch_size: int,
) -> ElementMeasurement:  # fmt: skip
    """Run every batch once as it is and once moved by every element, the identity among them as a control.

    Args:
        runner: the network.
        images: what it is run on.
        group: whose elements move them.
        first: output of the first batch.
        move: action on the output.
        masks: what its masks are measured by; None if it is no masks.
        layers: whether to compare every layer.
        batch_size: images in one run.
    """
    watcher = LayerWatch(runner.model, group, runner.pools) if layers else None
    errors = [Errors() for _ in range(group.order)]
    change = [Errors() for _ in range(group.order)]
    spread, classes = Spread(), [[] for _ in range(group.order)]
    meters = [MaskMeter(masks) for _ in range(group.order)]
    for batch in images.split(batch_size):
        x = runner.load(batch)
        output = watcher.run_reference(runner, x) if watcher else runner(x)
        spread.add(output)
        for g in range(group.order):
            moved = act(x, g, group)
            y = watcher.run_moved(runner, moved, g) if watcher else runner(moved)
            expected = move(output, g)
            if y.shape != expected.shape:
                raise ShapeError(
                    f"the output of model {type(runner.model).__name__} changes its shape from "
                    f"{tuple(expected.shape)} to {tuple(y.shape)} when the input moves by {group.element_name(g)}"
                )
            errors[g].add(y, expected)
            change[g].add(moved, x)
            classes[g].append(predictions_of(y))
            meters[g].add(y, output, lambda mask, g=g: move_mask(mask, g, group))
    return ElementMeasurement(
        errors=[e.relative() for e in errors],
        predictions=None if classes[0][0] is None else [torch.cat(each) for each in classes],
        move=move,
        output=first,
        spread=spread.relative(),
        input_change=max(float(e.relative().max()) for e in change),
        layers=watcher.results() if watcher else (),
        masks=meters,
    )
