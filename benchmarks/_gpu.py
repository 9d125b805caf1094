"""What benchmarks on a GPU share: whether there is one, timing by events, memory, the fused layer."""

import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

import torch
from torch import Tensor, nn

from equivision.groups import planar
from equivision.kernels import group_conv2d_triton

INTERPRETED = os.environ.get("TRITON_INTERPRET", "0") == "1"
#: float32 stands for products of three TF32 numbers, tf32 for products of one.
DTYPES = {
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "tf32": torch.float32,
    "float32": torch.float32,
}


def device(*, quick: bool) -> str:
    """``"cuda"``, or ``"cpu"`` for a dry run in Triton's interpreter; ends the program where neither can be."""
    if torch.cuda.is_available():
        return "cuda"
    if quick and INTERPRETED:
        return "cpu"
    sys.exit("no CUDA GPU here; a dry run on the CPU, tiny and slow: benchmarks/gpu.sh --device cpu --interpret")


def triton_version() -> str:
    try:
        return version("triton")
    except PackageNotFoundError:
        return "not installed"


def use(name: str) -> torch.dtype:
    """The dtype of that name; from now on float32 is multiplied as the name says."""
    torch.backends.cudnn.allow_tf32 = name == "tf32"
    return DTYPES[name]


class Fused(nn.Module):
    """A group convolution that keeps the size of the image, by the fused kernel."""

    def __init__(self, fields: int, kernel: int, group: str) -> None:
        super().__init__()
        self.group, self.padding = planar(group), kernel // 2
        shape = (fields, fields, self.group.order, kernel, kernel)
        self.weight = nn.Parameter(torch.randn(shape) * (fields * self.group.order * kernel**2) ** -0.5)

    def forward(self, x: Tensor) -> Tensor:
        return group_conv2d_triton(x, self.weight, group=self.group, padding=self.padding)


def seconds(run: Callable[[], object]) -> float:
    """How long a call takes: on the GPU, if there is one, without what it does before and after."""
    if not torch.cuda.is_available():
        start = time.perf_counter()
        run()
        return time.perf_counter() - start
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    first.record()
    run()
    last.record()
    last.synchronize()
    return first.elapsed_time(last) / 1e3


def captured(run: Callable[[], object]) -> Callable[[], object]:
    """The same work as a CUDA graph, so that launching it from Python costs nothing; it has run before."""
    if not torch.cuda.is_available():
        return run
    aside, here = torch.cuda.Stream(), torch.cuda.current_stream()
    aside.wait_stream(here)
    with torch.cuda.stream(aside):
        for _ in range(3):
            run()
    here.wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay


def eager_seconds(run: Callable[[], object], *, calls: int) -> float:
    """How long one of several calls in a row takes, launched from Python."""
    run()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(calls):
        run()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / calls


def peak_mib(run: Callable[[], object]) -> float | None:
    """Memory that a call takes at its peak, beyond what is there before; None on a CPU."""
    if not torch.cuda.is_available():
        return None
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    torch.cuda.synchronize()
    return round((torch.cuda.max_memory_allocated() - before) / 2**20, 1)
