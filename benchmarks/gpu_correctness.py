"""On a GPU: does the fused group convolution compute what the expanded form computes in float64?

    python -m benchmarks gpu_correctness [--quick]

Output and both gradients, for every group and dtype, many shapes, and every tile size. Compiling takes most of the
time, so groups have a process each. Exits with an error if a result is farther off than its dtype explains.
"""

import argparse
import math
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context
from typing import Any, NamedTuple

import torch

from benchmarks._gpu import DTYPES, INTERPRETED, device, triton_version, use
from benchmarks._measure import save

GROUPS = ("C2", "C4", "D1", "D2", "D4")
#: Largest relative error: rounding of the operands and of the result.
TOLERANCE = {"bfloat16": 1e-2, "float16": 1.5e-3, "tf32": 2e-3, "float32": 1e-5}


class Case(NamedTuple):
    """One layer on one input."""

    kernel: int
    fields: tuple[int, int]
    size: tuple[int, int]
    batch: int = 4
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1


FIRST = {
    "3x3": Case(3, (64, 64), (14, 14), padding=1),
    "3x3, stride 2, odd": Case(3, (24, 40), (15, 17), stride=2, padding=1),
}
MORE = {
    "1x1": Case(1, (64, 128), (14, 14)),
    "2x2, two groups": Case(2, (32, 64), (8, 9), stride=2, groups=2),
    "4x4, dilation 2": Case(4, (16, 16), (13, 12), stride=3, padding=2, dilation=2),
    "5x5, few fields": Case(5, (3, 5), (12, 11), padding=2),
}
QUICK = {"3x3": Case(3, (2, 3), (4, 4), batch=1, padding=1)}


def errors(group_name: str, case: Case, place: str, dtype: torch.dtype) -> list[float]:
    """Relative errors of output, gradient of the input, gradient of the weight."""
    from equivision.functional import group_conv2d
    from equivision.groups import planar
    from equivision.kernels import group_conv2d_triton

    group = planar(group_name)
    options: dict[str, Any] = {name: getattr(case, name) for name in ("stride", "padding", "dilation", "groups")}
    entries = case.fields[0] // case.groups * group.order * case.kernel**2
    x = torch.randn(case.batch, case.fields[0], group.order, *case.size, device=place).to(dtype).requires_grad_()
    shape = (case.fields[1], case.fields[0] // case.groups, group.order, case.kernel, case.kernel)
    weight = (torch.randn(shape, device=place) / math.sqrt(entries)).to(dtype).requires_grad_()
    y = group_conv2d_triton(x, weight, group=group, **options)
    x64, weight64 = (t.detach().double().requires_grad_() for t in (x, weight))
    y64 = group_conv2d(x64, weight64, group=group, strict=False, algorithm="expand", **options)
    gradient = torch.randn_like(y)
    found = (y, *torch.autograd.grad(y, (x, weight), gradient))
    wanted = (y64, *torch.autograd.grad(y64, (x64, weight64), gradient.double()))
    return [((a.double() - b).norm() / b.norm()).item() for a, b in zip(found, wanted, strict=True)]


def one_group(name: str, place: str, quick: bool) -> dict[str, list[float]]:
    """All dtypes; all shapes where a group stands for others."""
    torch.manual_seed(0)
    found = {}
    for dtype in DTYPES:
        every = name in ("C4", "D4") and dtype in ("bfloat16", "float32")
        cases = QUICK if quick else FIRST | MORE if every else FIRST
        for title, case in cases.items():
            found[f"{name}, {dtype}, {title}"] = errors(name, case, place, use(dtype))
    return found


def every_tile(name: str, place: str, quick: bool) -> dict[str, list[float]]:
    """Every tile size on its own; those that need too much shared memory are left out, as in tuning."""
    if quick:
        return {}
    from triton.runtime.errors import OutOfResources

    from equivision.groups import planar
    from equivision.kernels import _triton_launch as launch

    torch.manual_seed(0)
    found, launch.TUNE = {}, True
    tried = launch._configs(planar(name).order)
    for dtype, config in product(("bfloat16", "tf32"), tried):
        launch._tuned.cache_clear()
        launch._configs = lambda order, config=config: [config]
        try:
            found[f"{name}, {dtype}, {config}"] = errors(name, FIRST["3x3"], place, use(dtype))
        except OutOfResources:
            print(f"{name}, {dtype}, {config}: needs more shared memory than there is")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one small shape; writes nothing")
    quick = parser.parse_args().quick
    place = device(quick=quick)
    os.environ["EQUIVISION_TUNE"] = "0"
    jobs = [(one_group, name) for name in GROUPS] + [(every_tile, name) for name in ("C2", "C4", "D4")]
    found: dict[str, list[float]] = {}
    workers = 1 if INTERPRETED else min(len(jobs), os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        running = [pool.submit(job, name, place, quick) for job, name in jobs]
        for done in running:
            found |= done.result()
    failed = []
    for title, values in found.items():
        limit = TOLERANCE[title.split(", ")[1]]
        right = all(value <= limit for value in values)
        failed += [] if right else [title]
        print(f"{'right' if right else 'WRONG'}  {title}: " + "  ".join(f"{value:.1e}" for value in values))
    if not quick:
        results = {"tolerance": TOLERANCE, "order": ["output", "input gradient", "weight gradient"], "errors": found}
        print("written to", save("gpu_correctness", results, triton=triton_version()))
    if failed:
        sys.exit(f"{len(failed)} of {len(found)} comparisons are wrong, first {failed[0]}")
    print(f"all {len(found)} comparisons are right")


if __name__ == "__main__":
    from benchmarks.gpu_correctness import main as importable  # other processes look the jobs up by module

    importable()
