"""Write the table of docs/guide/speed.md from benchmarks/results/algorithms.json; ``--check`` only compares."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from _page import ROOT, update
from benchmark_tables import MARGIN, MISSING, Found, machine, ms, rows

RESULTS = ROOT / "benchmarks" / "results" / "algorithms.json"
PAGE = ROOT / "docs" / "guide" / "speed.md"
ALGORITHMS = ("expand", "fourier", "auto")
LAST = "Conv2d, channels_last"
COLUMNS = (*ALGORITHMS, LAST)
KINDS = ("forward", "forward and backward")


def _speed(measured: Found, name: str) -> str:
    return f"{ms(measured, 'Conv2d') / ms(measured, name):.2f} ×"


def table(found: Found) -> str:
    """How many times as fast as ``Conv2d`` each algorithm is: forward / forward and backward."""
    lines = []
    for layer, measured in found["results"].items():
        both = [measured[kind] for kind in KINDS]
        plain = " / ".join(f"{ms(one, 'Conv2d'):.1f}" for one in both)
        lines.append([layer, f"{plain} ms", *(" / ".join(_speed(one, name) for one in both) for name in COLUMNS)])
    return f"{rows(('layer', '`Conv2d`', *ALGORITHMS, '`Conv2d`, channels last'), lines)}\n\n{machine(found)}"


def _losses(found: Found) -> Iterator[str]:
    for layer, measured in found["results"].items():
        for kind in KINDS:
            times = {name: ms(measured[kind], name) for name in ALGORITHMS}
            better = min(("expand", "fourier"), key=times.__getitem__)
            if times["auto"] > MARGIN * times[better]:
                yield f"- {layer}, {kind}: {times['auto'] / times[better]:.2f} times as long as `{better}`"


def _slower(found: Found) -> Iterator[str]:
    for layer, measured in found["results"].items():
        for kind in KINDS:
            better = min(("Conv2d", LAST), key=lambda name, one=measured[kind]: ms(one, name))
            ratio = ms(measured[kind], "auto") / ms(measured[kind], better)
            if ratio > MARGIN:
                yield f"- {layer}, {kind}: {ratio:.2f} times as long as `{better}`"


def losses(found: Found) -> str:
    """Where ``auto`` is slower than the better of the two by more than 5 %."""
    return _counted(list(_losses(found)), found)


def slower(found: Found) -> str:
    """Where ``auto`` is slower than Conv2d in the better of its memory layouts by more than 5 %."""
    return _counted(list(_slower(found)), found)


def _counted(lines: list[str], found: Found) -> str:
    return "\n".join((f"{len(lines)} of {len(KINDS) * len(found['results'])}.", "", *lines)).strip()


def main() -> None:
    found = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else None
    contents = {"speed": table, "speed, auto": losses, "speed, slower": slower}
    update(PAGE, {name: make(found) if found else MISSING for name, make in contents.items()}, "speed_table.py")


if __name__ == "__main__":
    main()
