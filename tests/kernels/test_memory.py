"""Peak memory stays within 1.5 times that of an ordinary convolution of the same real width."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numba")

#: group, kernel, fields in and out, pixels of a side, images: few and many weights for what there is in pixels
LAYERS = (
    ("D4", 3, (16, 16), 28, 16),
    ("D4", 3, (64, 64), 14, 8),
    ("D4", 3, (8, 64), 28, 16),
    ("D4", 3, (16, 16), 112, 2),
    ("D4", 5, (32, 32), 14, 8),
    ("D4", 1, (64, 64), 14, 16),
    ("C4", 3, (64, 64), 28, 4),
    ("C2", 3, (128, 128), 28, 2),
)
CAN_MEASURE = Path("/proc/self/clear_refs").exists() and os.access("/proc/self/clear_refs", os.W_OK)


@pytest.mark.costly(5)
@pytest.mark.skipif(not CAN_MEASURE, reason="needs /proc/self/clear_refs of Linux")
@pytest.mark.parametrize(
    ("threads", "layers"),
    [(2, LAYERS[:3]), (2, LAYERS[3:]), (8, LAYERS[1:2])],
    ids=["2 threads", "2 threads, other layers", "8 threads"],
)
def test_peak_memory(threads: int, layers: tuple) -> None:
    both = ((False, False), (True, True), (True, False))  # backward, channels last
    cases = [(*layer, *both[i % 2 if forward else 2]) for i, layer in enumerate(layers) for forward in (True, False)]
    program = str(Path(__file__).with_name("_peak.py"))
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    command = [sys.executable, program, str(threads), json.dumps(cases)]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    peaks = json.loads(done.stdout.splitlines()[-1])
    assert len(peaks) == len(cases)
    assert all(plain > 8 for plain, _ in peaks)  # enough to be seen beside what a process needs anyway
    ratios = {case: round(ours / plain, 2) for case, (plain, ours) in zip(cases, peaks, strict=True)}
    assert not {case: ratio for case, ratio in ratios.items() if ratio > 1.5}
    assert min(ratios.values()) > 0.2  # both were measured
