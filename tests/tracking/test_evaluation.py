"""Scores by sequence, their means, and the file they go to."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from equivision.errors import DataError
from equivision.tracking import SiameseTracker, Track, TrackingReport, evaluate, precision, success_auc
from tests.tracking._made import film, see_through, target, walk


def test_scores_are_those_of_the_boxes(tmp_path: Path) -> None:
    sequences = [film(walk(5), [target()] * 5, "one"), film(walk(3, (40, 30), (20, 30)), [target()] * 3, "two")]
    tracks: dict[str, Track] = {}
    report = evaluate(
        SiameseTracker(see_through()), sequences, on_sequence=lambda s, track: tracks.update({s.name: track})
    )
    for sequence, found in zip(sequences, report.sequences, strict=True):
        boxes = tracks[sequence.name].boxes
        assert (found.name, found.frames) == (sequence.name, len(sequence))
        assert found.success == success_auc(boxes, sequence.boxes)
        assert found.precision == precision(boxes, sequence.boxes)
        assert found.frames_per_second > 0
    assert report.sequences[0].success > report.sequences[1].success  # too fast to be followed
    assert report.success == pytest.approx(sum(one.success for one in report.sequences) / 2)
    report.to_json(tmp_path / "scores.json")
    assert json.loads((tmp_path / "scores.json").read_text()) == report.to_dict()
    assert [path.name for path in tmp_path.iterdir()] == ["scores.json"]


def test_frames_without_the_target_do_not_count() -> None:
    sequence = film(walk(4), [target()] * 4)
    boxes = sequence.boxes.clone()
    boxes[2] += 1000
    tracker = SiameseTracker(see_through())
    with_all = evaluate(tracker, [replace(sequence, boxes=boxes)])
    seen = evaluate(tracker, [replace(sequence, boxes=boxes, visible=torch.tensor([True, True, False, True]))])
    assert (with_all.precision, seen.precision) == (0.75, 1.0)
    assert seen.success > with_all.success


def test_a_sequence_of_one_frame_has_no_rate(tmp_path: Path) -> None:
    still, moving = film(walk(1), [target()], "still"), film(walk(3), [target()] * 3, "moving")
    tracker = SiameseTracker(see_through())
    report = evaluate(tracker, [still, moving])
    assert math.isnan(report.sequences[0].frames_per_second)
    assert report.frames_per_second == report.sequences[1].frames_per_second > 0
    assert report.sequences[0].success == 20 / 21
    report.to_json(tmp_path / "scores.json")
    written = json.loads((tmp_path / "scores.json").read_text(), parse_constant=pytest.fail)  # NaN is no JSON
    assert written["sequences"][0]["frames_per_second"] is None
    assert math.isnan(evaluate(tracker, [still]).frames_per_second)


def test_nothing_to_evaluate() -> None:
    with pytest.raises(DataError, match="there is no sequence to evaluate the tracker on"):
        evaluate(SiameseTracker(see_through()), [])
    assert TrackingReport(()).sequences == ()
    never = replace(film(walk(2), [target()] * 2), visible=torch.zeros(2, dtype=torch.bool))
    with pytest.raises(DataError, match="its target is never visible, so there is nothing to compare"):
        evaluate(SiameseTracker(see_through()), [never])
