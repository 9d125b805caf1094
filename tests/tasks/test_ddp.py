"""Two processes on the CPU, started by torchrun, against one."""

import csv
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.tasks.ddp_worker import KINDS, Kind, train

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),
    pytest.mark.filterwarnings("ignore:.*treespec, LeafSpec.*"),
]
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the two processes wrote."""
    out = tmp_path_factory.mktemp("ddp")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--nnodes", "1", "--node_rank", "0"),
        *("--master_addr", "127.0.0.1", "--master_port", str(port), str(HERE / "ddp_worker.py"), str(out)),
    ]
    environment = os.environ | {"PYTHONPATH": f"{HERE.parents[1]}{os.pathsep}{HERE}", "OMP_NUM_THREADS": "1"}
    environment |= {"CUDA_VISIBLE_DEVICES": "", "GLOO_SOCKET_IFNAME": "lo"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (out / "screen.txt").write_text(done.stdout)
    return out


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_learn_what_one_learns(kind: Kind, folder: Path, tmp_path: Path) -> None:
    first, second = (torch.load(folder / f"{kind}-{rank}.pt", weights_only=True) for rank in range(2))
    one = train(1, tmp_path, kind)
    for name, weight in one["weights"].items():
        assert torch.equal(first["weights"][name], second["weights"][name]), name
        torch.testing.assert_close(first["weights"][name], weight, rtol=1e-10, atol=1e-12)
    assert set(one["metrics"]) == {"train/loss", "train/accuracy", "val/loss", "val/accuracy"}
    for name, value in one["metrics"].items():
        torch.testing.assert_close(first["metrics"][name], value, rtol=1e-6, atol=1e-6, check_dtype=False)
        assert torch.equal(first["metrics"][name], second["metrics"][name]), name


def test_the_command_line_in_two_processes(folder: Path) -> None:
    first, second = (torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    saved = torch.load(folder / "run" / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(saved[name], first[name]) for name in first)
    with (folder / "run" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["epoch"], row["step"]) for row in rows] == [("1", "2"), ("2", "4")]
    screen = (folder / "screen.txt").read_text()
    assert screen.count("model  p4cnn (width 2)") == 1, "only the first process writes to the screen"
    assert screen.count("best of 2 epochs") == 1
