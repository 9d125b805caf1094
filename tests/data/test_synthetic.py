"""Made sequences: the box is where the target is, and nothing depends on chance."""

import dataclasses
import pickle
from typing import Any

import pytest
import torch

from equivision.data import TrackingSequence, synthetic_sequences
from equivision.errors import ConfigError, DataError


def only_the_target(sequence: TrackingSequence) -> TrackingSequence:
    """The same target, white, in the dark."""
    scene: Any = sequence.read
    target = dataclasses.replace(scene.things[-1], texture=torch.full((3, 4, 4), 255, dtype=torch.uint8))
    light = dataclasses.replace(scene.light, middle=1.0, extent=0.0)
    read = dataclasses.replace(scene, picture=torch.zeros_like(scene.picture), things=(target,), light=light)
    return dataclasses.replace(sequence, read=read)


@pytest.mark.parametrize("turn", [0.0, 9.0])
def test_boxes_are_tight_around_the_target(turn: float) -> None:
    for sequence in synthetic_sequences(4, backgrounds="noise", frames=21, turn=turn, zoom=1.5, seed=2):
        alone = only_the_target(sequence)
        for t in (0, 7, 20):
            white = (alone.frame(t)[0] > 127).nonzero().flip(1).double()
            found = torch.cat([white.amin(0), white.amax(0) + 1 - white.amin(0)])
            assert (found - sequence.boxes[t]).abs().max() < 1.1


def test_targets_move_turn_and_scale() -> None:
    sequences = synthetic_sequences(6, backgrounds="noise", frames=40, turn=5.0, zoom=1.5)
    for sequence in sequences:
        assert sequence.corners is not None
        top = sequence.corners[:, 1] - sequence.corners[:, 0]
        angles = torch.rad2deg(torch.atan2(-top[:, 1], top[:, 0]))
        steps = (angles.diff() + 180) % 360 - 180
        assert steps.abs().max() <= 5.0
        assert steps.std() < 1e-6
        lengths = top.norm(dim=1)
        assert 1.0 < lengths.max() / lengths.min() <= 1.5**2
        centres = sequence.boxes[:, :2] + sequence.boxes[:, 2:] / 2
        assert 1.0 < (centres[1:] - centres[:-1]).norm(dim=1).max() < 25.0
        assert torch.allclose(sequence.corners[0, 0], sequence.boxes[0, :2])
    upright = synthetic_sequences(1, backgrounds="noise", frames=40, turn=0.0, zoom=1.0)[0]
    assert torch.allclose(upright.boxes[:, 2:], upright.boxes[:1, 2:].expand(40, 2))
    assert (upright.boxes[:, :2].amax(0) - upright.boxes[:, :2].amin(0)).min() > 5


def test_targets_stay_in_the_frame() -> None:
    for sequence in synthetic_sequences(10, backgrounds="noise", frames=300, size=(100, 130), distractors=0):
        assert (sequence.boxes[:, :2] > -20).all()
        centres = sequence.boxes[:, :2] + sequence.boxes[:, 2:] / 2
        assert (centres > 0).all()
        assert (centres < torch.tensor([130, 100])).all()


def test_the_same_seed_makes_the_same_frames() -> None:
    first, second = (synthetic_sequences(count, backgrounds="noise", frames=9, seed=4) for count in (2, 3))
    for a, b in zip(first, second, strict=False):
        assert torch.equal(a.boxes, b.boxes)
        assert torch.equal(a.frame(5), b.frame(5))
        assert torch.equal(pickle.loads(pickle.dumps(a)).frame(5), a.frame(5))
    other = synthetic_sequences(1, backgrounds="noise", frames=9, seed=5)[0]
    assert not torch.equal(other.frame(5), first[0].frame(5))
    assert not torch.equal(first[0].frame(5), first[1].frame(5))


def test_these_are_the_sequences() -> None:
    """Other boxes would mean that numbers published before belong to other data."""
    box = synthetic_sequences(3, backgrounds="noise", frames=50, seed=0)[2].boxes[49]
    assert box.tolist() == pytest.approx([187.32137, 58.17966, 38.76005, 46.21463], abs=1e-4)


def test_backgrounds() -> None:
    pictures = torch.randint(0, 256, (3, 3, 40, 50), dtype=torch.uint8)
    for given in (pictures, list(pictures), "photographs", "noise"):
        sequence = synthetic_sequences(2, backgrounds=given, frames=2, size=(64, 80))[1]
        assert sequence.frame(1).shape == (3, 64, 80)
        assert sequence.frame(1).float().std() > 10


@pytest.mark.usefixtures("unchecked_annotations")
def test_errors() -> None:
    for name, value, shown in (
        ("count", -1, "count is -1"),
        ("frames", 0, "frames is 0"),
        ("turn", -2.0, "turn is -2"),
        ("zoom", 0.5, "zoom is 0.5: it must be finite, and at least 1"),
        ("distractors", -1, "distractors is -1"),
        ("size", (20, 40), "the height in size is 20"),
    ):
        options: dict[str, Any] = {"count": 1, "backgrounds": "noise", name: value}
        with pytest.raises(ConfigError, match=shown):
            synthetic_sequences(**options)
    with pytest.raises(ConfigError, match="backgrounds='sea': choose 'photographs' or 'noise'"):
        synthetic_sequences(1, backgrounds="sea")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="backgrounds is empty"):
        synthetic_sequences(1, backgrounds=[])
    with pytest.raises(DataError, match=r"backgrounds\[0\] is torch.float32 of shape \(3, 4, 4\): give bytes"):
        synthetic_sequences(1, backgrounds=[torch.zeros(3, 4, 4)])
