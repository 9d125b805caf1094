"""Write the tables of README.md from the results; ``--check`` only says whether they are up to date.

Results come in one by one while the queue runs. Which of them the tables show is written down in published.json.
"""

from pathlib import Path

from _networks import CONTROLS, MORE, STUDY, Network
from _runs import Results, head, line, spread, worst_symmetry, write_or_check

HERE = Path(__file__).parent
TESTS = ("upright", "rotated", "turned", "transformed")
EPOCHS = (30, 10)


def chosen(results: Results, network: Network, digits: str, epochs: int) -> Results:
    """All seeds of one kind of run."""
    kind = (network.name, digits, epochs)
    return [run for run in results if (run["network"], run["digits"], run["epochs"]) == kind]


def accuracy(runs: Results, test: str) -> str:
    """In %, mean and standard deviation over seeds."""
    return spread([100 - run["test_error_percent"][test] for run in runs]) if runs else "not run yet"


def effort(runs: Results) -> list[str]:
    """Equivariance error, seeds and hours."""
    if not runs:
        return ["-"] * 3
    return [worst_symmetry(runs), str(len(runs)), f"{sum(run['hours'] for run in runs):.2f}"]


def table_1(results: Results, epochs: int) -> list[str]:
    """Trained on upright digits."""
    columns = ["network", "parameters", "study, upright", "ours, upright", "study, transformed", "ours, transformed"]
    lines = head([*columns, "ours, no flips", "equivariance error", "seeds", "hours"])
    for network in STUDY:
        runs = chosen(results, network, "upright", epochs)
        cells = [network.name, network.parameters, network.upright, accuracy(runs, "upright"), network.transformed]
        lines.append(line([*cells, accuracy(runs, "transformed"), accuracy(runs, "turned"), *effort(runs)]))
    return lines


def table_2(results: Results, epochs: int) -> list[str]:
    """Trained on rotated digits."""
    lines = head(["network", "parameters", "study", "ours", "equivariance error", "seeds", "hours"])
    for network in (*STUDY, *MORE):
        runs = chosen(results, network, "rotated", epochs)
        cells = [network.name, network.parameters, network.rotated, accuracy(runs, "rotated")]
        lines.append(line([*cells, *effort(runs)]))
    return lines


def controls(results: Results, epochs: int) -> list[str]:
    """One thing changed at a time, beside what it is a control of."""
    columns = ["network", "parameters", "trained on", "upright", "rotated", "turned", "transformed"]
    lines = head([*columns, "equivariance error", "seeds", "hours"])
    for network in (*STUDY, *CONTROLS):
        for digits in ("upright", "rotated"):
            runs = chosen(results, network, digits, epochs)
            if runs:
                cells = [network.name, f"{runs[0]['parameters']:,}", digits, *(accuracy(runs, test) for test in TESTS)]
                lines.append(line([*cells, *effort(runs)]))
    return lines if len(lines) > 2 else ["Not run yet."]


def tables(results: Results) -> str:
    """All tables as Markdown."""
    parts = []
    for epochs in EPOCHS:
        budget = f"{epochs} epochs{'' if epochs == 30 else ', a third of those of the study'}"
        parts += [f"**Table 1, {budget}**: accuracy in %, trained on upright digits", "", *table_1(results, epochs), ""]
        parts += [f"**Table 2, {budget}**: accuracy in %, trained and tested on rotated digits", ""]
        parts += [*table_2(results, epochs), ""]
        title = f"**All tests and the controls, {budget}**: accuracy in %"
        parts += [title, "", *controls(results, epochs), ""]
    versions = ", ".join(sorted({run["torch"] for run in results})) or "-"
    parts.append(f"Runs: {len(results)}. torch {versions}. Single runs: `results/*.json`.")
    return "\n".join(parts)


if __name__ == "__main__":
    write_or_check(HERE, tables)
