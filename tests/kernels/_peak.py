"""Print the peak memory of layers in MiB, as the operating system sees it: rows of (Conv2d, fourier).

A process of its own runs this, with an allocator that hands memory back at once. Kept arrays and oneDNN's count.
"""

import gc
import json
import sys
from pathlib import Path

import torch
from torch import nn

import equivision.nn as evnn
from equivision.groups import planar
from equivision.kernels._cpu import Scratch


def resident(key: str) -> int:
    """Bytes of memory in use: VmRSS now, VmHWM at most since the mark."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))


def run(
    ours: bool, group: str, kernel: int, fields: list[int], size: int, batch: int, backward: bool, last: bool
) -> None:
    """Make a layer and its input, and use it twice."""
    order, (inputs, outputs) = planar(group).order, fields
    form = torch.channels_last if last else torch.contiguous_format
    if ours:
        layer: nn.Module = evnn.GroupConv2d(
            inputs, outputs, kernel, group=group, padding=kernel // 2, algorithm="fourier"
        )
    else:
        layer = nn.Conv2d(inputs * order, outputs * order, kernel, padding=kernel // 2).to(memory_format=form)
    maps = torch.empty(batch, inputs * order, size, size).normal_().contiguous(memory_format=form)
    if ours:
        maps = maps.unflatten(1, (order, inputs)).transpose(1, 2) if last else maps.unflatten(1, (inputs, order))
    x = maps.requires_grad_(backward)
    for _ in range(2):
        with torch.set_grad_enabled(backward):
            y = layer(x)
        if backward:
            y.backward(torch.ones_like(y))
            x.grad = None
            layer.zero_grad()
        del y


def peak(*case: object) -> float:
    """MiB that a case adds at most to what is in use before it."""
    Scratch._idle.clear()
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # forget the old mark
    before = resident("VmRSS")
    run(*case)
    return (resident("VmHWM") - before) / 2**20


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[1]))
    cases = json.loads(sys.argv[2])
    for ours in (False, True):
        for case in cases:  # what is loaded and compiled once does not count
            group, kernel, _, _, _, *how = case
            run(ours, group, kernel, [2, 2], 5, 1, *how)
    print(json.dumps([[peak(ours, *case) for ours in (False, True)] for case in cases]))
