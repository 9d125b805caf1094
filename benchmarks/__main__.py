"""Run every benchmark, or those named: ``python -m benchmarks [train_step construction] [--quick] [--only PART]``.

Options are handed on; what they mean says ``python -m benchmarks NAME --help``. A benchmark that cannot run does not
stop the others.
"""

import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

KNOWN = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))


def main(arguments: Sequence[str]) -> None:
    first = next((i for i, argument in enumerate(arguments) if argument.startswith("-")), len(arguments))
    names, options = arguments[:first] or KNOWN, arguments[first:]
    unknown = [name for name in names if name not in KNOWN]
    if unknown:
        sys.exit(f"no benchmark named {unknown[0]!r}: choose among {', '.join(KNOWN)}")
    failed = []
    for name in names:
        sys.argv = [f"python -m benchmarks {name}", *options]
        try:
            runpy.run_module(f"benchmarks.{name}", run_name="__main__")
        except SystemExit as stop:
            if stop.code:
                failed.append(f"{name}: {stop.code}")
    if failed:
        sys.exit("\n".join(failed))


if __name__ == "__main__":
    main(sys.argv[1:])
