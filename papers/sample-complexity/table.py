"""Write the tables of README.md from the results; ``--check`` only says whether they are up to date."""

from pathlib import Path

from _factors import TARGET, factor, mean_accuracy, needed
from _runs import tables
from run import BARS, GROUPS, LABELS, TRAININGS, orbit

from equivision.groups import planar


def chosen(results: tables.Results, group: str, bars: str) -> tables.Results:
    """The runs of a group and a kind of bars."""
    return [run for run in results if (run["group"], run["bars"]) == (group, bars)]


def accuracies(results: tables.Results, group: str, bars: str) -> list[str]:
    """A line for each training: accuracy for every number of labels."""
    runs, lines = chosen(results, group, bars), []
    for training in TRAININGS:
        found = [run["accuracy"][training] for run in runs if training in run["accuracy"]]
        if found:
            cells = [tables.spread([100 * one for one in column]) for column in zip(*found, strict=True)]
            lines.append(tables.line([f"{group}, {bars} bars, {training}", *cells, str(len(found))]))
    return lines


def factors(results: tables.Results, group: str, bars: str) -> str:
    """How many labels the networks take, and how many times as many an ordinary one takes."""
    runs = chosen(results, group, bars)
    start = [group, str(planar(group).order), bars, str(orbit(group, bars))]
    if not runs:
        return tables.line([*start, "not run yet", *["-"] * 5])
    means = [mean_accuracy(runs, training) for training in TRAININGS]
    labels = [needed(LABELS, mean) if mean else None for mean in means]
    own = labels[0]
    times = [factor(one, own) if one is not None and own is not None else None for one in labels[1:]]
    cells = ["-" if one is None else str(one) for one in (*labels, *times)]
    return tables.line([*start, *cells, f"{60 * sum(run['hours'] for run in runs):.0f}"])


def text(results: tables.Results) -> str:
    """Both tables as Markdown."""
    head = ["group", "order", "bars", "orbit", *TRAININGS, "factor", "factor, augmented", "processor minutes"]
    lines = [f"**Labels for {TARGET:.0%} of the test pictures**", "", *tables.head(head)]
    lines += [factors(results, group, bars) for bars in BARS for group in GROUPS]
    lines += ["", "**Accuracy in % by number of labels**", "", *tables.head(["", *map(str, LABELS), "seeds"])]
    for bars in BARS:
        for group in GROUPS:
            lines += accuracies(results, group, bars)
    versions = ", ".join(sorted({run["torch"] for run in results})) or "-"
    return "\n".join([*lines, "", f"Runs: {len(results)}. torch {versions}. Single runs: `results/*.json`."])


if __name__ == "__main__":
    tables.write_or_check(Path(__file__).parent, text)
