"""Tables 3 and 4 on white blood cells, and accuracy by the number of labels: a queue that can be stopped at any time.

    EQUIVISION_DATA=... python papers/segnet-study-2023/run.py          # trains what is missing, run after run
    EQUIVISION_DATA=... python papers/segnet-study-2023/run.py --list   # says what is done and what is not
    python papers/segnet-study-2023/table.py                            # the tables of README.md, from results/*.json

Start it twice for two processes. Every run ends in one file, results/<mask>-<network>-n<images>-s<seed>.json, and in a
sheet of masks to look at beside its checkpoint.
"""

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from _networks import FEW, NETWORKS, STUDY, UNETS, Network
from _runs import runs

from equivision.data import ImageData, MaskParquetDataModule, Variant, evaluation_loader, named_variant
from equivision.groups import cyclic, dihedral
from equivision.segmentation import classes_of, overlay, overlay_sheet
from equivision.tasks import MaskScores, SegmentationTask

MASKS = {"nucleus": (2,), "cell": (1, 2)}
TRAIN_IMAGES, BATCH, EPOCHS, RATE = 150, 20, 40, 1e-3
#: The curve: so many steps whatever the number of images, batches of at most 10.
SIZES, STEPS, SMALL_BATCH = (10, 25, 50, 100, 150), 300, 10
VARIANTS = ("upright", "quarters", "rotated")


@dataclass(frozen=True)
class Run(runs.QueuedRun):
    """One training; ``images`` is None for the tables, and how many are labelled for the curve."""

    folder = Path(__file__).parent
    mask: str
    network: str
    images: int | None
    seed: int

    @property
    def name(self) -> str:
        size = () if self.images is None else (f"n{self.images}",)
        named = self.network.replace("+", " augmented")
        return "-".join((self.mask, *re.findall(r"\w+", named), *size, f"s{self.seed}"))

    @property
    def batch_size(self) -> int:
        return BATCH if self.images is None else min(SMALL_BATCH, self.images)

    @property
    def epochs(self) -> int:
        if self.images is None:
            return EPOCHS
        return -(-STEPS // -(-self.images // self.batch_size))

    @property
    def rate(self) -> float:
        """Larger for the curve: in 300 steps a network can stay where it takes the whole cell for the nucleus."""
        return RATE if self.images is None else 3 * RATE

    @property
    def milestones(self) -> list[int]:
        """For the curve a tenth of the rate in the last third: small sets end anywhere otherwise."""
        return [] if self.images is None else [max(1, 2 * self.epochs // 3)]


def data_of(run: Run, network: Network) -> MaskParquetDataModule:
    """Cells; fewer of them are a part of more, and the seed says which."""
    return MaskParquetDataModule(
        "wbc", classes={run.mask: MASKS[run.mask]}, image_size=network.size, train_size=run.images, seed=run.seed,
        batch_size=run.batch_size, augment="quarters_reflected" if network.augmented else None, test_variants=VARIANTS,
    )  # fmt: skip


@torch.no_grad()
def scores(task: SegmentationTask, images: ImageData, variant: str | Variant) -> dict[str, float]:
    """All scores of some images, moved."""
    moved = variant if isinstance(variant, Variant) else named_variant(variant)
    metric, net = MaskScores(2), task.cpu().eval()
    for x, masks in evaluation_loader(images, moved, 25):
        metric.update(classes_of(net(x)), masks)
    return {name: round(float(value), 5) for name, value in metric.compute().items()}


@torch.no_grad()
def sheet(run: Run, task: SegmentationTask, images: ImageData) -> None:
    """True and found masks of some test images, and those found when the image is turned."""
    rows = []
    for i in range(0, 60, 12):
        x = images.images[i].float() / 255
        turned = x.rot90(1, (-2, -1))
        found = [classes_of(task(one[None]))[0] for one in (x, turned)]
        true = images.masks[i].long() if images.masks is not None else found[0]
        rows.append({
            "picture": x, "true": overlay(x, true), "found": overlay(x, found[0]), "turned": overlay(turned, found[1]),
        })  # fmt: skip
    overlay_sheet(rows, run.checkpoints / "masks.png")


def train(run: Run) -> dict[str, Any]:
    """Train, score training and test images, and say what was found."""
    network = NETWORKS[run.network]
    lightning.seed_everything(run.seed, verbose=False)
    data = data_of(run, network)
    task = SegmentationTask(network.build(), lr=run.rate, milestones=run.milestones)
    _, hours = runs.fit(run, task, data, run.epochs)
    test = data.splits.test
    if test is None:
        raise TypeError(data)
    found = {name: scores(task, test, name) for name in VARIANTS}
    sheet(run, task, test)
    images = test.images[:8].float() / 255
    return {
        **asdict(run),
        "model": network.model,
        "arguments": network.arguments,
        "parameters": sum(p.numel() for p in task.model.parameters()),
        "train_images": len(data.splits.train),
        "image_size": network.size,
        "augmented": network.augmented,
        "epochs": run.epochs,
        "batch_size": run.batch_size,
        "optimizer": f"Adam, lr {run.rate:g}" + "".join(f", a tenth after epoch {epoch}" for epoch in run.milestones),
        "test_images": len(test),
        "scores": found,
        "train_scores": scores(task, data.splits.train, "upright"),
        "equivariance_error": {
            group.name: runs.symmetry(task.model.float(), images, group) for group in (cyclic(4), dihedral(4))
        },
        "seconds_per_epoch": round(3600 * hours / run.epochs, 2),
        "hours": hours,
        **runs.circumstances(),
    }


def summary(result: dict[str, Any]) -> str:
    """What is said of a run when it is done."""
    return ", ".join(f"{name} {result['scores'][name]['image_iou']:.3f}" for name in VARIANTS)


def queue(seeds: int) -> list[Run]:
    """The tables and the curve of one seed before the next."""
    listed = []
    for seed in range(seeds):
        listed += [Run("nucleus", network.name, None, seed) for network in STUDY]
        listed += [Run("nucleus", network, size, seed) for size in SIZES for network in FEW]
        listed += [Run("nucleus", network.name, None, seed) for network in UNETS]
        listed += [Run("cell", network.name, None, seed) for network in (*STUDY, *UNETS)]
    return listed


if __name__ == "__main__":
    runs.run_queue(__doc__, queue, train, seeds=3, summary=summary)
