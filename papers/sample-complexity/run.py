"""How many labels does a symmetry save? A queue of trainings that can be stopped and started again at any time.

    python papers/sample-complexity/run.py            # trains what is missing, one run after another
    python papers/sample-complexity/run.py --list     # says what is done and what is not
    python papers/sample-complexity/table.py          # the tables of README.md, from results/*.json

Start it twice for two processes. Every run trains both networks with every number of labels, and ends in one file,
results/<group>-<bars>-s<seed>.json.
"""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from _networks import matched, parameters_of
from _runs import runs
from torch import Tensor, nn

import equivision as ev
from equivision.data import oriented_shapes
from equivision.data._oriented import leaves_alone

LABELS = (12, 30, 72, 172, 410, 980)
TEST_IMAGES, STEPS, BATCH, RATE = 1000, 160, 32, 0.01
SIZE, HALF = 20, 0.28
#: Two heads are easier to see than one.
NOISE = {"single": 0.3, "double": 0.4}
GROUPS = ("C1", "C2", "C4", "C8", "D4")
HEADS = ("arrow", "hammer", "fork")
#: Kinds of bars: with a head at one end, or at both.
BARS = {"single": HEADS, "double": tuple(f"double {head}" for head in HEADS)}
TRAININGS = ("G-CNN", "CNN", "CNN, augmented")
Labelled = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Run(runs.QueuedRun):
    """Bars in all poses of a group, both networks, every number of labels."""

    folder = Path(__file__).parent
    group: str
    bars: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.group}-{self.bars}-s{self.seed}"


def orbit(group: str, bars: str) -> int:
    """How many different views of a bar there are: the order of the group by that of what leaves a bar as it is."""
    poses = ev.groups.planar(group)
    still = [g for g in range(poses.order) if leaves_alone(BARS[bars][0], poses.matrix(g))]
    return poses.order // len(still)


def bars_in_poses(run: Run, count: int, seed: int) -> Labelled:
    """Pictures of one bar each, in any pose of the group, and their kinds of heads."""
    data = oriented_shapes(
        count, group=run.group, within=run.group, kinds=BARS[run.bars], shapes=1, half=HALF, size=SIZE,
        noise=NOISE[run.bars], seed=seed,
    )  # fmt: skip
    return data.images, torch.as_tensor(data.labels)


def moved(x: Tensor, group: str) -> Tensor:
    """Every picture in another pose of the group."""
    poses = ev.groups.planar(group)
    flips, turns = torch.randint(2 if poses.reflections else 1, (len(x),)), torch.randint(poses.rotations, (len(x),))
    x = torch.where(flips[:, None, None, None] == 1, x.flip(-2), x)
    return ev.functional.rotate(x, 360.0 * turns / poses.rotations)


def accuracy(net: nn.Module, known: Labelled, test: Labelled, augment: str | None) -> float:
    """Share of the test pictures that a network knows that was trained on ``known``."""
    optimizer = torch.optim.Adam(net.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2 * RATE, total_steps=STEPS)
    images, labels = known
    for _ in range(STEPS):
        batch = torch.randperm(len(images))[:BATCH]
        x = images[batch] if augment is None else moved(images[batch], augment)
        optimizer.zero_grad()
        nn.functional.cross_entropy(net.train()(x), labels[batch]).backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        found = torch.cat([net.eval()(part).argmax(1) for part in test[0].split(250)])
    return round(float((found == test[1]).double().mean()), 4)


def train(run: Run) -> dict[str, Any]:
    """Train with every number of labels, and say what was found; over C1 all trainings are one."""
    start = time.process_time()
    known, test = bars_in_poses(run, max(LABELS), run.seed), bars_in_poses(run, TEST_IMAGES, 1000 + run.seed)
    found: dict[str, list[float]] = {}
    parameters: dict[str, int] = {}
    for training in TRAININGS if run.group != "C1" else TRAININGS[:1]:
        torch.manual_seed(run.seed)
        nets = [matched(run.group) for _ in LABELS]
        if training != "G-CNN":
            nets = [matched("C1", parameters_of(net)) for net in nets]
        parameters[training] = parameters_of(nets[0])
        few = [(known[0][:labels], known[1][:labels]) for labels in LABELS]
        augment = run.group if training == "CNN, augmented" else None
        found[training] = [accuracy(net, part, test, augment) for net, part in zip(nets, few, strict=True)]
    return {
        **asdict(run),
        "orbit": orbit(run.group, run.bars),
        "labels": LABELS,
        "accuracy": found,
        "parameters": parameters,
        "steps": STEPS,
        "batch_size": BATCH,
        "noise": NOISE[run.bars],
        "test_images": TEST_IMAGES,
        "hours": round((time.process_time() - start) / 3600, 4),
        **runs.circumstances(),
    }


def summary(result: dict[str, Any]) -> str:
    """What is said of a run when it is done."""
    return f"orbit {result['orbit']}, accuracy {result['accuracy']}"


def queue(seeds: int) -> list[Run]:
    """All groups and bars with one seed before the next."""
    return [Run(group, bars, seed) for seed in range(seeds) for group in GROUPS for bars in BARS]


if __name__ == "__main__":
    runs.run_queue(__doc__, queue, train, seeds=3, summary=summary)
