"""How fast is this library beside e2cnn, and both beside ``torch.nn.Conv2d`` of the same real width?

e2cnn needs NumPy below 2, so it gets an environment of its own. equivision runs there too, from the repository: all
contestants take turns in one process. Make the environment once, from the root of the repository:

    python3.11 -m venv benchmarks/e2cnn/.venv
    benchmarks/e2cnn/.venv/bin/pip install -r benchmarks/e2cnn/requirements.txt

Then, with any Python that has equivision:

    python -m benchmarks e2cnn_compare [--quick] [--only "D4 64 14" ...]

e2cnn expands its filters in every pass in training mode and keeps them in evaluation mode, as frozen networks of
equivision do. Its 3x3 kernels are spanned by a band-limited basis and have fewer parameters than ours.
"""

import importlib
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from importlib.metadata import version
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import torch
from torch import Tensor, nn

import equivision as ev
from benchmarks._measure import Measured, Part, answer, forward, interleave, step, summary, train_step
from benchmarks._plain import plain_twin

ROOT = Path(__file__).parents[1]
ENVIRONMENT = Path(__file__).parent / "e2cnn" / ".venv"
PACKAGES = ("e2cnn", "numpy", "scipy")
Builders = dict[str, Callable[[], nn.Module]]


class Flat(nn.Module):
    """A layer on the group that takes and gives maps [B, C |G|, H, W], as the other contestants do."""

    def __init__(self, conv: ev.nn.GroupConv2d) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x.unflatten(1, (self.conv.in_channels, self.conv.group.order))).flatten(1, 2)


def layers(group: str, fields: int) -> Builders:
    """A 3x3 convolution from regular to regular fields, by library."""
    theirs, width = importlib.import_module("benchmarks.e2cnn._networks"), fields * ev.groups.planar(group).order
    return {
        "plain": lambda: nn.Conv2d(width, width, 3, padding=1, bias=False),
        "equivision": lambda: Flat(ev.nn.GroupConv2d(fields, fields, 3, group=group, padding=1, bias=False)),
        "e2cnn": lambda: theirs.layer(group, fields),
    }


def p4cnns(width: int = 10) -> Builders:
    """P4CNN, by library."""
    theirs = importlib.import_module("benchmarks.e2cnn._networks")
    return {
        "plain": lambda: plain_twin(ev.create_model("p4cnn", width=width)),
        "equivision": lambda: ev.create_model("p4cnn", width=width),
        "e2cnn": lambda: theirs.p4cnn(width),
    }


def resnets(width: int = 8) -> Builders:
    """ResNet-18 on D4, by library."""
    theirs = importlib.import_module("benchmarks.e2cnn._networks")
    return {
        "plain": lambda: plain_twin(ev.create_model("resnet18", group="D4", width=width)),
        "equivision": lambda: ev.create_model("resnet18", group="D4", width=width),
        "e2cnn": lambda: theirs.resnet("D4", width),
    }


#: What construction is timed of.
BUILDERS: dict[str, Callable[[], Builders]] = {
    "C4 64 fields": lambda: layers("C4", 64), "D4 64 fields": lambda: layers("D4", 64), "p4cnn": p4cnns,
    "resnet18 D4": resnets,
}  # fmt: skip


def _parameters(made: dict[str, nn.Module]) -> dict[str, int]:
    return {name: sum(p.numel() for p in module.parameters()) for name, module in made.items()}


def measure_layer(group: str, fields: int, size: int, batch: int, rounds: int) -> dict[str, Measured]:
    """One layer: in evaluation mode, in training mode, and with backward."""
    made = {name: build() for name, build in layers(group, fields).items()}
    x = torch.randn(batch, fields * ev.groups.planar(group).order, size, size)
    passes = {name: forward(module, x) for name, module in made.items()}
    evaluated = deepcopy(made["e2cnn"]).eval()
    passes["e2cnn, filters kept"] = forward(evaluated, x)
    runs = {"forward": passes, "forward and backward": {name: step(module, x) for name, module in made.items()}}
    results = {}
    about = {"group": group, "fields": fields, "size": size, "batch": batch, "parameters": _parameters(made)}
    for kind, contestants in runs.items():
        measured = summary(interleave(contestants, rounds=rounds, warmup=2), baseline="plain")
        results[f"{group}, {fields} fields, {size}x{size}, {kind}"] = measured | {"kind": kind} | about
    return results


def measure_network(
    name: str, builders: Builders, image: tuple[int, int, int], batch: int, rounds: int
) -> dict[str, Measured]:
    """One network: inference and train step."""
    made, images = {library: build() for library, build in builders.items()}, torch.randn(batch, *image)
    results, about = {}, {"network": name, "batch": batch, "parameters": _parameters(made)}
    steps = {library: train_step(network, images) for library, network in made.items()}
    timed = {"train step": interleave(steps, rounds=rounds, warmup=2)}
    passes = {library: forward(network.eval(), images) for library, network in made.items()}
    for library in ("plain", "equivision"):
        passes[f"{library}, frozen"] = forward(ev.freeze(made[library], example=images), images)
    timed["inference"] = interleave(passes, rounds=rounds, warmup=2)
    for kind, seconds in timed.items():
        results[f"{name}, {kind}"] = summary(seconds, baseline="plain") | {"kind": kind} | about
    return results


def measure_construction(what: str, rounds: int) -> dict[str, Measured]:
    """The first construction in a new process, which is what a user waits for."""
    seconds: dict[str, list[float]] = {"equivision": [], "e2cnn": []}
    for _, library in product(range(rounds), seconds):
        command = [sys.executable, "-m", "benchmarks.e2cnn.construct", library, what]
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        seconds[library].append(float(done.stdout))
    return {f"construction, {what}": summary(seconds, baseline="equivision") | {"kind": "construction", "what": what}}


def parts(quick: bool) -> dict[str, Part]:
    """One part for each layer, network and construction."""
    if quick:
        return {
            "D4 2 7": lambda: measure_layer("D4", 2, 7, 2, 3),
            "p4cnn": lambda: measure_network("p4cnn", p4cnns(2), (1, 28, 28), 2, 3),
            "construction p4cnn": lambda: measure_construction("p4cnn", 2),
        }
    found: dict[str, Part] = {}
    for group, fields, size in product(("C4", "D4"), (16, 32, 64), (14, 28)):
        rounds = 8 if (group, fields, size) == ("D4", 64, 28) else 15
        found[f"{group} {fields} {size}"] = lambda layer=(group, fields, size, 16, rounds): measure_layer(*layer)
    found["p4cnn"] = lambda: measure_network("p4cnn", p4cnns(), (1, 28, 28), 16, 30)
    found["resnet18 D4"] = lambda: measure_network("resnet18 D4", resnets(), (3, 32, 32), 16, 10)
    for what in BUILDERS:
        found[f"construction {what}"] = lambda what=what: measure_construction(what, 5)
    return found


def main() -> None:
    if find_spec("e2cnn") is not None:
        answer("e2cnn_compare", __doc__, parts, **{package: version(package) for package in PACKAGES})
        return
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        sys.exit(f"{python.relative_to(ROOT)} is missing: make it with the two commands that {__file__} begins with")
    sys.exit(
        subprocess.run([python, "-m", "benchmarks.e2cnn_compare", *sys.argv[1:]], cwd=ROOT, check=False).returncode
    )


if __name__ == "__main__":
    main()
