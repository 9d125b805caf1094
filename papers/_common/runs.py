"""What the queues of all reproductions share: a claim and a file for every run, training, what is measured after it."""

import argparse
import fcntl
import json
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import lightning
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, Timer

import equivision as ev
from equivision._files import atomic_write
from equivision.data import ImageDataModule
from equivision.tasks import ClassificationTask, SafeCheckpointIO, keep_freed_memory

#: Checkpoints of all reproductions, a folder each.
RUNS = Path(os.environ.get("EQUIVISION_RUNS", "runs"))


class Job(Protocol):
    """One training, with its own name, the file that its result goes to, and the folder of its checkpoints."""

    @property
    def name(self) -> str: ...

    @property
    def result(self) -> Path: ...

    @property
    def checkpoints(self) -> Path: ...


Run = TypeVar("Run", bound=Job)


def checkpoint_folder(paper: str, run: str) -> Path:
    """Where a training of a reproduction keeps its checkpoints."""
    return RUNS / paper / run


class QueuedRun:
    """A run of the reproduction in ``folder``, under whose name its result and its checkpoints go."""

    folder: ClassVar[Path]

    @property
    def name(self) -> str:
        raise NotImplementedError

    @property
    def result(self) -> Path:
        return self.folder / "results" / f"{self.name}.json"

    @property
    def checkpoints(self) -> Path:
        return checkpoint_folder(self.folder.name, self.name)


@contextmanager
def claimed(job: Job) -> Iterator[bool]:
    """Whether this process got the run; the claim ends with the process, however that ends."""
    folder = job.checkpoints
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def save(job: Job, result: dict[str, Any]) -> None:
    """Write the result, complete or not at all."""
    with atomic_write(job.result, "w", encoding="utf-8") as file:
        file.write(json.dumps(result, indent=1) + "\n")


def test_error(result: dict[str, Any]) -> str:
    """What is said of a classification when it is done."""
    return f"test error {result['test_error_percent']} %"


def work(
    jobs: Sequence[Run],
    train: Callable[[Run], dict[str, Any]],
    *,
    only_list: bool,
    summary: Callable[[dict[str, Any]], str] = test_error,
) -> None:
    """Train what has no result yet and is not in the hands of another process."""
    for job in jobs:
        if only_list or job.result.exists():
            print(f"{job.name}: {'done' if job.result.exists() else 'to do'}", flush=True)
            continue
        with claimed(job) as ours:
            if ours and not job.result.exists():
                print(f"{job.name}: training", flush=True)
                result = train(job)
                save(job, result)
                print(f"{job.name}: {summary(result)} in {result['hours']} h", flush=True)


def queue_parser(about: str | None, *, seeds: int) -> argparse.ArgumentParser:
    """The command line of a queue; a program may add options of its own."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=seeds, help=f"runs of each kind (default: {seeds})")
    parser.add_argument("--threads", type=int, default=1, help="threads of this process (default: 1)")
    parser.add_argument("--list", action="store_true", help="say what is done, train nothing")
    return parser


def ready_to_train(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Read the command line of a queue, and prepare this process for it."""
    arguments = parser.parse_args()
    if not arguments.list:
        torch.set_num_threads(arguments.threads)
        keep_freed_memory()
    return arguments


def run_queue(
    about: str | None,
    queue: Callable[[int], Sequence[Run]],
    train: Callable[[Run], dict[str, Any]],
    *,
    seeds: int,
    **options: Any,
) -> None:
    """The program of a queue: read the command line, and train what is missing.

    ``options`` are handed on to :func:`work`.
    """
    arguments = ready_to_train(queue_parser(about, seeds=seeds))
    work(queue(arguments.seeds), train, only_list=arguments.list, **options)


def fit(
    job: Job,
    task: lightning.LightningModule,
    data: lightning.LightningDataModule,
    epochs: int,
    *,
    accelerator: str = "cpu",
    callbacks: Sequence[Callback] = (),
) -> tuple[lightning.Trainer, float]:
    """Train from the last complete epoch on; the trainer, and hours of training."""
    last = job.checkpoints / "last.ckpt"
    timer = Timer()
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator=accelerator,
        devices=1,
        logger=False,
        limit_val_batches=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[timer, ModelCheckpoint(job.checkpoints, save_last=True), *callbacks],
        plugins=[SafeCheckpointIO()],
    )
    trainer.fit(task, datamodule=data, ckpt_path=str(last) if last.exists() else None, weights_only=True)
    return trainer, round(timer.time_elapsed("train") / 3600, 3)


def fit_and_test(
    job: Job,
    task: ClassificationTask,
    data: ImageDataModule,
    epochs: int,
    *,
    accelerator: str = "cpu",
    callbacks: Sequence[Callback] = (),
) -> tuple[dict[str, float], float]:
    """Train from the last complete epoch on; test error in % for each of the test variants, and hours of training."""
    trainer, hours = fit(job, task, data, epochs, accelerator=accelerator, callbacks=callbacks)
    found = trainer.test(task, datamodule=data, verbose=False)
    metrics = {key: value for part in found for key, value in part.items()}
    errors = {name: round(100 * (1 - metrics[f"test/accuracy/{name}"]), 3) for name in data.test_names}
    return errors, hours


def symmetry(model: torch.nn.Module, images: torch.Tensor, group: ev.groups.PlanarGroup) -> dict[str, float]:
    """Largest relative error of the logits over the elements of the group, in both precisions."""
    errors = {}
    for name, dtype in (("float32", torch.float32), ("float64", torch.float64)):
        net = model.cpu().to(dtype).eval()
        with torch.no_grad():
            found = ev.testing.equivariance_error(net, images.to(dtype), group=group)
        errors[name] = max(float(e) for e in found.values())
    return errors


def circumstances() -> dict[str, Any]:
    """Where, when and with what a result was made."""
    return {
        "threads": torch.get_num_threads(),
        "machine": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "equivision": ev.__version__,
        "date": datetime.now(UTC).date().isoformat(),
    }
