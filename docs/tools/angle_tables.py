"""Write the tables of docs/guide/angles.md from benchmarks/results/error_by_angle.json; ``--check`` only compares."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from _page import ROOT, update
from benchmark_tables import MARGIN, Found, rows

RESULTS = ROOT / "benchmarks" / "results" / "error_by_angle.json"
PAGE = ROOT / "docs" / "guide" / "angles.md"
HALVINGS = ("max pool", "stride", "blur")


def percent(error: float) -> str:
    """An error in per cent; rounding is called exact."""
    return "exact" if error < 1e-5 else f"{100 * error:.1f} %" if error < 0.1 else f"{100 * error:.0f} %"


def orientations(found: Found) -> str:
    """Half way between two orientations, and at the first one, by the way kernels are turned."""
    result = found["results"]["orientations"]
    lines = [
        (mode, *(f"{percent(half)} / {percent(own)}" for half, own in zip(between, errors, strict=True)))
        for (mode, between), errors in zip(
            result["errors"]["between"].items(), result["errors"]["own"].values(), strict=True
        )
    ]
    return rows(("kernels", *(f"n = {n}" for n in result["n"])), lines)


def picture(found: Found) -> str:
    """The part of these errors that is the picture's own interpolation."""
    share = found["results"]["orientations"]["picture"]
    return f"Turning the picture alone costs {percent(max(share))}, whatever the network."


def law(found: Found) -> str:
    """The closed form beside what was measured."""
    result = found["results"]["law"]
    lines = [(name, *map(percent, errors)) for name, errors in result["errors"].items()]
    return rows(("", *(f"n = {n}" for n in result["n"])), lines)


def kernels(found: Found) -> str:
    """The same over C8 by kernel size."""
    result = found["results"]["kernels"]
    both = result["errors"]
    lines = [
        (mode, *(f"{percent(a)} / {percent(b)}" for a, b in zip(both["between"][mode], both["own"][mode], strict=True)))
        for mode in both["own"]
    ]
    return rows(("kernels", *(f"{k} × {k}" for k in result["kernel_sizes"])), lines)


def stride(found: Found) -> str:
    """One strided block by what stands before the stride."""
    result = found["results"]["stride"]
    names = {name: name.replace("blur ", "Gaussian, σ = ") for name in result["errors"]}
    lines = [(words, *map(percent, result["errors"][name])) for name, words in names.items()]
    return rows(("before the stride", *(f"picture blurred by {s:g}" for s in result["picture_sigma"])), lines)


def networks(found: Found) -> str:
    """Means over the angles that are no quarter turns, maps / logits, by how the resolution is halved."""
    parts = {down: found["results"][f"networks, {down}"] for down in HALVINGS}
    lines = []
    for name in parts["blur"]["errors"]:
        cells = []
        for part in parts.values():
            errors = part["errors"].get(name)
            between = [i for i, degrees in enumerate(part["degrees"]) if degrees % 90]
            means = (sum(errors[what][i] for i in between) / len(between) for what in errors or ())
            cells.append(" / ".join(map(percent, means)) if errors else "-")
        lines.append((name, *cells))
    return rows(("network", "max pool", "stride in the convolution", "blur, then stride"), lines)


def _mean(found: Found, down: str, name: str, what: str = "maps") -> float:
    """Over the angles that are no quarter turns."""
    part = found["results"][f"networks, {down}"]
    errors = [e for degrees, e in zip(part["degrees"], part["errors"][name][what], strict=True) if degrees % 90]
    return sum(errors) / len(errors)


def advice(found: Found) -> str:
    """What to choose, with the numbers that say so."""

    def maps(down: str, name: str) -> str:
        return percent(_mean(found, down, name))

    own, turns = found["results"]["orientations"]["errors"]["own"], found["results"]["orientations"]["n"]
    eight = {mode: percent(errors[turns.index(8)]) for mode, errors in own.items()}
    sizes = found["results"]["sizes"]
    scene = {name: percent(row["C16"]["logits"]) for name, row in found["results"]["scenes"]["errors"].items()}

    def ends(name: str, what: str) -> str:
        errors = sizes["errors"][name][what]
        return f"{percent(errors[0])} to {percent(errors[-1])}"

    return "\n".join((
        "- **Blur before every stride.** As cheap as a max pool; a strided convolution is cheaper, since it computes a "
        "quarter of the positions. Maps of the C8 network: "
        f"{maps('max pool', 'C8')} with max pools, {maps('stride', 'C8')} with strided convolutions, "
        f"{maps('blur', 'C8')} with `BlurPool2d`; of SO(2) irreps: {maps('stride', 'SO(2) irreps')} strided, "
        f"{maps('blur', 'SO(2) irreps')} blurred.",
        f"- **C8 or C16 rather than C4** if any angle counts: {maps('blur', 'C4')}, {maps('blur', 'C8')}, "
        f"{maps('blur', 'C16')} over C4, C8, C16, all 64 channels wide; plain: {maps('blur', 'plain')}. If only "
        "quarter turns count, C4 is exact, and smaller.",
        "- **Keep the mask**, and do not turn kernels to the nearest pixel. Lifted features over C8 at 45 degrees, 7 × "
        f"7: bilinear {eight['bilinear, raw']} without, {eight['bilinear, masked']} with mask; B-splines "
        f"{eight['bspline, raw']} and {eight['bspline, masked']}; nearest {eight['nearest']}; steerable "
        f"{eight['steerable']}. Between bicubic, Fourier and B-splines there is little to choose.",
        "- **Harmonics or interpolation?** One layer on smooth pictures is best with harmonics: "
        f"{eight['steerable']}, bicubic {eight['bicubic, masked']}. In whole networks over C8, on digits, there is no "
        f"such gain: maps {maps('blur', 'C8, steerable')} and {maps('blur', 'C8')}, logits "
        f"{percent(_mean(found, 'blur', 'C8, steerable', 'logits'))} and "
        f"{percent(_mean(found, 'blur', 'C8', 'logits'))}. Irreps of SO(2) are as good as C16 behind blurs, and "
        "without them worse than C8.",
        f"- **Kernel size**: from {sizes['kernel_size'][0]} to {sizes['kernel_size'][-1]} taps the maps of the C16 "
        f"network go from {ends('C16', 'maps')}, but its logits, which are means, from {ends('C16', 'logits')}. "
        f"Between irreps of SO(2) both are better with larger kernels: from {ends('SO(2) irreps', 'maps')}, and from "
        f"{ends('SO(2) irreps', 'logits')}.",
        f"- **Leave a margin, or cut pictures to a disk.** Logits of the C16 network: {scene['centre']} for a digit in "
        f"the centre, {scene['corner']} in a corner, {scene['clutter']} before a picture, "
        f"{scene['clutter in a disk']} before a picture that is cut to a disk.",
    ))  # fmt: skip


def floor(found: Found) -> str:
    """What turning the maps themselves costs."""
    lost = [error for name, error in found["results"]["floor"]["errors"].items() if name != "plain"]
    return (
        f"Maps are 13 × 13 pixels; turning them there and back costs {percent(min(lost))} to {percent(max(lost))} by "
        "itself. Logits are means over the maps, and free of that."
    )


def losses(found: Found) -> str:
    """Whole networks in which steerable layers are worse than interpolated ones, by more than 5 %."""
    pairs = {"C8, steerable": "C8", "SO(2) irreps": "C16"}
    compared: list[tuple[str, str, float, float]] = []
    for name, other in pairs.items():
        for what in ("maps", "logits"):
            for down in HALVINGS:
                if name in found["results"][f"networks, {down}"]["errors"]:
                    errors = (_mean(found, down, n, what) for n in (name, other))
                    compared.append((f"`{name}` beside `{other}`, {what}", down, *errors))
            for title, option in (("blur", "sigma"), ("sizes", "kernel_size")):
                result = found["results"][title]
                for i, value in enumerate(result[option]):
                    if value in (1.0, 5):
                        continue  # the networks of "centre"
                    errors = (result["errors"][n][what][i] for n in (name, other))
                    words = f"σ = {value:g}" if title == "blur" else f"{value} × {value}"
                    compared.append((f"`{name}` beside `{other}`, {what}", words, *errors))
            for scene, row in found["results"]["scenes"]["errors"].items():
                compared.append((f"`{name}` beside `{other}`, {what}", scene, row[name][what], row[other][what]))
    worse: dict[str, list[str]] = {}
    for title, where, own, other in compared:
        if own > MARGIN * other:
            worse.setdefault(title, []).append(f"{where} ({percent(own)} against {percent(other)})")
    lines = [f"- {title}: {'; '.join(cases)}" for title, cases in worse.items()]
    return "\n".join((f"{sum(map(len, worse.values()))} of {len(compared)}:", "", *lines))


def scenes(found: Found) -> str:
    """By where the object lies."""
    errors = found["results"]["scenes"]["errors"]
    names = list(next(iter(errors.values())))
    lines = [
        (scene, *(f"{percent(row[name]['maps'])} / {percent(row[name]['logits'])}" for name in names))
        for scene, row in errors.items()
    ]
    return rows(("scene", *names), lines)


def sweep(found: Found, title: str, option: str, words: str) -> str:
    """Maps / logits of whole networks against an option."""
    result = found["results"][title]
    lines = [
        (name, *(f"{percent(a)} / {percent(b)}" for a, b in zip(row["maps"], row["logits"], strict=True)))
        for name, row in result["errors"].items()
    ]
    return rows((words, *(f"{value:g}" for value in result[option])), lines)


def source(found: Found) -> str:
    """Pictures, seeds, machine."""
    about, machine = found["results"]["scenes"], found["machine"]
    return (
        f"{about['pictures']} digits ({about['source']}) in {about['size']} × {about['size']} pixels, before "
        f"{about['background']} in clutter; {len(about['seeds'])} networks each. torch {machine['torch']}, "
        f"Python {machine['python']}, {machine['cpu']}, {machine['date']}."
    )


def main() -> None:
    found = json.loads(RESULTS.read_text(encoding="utf-8"))
    made = (advice, losses, orientations, picture, law, kernels, stride, networks, floor, scenes, source)
    contents = {f"angles, {make.__name__}": make(found) for make in made}
    contents["angles, blur"] = sweep(found, "blur", "sigma", "σ of the blurs")
    contents["angles, sizes"] = sweep(found, "sizes", "kernel_size", "kernel size")
    update(PAGE, contents, "angle_tables.py")


if __name__ == "__main__":
    main()
