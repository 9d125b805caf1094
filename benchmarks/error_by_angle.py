"""How far from equivariant are layers and networks when a picture turns by any angle?

``law``: kernels turned to the nearest of n orientations. ``orientations``: lift, ReLU, maximum over orientations, for
every way to turn kernels, against n. ``kernels``: the same against kernel size. ``stride``: one strided block, by what
stands before the stride. ``networks``: a small network by angle. ``floor``: its maps, turned there and back. ``blur``,
``sizes``, ``scenes``: the same network against the blur before its strides, its kernel size, and where the object lies.
Nothing is trained.

Error is ``||f(R x) - R f(x)|| / ||R f(x)||`` on a disk, R bicubic. Digits of MNIST and pictures of tiny-imagenet10
where EQUIVISION_DATA names a folder that has them, else the digits of scikit-learn and noise.

    python -m benchmarks error_by_angle [--quick] [--only networks]
"""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

import equivision.nn as evnn
from benchmarks._angles import (
    MODES,
    NETWORKS,
    SIDE,
    Down,
    Network,
    backgrounds,
    band_limited,
    blurred,
    blurred_noise,
    digits,
    disk,
    error_at,
    errors_of,
    on_canvas,
    there_and_back,
)
from benchmarks._measure import Measured, Part, answer
from equivision.functional import blur_pool2d, relative_error, rotate

ORDERS = (4, 8, 16, 32, 64)
KERNELS = (3, 5, 7, 9)
DOWN: dict[Down, str] = {"max pool": "max pool", "stride": "stride in the convolution", "blur": "blur, then stride"}
SIGMAS = (0.1, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0)
#: Angles that no group of these networks has, and some that C8 or C16 has.
BETWEEN = tuple(11.25 * i for i in range(1, 8))


def _round(values: Sequence[float]) -> list[float]:
    return [float(f"{value:.4g}") for value in values]


def _mean(rows: Sequence[Sequence[float]]) -> list[float]:
    return _round([sum(column) / len(column) for column in zip(*rows, strict=True)])


def _lifting(n: int, kernel_size: int, mode: str, *, fields: int, seed: int) -> evnn.LiftConv2d:
    torch.manual_seed(seed)
    options = {"group": f"C{n}", "padding": kernel_size // 2, "bias": False, **MODES[mode]}
    return evnn.LiftConv2d(1, fields, kernel_size, dtype=torch.float64, **options)


@torch.no_grad()
def law(quick: bool) -> Mapping[str, Measured]:
    """Responses of harmonic kernels, turned to the nearest of n orientations, and what their frequencies foretell."""
    size, fields = (25, 1) if quick else (65, 4)
    x, inside = band_limited(2, size), disk(size, 0.37 * size)
    orders = ORDERS[:2] if quick else (*ORDERS, 128)
    fine = _lifting(64, 7, "steerable", fields=fields, seed=0)
    spectrum = torch.fft.rfft(fine(x), dim=2).abs().square() * inside
    energy = spectrum.sum((0, 1, 3, 4))
    energy[1:] *= 2  # m and -m
    m = torch.arange(len(energy))
    predicted, measured = [], []
    for n in orders:
        moved = energy * 4 * torch.sin(m * math.pi / (2 * n)) ** 2
        predicted.append(float((moved.sum() / energy.sum()).sqrt()))
        layer = _lifting(n, 7, "steerable", fields=fields, seed=0)
        measured.append(error_at(lambda x, layer=layer: layer(x).flatten(1, 2), x, 180 / n, inside))
    return {
        "law": {
            "n": list(orders), "errors": {"predicted": _round(predicted), "measured": _round(measured)},
            "kernel_size": 7, "pictures": 2, "size": size, "fields": fields, "seeds": [0],
            "energy_by_frequency": _round((energy / energy.sum()).tolist()[:12]),
        }
    }  # fmt: skip


def _pooled(layer: evnn.LiftConv2d, x: Tensor) -> Tensor:
    return torch.relu(layer(x)).amax(2)


@torch.no_grad()
def _curves(cases: Sequence[tuple[int, int]], quick: bool) -> dict[str, Any]:
    """For (n, kernel size): error half way between two orientations and at the first orientation, by mode."""
    size, fields, seeds = (25, 1, (0,)) if quick else (65, 8, (0, 1))
    x, inside = band_limited(1 if quick else 4, size), disk(size, 0.37 * size)
    found: dict[str, Any] = {"between": {}, "own": {}}
    for mode in MODES:
        for where, turn in (("between", 180), ("own", 360)):
            rows = []
            for seed in seeds:
                layers = [_lifting(n, k, mode, fields=fields, seed=seed) for n, k in cases]
                rows.append([
                    error_at(functools.partial(_pooled, layer), x, turn / n, inside)
                    for layer, (n, _) in zip(layers, cases, strict=True)
                ])  # fmt: skip
            found[where][mode] = _mean(rows)
    return {"errors": found, "pictures": len(x), "size": size, "fields": fields, "seeds": list(seeds), "highest": 0.1}


@torch.no_grad()
def orientations(quick: bool) -> Mapping[str, Measured]:
    """Lift with 7x7 kernels, ReLU, maximum over orientations: error against n."""
    orders = ORDERS[:2] if quick else ORDERS
    found = _curves([(n, 7) for n in orders], quick)
    size, count = found["size"], found["pictures"]
    inside = disk(size, 0.37 * size)
    pictures = []
    for n in orders:
        exact = band_limited(count, size, degrees=180 / n)
        turned = rotate(band_limited(count, size), 180 / n, mode="bicubic")
        pictures.append(float(relative_error(turned * inside, exact * inside)))
    return {"orientations": {"n": list(orders), "kernel_size": 7, **found, "picture": _round(pictures)}}


def kernels(quick: bool) -> Mapping[str, Measured]:
    """The same over C8, against kernel size."""
    sizes = KERNELS[:2] if quick else KERNELS
    return {"kernels": {"kernel_sizes": list(sizes), "n": 8, **_curves([(8, k) for k in sizes], quick)}}


@torch.no_grad()
def stride(quick: bool) -> Mapping[str, Measured]:
    """Lift to C8 with 5x5 kernels, ReLU, something before a stride of 2; all slots, at 45 degrees."""
    size, count, fields = (33, 1, 1) if quick else (97, 4, 4)
    layer = _lifting(8, 5, "steerable", fields=fields, seed=0)
    finish = {
        "nothing": lambda y: y[..., ::2, ::2],
        "3x3 mean": lambda y: torch.nn.functional.avg_pool2d(y.flatten(1, 2), 3, 2, 1).unflatten(1, (-1, 8)),
        "3x3 maximum": lambda y: torch.nn.functional.max_pool2d(y.flatten(1, 2), 3, 2, 1).unflatten(1, (-1, 8)),
        **{f"blur {s:g}": lambda y, s=s: blur_pool2d(y, 2, sigma=s) for s in (0.5, 0.75, 1.0, 1.5, 2.0)},
        "no stride": lambda y: y,
    }
    errors: dict[str, list[float]] = {name: [] for name in finish}
    detail = (0.8, 1.2, 2.0)
    for sigma in detail:
        x = blurred_noise(count, size, sigma)
        for name, end in finish.items():

            def features(x: Tensor, end: Any = end) -> Tensor:
                return end(torch.relu(layer(x))).flatten(1, 2)

            side = features(x[:1]).shape[-1]
            errors[name].append(error_at(features, x, 45.0, disk(side, 0.4 * side), slots=1, order=8))
    about = {"pictures": count, "size": size, "fields": fields, "seeds": [0], "picture_sigma": list(detail)}
    return {"stride": {"degrees": 45.0, **about, "errors": {name: _round(e) for name, e in errors.items()}}}


def _networks(
    x: Tensor, degrees: Sequence[float], seeds: Sequence[int], name: str, like: Tensor, **options: Any
) -> dict[str, Any]:
    """Errors of maps and logits by angle, mean over networks of other seeds, at home in pictures ``like``."""
    found = [errors_of(Network(name, seed=seed, **options).settle(like, seed=seed), x, degrees) for seed in seeds]
    return {what: _mean([one[i] for one in found]) for i, what in enumerate(("maps", "logits"))}


def _about(quick: bool) -> tuple[Tensor, tuple[int, ...], dict[str, Any]]:
    """Pictures, seeds, and what a result says of them."""
    images, source = digits(2 if quick else 16)
    seeds = (0,) if quick else (0, 1, 2, 3, 4)
    return images, seeds, {"pictures": len(images), "source": source, "size": SIDE, "seeds": list(seeds)}


def networks(quick: bool) -> Mapping[str, Measured]:
    """A small network by angle, for every way to halve the resolution."""
    images, seeds, about = _about(quick)
    degrees = (0.0, 45.0) if quick else tuple(7.5 * i for i in range(49))
    results: dict[str, Measured] = {}
    for down in DOWN:
        chosen = [name for name in NETWORKS if (name, down) != ("SO(2) irreps", "max pool")]
        x, like = on_canvas(images), on_canvas(digits(8 if quick else 64, seed=1)[0])
        found = {name: _networks(x, degrees, seeds, name, like, down=down) for name in chosen}
        results[f"networks, {down}"] = {"degrees": list(degrees), "kernel_size": 5, **about, "errors": found}
    return results


def _between(rows: dict[str, dict[str, list[float]]]) -> dict[str, dict[str, float]]:
    """Means over the angles."""
    return {n: {what: _mean([[e] for e in errors])[0] for what, errors in row.items()} for n, row in rows.items()}


def _sweep(quick: bool, title: str, values: Sequence[Any], option: str, names: Sequence[str]) -> Mapping[str, Measured]:
    """The networks with another option, mean over the angles between quarter turns."""
    images, seeds, about = _about(quick)
    values, degrees = (values[:2], BETWEEN[:1]) if quick else (values, BETWEEN)
    x, like = on_canvas(images), on_canvas(digits(8 if quick else 64, seed=1)[0])
    errors: dict[str, Any] = {name: {"maps": [], "logits": []} for name in names}
    for value in values:
        rows = {name: _networks(x, degrees, seeds, name, like, **{option: value}) for name in names}
        for name, found in _between(rows).items():
            for what, error in found.items():
                errors[name][what].append(error)
    return {title: {option: list(values), "degrees": list(degrees), **about, "errors": errors}}


def blur(quick: bool) -> Mapping[str, Measured]:
    """The network against the width of the blur before its strides."""
    return _sweep(quick, "blur", SIGMAS, "sigma", list(NETWORKS))


def sizes(quick: bool) -> Mapping[str, Measured]:
    """The network against the size of its kernels."""
    return _sweep(quick, "sizes", KERNELS, "kernel_size", list(NETWORKS))


def floor(quick: bool) -> Mapping[str, Measured]:
    """What turning the maps of the network costs by itself: there and back."""
    images, seeds, about = _about(quick)
    x, like = on_canvas(images), on_canvas(digits(8 if quick else 64, seed=1)[0])
    errors = {
        name: _mean([[there_and_back(Network(name, seed=s).settle(like, seed=s), x, BETWEEN)] for s in seeds])[0]
        for name in NETWORKS
    }
    return {"floor": {"degrees": list(BETWEEN), **about, "errors": errors}}


def _scenes(images: Tensor, *, seed: int) -> dict[str, Tensor]:
    centre, behind = on_canvas(images), backgrounds(len(images), SIDE, seed=seed)[0]
    clutter = torch.maximum(centre, 0.7 * behind)
    round_ = disk(SIDE, SIDE / 2).float()
    corner = on_canvas(images, down=13, right=13)
    return {
        "centre": centre,
        "centre, blurred by 1": blurred(centre, 1.0),
        "centre, blurred by 2": blurred(centre, 2.0),
        "corner": corner,
        "clutter": clutter,
        "clutter in a disk": clutter * round_,
    }


def scenes(quick: bool) -> Mapping[str, Measured]:
    """The network on a digit in the centre, in a corner, and before a picture of something else."""
    images, seeds, about = _about(quick)
    degrees = BETWEEN[:1] if quick else BETWEEN
    shown, others = _scenes(images, seed=0), _scenes(digits(8 if quick else 64, seed=1)[0], seed=1)
    errors = {
        scene: _between({name: _networks(x, degrees, seeds, name, others[scene]) for name in NETWORKS})
        for scene, x in shown.items()
    }
    source = backgrounds(1, SIDE)[1]
    return {"scenes": {"degrees": list(degrees), **about, "background": source, "errors": errors}}


def parts(quick: bool) -> dict[str, Part]:
    """All questions by their names."""
    asked = (law, orientations, kernels, stride, networks, floor, blur, sizes, scenes)
    return {question.__name__: lambda question=question: question(quick) for question in asked}


def main() -> None:
    answer("error_by_angle", __doc__, parts)


if __name__ == "__main__":
    main()
