"""How long does one answer take: eager, compiled, frozen, in onnxruntime?

Every network competes with a plain one of the same real width (fields times order of the group) in the same form, in
the same run. Plain networks are frozen with their batch norms kept, so that they hold nothing but torch.nn modules;
"plain frozen" has them folded, as "frozen" has.

    python -m benchmarks.latency [--quick]

``--quick`` takes small networks and few rounds, to see that it works, and writes nothing.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

import equivision as ev
from benchmarks._measure import interleave, save, show, summary
from equivision.export import export
from equivision.export._onnx import require

FORMS = ("eager", "compiled", "frozen", "onnx")


@dataclass(frozen=True)
class Contest:
    """A network, its plain twin, and the shape of their images."""

    name: str
    model: str
    arguments: dict[str, Any]
    twin: str
    twin_arguments: dict[str, Any]
    image: tuple[int, int, int]
    rounds: dict[int, int] = field(default_factory=lambda: {1: 100, 16: 40})

    def networks(self) -> dict[str, nn.Module]:
        """Network and twin with running statistics of noise, in evaluation mode."""
        both = {
            "": ev.create_model(self.model, **self.arguments),
            "plain ": ev.create_model(self.twin, **self.twin_arguments),
        }
        images = torch.randn(8, *self.image)
        for network in both.values():
            network(images)
        twin = both["plain "].eval()
        return {"": both[""].eval(), "plain ": ev.freeze(twin, example=images, fold_batch_norm=False)}


def contests(*, quick: bool) -> Iterator[Contest]:
    """What is compared."""
    rounds = {"rounds": {1: 4, 2: 4}} if quick else {}
    for name, order in (("p4cnn", 4), ("p4mcnn", 8)):
        width = 2 if quick else {"p4cnn": 10, "p4mcnn": 7}[name]
        yield Contest(name, name, {"width": width}, "z2cnn", {"width": width * order}, (1, 28, 28), **rounds)
    for group, order in (("C4", 4), ("D4", 8)):
        width = (8 if quick else 32) // order
        own, twin = {"group": group, "width": width}, {"group": "C1", "width": width * order}
        yield Contest(f"resnet18 {group}", "resnet18", own, "resnet18", twin, (3, 32, 32), **rounds)


def forms(network: nn.Module, images: Tensor) -> dict[str, Callable[[], Tensor]]:
    """One network in all forms, as functions that run it on the images; their outputs are compared first."""
    frozen = ev.freeze(network, example=images)
    compiled = torch.compile(network)
    runs: dict[str, Callable[[], Tensor]] = {
        "eager": lambda: network(images),
        "compiled": lambda: compiled(images),
        "frozen": lambda: frozen(images),
        "onnx": _onnx(network, images),
    }
    with torch.no_grad():
        expected = runs["eager"]()
        for form in FORMS:
            torch.testing.assert_close(runs[form](), expected, rtol=1e-4, atol=1e-4)
    return runs


def _onnx(network: nn.Module, images: Tensor) -> Callable[[], Tensor]:
    """A session with as many threads as torch has, which leave the processor to the next contestant."""
    runtime = require("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    with TemporaryDirectory() as folder:
        path = export(network, Path(folder) / "net.onnx", example=images, dynamic_batch=False).path
        session = runtime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    values = {"images": images.numpy()}
    return lambda: torch.from_numpy(session.run(None, values)[0])


def measure(contest: Contest, batch: int, rounds: int) -> dict[str, Any]:
    """All forms of a network and of its twin, in turns."""
    torch.compiler.reset()
    images = torch.randn(batch, *contest.image)
    runs = {
        f"{kind}{form}": run
        for kind, network in contest.networks().items()
        for form, run in forms(network, images).items()
    }
    with torch.no_grad():
        measured = summary(interleave(runs, rounds=rounds, warmup=5), baseline="plain eager")
    return measured | {"onnxruntime": require("onnxruntime").__version__}


def main(*, quick: bool = False) -> None:
    torch.manual_seed(0)
    results = {}
    for contest in contests(quick=quick):
        for batch, rounds in contest.rounds.items():
            title = f"{contest.name}, batch {batch}"
            results[title] = measure(contest, batch, rounds)
            show(title, results[title])
    if not quick:
        print("written to", save("latency", results))


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
