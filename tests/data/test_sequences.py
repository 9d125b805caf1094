"""Tracking sequences: in memory, in the layouts of OTB and GOT-10k, and turning."""

import math
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from equivision.data import TrackingSequence, find_sequences, read_got10k, read_otb, rotating
from equivision.errors import ConfigError, DataError
from tests.data._make import picture
from tests.data.test_real import folder

BOXES = "11,21,30,40\n12,22,30,40\n13.5,23,30,40.25\n"


def write_otb(root: Path, text: str = BOXES, *, frames: int = 3, first: int = 1, file: str = "") -> Path:
    """A sequence whose frame i has the colour (i, 0, 200), saved without loss."""
    (root / "img").mkdir(parents=True)
    for i in range(frames):
        picture((i, 0, 200), (64, 48), "RGB").save(root / "img" / f"{first + i:04d}.jpg", "PNG")
    (root / (file or "groundtruth_rect.txt")).write_text(text)
    return root


def write_got10k(root: Path, text: str = BOXES, frames: int = 3) -> Path:
    root.mkdir(parents=True)
    for i in range(frames):
        picture((i, 0, 200), (64, 48), "RGB").save(root / f"{i + 1:08d}.jpg", "PNG")
    (root / "groundtruth.txt").write_text(text)
    return root


def in_memory(frames: int = 5, size: tuple[int, int] = (20, 30)) -> TrackingSequence:
    boxes = torch.tensor([[4.0, 6.0, 10.0, 5.0]]).expand(frames, 4) + torch.arange(frames)[:, None] * torch.tensor(
        [1.0, 0.5, 0.0, 0.0]
    )
    return TrackingSequence.from_tensors("noise", torch.randint(0, 256, (frames, 3, *size), dtype=torch.uint8), boxes)


@pytest.mark.parametrize("separator", [",", "\t", " ", ", ", "  "])
def test_otb(tmp_path: Path, separator: str) -> None:
    sequence = read_otb(write_otb(tmp_path / "Car", BOXES.replace(",", separator)))
    assert (sequence.name, len(sequence), sequence.visible) == ("Car", 3, None)
    assert sequence.boxes.tolist() == [[10, 20, 30, 40], [11, 21, 30, 40], [12.5, 22, 30, 40.25]]
    assert sequence.frame(2).shape == (3, 48, 64)
    assert sequence.frame(2)[:, 5, 7].tolist() == [2, 0, 200]


def test_grey_pictures_become_three_channels(tmp_path: Path) -> None:
    root = write_otb(tmp_path / "Car")
    picture(77, (64, 48), "L").save(root / "img" / "0002.jpg", "PNG")
    assert read_otb(root).frame(1)[:, 0, 0].tolist() == [77, 77, 77]


def test_got10k(tmp_path: Path) -> None:
    root = write_got10k(tmp_path / "GOT-10k_Train_000001", BOXES.replace("12,22,30,40\n", "0,0,0,0\n"))
    with pytest.raises(DataError, match=r"groundtruth.txt, line 2: the box .* has no area"):
        read_got10k(root)
    (root / "absence.label").write_text("0\n1\n0\n")
    sequence = read_got10k(root)
    assert sequence.visible is not None
    assert sequence.visible.tolist() == [True, False, True]
    assert sequence.boxes[2].tolist() == [12.5, 22, 30, 40.25]
    assert sequence.frame(2)[:, 5, 7].tolist() == [2, 0, 200]
    (root / "absence.label").write_text("0\n2\n0\n")
    with pytest.raises(DataError, match=r"absence.label, line 2: '2' is neither 0 nor 1"):
        read_got10k(root)
    (root / "absence.label").write_text("0\n1\n")
    with pytest.raises(DataError, match=r"absence.label has 2 lines for 3 boxes"):
        read_got10k(root)


def test_partly_annotated_sequences_of_otb(tmp_path: Path) -> None:
    """Football1 is annotated in its first 74 pictures; of another sequence the span must be given."""
    text = "11,21,30,40\n" * 74
    football = read_otb(write_otb(tmp_path / "Football1", text, frames=76))
    assert len(football) == 74
    assert football.frame(73)[0, 0, 0] == 73
    other = write_otb(tmp_path / "Other", BOXES, frames=6, first=10)
    with pytest.raises(
        DataError, match=r"has 3 boxes for 6 pictures: .* or in Python, give read_otb span=\(first, last\)"
    ):
        read_otb(other)
    assert read_otb(other, span=(12, 14)).frame(0)[0, 0, 0] == 2
    with pytest.raises(DataError, match="has 3 boxes for 2 pictures"):
        read_otb(other, span=(12, 13))


def test_finding(tmp_path: Path) -> None:
    write_otb(tmp_path / "otb" / "Woman")
    write_otb(tmp_path / "otb" / "Jogging", file="groundtruth_rect.1.txt")
    (tmp_path / "otb" / "Jogging" / "groundtruth_rect.2.txt").write_text(BOXES.replace("11", "17"))
    write_otb(tmp_path / "otb" / "Human4", file="groundtruth_rect.2.txt")
    (tmp_path / "otb" / "Human4" / "groundtruth_rect.1.txt").write_text("")
    write_got10k(tmp_path / "got" / "b")
    write_got10k(tmp_path / "got" / "a")
    assert [one.name for one in find_sequences(tmp_path)] == ["a", "b", "Human4-2", "Jogging-1", "Jogging-2", "Woman"]
    assert [one.name for one in find_sequences(tmp_path, "got10k")] == ["a", "b"]
    assert [one.name for one in find_sequences(tmp_path / "otb" / "Woman")] == ["Woman"]
    assert find_sequences(tmp_path / "otb", "otb")[2].boxes[0, 0] == 16
    links = tmp_path / "links"
    links.mkdir()
    for name, place in (("first", "otb/Woman"), ("second", "got/a"), ("again", "otb/Woman"), ("up", "links")):
        (links / name).symlink_to(tmp_path / place)
    assert len(find_sequences(links)) == 2  # each once, and no end of links to what is above
    with pytest.raises(DataError, match="holds no tracking sequences"):
        find_sequences(tmp_path / "got", "otb")


@pytest.mark.usefixtures("unchecked_annotations")
def test_an_unknown_layout() -> None:
    with pytest.raises(ConfigError, match="layout='vot' is not known"):
        find_sequences(".", "vot")  # type: ignore[arg-type]


def test_damaged_otb(tmp_path: Path) -> None:
    cases = [
        ("1,2,3,4\n1,2,3\n1,2,3,4\n", r"line 2: '1,2,3' has 3 columns; four are needed"),
        ("1,2,3,4\n1,2,3,4\n1,2,x,4\n", r"line 3: '1,2,x,4' is not four numbers .*'x'"),
        ("1,2,3,4\n\n1,2,0,4\n1,2,3,4\n", r"line 3: the box \[1.0, 2.0, 0.0, 4.0\] .* has no area \(1 such"),
        ("1,2,3,4\n1,2,3,4\n1,2,nan,4\n", r"line 3: the box .* has no area"),
        ("1,2,3,4\n1,2,3,4\n", r"has 2 boxes for 3 pictures: one a picture is needed"),
        (" \n", r"groundtruth_rect.txt is empty"),
    ]
    for number, (text, message) in enumerate(cases):
        with pytest.raises(DataError, match=message):
            read_otb(write_otb(tmp_path / str(number), text))
    root = write_otb(tmp_path / "gap", "1,2,3,4\n" * 9, frames=9)
    (root / "img" / "0004.jpg").unlink()
    with pytest.raises(DataError, match=r"has 9 boxes for 8 pictures \(picture 4 is missing\)"):
        read_otb(root)
    (root / "img" / "cover.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"cover.jpg: the frames of a sequence have numbers as names"):
        read_otb(root)
    (root / "groundtruth_rect.txt").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(DataError, match="cannot be read as text"):
        read_otb(root)


def test_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"groundtruth_rect.txt is not there: .* one line a picture"):
        read_otb(tmp_path / "empty")
    with pytest.raises(DataError, match=r"groundtruth.txt is not there"):
        read_got10k(tmp_path / "empty")
    with pytest.raises(DataError, match="there is no folder"):
        read_otb(tmp_path / "nowhere")
    with pytest.raises(DataError, match="holds no tracking sequences"):
        find_sequences(tmp_path / "empty")
    two = write_otb(tmp_path / "Jogging", file="groundtruth_rect.1.txt")
    with pytest.raises(DataError, match=r"found instead: groundtruth_rect.1.txt; choose one with target="):
        read_otb(two)
    assert read_otb(two, target=1).name == "Jogging-1"
    with pytest.raises(DataError, match=r"groundtruth_rect.2.txt is not there"):
        read_otb(two, target=2)
    (tmp_path / "bare" / "img").mkdir(parents=True)
    with pytest.raises(DataError, match=r"bare/groundtruth_rect.txt is not there"):
        find_sequences(tmp_path / "bare")
    (tmp_path / "bare" / "groundtruth_rect.txt").write_text(BOXES)
    with pytest.raises(DataError, match="holds no pictures"):
        find_sequences(tmp_path / "bare")


def test_a_truncated_picture_is_named(tmp_path: Path) -> None:
    root = write_otb(tmp_path / "Car")
    path = root / "img" / "0002.jpg"
    Image.effect_noise((64, 48), 50).save(path, "JPEG")
    path.write_bytes(path.read_bytes()[:700])
    sequence = read_otb(root)
    assert sequence.frame(0).shape == (3, 48, 64)
    with pytest.raises(DataError, match=r"0002.jpg cannot be read \(.*truncated.*\): fetch it again"):
        sequence.frame(1)
    path.unlink()
    with pytest.raises(DataError, match=r"0002.jpg cannot be read"):
        sequence.frame(1)


@pytest.mark.parametrize("index", [-1, 5])
def test_frames_that_are_not_there(index: int) -> None:
    with pytest.raises(IndexError, match=f"frame {index}: 'noise' has the frames 0 to 4"):
        in_memory().frame(index)


@pytest.mark.usefixtures("unchecked_annotations")
def test_tensors_that_do_not_fit() -> None:
    frames, boxes = torch.zeros(2, 3, 8, 8, dtype=torch.uint8), torch.ones(2, 4)
    for wrong in (frames.float(), frames[0], frames[:, :1]):
        with pytest.raises(DataError, match="give bytes"):
            TrackingSequence.from_tensors("a", wrong, boxes)
    for some, few in ((frames, boxes[:1]), (frames[:0], boxes[:0])):
        with pytest.raises(DataError, match="give at least one frame"):
            TrackingSequence.from_tensors("a", some, few)
    with pytest.raises(DataError, match=r"a, frame 1: the box .* has no area"):
        TrackingSequence.from_tensors("a", frames, boxes * torch.tensor([[1.0], [-1.0]]))


def test_sequences_go_to_other_processes(tmp_path: Path) -> None:
    for sequence in (in_memory(), read_otb(write_otb(tmp_path / "Car")), rotating(in_memory(), 7.0)):
        copy = pickle.loads(pickle.dumps(sequence))
        assert torch.equal(copy.frame(1), sequence.frame(1))
        assert torch.equal(copy.boxes, sequence.boxes)


@pytest.mark.parametrize("size", [(20, 30), (21, 33), (24, 24)])
def test_quarter_turns_only_move_pixels(size: tuple[int, int]) -> None:
    sequence = in_memory(size=size)
    turned = rotating(sequence, 90.0)
    side = turned.frame(0).shape[-1]
    assert turned.frame(0).shape == (3, side, side)
    assert math.hypot(*size) <= side <= math.hypot(*size) + 2
    for t in range(5):
        there = torch.rot90(turned.frame(t), -t, (-2, -1))
        top, left = (side - size[0]) // 2, (side - size[1]) // 2
        assert torch.equal(there[:, top : top + size[0], left : left + size[1]], sequence.frame(t))
        mean = sequence.frame(t).float().mean((1, 2)).round()
        assert torch.equal(there[:, 0, 0].float(), mean)


@pytest.mark.parametrize("size", [(40, 61), (41, 60), (50, 30)])
def test_the_box_turns_with_the_target(size: tuple[int, int]) -> None:
    """A bright rectangle is found where the corners say, in every turned frame, also if the sides differ in parity."""
    frames = torch.zeros(19, 3, *size, dtype=torch.uint8)
    frames[:, :, 8:20, 5:13] = 255
    boxes = torch.tensor([[5.0, 8.0, 8.0, 12.0]]).expand(19, 4)
    for rate in (10.0, -33.0):
        turned = rotating(TrackingSequence.from_tensors("bright", frames, boxes), rate)
        for t in range(19):
            weight = turned.frame(t)[0].double() - turned.frame(t)[0, 0, 0]
            found = centroid(weight.clamp_min(0))
            assert turned.corners is not None
            assert (found - turned.corners[t].mean(0)).abs().max() < 0.12
            low, high = turned.corners[t].amin(0), turned.corners[t].amax(0)
            assert torch.allclose(turned.boxes[t], torch.cat([low, high - low]))
            bright = (weight > 100).nonzero()
            assert ((bright + 1.5).flip(1) > low).all()
            assert ((bright - 0.5).flip(1) < high).all()


def centroid(weight: Tensor) -> Tensor:
    """(x, y) of the centre of mass."""
    y, x = (torch.arange(length, dtype=torch.float64) + 0.5 for length in weight.shape)
    return torch.stack([(weight.sum(0) * x).sum(), (weight.sum(1) * y).sum()]) / weight.sum()


def test_hulls_grow_by_the_root_of_two_at_most_for_squares() -> None:
    frames = torch.zeros(91, 3, 30, 30, dtype=torch.uint8)
    boxes = torch.tensor([[3.0, 4.0, 10.0, 10.0]]).expand(91, 4)
    sides = rotating(TrackingSequence.from_tensors("square", frames, boxes), 1.0).boxes[:, 2:]
    assert sides.max() == pytest.approx(10 * math.sqrt(2))
    assert sides.argmax(0).tolist() == [45, 45]
    assert sides[90].tolist() == pytest.approx([10, 10])


def test_turning_a_turning_sequence_keeps_the_hull_tight() -> None:
    once = rotating(in_memory(), 20.0)
    back = rotating(once, -20.0)
    assert torch.allclose(back.boxes[:, 2:], in_memory().boxes[:, 2:])


def test_a_rate_must_be_finite() -> None:
    with pytest.raises(ConfigError, match="degrees_per_frame=inf"):
        rotating(in_memory(), math.inf)
    mixed = replace(in_memory(), read=lambda i: torch.zeros(3, 40 + i, 60, dtype=torch.uint8))
    turned = rotating(mixed, 1.0)
    turned.frame(0)
    with pytest.raises(DataError, match=r"frame 1 of .* is 41 x 60, the first is 40 x 60: a sequence is turned if all"):
        turned.frame(1)


@pytest.mark.data
def test_real_sequences() -> None:
    crossing, motor = find_sequences(folder("tracking"))
    assert [(one.name, len(one)) for one in (crossing, motor)] == [("Crossing", 120), ("MotorRolling", 164)]
    assert crossing.boxes[0].tolist() == [204, 150, 17, 50]
    assert motor.boxes[0].tolist() == [116, 67, 122, 125]
    assert crossing.frame(119).shape == (3, 240, 360)
    assert motor.frame(163).shape == (3, 360, 640)
    for sequence in (crossing, motor):
        height, width = sequence.frame(0).shape[1:]
        assert (sequence.boxes[:, :2] >= -1).all()
        assert (sequence.boxes[:, 0] + sequence.boxes[:, 2] <= width + 1).all()
        assert (sequence.boxes[:, 1] + sequence.boxes[:, 3] <= height + 1).all()
        turned = rotating(sequence)
        assert turned.frame(90).shape[1:] == (math.ceil(math.hypot(height, width) / 2) * 2,) * 2
