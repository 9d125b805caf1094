"""Write the tables of README.md from the results; ``--check`` only says whether they are up to date.

Results come in one by one while the queue runs. Which of them the tables and figures show is written down in
published.json: this program takes up all that there are, and docs/figures/make_figures.py draws the same ones.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from _networks import TABLE_1, TABLE_2, Network
from _runs import Results, head, line, read_results, spread, worst_symmetry, write_or_check
from macs import macs

HERE = Path(__file__).parent
TESTS = ("rotated", "upright", "rotated90")
ALL_IMAGES = 12_000


def read(names: Iterable[str]) -> Results:
    """The results of these runs."""
    return read_results(HERE / "results", names)


def size_of(network: Network) -> list[str]:
    """Parameters; multiply-accumulate operations by the formulas of the paper, and with the pointwise step first."""
    model = network.build()
    parameters = sum(p.numel() for p in model.parameters())
    unit, name = (1e6, "M") if network.image[1] == 28 else (1e9, "G")
    first, second = macs(model, network.image) / unit, macs(model, network.image, pointwise="input") / unit
    return [f"{parameters:,}", network.paper_macs, f"{first:.3f} {name}", f"{second:.3f} {name}"]


def sizes() -> list[str]:
    """What the networks cost."""
    columns = ["network", "width", "parameters, paper", "parameters", "MACs, paper", "MACs", "MACs, pointwise at input"]
    lines = head(columns)
    for network in (*TABLE_1, *TABLE_2):
        first = [network.name, str(network.width or "as printed"), network.paper_parameters]
        lines.append(line([*first, *size_of(network)]))
    return lines


def row(network: Network, results: Results, variant: str) -> str:
    """One network, trained on all images of a variant."""
    kind = (network.net, network.width, variant, ALL_IMAGES)
    runs = [run for run in results if (run["net"], run["width"], run["train_variant"], run["train_images"]) == kind]
    first = [network.name, str(network.width), network.paper_error if variant == "rotated" else "-"]
    if not runs:
        return line([*first, "not run yet", *["-"] * 5])
    errors = [spread([run["test_error_percent"][test] for run in runs]) for test in TESTS]
    return line([*first, *errors, worst_symmetry(runs), str(len(runs)), f"{sum(run['hours'] for run in runs):.2f}"])


def fewer_images(results: Results) -> list[str]:
    """The error of every kind of network, width and number of images that is in a figure."""
    kinds = {(run["net"], run["width"], run["train_images"]) for run in results if run["train_variant"] == "rotated"}
    listed = {(network.net, network.width, ALL_IMAGES) for network in TABLE_1}
    lines = head(["network", "width", "training images", "parameters", "ours, rotated", "seeds"])
    for net, width, images in sorted(kinds - listed, key=lambda kind: (-kind[2], kind[0], kind[1])):
        runs = [
            run
            for run in results
            if (run["net"], run["width"], run["train_images"], run["train_variant"]) == (net, width, images, "rotated")
        ]
        error = spread([run["test_error_percent"]["rotated"] for run in runs])
        name = next(network.name for network in TABLE_1 if network.net == net)
        lines.append(line([name, str(width), f"{images:,}", f"{runs[0]['parameters']:,}", error, str(len(runs))]))
    return lines if len(lines) > 2 else ["None of these runs is done yet."]


def cifar_rows(results: Results) -> list[str]:
    """Table 2 at the budgets that were run; the networks of one budget stand together."""
    columns = ["network", "form", "parameters", "images x epochs", "test images", "paper, full budget", "ours, upright"]
    lines = head([*columns, "ours, 90 degrees", "equivariance error, float32 / float64", "seeds", "hours"])
    budgets = sorted({(run["images"], run["epochs"], run["test_images"]) for run in results})
    for images, epochs, tested in budgets:
        for network, form in ((network, form) for network in TABLE_2 for form in ("printed", "exact")):
            kind = (network.net, form, images, epochs, tested)
            keys = ("net", "form", "images", "epochs", "test_images")
            runs = [run for run in results if tuple(run[key] for key in keys) == kind]
            if not runs:
                continue
            errors = [spread([run["test_error_percent"][test] for run in runs]) for test in ("upright", "rotated90")]
            cells = [network.name, form, f"{runs[0]['parameters']:,}", f"{images:,} x {epochs}", f"{tested:,}"]
            cells += [network.paper_error if form == "printed" else "-", *errors, worst_symmetry(runs), str(len(runs))]
            lines.append(line([*cells, f"{sum(run['hours'] for run in runs):.2f}"]))
    return lines if budgets else ["Not run yet."]


def onnx_rows() -> list[str]:
    """Trained networks as ONNX files, from what onnx_digits.py found."""
    columns = ["run", "opset", "digits", "equal predictions", "test error in %, eager / onnxruntime"]
    columns += ["largest relative difference", "error under quarter turns, eager / file", "under reflections"]
    lines = head(columns)
    for path in sorted((HERE / "results-onnx").glob("*.json")):
        found = json.loads(path.read_text())
        worst = {}
        for where, audit in found["symmetry"].items():
            for name, error in audit["max_error"].items():
                kind = where, "reflections" if name.endswith("m") else "turns"
                worst[kind] = max(worst.get(kind, 0.0), error)
        errors, places = found["test_error_percent"], ("eager", "onnxruntime")
        cells = [found["run"], str(found["opset"]), f"{found['images']:,}", f"{found['equal_predictions']:,}"]
        cells += [" / ".join(f"{errors[place]:.2f}" for place in places), f"{found['max_relative_error']:.0e}"]
        cells += [" / ".join(f"{worst[place, kind]:.0e}" for place in places) for kind in ("turns", "reflections")]
        lines.append(line(cells))
    return lines


def tables(published: Results) -> str:
    """All tables as Markdown."""
    results = [run for run in published if "train_variant" in run]
    cifar = [run for run in published if "form" in run]
    columns = ["network", "width", "paper, rotated", "ours, rotated", "ours, upright", "ours, 90 degrees"]
    columns += ["equivariance error, float32 / float64", "seeds", "hours"]
    parts = ["**Table 1**: test error in %, mean ± standard deviation over seeds, trained on rotated digits", ""]
    parts += [*head(columns), *(row(network, results, "rotated") for network in TABLE_1), ""]
    upright = [network for network in TABLE_1 if network.net in ("z2cnn", "p4cnn")]
    parts += ["**The same, trained on upright digits**", "", *head(columns)]
    parts += [*(row(network, results, "upright") for network in upright), ""]
    parts += ["**Figure 3**: further widths, and fewer training images", "", *fewer_images(results), ""]
    title = "**Table 2**: test error in % on CIFAR-10 (encoded again as JPEG; not comparable with the paper's)"
    parts += [title, "", *cifar_rows(cifar), ""]
    parts += ["**Exported to ONNX**: upright MNIST test digits in onnxruntime, and an audit of the file under D4", ""]
    parts += [*onnx_rows(), ""]
    parts += ["**Size** (tables 1 and 2)", "", *sizes(), ""]
    epochs = ", ".join(map(str, sorted({run["epochs"] for run in results})))
    versions = ", ".join(sorted({run["torch"] for run in results}))
    parts.append(f"Runs: {len(results)}. Epochs: {epochs}. torch {versions}. Single runs: `results/*.json`.")
    return "\n".join(parts)


if __name__ == "__main__":
    write_or_check(HERE, tables)
