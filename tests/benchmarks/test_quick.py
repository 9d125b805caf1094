"""Every benchmark runs; how fast anything is, is not tested."""

import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import torch

from benchmarks import allocator, e2cnn_compare
from benchmarks.__main__ import KNOWN, main
from benchmarks._measure import RESULTS, answer

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.mark.costly(3)
@pytest.mark.parametrize(
    ("name", "contestants"),
    [
        ("construction", {"p4cnn", "resnet18 D4"}),
        ("train_step", {"plain", "p4cnn"}),
        ("any_angle", {"Conv2d", "harmonics", "steerable", "irreps"}),
        ("networks", {"plain", "plain separable", "equivariant", "equivariant, frozen"}),
        ("hyper", {"weights for each image", "ordinary main pass"}),
        ("implicit", {"plain step", "augmentation", "with the loss, quarter turns", "4-2-1"}),
        ("principles", {"Conv2d", "C1", "C4", "D4, sums", "S2wrS2", "gauge"}),
        ("scaling", {"Conv2d", "C2", "C4", "D2", "D4"}),
        ("volume", {"Conv3d", "GroupConv3d"}),
        ("error_by_pose", {"turns and scales", "turns", "scales", "neither", "order 2", "order 4"}),
    ],
)
def test_quick(name: str, contestants: set[str], capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in RESULTS.glob("*.json")}
    answer(name, None, import_module(f"benchmarks.{name}").parts, ["--quick"])
    lines = [line.split("  ")[1].strip() for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert contestants <= set(lines)
    assert {path: path.stat().st_mtime_ns for path in RESULTS.glob("*.json")} == before


def test_beside_e2cnn() -> None:
    if not e2cnn_compare.ENVIRONMENT.exists():
        pytest.skip("there is no environment with e2cnn")
    command = [sys.executable, "-m", "benchmarks", "e2cnn_compare", "--quick"]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    for words in ("equivision", "e2cnn, filters kept", "p4cnn, train step", "construction, p4cnn"):
        assert words in finished.stdout


def test_a_contestant_in_a_process_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    allocator.child("p4cnn", "2", "channels last", "0", "2")
    assert 0 < float(capsys.readouterr().out) < 100


def test_without_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(e2cnn_compare, "ENVIRONMENT", ROOT / "benchmarks" / "nowhere")
    with pytest.raises(SystemExit, match="benchmarks/nowhere/bin/python is missing: make it with the two commands"):
        e2cnn_compare.main()


def test_every_question_has_a_name() -> None:
    assert {"networks", "scaling", "e2cnn_compare", "algorithms", "latency"} <= set(KNOWN)
    with pytest.raises(SystemExit, match="no benchmark named 'speed': choose among algorithms, allocator"):
        main(["speed"])
