"""Trackers on the command line: trained on made sequences, tried on a folder of them."""

import csv
import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from equivision.cli import main
from equivision.data import TrackingSequence
from equivision.tasks import TrackingTask
from tests.tasks import _make as make
from tests.tracking._made import film, target, walk


def write_otb(sequence: TrackingSequence, folder: Path) -> None:
    """A sequence as OTB lays it out: pictures, and boxes counted from 1."""
    (folder / "img").mkdir(parents=True)
    for i in range(len(sequence)):
        picture = Image.fromarray(sequence.frame(i).permute(1, 2, 0).numpy())
        picture.save(folder / "img" / f"{i + 1:04}.png")
    lines = (f"{x + 1:g},{y + 1:g},{w:g},{h:g}" for x, y, w, h in sequence.boxes.tolist())
    (folder / "groundtruth_rect.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained tracker."""
    path = tmp_path_factory.mktemp("tracker") / "a.ckpt"
    trainer = make.trainer(path.parent)
    trainer.strategy.connect(TrackingTask("re_siamfc", width=2))
    trainer.save_checkpoint(path)
    return path


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sequences of one name, and a third."""
    folder = tmp_path_factory.mktemp("videos")
    for name, frames in (("a/Walk", 3), ("b/Walk", 4), ("Stand", 2)):
        write_otb(film(walk(frames), [target()] * frames), folder / name)
    return folder


@pytest.mark.parametrize("rotate", [None, 45.0])
def test_boxes_scores_and_sheets(
    checkpoint: Path, videos: Path, tmp_path: Path, rotate: float | None, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [] if rotate is None else ["--rotate", str(rotate), "--max_turn", "1", "--turn_box"]
    output = tmp_path / "new" / "tracks"
    options = ["--ckpt_path", str(checkpoint), "--sequences", str(videos), "--output", str(output), *given]
    assert main(["track", *options]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    suffix = "" if rotate is None else " turning"
    names = [f"Stand{suffix}", f"Walk{suffix}", f"Walk (2){suffix}"]
    assert sorted(path.name for path in output.iterdir()) == sorted(
        ["scores.json", *(f"{name}.{kind}" for name in names for kind in ("csv", "png"))]
    )
    scores = json.loads((output / "scores.json").read_text())
    assert [one["name"] for one in scores["sequences"]] == names
    assert (scores["rotate"], scores["max_turn"]) == (rotate, None if rotate is None else 1)
    assert scores["success"] == pytest.approx(sum(one["success"] for one in scores["sequences"]) / 3)
    for name, one in zip(names, scores["sequences"], strict=True):
        with (output / f"{name}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == one["frames"]
        assert f"{name} " in shown.out
        assert {float(row["degrees"]) for row in rows} <= {0.0, 90.0, 180.0, 270.0}
        assert rows[0]["score"] == "" != rows[1]["score"]
        with Image.open(output / f"{name}.png") as sheet:
            assert sheet.size[0] > 200
    with (output / f"{names[0]}.csv").open(newline="") as file:
        first = next(csv.DictReader(file))
    if rotate is None:
        assert [float(first[key]) for key in ("x", "y", "width", "height")] == [30, 40, 32, 32]


def test_names_that_are_taken_and_single_frames(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second "Walk" must not write over the files of a sequence that is called "Walk (2)"."""
    for name in ("a/Walk", "b/Walk", "c/Walk (2)"):
        write_otb(film(walk(1), [target()]), tmp_path / "videos" / name)
    options = ["--ckpt_path", str(checkpoint), "--sequences", str(tmp_path / "videos"), "--output", str(tmp_path / "o")]
    assert main(["track", *options]) == 0
    assert sorted(path.stem for path in (tmp_path / "o").glob("*.csv")) == ["Walk", "Walk (2)", "Walk (3)"]
    scores = json.loads((tmp_path / "o" / "scores.json").read_text(), parse_constant=pytest.fail)
    assert [one["name"] for one in scores["sequences"]] == ["Walk", "Walk (3)", "Walk (2)"]
    assert scores["frames_per_second"] is None
    assert "nan" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"--rotate": "nan"}, "--rotate nan: give degrees a frame"),
        ({"--max_turn": "-1"}, "max_turn=-1: give a number of steps"),
        ({"--sequences": "nowhere"}, "nowhere"),
        ({"--ckpt_path": "nowhere.ckpt"}, "there is no checkpoint nowhere.ckpt"),
        ({"--device": "mars"}, "--device mars is not available here"),
        ({"--output": __file__}, "is a file; give a folder"),
        ({"--output": f"{__file__}/below"}, "cannot be written"),
    ],
)
def test_mistakes(
    options: dict[str, str], message: str, checkpoint: Path, videos: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    given = {"--ckpt_path": checkpoint, "--sequences": videos, "--output": tmp_path / "tracks"} | options
    assert main(["track", *(str(word) for pair in given.items() for word in pair)]) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_run_is_not_mixed_with_another(
    checkpoint: Path, videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "tracks"
    given = ["track", "--ckpt_path", str(checkpoint), "--output", str(output)]
    assert main([*given, "--sequences", str(videos / "a")]) == 0
    (output / "notes.csv").write_text("mine")
    before = {path.name: path.read_bytes() for path in output.iterdir()}
    assert main([*given, "--sequences", str(videos / "Stand")]) == 2
    assert "holds scores.json of an earlier run; replace its files with --overwrite" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in output.iterdir()} == before
    assert main([*given, "--sequences", str(videos / "Stand"), "--overwrite"]) == 0
    assert sorted(path.name for path in output.iterdir()) == ["Stand.csv", "Stand.png", "notes.csv", "scores.json"]


def test_what_was_tracked_before_a_damaged_picture_is_kept(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "ab":
        write_otb(film(walk(2), [target()] * 2), tmp_path / "videos" / name)
    (tmp_path / "videos" / "b" / "img" / "0002.png").write_bytes(b"damaged")
    output = tmp_path / "tracks"
    options = ["--ckpt_path", str(checkpoint), "--sequences", str(tmp_path / "videos"), "--output", str(output)]
    assert main(["track", *options]) == 2
    assert "0002.png" in capsys.readouterr().err
    assert [one["name"] for one in json.loads((output / "scores.json").read_text())["sequences"]] == ["a"]


def test_a_network_for_gray_pictures(videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trainer = make.trainer(tmp_path)
    trainer.strategy.connect(TrackingTask("siamfc", width=1, in_channels=1))
    trainer.save_checkpoint(tmp_path / "gray.ckpt")
    assert main(["track", "--ckpt_path", str(tmp_path / "gray.ckpt"), "--sequences", str(videos)]) == 2
    assert "the network is for images of 1 channel(s), and frames are read with three" in capsys.readouterr().err


def test_a_classifier_is_no_tracker(trained: Path, videos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = trained / "checkpoints" / "last.ckpt"
    assert main(["track", "--ckpt_path", str(path), "--sequences", str(videos)]) == 2
    assert "does not fit TrackingTask" in capsys.readouterr().err


def test_from_training_to_tracks(videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Trained, resumed, validated; then every sequence is tracked."""
    run, data = tmp_path / "run", {"count": 3, "val_size": 1, "frames": 4, "pairs_per_epoch": 4, "val_pairs": 2}
    made = [f"--data.{name}={value}" for name, value in {**data, "backgrounds": "noise", "batch_size": 2}.items()]
    given = ["--data", "SyntheticTrackingDataModule", *made, "--model.model", "ien_siamfc", "--model.width", "2"]
    given += ["--model.equivariance", "0.1", "--trainer.accelerator", "cpu", "--run_dir", str(run)]
    assert main(["fit", *given, "--trainer.max_epochs", "1"]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert "2 train, 1 val sequences, 4 pairs an epoch" in shown.out
    assert f"equivision track --run_dir {run} --sequences FOLDER" in shown.out
    assert main(["fit", "--run_dir", str(run), "--resume", "--trainer.max_epochs", "2"]) == 0
    with (run / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert all(float(row["val/loss"]) > 0 and float(row["train/equivariance"]) > 0 for row in rows)
    assert main(["validate", "--run_dir", str(run)]) == 0
    assert "loss" in capsys.readouterr().out
    assert main(["test", "--run_dir", str(run)]) == 2
    assert "a tracker is tested on sequences: equivision track --run_dir" in capsys.readouterr().err
    for command in (["audit", "--group", "C4"], ["export", "--output", str(tmp_path / "net.onnx")]):
        assert main([*command, "--run_dir", str(run)]) == 2
        assert "SyntheticTrackingDataModule has no test images: audit and export are for" in capsys.readouterr().err
    output = tmp_path / "tracks"
    assert main(["track", "--run_dir", str(run), "--sequences", str(videos / "Stand"), "--output", str(output)]) == 0
    assert (output / "Stand.csv").is_file()
    assert torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)["epoch"] in (0, 1)
