"""Pieces run in the threads of torch's own OpenMP library."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from equivision.kernels import _threads
from equivision.kernels._threads import spread
from tests.kernels._threads import torch_threads

needs_region = pytest.mark.skipif(_threads._parallel_region() is None, reason="torch comes without OpenMP here")


@pytest.mark.parametrize("pieces", [0, 1, 2, 3, 100])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_every_piece_runs_once(threads: int, pieces: int) -> None:
    seen: list[int] = []
    with torch_threads(threads):
        spread(seen.append, range(pieces))
    assert sorted(seen) == list(range(pieces))


@needs_region
def test_pieces_run_at_the_same_time() -> None:
    """Two pieces wait for each other, so one thread alone would never end."""
    meet, idents = threading.Barrier(2, timeout=60), set()

    def work(_: int) -> None:
        meet.wait()
        idents.add(threading.get_ident())

    with torch_threads(2):
        spread(work, range(2))
    assert len(idents) == 2
    assert threading.get_ident() in idents


def test_one_thread_is_that_of_the_caller() -> None:
    idents: set[int] = set()
    with torch_threads(1):
        spread(lambda _: idents.add(threading.get_ident()), range(5))
    assert idents == {threading.get_ident()}


def test_without_openmp_one_thread_does_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_threads, "_parallel_region", lambda: None)
    idents: list[int] = []
    with torch_threads(2):
        spread(lambda _: idents.append(threading.get_ident()), range(5))
    assert idents == [threading.get_ident()] * 5


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("failing", [0, 7, 19])
@pytest.mark.parametrize("threads", [1, 2])
def test_exceptions_reach_the_caller(threads: int, failing: int, kind: type[BaseException]) -> None:
    def work(piece: int) -> None:
        if piece == failing:
            raise kind("piece failed")

    with torch_threads(threads):
        with pytest.raises(kind, match="piece failed"):
            spread(work, range(20))
        seen: list[int] = []
        spread(seen.append, range(4))  # and the next call is not disturbed
    assert sorted(seen) == [0, 1, 2, 3]


@needs_region
def test_an_exception_of_another_thread_reaches_the_caller() -> None:
    meet, caller = threading.Barrier(2, timeout=60), threading.get_ident()

    def work(_: int) -> None:
        meet.wait()
        if threading.get_ident() != caller:
            raise ValueError("worker failed")

    with torch_threads(2), pytest.raises(ValueError, match="worker failed"):
        spread(work, range(2))


def test_no_piece_is_begun_after_an_exception() -> None:
    seen: list[int] = []

    def work(piece: int) -> None:
        seen.append(piece)
        raise ValueError("stop")

    with torch_threads(1), pytest.raises(ValueError, match="stop"):
        spread(work, range(10))
    assert seen == [0]


@pytest.mark.parametrize("threads", [1, 2])
def test_nested(threads: int) -> None:
    seen: list[tuple[int, int]] = []

    def outer(i: int) -> None:
        spread(lambda j: seen.append((i, j)), range(3))

    with torch_threads(threads):
        spread(outer, range(4))
    assert sorted(seen) == [(i, j) for i in range(4) for j in range(3)]


@pytest.mark.parametrize("threads", [1, 2])
def test_pieces_know_neither_gradients_nor_autocast(threads: int) -> None:
    """Both belong to a thread in torch, and the pieces must compute the same in each."""
    states: list[tuple[bool, bool]] = []
    with torch_threads(threads), torch.enable_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        spread(lambda _: states.append((torch.is_grad_enabled(), torch.is_autocast_enabled("cpu"))), range(6))
        assert torch.is_grad_enabled()
        assert torch.is_autocast_enabled("cpu")
    assert states == [(False, False)] * 6


CALLERS = """
import sys, torch
from concurrent.futures import ThreadPoolExecutor
import equivision as ev
torch.set_num_threads(2)
layer = ev.nn.GroupConv2d(5, 6, 3, group="D4", padding=1, algorithm="fourier", dtype=torch.float64)
inputs = [torch.randn(4, 5, 8, 20, 20, dtype=torch.float64) for _ in range(8)]
def compute(x):
    x = x.clone().requires_grad_()
    y = layer(x)
    return y.detach(), *torch.autograd.grad(y.square().sum(), [x, *layer.parameters()])
expected = [compute(x) for x in inputs]
with ThreadPoolExecutor(4) as pool:
    for _ in range(5):
        for one, other in zip(expected, pool.map(compute, inputs), strict=True):
            assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
print("equal")
"""
FORKED = """
import os, signal, torch
import equivision as ev
torch.set_num_threads({parent})
layer = ev.nn.GroupConv2d(5, 6, 3, group="D4", padding=1, algorithm="fourier", dtype=torch.float64)
x = torch.randn(4, 5, 8, 20, 20, dtype=torch.float64)
def compute():
    y = layer(x)
    return y.detach(), *torch.autograd.grad(y.square().sum(), list(layer.parameters()))
expected = compute()
child = os.fork()
if child == 0:
    signal.alarm(120)
    torch.set_num_threads(1)  # as every worker of a DataLoader does: OpenMP has no threads after a fork
    found = compute()
    close = all(torch.allclose(a, b, rtol=1e-12, atol=1e-12) for a, b in zip(expected, found, strict=True))
    os._exit(0 if close else 1)
assert os.waitpid(child, 0)[1] == 0
assert all(torch.equal(a, b) for a, b in zip(expected, compute(), strict=True))
print("equal")
"""


def output_of(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip()


def test_several_callers_at_once() -> None:
    """Python threads that call at the same time share neither arrays nor pieces."""
    pytest.importorskip("numba")
    assert output_of(CALLERS) == "equal"


@pytest.mark.costly(2)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.parametrize("threads", [1, 2])
def test_after_a_fork(threads: int) -> None:
    pytest.importorskip("numba")
    assert output_of(FORKED.format(parent=threads)) == "equal"


def test_several_callers_each_get_their_own_pieces() -> None:
    def call(caller: int) -> list[tuple[int, int]]:
        seen: list[tuple[int, int]] = []
        spread(lambda piece: seen.append((caller, piece)), range(50))
        return sorted(seen)

    with torch_threads(2), ThreadPoolExecutor(4) as pool:
        found = list(pool.map(call, range(8)))
    assert found == [[(caller, piece) for piece in range(50)] for caller in range(8)]
