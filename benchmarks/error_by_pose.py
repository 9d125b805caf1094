"""How far from equivariant are networks on turns and scales when a picture turns and grows at the same time?

``poses``: two convolutions on turns and scales, on either, and ordinary ones, by scale and angle; over the slots that
both pictures have, over all slots, and with slots that stay. ``reach``: the first of them at 45 degrees and one step of
scale, against how many scales a kernel reaches from its middle, for two bases. Nothing is trained.

    python -m benchmarks error_by_pose [--quick] [--only reach]
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from benchmarks._angles import band_limited
from benchmarks._measure import Measured, Part, answer
from equivision.filters import HermiteBasis
from equivision.scale import ScaleConv2d, ScaleLiftConv2d, SimilitudeErrors, similitude_errors
from equivision.testing import randomize_

RATIO, SMALLEST, TAPS, SIDE = 2**0.5, 1.5, 25, 57
SCALES = tuple(SMALLEST * RATIO**i for i in range(3))
FACTORS = tuple(RATIO ** (i / 2) for i in range(-2, 3))
DEGREES = tuple(11.25 * i for i in range(9))
#: Group and scales of the kernels, the ratio by which the scales of the image move slots.
NETWORKS: dict[str, tuple[str, tuple[float, ...], float | None]] = {
    "turns and scales": ("C8", SCALES, RATIO),
    "turns": ("C8", SCALES[1:2], None),
    "scales": ("C1", SCALES, RATIO),
    "neither": ("C1", (), None),
}


def network(name: str, *, taps: int = TAPS, order: int = 2, seed: int = 0) -> nn.Module:
    """Lift, ReLU, convolution; float64, random weights."""
    group, scales, _ = NETWORKS[name]
    torch.manual_seed(seed)
    if not scales:
        plain = [nn.Conv2d(1, 4, 7, padding=3, bias=False), nn.ReLU(), nn.Conv2d(4, 2, 7, padding=3, bias=False)]
        return randomize_(nn.Sequential(*plain, nn.Unflatten(1, (2, 1))).double())
    options: dict[str, Any] = {"scales": scales, "group": group, "basis": HermiteBasis(order), "padding": "same"}
    layers = ScaleLiftConv2d(1, 2, taps, bias=False, **options), ScaleConv2d(2, 2, taps, bias=False, **options)
    return randomize_(nn.Sequential(layers[0], nn.ReLU(), layers[1]).double())


def pictures(quick: bool) -> torch.Tensor:
    """Waves of at least ten pixels that fade towards the border."""
    side = SIDE if not quick else 33
    line = torch.linspace(-1, 1, side, dtype=torch.float64)
    return band_limited(1 if quick else 2, side) * torch.exp(-4 * (line[:, None] ** 2 + line**2))


def _percent(found: SimilitudeErrors) -> dict[str, list[list[float]]]:
    kinds = {"shared": found.shared, "full": found.full, "unshifted": found.unshifted}
    return {kind: [[round(100 * e, 2) for e in row] for row in errors.tolist()] for kind, errors in kinds.items()}


@torch.no_grad()
def poses(quick: bool) -> Mapping[str, Measured]:
    """Errors in %, a row for each scale and a column for each angle."""
    x, factors, degrees = pictures(quick), FACTORS, DEGREES
    if quick:
        factors, degrees = FACTORS[2::2], DEGREES[::4]
    errors = {
        name: _percent(
            similitude_errors(
                network(name, taps=13 if quick else TAPS), x, factors=factors, degrees=degrees, ratio=ratio,
                group=group, margin=x.shape[-1] // 5,
            )
        )
        for name, (group, _, ratio) in NETWORKS.items()
    }  # fmt: skip
    about = {"scales": SCALES, "taps": TAPS, "pictures": len(x), "size": x.shape[-1]}
    return {"poses": {"factors": factors, "degrees": degrees, **about, "errors": errors}}


@torch.no_grad()
def reach(quick: bool) -> Mapping[str, Measured]:
    """Errors in % at 45 degrees and one step of scale, against the reach of the kernels in scales."""
    x, taps = pictures(quick), (13, 17) if quick else (13, 17, 21, 25, 29)
    errors: dict[str, list[float]] = {}
    for order in (2, 4):
        rows = []
        for size in taps:
            net = network("turns and scales", taps=size, order=order)
            options: dict[str, Any] = {"factors": (RATIO,), "degrees": (45.0,), "ratio": RATIO, "group": "C8"}
            rows.append(float(similitude_errors(net, x, margin=x.shape[-1] // 5, **options).shared))
        errors[f"order {order}"] = [round(100 * e, 2) for e in rows]
    in_scales = [round((size - 1) / 2 / SCALES[-1], 2) for size in taps]
    return {"reach": {"taps": taps, "reach": in_scales, "pictures": len(x), "size": x.shape[-1], "errors": errors}}


def parts(quick: bool) -> dict[str, Part]:
    """Both questions by their names."""
    return {"poses": lambda: poses(quick), "reach": lambda: reach(quick)}


def main() -> None:
    answer("error_by_pose", __doc__, parts)


if __name__ == "__main__":
    main()
