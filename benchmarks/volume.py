"""What does a group convolution of volumes cost beside ``torch.nn.Conv3d`` of the same real width?

The real width is the number of fields times the order of the group; both layers are one dense convolution, and ours
moves its filters into all orientations before it. Measured in one thread, as time of the processor.

    python -m benchmarks volume [--quick]
"""

import torch
from torch import nn

from benchmarks._measure import Measured, Part, answer, forward, interleave, processor_time, step, summary
from equivision.volume import GroupConv3d

#: Group, fields before and after, voxels of a side, batch; kernels of 3x3x3 taps.
LAYERS = (
    ("O", 1, 16, 4), ("O", 2, 8, 4), ("O", 2, 16, 2), ("O", 4, 12, 2), ("O", 8, 8, 2),
    ("Oh", 1, 12, 4), ("Oh", 2, 8, 4), ("Oh", 2, 12, 2), ("Oh", 4, 8, 2),
)  # fmt: skip


def measure(group: str, fields: int, size: int, batch: int, *, rounds: int) -> dict[str, Measured]:
    """Forward, and forward with backward."""
    options = {"padding": 1, "bias": False}
    layer = GroupConv3d(fields, fields, 3, group=group, **options)
    order = layer.group.order
    conv = nn.Conv3d(fields * order, fields * order, 3, **options)
    x = torch.randn(batch, fields, order, size, size, size)
    found = {}
    for kind, build in (("forward", forward), ("forward and backward", step)):
        runs = {"Conv3d": build(conv, x.flatten(1, 2)), "GroupConv3d": build(layer, x)}
        title = f"{group}, {fields} field{'s' if fields > 1 else ''}, {size}x{size}x{size}, batch {batch}"
        seconds = interleave(runs, rounds=rounds, timer=processor_time)
        about = {"layer": title, "kind": kind, "width": fields * order}
        found[f"{title}, {kind}"] = summary(seconds, baseline="Conv3d") | about
    return found


def parts(quick: bool) -> dict[str, Part]:
    """One part for each layer."""
    torch.set_num_threads(1)
    layers = (("O", 1, 3, 1), ("222", 1, 3, 1)) if quick else LAYERS
    rounds = 3 if quick else 80  # few milliseconds vary by a tenth
    return {" ".join(map(str, layer)): lambda layer=layer: measure(*layer, rounds=rounds) for layer in layers}


def main() -> None:
    answer("volume", __doc__, parts)


if __name__ == "__main__":
    main()
