"""Write the tables of docs/guide/crystals.md: what every crystal class allows, and what networks made of it.

``--check`` only compares.
"""

import json
import runpy
import statistics
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from _page import ROOT, update

from equivision.groups import CRYSTAL_CLASSES, PointGroup, point_group
from equivision.volume import multiplicity

PAGE = ROOT / "docs" / "guide" / "crystals.md"
DEGREES = range(13)
PAPER = ROOT / "papers" / "crystal-textures"


def laue_class(group: PointGroup) -> PointGroup:
    """The class with the inversion and the same elements but for it."""

    def rotations(one: PointGroup) -> set[tuple[float, ...]]:
        signs = np.linalg.det(one.matrices).round()[:, None, None]
        return {tuple((matrix.round(6) + 0.0).ravel().tolist()) for matrix in signs * one.matrices}

    centred = (one for one in map(point_group, CRYSTAL_CLASSES) if (one.matrices.trace(axis1=1, axis2=2) == -3).any())
    return next(one for one in centred if rotations(one) == rotations(group))


def line(cells: list[str]) -> str:
    """A line of a table."""
    return f"| {' | '.join(cells)} |"


def counted(counts: list[int]) -> list[str]:
    """Numbers, and a dot for what is forbidden."""
    return [str(count) if count else "·" for count in counts]


def harmonics() -> str:
    """Spherical harmonics that each of the 32 classes leaves alone."""
    lines = [line(["system", "class", "Laue class", *map(str, DEGREES)]), "|---|---|---|" + "---:|" * len(DEGREES)]
    for group in map(point_group, CRYSTAL_CLASSES):
        counts = counted([multiplicity(group, degree) for degree in DEGREES])
        lines.append(line([group.system, group.name, laue_class(group).name, *counts]))
    return "\n".join(lines)


def orientations() -> str:
    """Features of orientations, by Laue class, where the inversion does nothing."""
    members: dict[str, list[str]] = {}
    for group in map(point_group, CRYSTAL_CLASSES):
        members.setdefault(laue_class(group).name, []).append(group.name)
    lines = [line(["Laue class", "of", *map(str, DEGREES)]), "|---|---|" + "---:|" * len(DEGREES)]
    for name, classes in members.items():
        counts = counted([multiplicity(name, degree, "g") for degree in DEGREES])
        lines.append(line([name, ", ".join(classes), *counts]))
    return "\n".join(lines)


def worth() -> str:
    """How much of the variance networks leave unexplained: from the best to the worst answered question."""
    lines = [line(["network, and what it is shown", "samples", "cubic", "hexagonal"]), "|---|---:|---:|---:|"]
    for name, contestant in runpy.run_path(str(PAPER / "_networks.py"))["CONTESTANTS"].items():
        for samples in contestant.samples:
            left = [span(f"{crystal}-{name}-{samples}") for crystal in ("432", "622")]
            lines.append(line([contestant.about, str(samples), *left]))
    return "\n".join(lines)


def span(runs: str) -> str:
    """The least and the most of the questions, each a mean over the seeds that the paper's page shows."""
    names = [name for name in json.loads((PAPER / "published.json").read_text()) if name.startswith(f"{runs}-s")]
    found = [json.loads((PAPER / "results" / f"{name}.json").read_text()) for name in names]
    means = [statistics.mean(seeds) for seeds in zip(*(run["unexplained_percent"] for run in found), strict=True)]
    return f"{min(means):.1f} to {max(means):.1f}"


def main() -> None:
    contents = {"harmonics": harmonics(), "orientations": orientations(), "worth": worth()}
    update(PAGE, contents, "crystal_table.py")


if __name__ == "__main__":
    main()
