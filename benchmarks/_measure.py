"""Fair timing: contestants take turns in the same process, medians are compared, the machine is written down."""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

import equivision

RESULTS = Path(__file__).parent / "results"


def interleave(
    contestants: Mapping[str, Callable[[], object]], *, rounds: int = 30, warmup: int = 3
) -> dict[str, list[float]]:
    """Seconds of every call; in each round every contestant runs once, in an order that turns from round to round."""
    names = list(contestants)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for i in range(warmup + rounds):
        shift = i % len(names)
        for name in names[shift:] + names[:shift]:
            start = time.perf_counter()
            contestants[name]()
            if i >= warmup:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def summary(seconds: dict[str, list[float]], *, baseline: str) -> dict[str, Any]:
    """Median and quartiles in milliseconds, and the median ratio to the baseline of the same round."""
    rows = {}
    for name, values in seconds.items():
        low, middle, high = statistics.quantiles(values, n=4)
        ratios = [a / b for a, b in zip(values, seconds[baseline], strict=True)]
        rows[name] = {
            "median_ms": round(1e3 * middle, 3),
            "quartiles_ms": [round(1e3 * low, 3), round(1e3 * high, 3)],
            "ratio": round(statistics.median(ratios), 3),
        }
    return {"baseline": baseline, "rounds": len(seconds[baseline]), "contestants": rows}


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    model = "unknown"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    return {
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


def save(question: str, results: dict[str, Any]) -> Path:
    """Write ``results/<question>.json``, complete or not at all."""
    path = RESULTS / f"{question}.json"
    RESULTS.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps({"question": question, "machine": machine(), "results": results}, indent=1) + "\n")
    os.replace(temporary, path)
    return path


def show(title: str, measured: dict[str, Any]) -> None:
    """Print one comparison."""
    print(f"{title} (medians of {measured['rounds']} interleaved rounds)")
    for name, row in measured["contestants"].items():
        print(f"  {name:24} {row['median_ms']:10.2f} ms   {row['ratio']:6.3f} x {measured['baseline']}")
