"""Run every benchmark, or those named: ``python -m benchmarks [train_step construction]``."""

import importlib
import sys
from pathlib import Path


def main() -> None:
    known = sorted(p.stem for p in Path(__file__).parent.glob("*.py") if not p.stem.startswith("_"))
    asked = sys.argv[1:] or known
    unknown = [name for name in asked if name not in known]
    if unknown:
        sys.exit(f"no benchmark named {unknown[0]!r}: choose among {', '.join(known)}")
    for name in asked:
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
