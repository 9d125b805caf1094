"""Is a group convolution cheaper than an ordinary convolution of the same real width, and which algorithm is faster?

    python -m benchmarks algorithms          # the layers of the table, against torch.nn.Conv2d
    python -m benchmarks.algorithms --fit    # the grid that the cost model of algorithm="auto" is fitted on

Input and baseline are contiguous float32, batch 16 unless said; the baseline with channels_last is there too.
"""

import argparse
import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

import equivision as ev
from benchmarks._measure import forward, interleave, save, show, step, summary
from equivision.functional import _cost_model
from equivision.functional._algorithm import Algorithm
from equivision.functional._cost_model import Pass, Shape, fit, predicted
from equivision.kernels import channels_last

#: group, kernel, fields, pixels of a side: the layers whose ratio to Conv2d is published.
LAYERS = (
    ("D4", 3, 16, 28), ("D4", 3, 32, 28), ("D4", 3, 64, 14), ("D4", 3, 128, 14), ("D4", 3, 192, 7),
    ("D4", 1, 64, 14), ("D4", 1, 128, 14), ("D4", 1, 192, 7), ("D4", 5, 64, 14),
    ("C4", 3, 32, 28), ("C4", 3, 64, 28), ("C4", 3, 128, 14), ("C4", 3, 256, 14), ("C4", 1, 256, 14),
    ("D2", 3, 128, 14), ("C2", 3, 256, 14),
)  # fmt: skip

MODEL = Path(_cost_model.__file__).parent / "cost_model.json"


class Layer(NamedTuple):
    """One layer on one input."""

    group: str
    kernel: int
    fields: int
    size: int
    batch: int = 16
    last: bool = False

    def __str__(self) -> str:
        kernel, image = f"{self.kernel}x{self.kernel}", f"{self.size}x{self.size}"
        memory = ", channels last" if self.last else ""
        return f"{self.group} {kernel}, {self.fields} fields, {image}, batch {self.batch}{memory}"


def contestants(layer: Layer, baseline: bool) -> dict[str, tuple[nn.Module, torch.Tensor]]:
    """The same layer by every algorithm, and the ordinary convolutions."""
    group = ev.groups.planar(layer.group)
    options: dict[str, Any] = {"padding": layer.kernel // 2, "bias": False}
    field = torch.randn(layer.batch, layer.fields, group.order, layer.size, layer.size)
    field = channels_last(field) if layer.last else field
    found: dict[str, tuple[nn.Module, torch.Tensor]] = {}
    algorithms: tuple[Algorithm, ...] = ("expand", "fourier", "auto") if baseline else ("expand", "fourier")
    for algorithm in algorithms:
        made = ev.nn.GroupConv2d(layer.fields, layer.fields, layer.kernel, group=group, algorithm=algorithm, **options)
        found[algorithm] = (made, field)
    if baseline:
        width, last = layer.fields * group.order, torch.channels_last
        maps = field.flatten(1, 2)
        found["Conv2d"] = (nn.Conv2d(width, width, layer.kernel, **options), maps)
        conv = nn.Conv2d(width, width, layer.kernel, **options)
        conv.weight.data = conv.weight.data.contiguous(memory_format=last)
        found["Conv2d, channels_last"] = (conv, maps.contiguous(memory_format=last))
    return found


def measure(layer: Layer, *, rounds: int, baseline: bool = True) -> dict[str, Any]:
    """Forward and forward with backward, every contestant in turn."""
    made = contestants(layer, baseline)
    against = "Conv2d" if baseline else "expand"
    results = {}
    for kind, build in (("forward", forward), ("forward and backward", step)):
        timed = interleave({name: build(*pair) for name, pair in made.items()}, rounds=rounds, warmup=2)
        results[kind] = summary(timed, baseline=against)
    return results


def grid() -> Iterator[Layer]:
    """The layers that the cost model is fitted on, in both memory layouts."""
    for group, kernel, fields, size in product(("C2", "C4", "D2", "D4"), (1, 3), (8, 16, 32, 64, 128), (7, 14, 28)):
        width = fields * ev.groups.planar(group).order
        if width * width * kernel**2 * size**2 <= 2.5e9:
            yield Layer(group, kernel, fields, size)
    for group, kernel, fields, size, batch in product(("C4", "D4"), (1, 3), (16, 64), (14, 28), (1, 4)):
        yield Layer(group, kernel, fields, size, batch)
    yield from (Layer("D4", 5, fields, 14) for fields in (16, 32))
    yield from (Layer("D4", kernel, 192, 7) for kernel in (1, 3))
    yield Layer("C4", 3, 256, 14)


def fitted(rounds: int) -> None:
    """Measure the grid, fit the cost model, and say how well it chooses."""
    rows: list[dict[str, Any]] = []
    for layer in (layer._replace(last=last) for layer, last in product(grid(), (False, True))):
        found = measure(layer, rounds=rounds, baseline=False)
        times = {kind: {n: row["median_ms"] for n, row in m["contestants"].items()} for kind, m in found.items()}
        rows.append({"layer": list(layer), "milliseconds": times})
        print(layer, times, flush=True)
    print("written to", save("algorithm_grid", {"rows": rows}))
    write_model(rows)


def write_model(rows: list[dict[str, Any]]) -> None:
    """Fit the cost model, put it where ``algorithm="auto"`` reads it, and say what it chooses wrongly."""
    costs = fit(samples(rows))
    MODEL.write_text(json.dumps(costs, indent=1) + "\n")
    print("written to", MODEL)
    slower = [(lost, what) for lost, what in losses(rows, costs) if lost > 1.05]
    print(f"{len(slower)} of {2 * len(rows)} choices take more than 5 % longer than the better algorithm")
    for lost, what in sorted(slower, reverse=True):
        print(f"  {lost:.2f} x  {what}")


def losses(rows: list[dict[str, Any]], costs: _cost_model.Costs) -> Iterator[tuple[float, str]]:
    """For every row, how many times as long as the better algorithm takes the one that the model chooses."""
    for row in rows:
        for kind, times in row["milliseconds"].items():
            (shape, one, _), *_ = samples([{"layer": row["layer"], "milliseconds": {kind: times}}])
            chosen = min(("expand", "fourier"), key=lambda a, s=shape, p=one: predicted(s, a, p, costs))
            yield times[chosen] / min(times.values()), f"{Layer(*row['layer'])}, {kind}"


def samples(rows: list[dict[str, Any]]) -> list[tuple[Shape, Pass, dict[str, float]]]:
    """Sizes, what kind of pass, and milliseconds by algorithm."""
    found = []
    for row in rows:
        layer = Layer(*row["layer"])
        shape = Shape.of_layer(layer.group, layer.batch, layer.fields, layer.fields, layer.kernel, layer.size)
        for kind, times in row["milliseconds"].items():
            found.append((shape, Pass(layer.kernel == 1, layer.last, kind != "forward"), times))
    return found


def main() -> None:
    torch.manual_seed(0)
    results = {}
    for layer in (Layer(*row) for row in LAYERS):
        results[str(layer)] = measured = measure(layer, rounds=12)
        for kind, found in measured.items():
            show(f"{layer}: {kind}", found)
    print("written to", save("algorithms", results))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", action="store_true", help="measure the grid and fit the cost model")
    parser.add_argument("--rounds", type=int, default=7, help="rounds for every layer of the grid (default: 7)")
    arguments = parser.parse_args()
    if arguments.fit:
        fitted(arguments.rounds)
    else:
        main()
