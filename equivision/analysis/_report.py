"""What a network costs, as values and as a table."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from equivision._text import grid


@dataclasses.dataclass(frozen=True)
class LayerCost:
    """One call of one layer.

    Attributes:
        name: path in the network, empty for the network itself; calls after the first add their number.
        kind: class of the layer.
        output_shapes: shapes of its outputs, with the batch axis; one for most layers.
        parameters: its own, without those of its parts and those that an earlier call has counted.
        macs: multiplications in it, without those in its parts.
        activation_bytes: memory of its outputs that no earlier layer has counted.
    """

    name: str
    kind: str
    output_shapes: tuple[tuple[int, ...], ...]
    parameters: int
    macs: int
    activation_bytes: int


@dataclasses.dataclass(frozen=True)
class CostReport:
    """What a network costs. ``print(report)`` shows it as a table.

    Attributes:
        model: class of the network.
        input_size: of one input, without the batch axis.
        batch_size: inputs at once. MACs and activations are those of the whole batch.
        dtype: of the input, such as ``"float32"``.
        parameters: numbers that can be learned; a parameter that several layers share counts once.
        macs: multiplications that are summed up, in convolutions and matrix products; see :func:`cost`.
        activation_bytes: memory of the outputs of the layers; see :func:`cost`.
        layers: the layers in the order in which they are called.
    """

    model: str
    input_size: tuple[int, ...]
    batch_size: int
    dtype: str
    parameters: int
    macs: int
    activation_bytes: int
    layers: tuple[LayerCost, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        shape = " x ".join(map(str, self.input_size))
        head = (
            f"{self.model} on {self.batch_size} x ({shape}), {self.dtype}: {self.parameters:,} parameters, "
            f"{_short(self.macs)} MACs, {_short(self.activation_bytes)} bytes of activations"
        )
        rows = [
            [layer.name or "(model)", layer.kind, _shapes(layer.output_shapes), f"{layer.parameters:,}",
             f"{layer.macs:,}", f"{layer.activation_bytes:,}"]
            for layer in self.layers
        ]  # fmt: skip
        idle = self.parameters - sum(layer.parameters for layer in self.layers)
        rows += [["(not called)", "", "", f"{idle:,}", "0", "0"]] if idle else []
        rows += [["total", "", "", f"{self.parameters:,}", f"{self.macs:,}", f"{self.activation_bytes:,}"]]
        return f"{head}\n\n{grid(['layer', 'kind', 'output', 'parameters', 'MACs', 'bytes'], rows, left=3)}"


def _short(value: int) -> str:
    """A count in thousands or millions: ``11.674 M``."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= size:
            return f"{value / size:.3f} {unit}"
    return str(value)


def _shapes(shapes: Sequence[Sequence[int]]) -> str:
    return ", ".join(" x ".join(map(str, shape)) or "scalar" for shape in shapes) or "–"
