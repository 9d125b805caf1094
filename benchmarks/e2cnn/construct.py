"""Print the seconds that one construction takes in a new process, libraries imported before the clock starts.

python -m benchmarks.e2cnn.construct LIBRARY WHAT
"""

import sys
import time

from benchmarks.e2cnn_compare import BUILDERS


def main(library: str, what: str) -> None:
    build = BUILDERS[what]()[library]
    start = time.perf_counter()
    build()
    print(time.perf_counter() - start)


if __name__ == "__main__":
    main(*sys.argv[1:])
