"""What does a U-Net or a SegNet over a group cost in training, beside the plain one?

Of the same real width: a U-Net over C4 with 8 fields has the 32 maps of an ordinary one with 32 channels, and the same
arithmetic. Of the same number of parameters, as in the segmentation study, which says "almost 1.5 times" for SegNets.

    python -m benchmarks segmentation [--quick]
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

import equivision as ev
from benchmarks._measure import Measured, Part, answer, forward, interleave, summary
from equivision.segmentation import mask_loss
from equivision.tasks import keep_freed_memory

#: Real width of the first level, group, and fields that have it.
WIDTHS = {"C4": (32, 8), "D4": (32, 4)}


def mask_step(network: nn.Module, images: Tensor) -> Callable[[], object]:
    """One step of Adam on the loss of masks."""
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
    masks = torch.randint(0, 2, (len(images), *images.shape[2:]))

    def run() -> None:
        optimizer.zero_grad()
        mask_loss(network(images), masks).backward()
        optimizer.step()

    return run


def measure_unets(group: str, size: int, batch: int, rounds: int) -> Measured:
    """Train steps and inference of U-Nets of the same real width."""
    keep_freed_memory()
    plain, fields = WIDTHS[group]
    nets = {"plain": ev.create_model("z2_unet", width=plain), group: ev.create_model("unet", group=group, width=fields)}
    x = torch.rand(batch, 3, size, size)
    timed = interleave({name: mask_step(net, x) for name, net in nets.items()}, rounds=rounds)
    return summary(timed, baseline="plain")


def measure_inference(group: str, size: int, batch: int, rounds: int) -> Measured:
    """Inference of U-Nets of the same real width, as they are and frozen."""
    keep_freed_memory()
    plain, fields = WIDTHS[group]
    x = torch.rand(batch, 3, size, size)
    net = ev.create_model("unet", group=group, width=fields).eval()
    nets = {"plain": ev.create_model("z2_unet", width=plain).eval(), group: net}
    nets |= {"plain, frozen": ev.freeze(nets["plain"], example=x), f"{group}, frozen": ev.freeze(net, example=x)}
    return summary(interleave({name: forward(one, x) for name, one in nets.items()}, rounds=rounds), baseline="plain")


def measure_segnets(up: str, size: int, batch: int, rounds: int) -> Measured:
    """Train steps of the study's networks, which have about the same number of parameters."""
    keep_freed_memory()
    x = torch.rand(batch, 3, size + (up == "transposed"), size + (up == "transposed"))
    nets = {"SegNet": ev.create_model("z2_segnet", up=up)}
    nets |= {f"{group} SegNet": ev.create_model("segnet", group=group, up=up) for group in ("C4", "D4")}
    timed = interleave({name: mask_step(net, x) for name, net in nets.items()}, rounds=rounds)
    return summary(timed, baseline="SegNet")


def parts(quick: bool) -> dict[str, Part]:
    """U-Nets over two groups in training and inference, SegNets of both kinds."""
    size, batch, rounds = (32, 2, 2) if quick else (96, 8, 9)
    found: dict[str, Part] = {}
    for group in WIDTHS:
        for kind, measure in (("train step", measure_unets), ("inference", measure_inference)):
            name = f"U-Net, {kind}, {group}"
            found[name] = lambda name=name, measure=measure, group=group: {name: measure(group, size, batch, rounds)}
    for up in ("bilinear", "transposed"):
        name = f"SegNet, train step, {up}"
        found[name] = lambda name=name, up=up: {
            name: measure_segnets(up, 64 if not quick else 32, 5, max(rounds // 3, 2))
        }
    return found


def main() -> None:
    answer("segmentation", __doc__, parts)


if __name__ == "__main__":
    main()
