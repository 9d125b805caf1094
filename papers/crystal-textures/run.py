"""Textures read off polycrystals, with and without the symmetry of the crystal; stop and start it at any time.

    python papers/crystal-textures/run.py            # trains what is missing, one after another
    python papers/crystal-textures/run.py --list     # says what is done and what is not
    python papers/crystal-textures/table.py          # the tables of README.md

Every training ends in one file, results/<crystal>-<contestant>-<samples>-s<seed>.json. Samples are made, not read.
"""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from _networks import CONTESTANTS, DEGREES, FEW, MANY, Contestant
from _runs import runs
from torch import Tensor, nn

from equivision.data import Polycrystals, polycrystals
from equivision.volume import boundary_disorientation, texture_coefficients, texture_power

#: Samples to test on, voxels along a side, grains, epochs, samples of a batch, largest rate.
TEST, SIZE, GRAINS, EPOCHS, BATCH, RATE = 200, 8, 20, 20, 20, 0.01
#: Rotations of the sample by which a network is tested, and how many samples are turned.
TURNS, TURNED = (3, 8, 14, 21), 20


@dataclass(frozen=True)
class Run(runs.QueuedRun):
    """One training: the seed draws the samples and the weights."""

    folder = Path(__file__).parent
    crystal: str
    contestant: str
    samples: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.crystal}-{self.contestant}-{self.samples}-s{self.seed}"


def targets(samples: Polycrystals) -> Tensor:
    """Power of the texture at every degree, and the mean disorientation across grain boundaries in degrees."""
    group = samples.point_group
    degrees = DEGREES[group.name]
    coefficients = texture_coefficients(samples.orientations, group, degrees, samples.weights())
    boundary = boundary_disorientation(samples.grains, samples.orientations, group).rad2deg()
    return torch.cat([texture_power(coefficients, group, degrees), boundary[:, None]], 1)


def fitted(net: nn.Module, contestant: Contestant, samples: Polycrystals, wanted: Tensor, seed: int) -> nn.Module:
    """Train on standardised targets."""
    shown = contestant.shown(samples).float()
    optimizer = torch.optim.Adam(net.parameters())
    steps = EPOCHS * -(-len(samples) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for epoch in range(EPOCHS):
        if contestant.renames:
            shown = contestant.shown(samples.renamed(1000 * (seed + 1) + epoch)).float()
        for batch in torch.randperm(len(samples)).split(BATCH):
            optimizer.zero_grad()
            (net(shown[batch]) - wanted[batch]).square().mean().backward()
            optimizer.step()
            schedule.step()
    return net.eval()


def train(run: Run) -> dict[str, Any]:
    """Train, and measure on other samples: what is left unexplained, and what must change nothing."""
    torch.manual_seed(run.seed)
    contestant = CONTESTANTS[run.contestant]
    seen, others = (
        polycrystals(count, point_group=run.crystal, size=SIZE, grains=GRAINS, seed=2 * run.seed + part)
        for part, count in enumerate((run.samples, TEST))
    )
    start = time.process_time()
    wanted, true = targets(seen), targets(others)
    mean, spread = wanted.mean(0), wanted.std(0)
    net = contestant.network(run.crystal)
    fitted(net, contestant, seen, ((wanted - mean) / spread).float(), run.seed)
    seconds = time.process_time() - start

    def found(samples: Polycrystals) -> Tensor:
        with torch.no_grad():
            return net(contestant.shown(samples)) * spread + mean

    def unexplained(samples: Polycrystals, wanted: Tensor) -> list[float]:
        return [round(100 * part, 2) for part in ((found(samples) - wanted).square().mean(0) / wanted.var(0)).tolist()]

    net.double()
    few = Polycrystals(others.grains[:TURNED], others.orientations[:TURNED], others.point_group)
    still = found(few)

    def change(samples: Polycrystals) -> float:
        return float(((found(samples) - still) / true.std(0)).square().mean().sqrt())

    return {
        **asdict(run),
        "parameters": sum(p.numel() for p in net.parameters()),
        "targets": [*(f"power {degree}" for degree in DEGREES[run.crystal]), "boundaries"],
        "unexplained_percent": unexplained(others, true),
        "unexplained_percent_training": unexplained(seen, wanted),
        "unexplained_percent_renamed": unexplained(others.renamed(9), true),
        "change_by_names": change(few.renamed(9)),
        "change_by_turns": max(change(few.turned(g)) for g in TURNS),
        "epochs": EPOCHS,
        "hours": round(seconds / 3600, 4),
        **runs.circumstances(),
    }


def summary(result: dict[str, Any]) -> str:
    """What is said of a training when it is done."""
    return f"{result['unexplained_percent']} % unexplained, changed by names {result['change_by_names']:.0e}"


def queue(seeds: int) -> list[Run]:
    """All contestants of one seed before the next."""
    return [
        Run(crystal, name, samples, seed)
        for seed in range(seeds)
        for samples in (FEW, MANY)
        for crystal in DEGREES
        for name, contestant in CONTESTANTS.items()
        if samples in contestant.samples
    ]


if __name__ == "__main__":
    runs.run_queue(__doc__, queue, train, seeds=3, summary=summary)
