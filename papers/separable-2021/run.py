"""Table 1 and figure 3 on rotated MNIST: a queue of trainings that can be stopped and started again at any time.

    python papers/separable-2021/run.py            # trains what is missing, one run after another
    python papers/separable-2021/run.py --list     # says what is done and what is not
    python papers/separable-2021/table.py          # the tables of README.md, from results/*.json

Start it twice for two processes: a run that another process works on is passed over. Every run goes on from the
checkpoint of its last complete epoch and ends in one file, results/<net>-w<width>-<variant>-n<images>-s<seed>.json.
"""

import argparse
import fcntl
import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint, Timer

import equivision as ev
from equivision.data import MNISTDataModule
from equivision.tasks import ClassificationTask

HERE = Path(__file__).parent
RESULTS = HERE / "results"
CHECKPOINTS = Path(os.environ.get("EQUIVISION_RUNS", "runs")) / "separable-2021"
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
class Run:
    """One training."""

    net: str
    width: int
    train_variant: str
    train_images: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.net}-w{self.width}-{self.train_variant}-n{self.train_images}-s{self.seed}"

    @property
    def result(self) -> Path:
        return RESULTS / f"{self.name}.json"


def queue(seeds: int) -> list[Run]:
    """All runs: table 1, what its first two networks do with upright digits, figure 3b, figure 3a."""
    groups = [(TABLE_1, "rotated", TRAIN_IMAGES), (TABLE_1[:2], "upright", TRAIN_IMAGES)]
    groups += [(FIGURE_3B, "rotated", TRAIN_IMAGES), *((FIGURE_3A, "rotated", images) for images in FEWER_IMAGES)]
    return [
        Run(net, width, variant, images, seed)
        for nets, variant, images in groups
        for net, width in nets
        for seed in range(seeds)
    ]


@contextmanager
def claimed(run: Run) -> Iterator[bool]:
    """Whether this process got the run; the claim ends with the process, however that ends."""
    CHECKPOINTS.mkdir(parents=True, exist_ok=True)
    with (CHECKPOINTS / f"{run.name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def symmetry(model: torch.nn.Module, images: torch.Tensor) -> dict[str, float]:
    """Largest relative error of the logits over the quarter turns, in both precisions."""
    errors = {}
    for name, dtype in (("float32", torch.float32), ("float64", torch.float64)):
        net = model.to(dtype).eval()
        with torch.no_grad():
            found = ev.testing.equivariance_error(net, images.to(dtype), group=ev.groups.cyclic(4))
        errors[name] = max(float(e) for e in found.values())
    return errors


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
    task = ClassificationTask(run.net, width=run.width, lr=0.01, weight_decay=1e-5, milestones=[40], gamma=0.1)
    folder = CHECKPOINTS / run.name
    last = folder / "last.ckpt"
    timer = Timer()
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        devices=1,
        logger=False,
        limit_val_batches=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[timer, ModelCheckpoint(folder, save_last=True)],
    )
    trainer.fit(task, datamodule=data, ckpt_path=str(last) if last.exists() else None, weights_only=True)
    found = trainer.test(task, datamodule=data, verbose=False)
    metrics = {key: value for part in found for key, value in part.items()}
    images, _ = next(iter(data.test_dataloader()[0]))
    return {
        **asdict(run),
        "parameters": sum(p.numel() for p in task.model.parameters()),
        "epochs": epochs,
        "batch_size": 256,
        "optimizer": "Adam, lr 0.01, weight decay 1e-5, x0.1 after epoch 40",
        "test_images": 50_000,
        "test_error_percent": {name: round(100 * (1 - metrics[f"test/accuracy/{name}"]), 3) for name in TEST_VARIANTS},
        "equivariance_error": symmetry(task.model, images[:100]),
        "hours": round(timer.time_elapsed("train") / 3600, 3),
        "threads": torch.get_num_threads(),
        "machine": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "equivision": ev.__version__,
        "date": datetime.now(UTC).date().isoformat(),
    }


def save(run: Run, result: dict[str, Any]) -> None:
    """Write the result, complete or not at all."""
    RESULTS.mkdir(exist_ok=True)
    temporary = run.result.with_suffix(".tmp")
    temporary.write_text(json.dumps(result, indent=1) + "\n")
    os.replace(temporary, run.result)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="runs of each kind (default: 3)")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="epochs; the paper's 50 unless you only try it out")
    parser.add_argument("--threads", type=int, default=1, help="threads of this process (default: 1)")
    parser.add_argument("--list", action="store_true", help="say what is done, train nothing")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for run in queue(arguments.seeds):
        if arguments.list or run.result.exists():
            print(f"{run.name}: {'done' if run.result.exists() else 'to do'}", flush=True)
            continue
        with claimed(run) as ours:
            if ours and not run.result.exists():
                print(f"{run.name}: training", flush=True)
                result = train(run, arguments.epochs)
                save(run, result)
                print(f"{run.name}: test error {result['test_error_percent']} % in {result['hours']} h", flush=True)


if __name__ == "__main__":
    main()
