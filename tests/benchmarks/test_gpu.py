"""The scripts for a GPU refuse where there is none, and go through all motions in Triton's interpreter."""

import importlib.util
import math
import os
import subprocess
from pathlib import Path

import pytest
import torch

from benchmarks import _gpu
from benchmarks._measure import RESULTS, interleave

ROOT = Path(__file__).parents[2]


def gpu_sh(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    command = ["benchmarks/gpu.sh", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=600)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no CUDA GPU here; for a dry run on the CPU: benchmarks/gpu.sh --device cpu --interpret"),
        (("--device", "cpu"), "--device cpu needs --interpret"),
        (("speed",), "speed is no step and no option: choose among correctness, bfloat16, float16, tf32, tests"),
    ],
)
def test_refusals_are_one_line(arguments: tuple[str, ...], message: str) -> None:
    done = gpu_sh(*arguments)
    assert done.returncode != 0
    assert done.stderr.splitlines() == [done.stderr.strip()]
    assert message in done.stderr


@pytest.mark.costly(math.inf)
@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="TRITON IS NOT INSTALLED")
def test_dry_run() -> None:
    before = {path: path.stat().st_mtime_ns for path in RESULTS.glob("gpu_*.json")}
    done = gpu_sh("--device", "cpu", "--interpret", "D4-1x1-bfloat16", "tests")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "D4 1x1, 2 fields, 4x4, batch 1, bfloat16, forward and backward: interpreted" in done.stdout
    assert "2 passed" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in RESULTS.glob("gpu_*.json")} == before


def test_python_refuses_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(_gpu, "INTERPRETED", True)
    assert _gpu.device(quick=True) == "cpu"
    with pytest.raises(SystemExit, match="no CUDA GPU here"):
        _gpu.device(quick=False)
    monkeypatch.setattr(_gpu, "INTERPRETED", False)
    with pytest.raises(SystemExit, match="no CUDA GPU here"):
        _gpu.device(quick=True)


def test_another_clock() -> None:
    """Calls on a GPU are timed by its own events."""
    seconds = interleave({"a": lambda: None, "b": lambda: None}, rounds=2, warmup=0, timer=lambda run: 7.0)
    assert seconds == {"a": [7.0, 7.0], "b": [7.0, 7.0]}
