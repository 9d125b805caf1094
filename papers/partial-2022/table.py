"""Write the tables of README.md from the results; ``--check`` only says whether they are up to date."""

from pathlib import Path

from _networks import CONTROLS, OTHERS, PARTIAL, Network
from _runs import Results, head, line, spread, write_or_check

HERE = Path(__file__).parent
#: What the studies print for rotated MNIST, trained on 12,000 digits for hundreds of epochs: accuracy in %.
PRINTED = {"LieConv-SO2, small": "98.76", "Sim2-CNN, small": "99.41, with 864 k parameters"}


def chosen(results: Results, network: Network) -> Results:
    """All seeds of one kind of run."""
    return [run for run in results if (run["network"], run["task"]) == (network.name, network.task)]


def accuracy(runs: Results) -> str:
    """In %, mean and standard deviation over seeds."""
    return spread([100 - run["test_error_percent"] for run in runs]) if runs else "not run yet"


def turns(runs: Results) -> str:
    """Change of the logits by a quarter and by a half turn, largest of all seeds."""
    if not runs:
        return "-"
    return " / ".join(f"{max(run['turn_errors'][kind] for run in runs):.0e}" for kind in ("quarter", "half"))


def effort(runs: Results) -> list[str]:
    """Seeds and hours."""
    return [str(len(runs)), f"{sum(run['hours'] for run in runs):.2f}"] if runs else ["-", "-"]


def partial(results: Results, task: str) -> list[str]:
    """Where p went on one task, and what held values give."""
    lines = head(["p", "p of the four layers at the end", "accuracy", "quarter / half turn", "seeds", "hours"])
    for network in (*PARTIAL, *CONTROLS):
        if network.task == task:
            runs = chosen(results, network)
            ends = "; ".join(", ".join(f"{p:.2f}" for p in run["p"]) for run in runs) or "-"
            lines.append(line([network.name, ends, accuracy(runs), turns(runs), *effort(runs)]))
    return lines


def others(results: Results) -> list[str]:
    """The two other networks, beside what their studies print."""
    columns = ["network", "parameters", "study, its own budget", "ours", "quarter / half turn", "seeds", "hours"]
    lines = head(columns)
    for network in OTHERS:
        runs = chosen(results, network)
        count = f"{runs[0]['parameters']:,}" if runs else "-"
        cells = [network.name, count, PRINTED[network.name], accuracy(runs), turns(runs)]
        lines.append(line([*cells, *effort(runs)]))
    return lines


def tables(results: Results) -> str:
    """All tables as Markdown."""
    parts = ["**Which digit, at any angle**: accuracy in %, chance is 10", "", *partial(results, "rotated"), ""]
    parts += ["**Upright six or upside down**: accuracy in %, chance is 50", "", *partial(results, "six"), ""]
    parts += ["**LieConv and Sim2-CNN on rotated digits**: accuracy in %", "", *others(results), ""]
    versions = ", ".join(sorted({run["torch"] for run in results})) or "-"
    parts.append(f"Runs: {len(results)}. torch {versions}. Single runs: `results/*.json`.")
    return "\n".join(parts)


if __name__ == "__main__":
    write_or_check(HERE, tables)
