"""What does it cost that freed memory goes back to the system, and what do feature maps that lie channels last gain?

Train steps on one core, batch 256, as in the study of rotated digits. Each contestant runs in a process of its own, in
turns, for an allocator cannot be asked to forget; the median of its steps counts.

    python -m benchmarks allocator [--quick]
"""

import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch

import equivision as ev
from benchmarks._measure import Measured, Part, answer, interleave, summary, train_step, wall_clock

#: Model, width, and the width of the ordinary network with as many channels.
NETS = (("p4cnn", 10, 40), ("gc_p4cnn", 30, 120))
LAYOUTS = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last}
STEPS = 3


def contestants(nets: tuple[tuple[str, int], ...], batch: int) -> dict[str, list[str]]:
    """Arguments of :func:`child` by name."""
    return {
        f"{name}, {layout}{', memory kept' if kept else ''}": [name, str(width), layout, str(int(kept)), str(batch)]
        for name, width in nets
        for layout in LAYOUTS
        for kept in (False, True)
    }


def child(name: str, width: str, layout: str, kept: str, batch: str) -> None:
    """Print the median seconds of a step."""
    torch.set_num_threads(1)
    if kept == "1":
        from equivision.tasks import keep_freed_memory

        keep_freed_memory()
    images = torch.rand(int(batch), 1, 28, 28).to(memory_format=LAYOUTS[layout])
    run = train_step(ev.create_model(name, width=int(width)), images)
    run()
    print(statistics.median(wall_clock(run) for _ in range(STEPS)))


def in_process(arguments: list[str]) -> Callable[[], float]:
    """A function that measures one contestant."""
    command = [sys.executable, "-m", "benchmarks.allocator", "--child", *arguments]

    def run() -> float:
        root = Path(__file__).parents[1]
        return float(subprocess.run(command, check=True, capture_output=True, text=True, cwd=root).stdout.split()[-1])

    return run


def measure(net: str, width: int, twin: int, *, batch: int, rounds: int) -> dict[str, Measured]:
    """One network and the ordinary one of its width, in every layout, with and without the memory kept."""
    runs = {name: in_process(given) for name, given in contestants(((net, width), ("z2cnn", twin)), batch).items()}
    timed = interleave(runs, rounds=rounds, warmup=0, timer=lambda run: float(str(run())))
    title = f"{net} of {width} fields, train step, batch {batch}"
    return {title: summary(timed, baseline="z2cnn, contiguous") | {"network": net, "width": width, "batch": batch}}


def parts(quick: bool) -> dict[str, Part]:
    """One part for each network."""
    nets, size = ((("p4cnn", 2, 8),), {"batch": 2, "rounds": 2}) if quick else (NETS, {"batch": 256, "rounds": 3})
    return {net: lambda net=net, width=width, twin=twin: measure(net, width, twin, **size) for net, width, twin in nets}


def main() -> None:
    answer("allocator", __doc__, parts)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
    else:
        main()
