"""On a GPU: is the fused group convolution faster than cuDNN's ordinary convolution of the same real width?

    python -m benchmarks gpu_speed [--only "D4 3x3 bfloat16" ...]

The baseline is torch.nn.Conv2d, contiguous or channels_last, whichever is faster. Every contestant is replayed as a
CUDA graph and timed by events, so nothing of Python is in the medians; ``eager_ms`` has it in. ``peak_mib`` is what one
eager call allocates at most, beyond input, weights and their gradients. ``benchmarks/gpu.sh`` runs all parts.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

import equivision as ev
from benchmarks._gpu import (
    DTYPES,
    INTERPRETED,
    Fused,
    captured,
    device,
    eager_seconds,
    peak_mib,
    seconds,
    triton_version,
    use,
)
from benchmarks._measure import Measured, Part, answer, forward, interleave, step, summary
from equivision.kernels import channels_last

LAYERS = (("D4", 3), ("D4", 1), ("C4", 3))
SIZES = tuple(product((64, 128, 192, 256), (14, 28), (64, 128)))
QUICK = ((2, 4, 1),)
SECONDS = 1.0
PASSES: Mapping[str, Callable[[nn.Module, Tensor], Callable[[], object]]] = {
    "forward": forward,
    "forward and backward": step,
}


def contestants(
    group: str, kernel: int, fields: int, size: int, batch: int
) -> Iterator[tuple[str, nn.Module, torch.Tensor]]:
    """The fused layer, in both memory formats, the expanded one, and the ordinary convolutions."""
    order, padding = ev.groups.planar(group).order, kernel // 2
    x = torch.randn(batch, fields, order, size, size)
    maps, width, last = x.flatten(1, 2), fields * order, torch.channels_last
    yield "Conv2d", nn.Conv2d(width, width, kernel, padding=padding, bias=False), maps
    conv = nn.Conv2d(width, width, kernel, padding=padding, bias=False)
    conv.weight.data = conv.weight.data.contiguous(memory_format=last)
    yield "Conv2d, channels_last", conv, maps.to(memory_format=last)
    yield "fused", Fused(fields, kernel, group), channels_last(x)
    yield "fused, contiguous input", Fused(fields, kernel, group), x
    expanded = ev.nn.GroupConv2d(
        fields, fields, kernel, group=ev.groups.planar(group), padding=padding, bias=False, algorithm="expand"
    )
    yield "expanded, channels_last", expanded, channels_last(x)


def compare(case: tuple[str, int, int, int, int], dtype: str, kind: str, *, quick: bool) -> Measured:
    """Medians of the contestants of one layer."""
    made = {}
    for name, module, x in contestants(*case):
        place: dict[str, Any] = {"device": device(quick=quick), "dtype": use(dtype)}
        made[name] = PASSES[kind](module.to(**place), x.to(**place))
    for run in made.values():
        run()  # compiles, tries tile sizes, and lets cuDNN choose
    eager = {name: eager_seconds(run, calls=1 if quick else 3) for name, run in made.items()}
    peaks = {name: peak_mib(run) for name, run in made.items()}
    replayed = {name: captured(run) for name, run in made.items()}
    rounds = 2 if quick else max(7, min(50, int(SECONDS / sum(map(seconds, replayed.values())))))
    timed = interleave(replayed, rounds=rounds, warmup=1 if quick else 3, timer=seconds)
    medians = {name: sorted(values)[len(values) // 2] for name, values in timed.items()}
    measured = summary(timed, baseline=min(("Conv2d", "Conv2d, channels_last"), key=medians.__getitem__))
    for name, row in measured["contestants"].items():
        row |= {"eager_ms": round(1e3 * eager[name], 4), "peak_mib": peaks[name]}
    return measured


def measure(group: str, kernel: int, dtype: str, *, quick: bool) -> dict[str, Measured]:
    """All sizes of one layer in one dtype."""
    found = {}
    for (fields, size, batch), kind in product(QUICK if quick else SIZES, PASSES):
        title = f"{group} {kernel}x{kernel}, {fields} fields, {size}x{size}, batch {batch}, {dtype}, {kind}"
        found[title] = measured = compare((group, kernel, fields, size, batch), dtype, kind, quick=quick)
        ratio = measured["contestants"]["fused"]["ratio"]
        speed = "interpreted, which says nothing of speed" if INTERPRETED else f"{1 / ratio:.2f} times as fast"
        print(f"{title}: {speed}", flush=True)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return found


def parts(quick: bool) -> dict[str, Part]:
    """Every layer in every dtype."""
    device(quick=quick)
    torch.backends.cudnn.benchmark = True
    chosen = [name for name in DTYPES if name != "float32"]
    return {
        f"{group} {kernel}x{kernel} {dtype}": partial(measure, group, kernel, dtype, quick=quick)
        for dtype, (group, kernel) in product(chosen, LAYERS)
    }


if __name__ == "__main__":
    answer("gpu_speed", __doc__, parts, triton=triton_version())
