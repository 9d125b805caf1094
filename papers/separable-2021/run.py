"""Table 1 and figure 3 on rotated MNIST: a queue of trainings that can be stopped and started again at any time.

    python papers/separable-2021/run.py            # trains what is missing, one run after another
    python papers/separable-2021/run.py --list     # says what is done and what is not
    python papers/separable-2021/table.py          # the tables of README.md, from results/*.json

Start it twice for two processes: a run that another process works on is passed over. Every run goes on from the
checkpoint of its last complete epoch and ends in one file, results/<net>-w<width>-<variant>-n<images>-s<seed>.json.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightning
from _runs import QueuedRun, circumstances, fit_and_test, queue_parser, ready_to_train, symmetry, work

import equivision as ev
from equivision.data import MNISTDataModule
from equivision.tasks import ClassificationTask

TEST_VARIANTS = ("upright", "rotated", "rotated90")
TRAIN_IMAGES = 12_000
EPOCHS = 50
#: The seven networks of table 1, as (net, width); the cheap ones first.
TABLE_1 = (
    ("z2cnn", 20), ("p4cnn", 10), ("gc_p4cnn", 10), ("g_p4cnn", 10), ("c_z2cnn", 57), ("g_p4cnn", 17), ("gc_p4cnn", 30),
)  # fmt: skip
#: Figure 3a: the networks of about 25,000 parameters on fewer images.
FIGURE_3A = (("p4cnn", 10), ("g_p4cnn", 17), ("gc_p4cnn", 30))
FEWER_IMAGES = (1_200, 3_000, 6_000)
#: Figure 3b: further widths of each kind; those of table 1 belong to it too.
FIGURE_3B = (("p4cnn", 4), ("p4cnn", 6), ("g_p4cnn", 6), ("gc_p4cnn", 17), ("p4cnn", 14))


@dataclass(frozen=True)
class Run(QueuedRun):
    """One training."""

    folder = Path(__file__).parent
    net: str
    width: int
    train_variant: str
    train_images: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.net}-w{self.width}-{self.train_variant}-n{self.train_images}-s{self.seed}"


def queue(seeds: int) -> list[Run]:
    """All runs: table 1 and what its first two networks do with upright digits, then figures 3b and 3a.

    In both, a first seed of everything comes before a second of anything: stopped early, no row is empty.
    """
    table = [(*net, "rotated", TRAIN_IMAGES) for net in TABLE_1] + [
        (*net, "upright", TRAIN_IMAGES) for net in TABLE_1[:2]
    ]
    figures = [(*net, "rotated", TRAIN_IMAGES) for net in FIGURE_3B]
    figures += [(*net, "rotated", images) for images in FEWER_IMAGES for net in FIGURE_3A]
    return [Run(*what, seed) for kinds in (table, figures) for seed in range(seeds) for what in kinds]


def train(run: Run, epochs: int) -> dict[str, Any]:
    """Train, test on three variants, and say what was found."""
    lightning.seed_everything(run.seed, verbose=False)
    data = MNISTDataModule(
        train_variant=run.train_variant,
        test_variants=TEST_VARIANTS,
        train_size=TRAIN_IMAGES,
        val_size=TRAIN_IMAGES - run.train_images,  # left out, so that every run has the same test digits
        batch_size=256,
        shuffle_seed=run.seed,
    )
    recipe: dict[str, Any] = {"lr": 0.01, "weight_decay": 1e-5, "milestones": [40], "gamma": 0.1}
    task = ClassificationTask(run.net, width=run.width, channels_last=True, **recipe)
    errors, hours = fit_and_test(run, task, data, epochs)
    images, _ = next(iter(data.test_dataloader()[0]))
    return {
        **asdict(run),
        "parameters": sum(p.numel() for p in task.model.parameters()),
        "epochs": epochs,
        "batch_size": 256,
        "optimizer": "Adam, lr 0.01, weight decay 1e-5, x0.1 after epoch 40",
        "test_images": 50_000,
        "test_error_percent": errors,
        "equivariance_error": symmetry(task.model, images[:100], ev.groups.cyclic(4)),
        "hours": hours,
        **circumstances(),
    }


def main() -> None:
    parser = queue_parser(__doc__, seeds=3)
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="epochs; the paper's 50 unless you only try it out")
    arguments = ready_to_train(parser)
    work(queue(arguments.seeds), lambda run: train(run, arguments.epochs), only_list=arguments.list)


if __name__ == "__main__":
    main()
