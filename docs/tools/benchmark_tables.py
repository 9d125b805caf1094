"""Write the tables of docs/benchmarks.md from benchmarks/results; ``--check`` only compares.

What is slower is found by code too, so that no loss is left out.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from _page import ROOT, update

RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "benchmarks.md"
MISSING = "Not measured yet."
SWEEPS = ("width", "size", "batch")
GROUPS = ("C2", "C4", "D2", "D4")
TWINS = {"plain": "dense", "plain separable": "depthwise separable"}
KEPT = ("", ", memory kept")
FORMS = ("", ", frozen", ", channels last")
#: Longer by this factor counts as slower.
MARGIN = 1.05

Found = dict[str, Any]


def ms(measured: Found, name: str) -> float:
    """Median of a contestant."""
    return measured["contestants"][name]["median_ms"]


def in_rounds(measured: Found, name: str, other: str) -> float:
    """Ratio of two contestants in the same rounds, which a machine that drifts does not move as it does the medians."""
    contestants = measured["contestants"]
    return contestants[name]["ratio"] / contestants[other]["ratio"]


def against(measured: Found, name: str, other: str) -> str:
    """Times of two contestants and their ratio."""
    own, plain = ms(measured, name), ms(measured, other)
    ratio = own / plain
    return f"{own:.1f} / {plain:.1f} ms ({ratio:{'.2f' if ratio > 0.1 else '.4f'}} ×)"


def rows(header: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    """A Markdown table whose first column is words and whose others are numbers."""
    first, *rest = [f"| {' | '.join(cells)} |" for cells in (header, *lines)]
    return "\n".join((first, "|---" + "|---:" * (first.count(" | ")) + "|", *rest))


def machine(found: Found) -> str:
    """What was measured where."""
    about = found["machine"]
    others = "".join(f", {name} {about[name]}" for name in ("e2cnn", "numpy") if name in about)
    return (
        f"Medians of interleaved rounds on {about['cpu']}, {about['threads']} thread{'s' * (about['threads'] > 1)}, "
        f"float32, torch {about['torch']}"
        f"{others}, Python {about['python']}, {about['date']}."
    )


def networks(found: Found) -> str:
    """Whole networks and their plain twins."""
    results = found["results"]
    lines = []
    for name in dict.fromkeys(measured["network"] for measured in results.values()):
        passed, trained = results.get(f"{name}, inference"), results.get(f"{name}, train step")
        if passed is None or trained is None:
            continue
        for twin in (twin for twin in TWINS if twin in passed["contestants"]):
            sizes = [passed["sizes"][which]["parameters"] for which in ("equivariant", twin)]
            cells = (
                against(passed, "equivariant", twin),
                against(passed, "equivariant, frozen", f"{twin}, frozen"),
                against(trained, "equivariant", twin),
                against(trained, "equivariant, channels last", f"{twin}, channels last"),
            )
            parameters = " / ".join(f"{size:,}" for size in sizes)
            lines.append((f"{name}, batch {passed['batch']}", TWINS[twin], parameters, *cells))
    header = (
        "network",
        "twin",
        "parameters",
        "inference",
        "inference, frozen",
        "train step",
        "train step, channels last",
    )
    return f"{rows(header, lines)}\n\n{machine(found)}"


def scaling(found: Found) -> str:
    """Ratios to Conv2d by what varies; the layer that all sweeps share is shown once."""
    layers: dict[tuple[int, int, int], dict[str, Found]] = {}
    in_order = sorted(found["results"].values(), key=lambda m: (SWEEPS.index(m["sweep"]), m[m["sweep"]]))
    for measured in in_order:
        kinds = layers.setdefault((measured["width"], measured["size"], measured["batch"]), {})
        kinds.setdefault(measured["kind"], measured)
    lines = []
    for (width, size, batch), kinds in layers.items():
        pair = (kinds["forward"], kinds["forward and backward"])
        plain = " / ".join(f"{ms(one, 'Conv2d'):.2f}" for one in pair)
        ratios = (" / ".join(f"{one['contestants'][group]['ratio']:.2f}" for one in pair) for group in GROUPS)
        lines.append((f"{width} channels, {size}×{size}, batch {batch}", f"{plain} ms", *ratios))
    return f"{rows(('layer', 'Conv2d', *GROUPS), lines)}\n\n{machine(found)}"


def phases(found: Found) -> str:
    """Milliseconds of a layer, of parts of it, and of Conv2d."""
    left_out = [f"without the transform of the {part}" for part in ("input", "output", "weights")]
    names = ("everything", *left_out, "products alone", "Conv2d")
    lines = [
        (title.removesuffix(", batch 16"), *(f"{ms(measured, name):.1f}" for name in names))
        for title, measured in found["results"].items()
    ]
    return f"{rows(('forward, ms', *names), lines)}\n\n{machine(found)}"


def allocator(found: Found) -> str:
    """Train steps in both layouts, with memory given back and kept."""
    lines = []
    for measured in found["results"].values():
        for net in dict.fromkeys(name.split(",")[0] for name in measured["contestants"]):
            forms = (f"{net}, {layout}{kept}" for layout in ("contiguous", "channels last") for kept in KEPT)
            what = f"{net}, {measured['width'] if net == measured['network'] else 'as wide as ' + measured['network']}"
            lines.append((what, *(f"{ms(measured, form):.0f}" for form in forms)))
    header = ("train step, ms", "contiguous", "memory kept", "channels last", "memory kept")
    return f"{rows(header, lines)}\n\n{machine(found)}"


def any_angle(found: Found) -> str:
    """Layers off the pixel grid, forward and backward, as ratios."""
    kinds = ("interpolated", "harmonics", "steerable", "irreps")
    lines = []
    small = {title: one for title, one in found["results"].items() if "interpolated" in one["contestants"]}
    for title, measured in small.items():
        exact = next(name for name in measured["contestants"] if name.startswith("exact"))
        ratios = (f"{ms(measured, name) / ms(measured, 'Conv2d'):.2f}" for name in (exact, *kinds))
        lines.append((title.split(", 28")[0], f"{ms(measured, 'Conv2d'):.1f} ms", *ratios))
    header = ("forward and backward", "Conv2d", "exact C4, D4", *kinds)
    return f"{rows(header, lines)}\n\n{machine(found)}"


def wide(found: Found) -> str:
    """Wide layers off the grid by each algorithm, as ratios."""
    kinds = ("expand", "fourier", "auto")
    lines = [
        (title, f"{ms(one, 'Conv2d'):.1f} ms", *(f"{ms(one, name) / ms(one, 'Conv2d'):.2f}" for name in kinds))
        for title, one in found["results"].items()
        if "fourier" in one["contestants"]
    ]
    return f"{rows(('layer', 'Conv2d', *kinds), lines)}\n\n{machine(found)}"


def principles(found: Found) -> str:
    """Layers beyond the group convolution: ratios forward, and forward and backward."""
    lines = []
    for title, passed in found["results"].items():
        if title.endswith(", forward"):
            trained = found["results"][f"{title} and backward"]
            for name in (name for name in passed["contestants"] if name != "Conv2d"):
                pair = (against(one, name, "Conv2d") for one in (passed, trained))
                lines.append((f"{title.removesuffix(', forward')}: {name}", *pair))
    return f"{rows(('layer / Conv2d', 'forward', 'forward and backward'), lines)}\n\n{machine(found)}"


def e2cnn_kernels(found: Found) -> str:
    """Numbers of weights, and what of e2cnn's kernels is not among ours."""
    lines = []
    for title, one in found["results"].items():
        ours = (one.get(profile) for profile in ("gaussian", "pixels"))
        cells = [f"{found['weights']}, {found['left over']:.0e}" if found else "" for found in ours]
        lines.append((title, str(one["weights of e2cnn"]), *cells))
    header = ("layer", "e2cnn: weights", "ours: weights, left over", "with pixels")
    return f"{rows(header, lines)}\n\ne2cnn {found['machine']['e2cnn']}, torch {found['machine']['torch']}."


def e2cnn_layers(found: Found) -> str:
    """Layers of both libraries beside Conv2d."""
    results, lines = found["results"], []
    for title, measured in results.items():
        if measured["kind"] == "forward" and "fields" in measured:
            trained = results[f"{title} and backward"]
            cells = [
                f"{measured['contestants'][n]['ratio']:.2f}" for n in ("equivision", "e2cnn, filters kept", "e2cnn")
            ]
            cells += [f"{trained['contestants'][n]['ratio']:.2f}" for n in ("equivision", "e2cnn")]
            lines.append(
                (
                    title.removesuffix(", forward"), f"{ms(measured, 'plain'):.2f} ms", *cells[:3],
                    f"{ms(trained, 'plain'):.2f} ms", *cells[3:],
                )
            )  # fmt: skip
    header = (
        "layer", "forward: Conv2d", "equivision", "e2cnn, filters kept", "e2cnn", "with backward: Conv2d", "equivision",
        "e2cnn",
    )  # fmt: skip
    return f"{rows(header, lines)}\n\n{machine(found)}"


def e2cnn_networks(found: Found) -> str:
    """Networks of both libraries, and how long it takes to build them."""
    lines = []
    for title, measured in found["results"].items():
        if "network" in measured:
            frozen = measured["contestants"].get("equivision, frozen")
            lines.append(
                (
                    f"{title}, batch {measured['batch']}", f"{ms(measured, 'plain'):.1f} ms",
                    against(measured, "equivision", "e2cnn"),
                    f"{frozen['median_ms']:.1f} ms" if frozen else "",
                )
            )  # fmt: skip
        elif measured["kind"] == "construction":
            lines.append((title, "", against(measured, "equivision", "e2cnn"), ""))
    return rows(("", "plain", "equivision / e2cnn", "equivision, frozen"), lines)


def volume(found: Found) -> str:
    """Layers for volumes beside Conv3d."""
    results, lines = found["results"], []
    for measured in results.values():
        if measured["kind"] == "forward":
            pair = (measured, results[f"{measured['layer']}, forward and backward"])
            plain = " / ".join(f"{ms(one, 'Conv3d'):.1f}" for one in pair)
            ratios = " / ".join(f"{in_rounds(one, 'GroupConv3d', 'Conv3d'):.2f}" for one in pair)
            lines.append((measured["layer"], str(measured["width"]), f"{plain} ms", ratios))
    return f"{rows(('layer', 'channels', 'Conv3d', 'GroupConv3d'), lines)}\n\n{machine(found)}"


def slower(found: Found, own: Iterable[str], others: Iterable[str]) -> str:
    """Every comparison that is lost, as a list."""
    pairs, lost, compared = list(zip(own, others, strict=True)), [], 0
    for title, measured in found["results"].items():
        there = [pair for pair in pairs if measured["contestants"].keys() >= set(pair)]
        ratios = {(own, other): in_rounds(measured, own, other) for own, other in there}
        compared += len(ratios)
        if longer := [f"{name} {ratio:.2f} × {other}" for (name, other), ratio in ratios.items() if ratio > MARGIN]:
            lost.append((len(longer), f"- {title}: {', '.join(longer)}"))
    if not lost:
        return f"None of {compared}."
    return "\n".join((f"{sum(count for count, _ in lost)} of {compared}:", "", *(line for _, line in lost)))


def places() -> Iterator[tuple[str, str]]:
    """What belongs between which marks."""
    for question, parts in {
        "networks": {
            "networks": networks,
            "networks, slower": lambda found: slower(
                found,
                [f"equivariant{form}" for _ in TWINS for form in FORMS],
                [f"{twin}{form}" for twin in TWINS for form in FORMS],
            ),
        },
        "scaling": {
            "scaling": scaling,
            "scaling, slower": lambda found: slower(found, GROUPS, ["Conv2d"] * len(GROUPS)),
        },
        "phases": {"phases": phases},
        "volume": {
            "volume": volume,
            "volume, slower": lambda found: slower(found, ["GroupConv3d"], ["Conv3d"]),
        },
        "any_angle": {"any angle": any_angle, "any angle, wide": wide},
        "principles": {"principles": principles},
        "e2cnn_kernels": {"e2cnn kernels": e2cnn_kernels},
        "allocator": {"allocator": allocator},
        "e2cnn_compare": {
            "e2cnn layers": e2cnn_layers,
            "e2cnn networks": e2cnn_networks,
            "e2cnn, slower": lambda found: slower(
                found, ("equivision", "equivision"), ("e2cnn", "e2cnn, filters kept")
            ),
        },
    }.items():
        path = RESULTS / f"{question}.json"
        for name, part in parts.items():
            yield name, part(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else MISSING


def main() -> None:
    update(PAGE, dict(places()), "benchmark_tables.py")


if __name__ == "__main__":
    main()
