"""How well a tracker follows, sequence by sequence."""

import json
import math
import statistics
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from equivision._files import atomic_write
from equivision.data import TrackingSequence
from equivision.errors import DataError
from equivision.tracking._metrics import precision, success_auc
from equivision.tracking._tracker import SiameseTracker, Track


@dataclass(frozen=True)
class SequenceScore:
    """One sequence.

    Attributes:
        name: of the sequence.
        frames: their number.
        success: area under the success curve (:func:`success_auc`).
        precision: fraction of frames with the centre at most 20 pixels off.
        frames_per_second: of the tracker; not a number for a sequence of one frame, in which nothing is searched for.
    """

    name: str
    frames: int
    success: float
    precision: float
    frames_per_second: float


@dataclass(frozen=True)
class TrackingReport:
    """Scores of one tracker on several sequences, each counted once, however long it is.

    >>> report = TrackingReport((SequenceScore("a", 10, 0.5, 1.0, 20.0), SequenceScore("b", 90, 0.25, 0.0, 40.0)))
    >>> report.success, report.precision, report.frames_per_second
    (0.375, 0.5, 30.0)
    """

    sequences: tuple[SequenceScore, ...]

    @property
    def success(self) -> float:
        """Mean over the sequences."""
        return statistics.fmean(one.success for one in self.sequences)

    @property
    def precision(self) -> float:
        """Mean over the sequences."""
        return statistics.fmean(one.precision for one in self.sequences)

    @property
    def frames_per_second(self) -> float:
        """Mean over the sequences of more than one frame; not a number if there is none."""
        rates = [one.frames_per_second for one in self.sequences if not math.isnan(one.frames_per_second)]
        return statistics.fmean(rates) if rates else math.nan

    def to_dict(self) -> dict[str, object]:
        """Plain values: the means, and a list of the sequences. None stands for what is not a number, as in JSON."""
        means = {name: getattr(self, name) for name in ("success", "precision", "frames_per_second")}
        return {**_plain(means), "sequences": [_plain(asdict(one)) for one in self.sequences]}

    def to_json(self, path: str | Path) -> None:
        """Write :meth:`to_dict` to a file, complete or not at all."""
        with atomic_write(path, "w", encoding="utf-8") as file:
            file.write(json.dumps(self.to_dict(), indent=1) + "\n")


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in values.items()}


def score(sequence: TrackingSequence, track: Track) -> SequenceScore:
    """Compare what a tracker found with the boxes of a sequence; frames where the target is not seen do not count."""
    seen = slice(None) if sequence.visible is None else sequence.visible
    found, truth = track.boxes[seen], sequence.boxes[seen]
    return SequenceScore(
        sequence.name, len(sequence), success_auc(found, truth), precision(found, truth), track.frames_per_second
    )


def evaluate(
    tracker: SiameseTracker,
    sequences: Iterable[TrackingSequence],
    *,
    on_sequence: Callable[[TrackingSequence, Track], object] | None = None,
) -> TrackingReport:
    """Follow the target of every sequence from its first frame to the end, without starting anew when it is lost.

    Args:
        tracker: any that has ``track``.
        sequences: at least one.
        on_sequence: called with every sequence and what was found in it, as to draw or to write it.

    Raises:
        DataError: there is no sequence, a frame cannot be read, or a target is never visible.

    Source: Wu, Lim and Yang, Object tracking benchmark, 2015 (one-pass evaluation).

    >>> import torch
    >>> from equivision.models import siamfc
    >>> frames = torch.randint(0, 256, (2, 3, 60, 80), dtype=torch.uint8)
    >>> sequence = TrackingSequence.from_tensors("noise", frames, torch.tensor([[30.0, 20.0, 16.0, 12.0]] * 2))
    >>> evaluate(SiameseTracker(siamfc(width=2)), [sequence]).sequences[0].frames
    2
    """
    scores = []
    for sequence in sequences:
        if sequence.visible is not None and not sequence.visible.any():
            raise DataError(f"{sequence!r}: its target is never visible, so there is nothing to compare; leave it out")
        track = tracker.track(sequence)
        scores.append(score(sequence, track))
        if on_sequence is not None:
            on_sequence(sequence, track)
    if not scores:
        raise DataError("there is no sequence to evaluate the tracker on: give at least one")
    return TrackingReport(tuple(scores))
