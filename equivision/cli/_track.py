"""``equivision track``: videos and the checkpoint of a tracker in; boxes, scores and contact sheets out."""

import csv
import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from equivision._files import atomic_write
from equivision._text import grid
from equivision.cli._predict import device_of
from equivision.cli._runs import check_writable, checkpoint_path
from equivision.cli._screen import Parser, say
from equivision.data import TrackingSequence, find_sequences, rotating
from equivision.errors import ConfigError
from equivision.tasks import TrackingTask
from equivision.tracking import (
    SequenceScore,
    SiameseTracker,
    Track,
    TrackingReport,
    contact_sheet,
    evaluate,
)
from equivision.tracking._evaluation import score

_SCORES = "scores.json"


def _parser(command: str) -> Parser:
    parser = Parser(
        prog=f"equivision {command}",
        description="Follow the target of the first frame through every sequence in a folder, in the layout of OTB or "
        "of GOT-10k. Writes a CSV file of boxes and a contact sheet for each, and scores.json. Boxes are left edge, "
        "upper edge, width and height in pixels from the left upper corner of the frame.",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--ckpt_path", "--ckpt-path", type=Path, help="checkpoint of equivision fit")
    source.add_argument("--run_dir", "--run-dir", type=Path, help="folder of a run, for its best checkpoint")
    parser.add_argument("--sequences", type=Path, required=True, help="folder of sequences, or one sequence")
    text = "turn every frame about its centre, by so many degrees more than the last; by default not at all"
    parser.add_argument("--rotate", type=float, default=None, metavar="RATE", help=text)
    parser.add_argument("--output", type=Path, default=Path("tracks"), help="folder to write to, tracks by default")
    text = "largest change of the orientation from frame to frame, in steps of the network's group; by default any"
    parser.add_argument("--max_turn", "--max-turn", type=int, default=None, help=text)
    text = "boxes are the upright hull of the turned box of the first frame; by default they keep its shape"
    parser.add_argument("--turn_box", "--turn-box", action="store_true", help=text)
    text = "replace what an earlier run has written to that folder"
    parser.add_argument("--overwrite", action="store_true", help=text)
    parser.add_argument("--device", default="auto", help="cpu, cuda, ... ; by default cuda where there is one")
    return parser


def run(command: str, arguments: list[str]) -> int:
    """Track, write, and show the scores."""
    options = _parser(command).parse_args(arguments)
    if options.rotate is not None and not math.isfinite(options.rotate):
        raise ConfigError(f"--rotate {options.rotate}: give degrees a frame, such as 0.5")
    if options.output.is_file():
        raise ConfigError(f"--output {options.output}: is a file; give a folder")
    check_writable(options.output, "--output", is_folder=True)
    if (options.output / _SCORES).exists() and not options.overwrite:
        raise ConfigError(
            f"--output {options.output}: holds {_SCORES} of an earlier run; replace its files with --overwrite, or "
            "give another folder"
        )
    path = options.ckpt_path or checkpoint_path(None, options.run_dir)
    task = TrackingTask.load_from_checkpoint(path, map_location=device_of(options.device))
    tracker = SiameseTracker(task.model, max_turn=options.max_turn, turn_box=options.turn_box)
    if task.hparams["in_channels"] != 3:
        raise ConfigError(
            f"--ckpt_path {path}: the network is for images of {task.hparams['in_channels']} channel(s), and frames "
            "are read with three colours: train one with in_channels=3"
        )
    sequences = _named_apart(find_sequences(options.sequences))
    if options.rotate is not None:
        sequences = [rotating(one, options.rotate) for one in sequences]

    settings = {"ckpt_path": str(path), "rotate": options.rotate, "max_turn": options.max_turn}
    settings["turn_box"] = options.turn_box
    scores: list[SequenceScore] = []

    def write(sequence: TrackingSequence, track: Track) -> None:
        """All that is known by now, so that nothing is lost if a later sequence cannot be read."""
        if not scores:
            _clear(options.output)
        scores.append(score(sequence, track))
        _write_boxes(options.output / f"{sequence.name}.csv", track, 360 / task.model.group.order)
        tracks = {"truth": sequence.boxes, "found": track.boxes}
        contact_sheet(sequence, tracks, options.output / f"{sequence.name}.png")
        with atomic_write(options.output / _SCORES, "w", encoding="utf-8") as file:
            file.write(json.dumps({**settings, **TrackingReport(tuple(scores)).to_dict()}, indent=1) + "\n")

    report = evaluate(tracker, sequences, on_sequence=write)
    say(_table(report))
    say(f"\nwritten to {options.output}")
    return 0


def _clear(folder: Path) -> None:
    """Remove the files of an earlier run: those of the sequences that its scores name."""
    try:
        names = [one["name"] for one in json.loads((folder / _SCORES).read_text(encoding="utf-8"))["sequences"]]
    except (OSError, ValueError, KeyError, TypeError):
        names = []  # there are no scores, or they are not ours
    for name in [*(f"{name}.{kind}" for name in names for kind in ("csv", "png")), _SCORES]:
        (folder / name).unlink(missing_ok=True)


def _named_apart(sequences: Sequence[TrackingSequence]) -> list[TrackingSequence]:
    """Sequences of the same name in several folders get numbers, as each has files of its own."""
    taken = {sequence.name for sequence in sequences}
    seen: set[str] = set()
    named = []
    for sequence in sequences:
        numbered = (f"{sequence.name} ({number})" for number in itertools.count(2))
        name = next(name for name in numbered if name not in taken) if sequence.name in seen else sequence.name
        seen.add(sequence.name)
        taken.add(name)
        named.append(replace(sequence, name=name))
    return named


def _write_boxes(path: Path, track: Track, step: float) -> None:
    """One row a frame."""
    with atomic_write(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["frame", "x", "y", "width", "height", "degrees", "score"])
        rows = zip(track.boxes.tolist(), track.orientations.tolist(), track.scores.tolist(), strict=True)
        for i, (box, orientation, score) in enumerate(rows):
            numbers = [f"{number:.3f}" for number in box]
            writer.writerow([i, *numbers, f"{step * orientation:g}", "" if math.isnan(score) else f"{score:.5g}"])


def _table(report: TrackingReport) -> str:
    rows = [
        [one.name, str(one.frames), f"{one.success:.3f}", f"{one.precision:.3f}", _rate(one.frames_per_second)]
        for one in report.sequences
    ]
    total = str(sum(one.frames for one in report.sequences))
    means = [f"{report.success:.3f}", f"{report.precision:.3f}", _rate(report.frames_per_second)]
    header = ["sequence", "frames", "success", "precision", "frames/s"]
    return grid(header, [*rows, ["mean", total, *means]], ruled=False)


def _rate(frames_per_second: float) -> str:
    """A dash for sequences of one frame, in which nothing was searched for."""
    return "-" if math.isnan(frames_per_second) else f"{frames_per_second:.1f}"
