"""Write the tables of README.md from the results; ``--check`` only says whether they are up to date."""

import statistics
from pathlib import Path

from _networks import CONTESTANTS, DEGREES
from _runs import tables

CRYSTALS = {"432": "Cubic crystals, 432", "622": "Hexagonal crystals, 622"}


def columns(crystal: str) -> list[str]:
    """The head of a table."""
    asked = [*(f"power {degree}" for degree in DEGREES[crystal]), "boundaries"]
    return ["network, and what it is shown", "samples", *asked, "changed by names", "by turns", "parameters", "seeds"]


def row(crystal: str, contestant: str, samples: int, runs: tables.Results) -> str:
    """A network trained on so many samples: what is left unexplained, and what changes its answers."""
    start = [CONTESTANTS[contestant].about, str(samples)]
    if not runs:
        return tables.line([*start, "not run yet", *["-"] * (len(columns(crystal)) - 3)])
    left = zip(*(run["unexplained_percent"] for run in runs), strict=True)
    changes = [max(run[f"change_by_{how}"] for run in runs) for how in ("names", "turns")]
    cells = [*(percent(parts) for parts in left), *(f"{change:.0e}" for change in changes)]
    return tables.line([*start, *cells, f"{runs[0]['parameters']:,}", str(len(runs))])


def percent(parts: tuple[float, ...]) -> str:
    """Mean and standard deviation over seeds."""
    deviation = f" ± {statistics.stdev(parts):.1f}" if len(parts) > 1 else ""
    return f"{statistics.mean(parts):.1f}{deviation}"


def text(results: tables.Results) -> str:
    """Both tables as Markdown."""
    lines: list[str] = []
    for crystal, title in CRYSTALS.items():
        lines += [f"**{title}**: percent of the variance that is left unexplained", "", *tables.head(columns(crystal))]
        for contestant, about in CONTESTANTS.items():
            for samples in about.samples:
                key = (crystal, contestant, samples)
                runs = [run for run in results if (run["crystal"], run["contestant"], run["samples"]) == key]
                lines.append(row(*key, runs))
        lines.append("")
    versions = ", ".join(sorted({run["torch"] for run in results})) or "-"
    minutes = 60 * sum(run["hours"] for run in results)
    lines.append(
        f"Runs: {len(results)}, {minutes:.0f} processor minutes. torch {versions}. Single runs: `results/*.json`."
    )
    return "\n".join(lines)


if __name__ == "__main__":
    tables.write_or_check(Path(__file__).parent, text)
