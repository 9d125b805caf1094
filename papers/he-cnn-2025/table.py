"""Write the tables of README.md from the results; ``--check`` only says whether they are up to date."""

from pathlib import Path

from _networks import CIFAR, LARGE, SMALL, TINY, Network
from _runs import tables

from equivision.hyper import equivariance_difference

TESTS = ("upright", "rotated", "rotated90")


def chosen(results: tables.Results, table: str, network: Network, digits: str) -> tables.Results:
    """All seeds of one kind of run."""
    kind = (table, network.name, digits)
    return [run for run in results if (run["table"], run["network"], run["digits"]) == kind]


def effort(runs: tables.Results) -> list[str]:
    """Seeds and hours."""
    return [str(len(runs)), f"{sum(run['hours'] for run in runs):.2f}"]


def small_row(results: tables.Results, network: Network, digits: str) -> str:
    """A network of table 1: accuracies on the three tests, their mean, the difference by a quarter turn."""
    printed = network.small.get(digits)
    study = [f"{value:.2f}" for value in printed] if printed else ["-"] * 3
    runs = chosen(results, "small", network, digits)
    if not runs:
        return tables.line([network.name, *(f"{value} / not run yet" for value in study), *["-"] * 6])
    accuracies = [{test: 100 - run["test_error_percent"][test] for test in TESTS} for run in runs]
    ours = [tables.spread([accuracy[test] for accuracy in accuracies]) for test in TESTS]
    mean = tables.spread([sum(accuracy.values()) / 3 for accuracy in accuracies])
    difference = tables.spread([equivariance_difference(a["upright"], a["rotated90"]) for a in accuracies])
    cells = [f"{before} / {after}" for before, after in zip(study, ours, strict=True)]
    counted = f"{runs[0]['parameters']:,}"
    return tables.line([network.name, *cells, mean, difference, tables.worst_symmetry(runs), counted, *effort(runs)])


def small(results: tables.Results, digits: str) -> list[str]:
    """Half of table 1 with table 5, study / ours."""
    columns = ["network", "upright", "rotated", "turned by 90°", "mean", "difference in %", "equivariance error"]
    lines = tables.head([*columns, "parameters", "seeds", "hours"])
    shown = [network for network in SMALL if digits == "rotated" or network.model != "he_small_dynamic"]
    return [*lines, *(small_row(results, network, digits) for network in shown)]


def large(results: tables.Results) -> list[str]:
    """Tables 2 and 6."""
    lines = tables.head(["network", "parameters", "study", "ours", "equivariance error", "seeds", "hours"])
    for network in LARGE:
        runs = chosen(results, "large", network, "rotated")
        if not runs:
            lines.append(tables.line([network.name, "-", network.accuracy, "not run yet", "-", "-", "-"]))
            continue
        accuracy = tables.spread([100 - run["test_error_percent"]["rotated"] for run in runs])
        cells = [network.name, f"{runs[0]['parameters']:,}", network.accuracy, accuracy, tables.worst_symmetry(runs)]
        lines.append(tables.line([*cells, *effort(runs)]))
    return lines


def pictures(results: tables.Results, table: str, networks: tuple[Network, ...]) -> list[str]:
    """Table 3 or 4."""
    columns = ["network", "parameters", "study, at its budget", "ours", "turned by 90°", "equivariance error"]
    lines = tables.head([*columns, "seeds", "hours"])
    for network in networks:
        runs = chosen(results, table, network, "upright")
        if not runs:
            lines.append(tables.line([network.name, "-", network.accuracy, "not run yet", *["-"] * 4]))
            continue
        tests = ("upright", "rotated90")
        ours = [tables.spread([100 - run["test_error_percent"][test] for run in runs]) for test in tests]
        counted = f"{runs[0]['parameters']:,}"
        cells = [network.name, counted, network.accuracy, *ours, tables.worst_symmetry(runs)]
        lines.append(tables.line([*cells, *effort(runs)]))
    return lines


def text(results: tables.Results) -> str:
    """All tables as Markdown."""
    parts: list[str] = []
    for digits in ("upright", "rotated"):
        parts += [
            f"**Table 1, trained on {digits} digits**: accuracy in %, study / ours",
            "",
            *small(results, digits),
            "",
        ]
    parts += ["**Tables 2 and 6**: accuracy in % on 50,000 rotated digits", "", *large(results), ""]
    parts += ["**Table 3**: accuracy in % on CIFAR-10", "", *pictures(results, "cifar", CIFAR), ""]
    parts += [
        "**Table 4**: accuracy in % on ten classes of Tiny ImageNet, not STL10",
        "",
        *pictures(results, "tiny", TINY),
        "",
    ]
    versions = ", ".join(sorted({run["torch"] for run in results})) or "-"
    return "\n".join([*parts, f"Runs: {len(results)}. torch {versions}. Single runs: `results/*.json`."])


if __name__ == "__main__":
    tables.write_or_check(Path(__file__).parent, text)
