"""Fair timing: contestants take turns in the same process, medians are compared, the machine is written down."""

import argparse
import json
import os
import platform
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import equivision

#: One comparison as :func:`summary` gives it.
Measured = dict[str, Any]
#: Makes some comparisons, by their titles.
Part = Callable[[], Mapping[str, Measured]]
RESULTS = Path(__file__).parent / "results"


def forward(module: nn.Module, x: Tensor) -> Callable[[], object]:
    """One pass without gradients."""

    def run() -> None:
        with torch.no_grad():
            module(x)

    return run


def step(module: nn.Module, x: Tensor) -> Callable[[], object]:
    """One pass and the gradients of input and weights."""
    x = x.detach().requires_grad_()
    gradient = torch.randn_like(module(x))

    def run() -> None:
        module.zero_grad()
        x.grad = None
        module(x).backward(gradient)

    return run


def train_step(network: nn.Module, images: Tensor, *, num_classes: int = 10) -> Callable[[], object]:
    """One step of Adam on the cross entropy with random labels."""
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    labels = torch.randint(0, num_classes, (len(images),))

    def run() -> None:
        optimizer.zero_grad()
        F.cross_entropy(network(images), labels).backward()
        optimizer.step()

    return run


def wall_clock(run: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def processor_time(run: Callable[[], object]) -> float:
    """Seconds that the processor works on one call, in all threads: what else the machine does counts little."""
    start = time.process_time()
    run()
    return time.process_time() - start


def interleave(
    contestants: Mapping[str, Callable[[], object]],
    *,
    rounds: int = 30,
    warmup: int = 3,
    timer: Callable[[Callable[[], object]], float] = wall_clock,
) -> dict[str, list[float]]:
    """Seconds of every call; in each round every contestant runs once.

    The order is drawn anew for each round: what ran before leaves caches and threads in a state that counts.
    """
    names, order = list(contestants), random.Random(0)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for i in range(warmup + rounds):
        for name in order.sample(names, len(names)):
            taken = timer(contestants[name])
            if i >= warmup:
                seconds[name].append(taken)
    return seconds


def summary(seconds: dict[str, list[float]], *, baseline: str) -> dict[str, Any]:
    """Median and quartiles in milliseconds, and the median ratio to the baseline of the same round."""
    rows = {}
    for name, values in seconds.items():
        low, middle, high = statistics.quantiles(values, n=4)
        ratios = [a / b for a, b in zip(values, seconds[baseline], strict=True)]
        rows[name] = {
            "median_ms": round(1e3 * middle, 4),
            "quartiles_ms": [round(1e3 * low, 4), round(1e3 * high, 4)],
            "ratio": round(statistics.median(ratios), 3),
        }
    return {"baseline": baseline, "rounds": len(seconds[baseline]), "contestants": rows}


def _gpu() -> dict[str, Any]:
    """The GPU, where there is one."""
    if not torch.cuda.is_available():
        return {}
    found = torch.cuda.get_device_properties(0)
    return {
        "gpu": found.name,
        "gpu_memory_gib": round(found.total_memory / 2**30, 1),
        "multiprocessors": found.multi_processor_count,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
    }


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    model = "unknown"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    return _gpu() | {
        "cpu": model,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 2),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "equivision": equivision.__version__,
        "date": datetime.now(UTC).date().isoformat(),
    }


def save(question: str, results: dict[str, Any], *, add: bool = False, **versions: str) -> Path:
    """Write ``results/<question>.json``, complete or not at all.

    Args:
        question: what the file is named after.
        results: comparisons by their titles.
        add: keep the other comparisons in the file, if they were made on this machine with the same software.
        **versions: of other packages that take part.
    """
    path = RESULTS / f"{question}.json"
    RESULTS.mkdir(parents=True, exist_ok=True)
    here = machine() | versions
    if add and path.exists():
        found = json.loads(path.read_text())
        if _lasting(found["machine"]) == _lasting(here):
            results = found["results"] | results
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps({"question": question, "machine": here, "results": results}, indent=1) + "\n")
    os.replace(temporary, path)
    return path


def _lasting(machine: dict[str, Any]) -> dict[str, Any]:
    """What stays the same from one run to the next."""
    return {name: value for name, value in machine.items() if name not in ("load", "date")}


def show(title: str, measured: dict[str, Any]) -> None:
    """Print one comparison, or errors by the names of what has them."""
    if "contestants" not in measured:
        print(title)
        for name, row in measured.get("errors", {}).items():
            print(f"  {name:24} {row}")
        return
    print(f"{title} (medians of {measured['rounds']} interleaved rounds)")
    for name, row in measured["contestants"].items():
        print(f"  {name:24} {row['median_ms']:10.3f} ms   {row['ratio']:6.3f} x {measured['baseline']}")


def answer(
    question: str,
    about: str | None,
    parts: Callable[[bool], Mapping[str, Part]],
    arguments: Sequence[str] | None = None,
    **versions: str,
) -> None:
    """The command line of a benchmark: measure all parts, or those named by ``--only``, and write what was found.

    Args:
        question: names the file of results.
        about: the help text.
        parts: makes the parts by name, small ones if given True.
        arguments: of the command line; None takes those that the process was started with.
        **versions: of other packages that take part.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes, few rounds, one thread; writes nothing")
    parser.add_argument("--only", nargs="+", metavar="PART", help="measure these parts and keep the other results")
    options = parser.parse_args(arguments)
    found = parts(options.quick)
    unknown = [name for name in options.only or () if name not in found]
    if unknown:
        parser.error(f"{question} has no part named {unknown[0]!r}: choose among {', '.join(found)}")
    if options.quick:
        torch.set_num_threads(1)
    for i, name in enumerate(options.only or found):
        torch.manual_seed(0)
        results = dict(found[name]())
        for title, measured in results.items():
            show(title, measured)
        if not options.quick:
            print("written to", save(question, results, add=bool(options.only) or i > 0, **versions), flush=True)
