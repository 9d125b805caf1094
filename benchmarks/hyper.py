"""What do weights written for each image cost, beside the generator and an ordinary pass of the main network?

python -m benchmarks hyper [--quick]
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

import equivision as ev
from benchmarks._measure import Measured, Part, answer, forward, interleave, summary
from equivision.models._hyper_mains import seven_layer_main, small_main
from equivision.tasks import keep_freed_memory

BATCH, SIZE = 32, 28
#: Network, its options, and the same main network with ordinary weights.
NETWORKS = {
    "he_cnn": ({}, lambda: seven_layer_main(20, 1, 10)),
    "he_cnn, light 1, pooled": ({"light": 1, "pooled": True}, lambda: seven_layer_main(20, 1, 10)),
    "he_small": ({}, lambda: small_main(16, 1, 10, pooled=2)),
}


def build(name: str) -> Any:
    """A network by its title here."""
    return ev.create_model(name.partition(",")[0], **NETWORKS[name][0]).eval()


class Together(nn.Module):
    """The generator on four copies of each image, and an ordinary network on the images."""

    def __init__(self, generator: nn.Module, main: nn.Module) -> None:
        super().__init__()
        self.generator, self.main = generator, main

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Both passes."""
        self.generator(torch.cat([x, x, x, x]))
        return self.main(x)


def measure(name: str, rounds: int, *, memory: bool) -> Measured:
    """Forward passes of a batch in evaluation, where every image has weights of its own."""
    keep_freed_memory()
    net, main = build(name), NETWORKS[name][1]().eval()
    x = torch.rand(BATCH, 1, SIZE, SIZE)
    contestants = {
        "generator's four passes and an ordinary main pass": forward(Together(net.generator, main).eval(), x),
        "weights for each image": forward(net, x),
        "ordinary main pass": forward(main, x),
    }
    found = summary(interleave(contestants, rounds=rounds), baseline=next(iter(contestants)))
    if not memory:
        return found
    return {**found, "peak_memory_mib": {"this network": peak(name), "nothing but imports": peak(None)}}


def peak(name: str | None) -> float:
    """Largest memory in MiB of a process that runs one batch."""
    run = (
        ""
        if name is None
        else f"net = hyper.build({name!r})\nwith torch.no_grad(): net(torch.rand({BATCH}, 1, 28, 28))"
    )
    code = f"import torch\nfrom benchmarks import hyper\n{run}\nprint(hyper.memory())"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(found.stdout.split()[-1])


def memory() -> float:
    """Largest resident memory of this program so far, in MiB; Linux counts that of its parent in ``ru_maxrss``."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return round(int(status.split("VmHWM:")[1].split()[0]) / 1024, 1)


def parts(quick: bool) -> dict[str, Part]:
    """One part for each network."""
    rounds = 2 if quick else 30
    return {
        name.replace(", ", "-").replace(" ", "-"): lambda name=name: {name: measure(name, rounds, memory=not quick)}
        for name in NETWORKS
    }


def main() -> None:
    answer("hyper", __doc__, parts)


if __name__ == "__main__":
    main()
