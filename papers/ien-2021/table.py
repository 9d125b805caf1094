"""Write the tables of README.md from the results; ``--check`` only says whether they are up to date."""

from pathlib import Path
from statistics import mean

from _networks import DIGITS, RESNET, VGG, Network
from _runs import tables

DIGIT_TESTS = {"rotated": ("rotated",), "upright": ("upright",)}
#: As the network was trained, upright, and upside down.
PICTURE_TESTS = {"moved": ("rotated", "rotated_reflected"), "upright": ("upright",), "reflected": ("reflected",)}


def accuracy(runs: tables.Results, variants: tuple[str, ...]) -> str:
    """Accuracy in % on the first of these variants that was tested."""
    errors = [run["test_error_percent"] for run in runs]
    tested = next((variant for variant in variants if variant in errors[0]), None)
    return "-" if tested is None else tables.spread([100 - error[tested] for error in errors])


def differences(runs: tables.Results, shown: list[int]) -> list[str]:
    """Mean loss of the layers at these positions."""
    each = [list(run["layer_differences"].values()) for run in runs]
    return [f"{mean(values[i] for values in each):.0e}" for i in shown]


def table(
    results: tables.Results, networks: tuple[Network, ...], tests: dict[str, tuple[str, ...]], layers: dict[str, int]
) -> list[str]:
    """Accuracies by test, and the loss of layers, whose names and positions are given."""
    columns = ["network", "parameters", "MACs", "study", *tests, *layers]
    lines = tables.head([*columns, "equivariance error", "seeds", "hours"])
    for network in networks:
        runs = [run for run in results if run["network"] == network.name]
        if not runs:
            empty = ["-"] * (len(tests) + len(layers) + 2)
            lines.append(tables.line([network.name, "-", "-", network.published, "not run yet", *empty]))
            continue
        cells = [network.name, f"{runs[0]['parameters']:,}", f"{runs[0]['macs'] / 1e6:.1f} M", network.published]
        cells += [accuracy(runs, variants) for variants in tests.values()]
        cells += [*differences(runs, list(layers.values())), tables.worst_symmetry(runs)]
        lines.append(tables.line([*cells, str(len(runs)), f"{sum(run['hours'] for run in runs):.2f}"]))
    return lines


def text(results: tables.Results) -> str:
    """All tables as Markdown."""
    six = {f"conv{i}": i - 1 for i in range(1, 7)}
    stages = {f"stage{i}": i - 1 for i in range(1, 5)}
    eight = {f"conv{i}": i - 1 for i in (1, 3, 5, 7)}
    parts = ["**Table 5**: rotated digits", "", *table(results, DIGITS, DIGIT_TESTS, six)]
    for title, networks, layers in (
        ("**Tables 1 and 4**: ResNet18 (table 6)", RESNET, stages), ("**Tables 2 and 4**: VGG (table 7)", VGG, eight),
    ):  # fmt: skip
        title += " on ten classes of Tiny ImageNet, rotated, and for R4R reflected, too"
        parts += ["", title, "", *table(results, networks, PICTURE_TESTS, layers)]
    versions = ", ".join(sorted({run["torch"] for run in results})) or "-"
    return "\n".join([*parts, "", f"torch {versions}. Single runs: `results/*.json`."])


if __name__ == "__main__":
    tables.write_or_check(Path(__file__).parent, text)
