"""Trackers for targets that turn: a queue of small trainings that can be stopped and started again at any time.

    EQUIVISION_DATA=... python papers/ien-tracking-2021/run.py            # trains what is missing, one after another
    EQUIVISION_DATA=... python papers/ien-tracking-2021/run.py --list     # says what is done and what is not
    python papers/ien-tracking-2021/table.py                              # the tables of README.md, from results/*.json

Start it twice for two processes. Every run ends in one file, results/<tracker>-e<epochs>-s<seed>.json. Contact sheets
and boxes are drawn below runs/, as frames of the test sequences must not be passed on.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import _runs
import lightning
import torch
from _networks import DATA, LR, TRACKERS
from lightning.pytorch.callbacks import Callback

from equivision.data import SyntheticTrackingDataModule, TrackingSequence, find_sequences, rotating
from equivision.models import SiameseNetwork
from equivision.tracking import SiameseTracker, Track, contact_sheet, evaluate

EPOCHS = 20
RATE = 0.5  # degrees a frame
TIMED = 20  # frames


@dataclass(frozen=True)
class Run(_runs.QueuedRun):
    """One training."""

    folder = Path(__file__).parent
    tracker: str
    epochs: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.tracker}-e{self.epochs}-s{self.seed}"


class ProcessorTime(Callback):
    """Seconds of processor time in training, also over interruptions."""

    def __init__(self) -> None:
        self.seconds, self._start = 0.0, 0.0

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._start = time.process_time()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.seconds += time.process_time() - self._start

    def state_dict(self) -> dict[str, Any]:
        return {"seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seconds = state_dict["seconds"]


def right_orientations(track: Track, order: int) -> float:
    """In which share of the frames the orientation is that of the camera, to the next of those that there are."""
    degrees = RATE * torch.arange(len(track.orientations), dtype=torch.float64)
    expected = torch.round(degrees * order / 360).long() % order
    return round(float((track.orientations == expected).double().mean()), 3)


def frames_per_processor_second(tracker: SiameseTracker, sequence: TrackingSequence) -> float:
    """How many frames one core tracks in a second of its own time, without reading them."""
    frames = [sequence.frame(i) for i in range(min(TIMED, len(sequence)))]
    state = tracker.init(frames[0], sequence.boxes[0])
    state = tracker.update(frames[0], state)
    start = time.process_time()
    for frame in frames:
        state = tracker.update(frame, state)
    return round(len(frames) / (time.process_time() - start), 1)


def measure(net: SiameseNetwork, sequences: Sequence[TrackingSequence], sheets: Path) -> dict[str, Any]:
    """Success, precision and orientations on the sequences as they are and as a turning camera sees them."""
    tracker, found = SiameseTracker(net), {}
    for kind, chosen in (("upright", sequences), ("turning", [rotating(one, RATE) for one in sequences])):
        orientations: dict[str, float] = {}

        def draw(sequence: TrackingSequence, track: Track, orientations: dict[str, float] = orientations) -> None:
            orientations[sequence.name] = right_orientations(track, net.group.order)
            boxes = {"truth": sequence.boxes, "found": track.boxes}
            contact_sheet(sequence, boxes, sheets / f"{sequence.name}.png")

        report = evaluate(tracker, chosen, on_sequence=draw)
        rows = {
            one.name: {"success": round(one.success, 4), "precision": round(one.precision, 4)}
            for one in report.sequences
        }
        for name, right in orientations.items():
            rows[name] |= {"right_orientation": right} if kind == "turning" and net.group.order > 1 else {}
        found[kind] = rows
    return found


def train(run: Run) -> dict[str, Any]:
    """Train, track, and say what was found."""
    tracker = TRACKERS[run.tracker]
    lightning.seed_everything(run.seed, verbose=False)
    task, clock = tracker.build(), ProcessorTime()
    trainer, hours = _runs.fit(run, task, SyntheticTrackingDataModule(**DATA), run.epochs, callbacks=[clock])
    logged = {name: round(float(value), 6) for name, value in trainer.callback_metrics.items() if "/" in name}
    net, sequences = task.model.eval(), find_sequences("tracking")
    return {
        **asdict(run),
        **{key: value for key, value in asdict(tracker).items() if key != "name"},
        "parameters": sum(p.numel() for p in net.parameters()),
        "lr": LR,
        "data": DATA,
        "rate": RATE,
        "logged": logged,
        "scores": measure(net, sequences, run.checkpoints / "sheets"),
        "frames_per_processor_second": frames_per_processor_second(SiameseTracker(net), sequences[0]),
        "processor_minutes": round(clock.seconds / 60, 2),
        "hours": hours,
        **_runs.circumstances(),
    }


def summary(result: dict[str, Any]) -> str:
    """What is said of a run when it is done."""
    rows = result["scores"]["turning"].values()
    return ", ".join(f"{key} {sum(row[key] for row in rows) / len(rows):.3f}" for key in ("success", "precision"))


def queue(seeds: int, epochs: int = EPOCHS) -> list[Run]:
    """All runs of one seed before the next."""
    return [Run(name, epochs, seed) for seed in range(seeds) for name in TRACKERS]


if __name__ == "__main__":
    _runs.run_queue(__doc__, queue, train, seeds=1, summary=summary)
