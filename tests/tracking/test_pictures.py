"""Sheets and videos show the boxes where they are."""

import dataclasses
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from equivision.data import TrackingSequence
from equivision.errors import ConfigError, MissingExtraError, ShapeError
from equivision.tracking import contact_sheet, write_video

YELLOW, BLUE = (0xF0, 0xE4, 0x42), (0x56, 0xB4, 0xE9)


def dark(frames: int = 10) -> TrackingSequence:
    boxes = torch.tensor([[30.0, 25.0, 20.0, 10.0]]).expand(frames, 4) + torch.arange(frames)[:, None] * torch.tensor(
        [2.0, 0.0, 0.0, 0.0]
    )
    return TrackingSequence.from_tensors("dark", torch.zeros(frames, 3, 60, 100, dtype=torch.uint8), boxes)


def drawn(picture: Image.Image, colour: tuple[int, int, int]) -> list[int]:
    """Bounds (left, top, right, bottom) of the pixels of a colour."""
    y, x = np.nonzero((np.asarray(picture.convert("RGB")) == colour).all(2))
    return [x.min(), y.min(), x.max() + 1, y.max() + 1]


def test_a_sheet_shows_evenly_spaced_frames_and_their_boxes(tmp_path: Path) -> None:
    sequence = dark()
    tracks = {"truth": sequence.boxes, "tracker": sequence.boxes - 4}
    sheet = contact_sheet(sequence, tracks, tmp_path / "sheet.png", count=4, width=100)
    assert sheet.size == (4 * 101, 20 + 61)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "sheet.png")), np.asarray(sheet))
    for column, index in enumerate((0, 3, 6, 9)):
        cell = sheet.crop((101 * column, 20, 101 * column + 100, 80))
        for colour, name in ((YELLOW, "truth"), (BLUE, "tracker")):
            x, y, width, height = tracks[name][index].tolist()
            assert np.abs(np.array(drawn(cell, colour)) - [x, y, x + width, y + height]).max() <= 2
    assert drawn(sheet.crop((0, 0, 404, 20)), YELLOW)[0] < drawn(sheet.crop((0, 0, 404, 20)), BLUE)[0]


def test_boxes_are_scaled_with_the_frames_and_corners_are_drawn() -> None:
    sequence = dark(3)
    diamond = torch.tensor([[50.0, 10.0], [70.0, 30.0], [50.0, 50.0], [30.0, 30.0]]).expand(3, 4, 2)
    sheet = contact_sheet(sequence, {"pose": diamond}, count=20, width=200)
    assert sheet.size == (3 * 201, 20 + 121)
    assert np.abs(np.array(drawn(sheet.crop((201, 20, 401, 140)), YELLOW)) - [60, 20, 140, 100]).max() <= 2


def test_boxes_that_are_lost_are_left_out() -> None:
    sequence = dark(1)
    sheet = contact_sheet(sequence, {"lost": torch.full((1, 4), torch.nan)}, width=100)
    assert not (np.asarray(sheet.crop((0, 20, 100, 80))) == YELLOW).all(2).any()


def test_a_legend_breaks_into_lines() -> None:
    tracks = {f"a tracker with a long name {i}": dark(1).boxes for i in range(3)}
    assert contact_sheet(dark(1), tracks, width=200).size == (201, 3 * 20 + 121)
    assert contact_sheet(dark(1), {}, width=200).size == (201, 20 + 121)


@pytest.mark.parametrize("ending", [".gif", ".webp"])
def test_videos(tmp_path: Path, ending: str) -> None:
    sequence = dark(7)
    path = tmp_path / f"video{ending}"
    write_video(sequence, {"truth": sequence.boxes}, path, width=100, every=2)
    with Image.open(path) as video:
        assert video.n_frames == 4  # pyright: ignore[reportAttributeAccessIssue]
        assert video.size == (100, 80)
        video.seek(3)
        video.load()
        assert video.info["duration"] == pytest.approx(80)
        last = np.asarray(video.convert("RGB")).astype(int)[20:]
    near = np.nonzero((np.abs(last - YELLOW) < 40).all(2))
    assert abs(near[1].min() - 42) <= 2
    assert abs(near[1].max() - 62) <= 2
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("ending", [".gif", ".webp"])
def test_videos_of_frames_of_several_shapes(tmp_path: Path, ending: str) -> None:
    sequence = dark(4)
    odd = dataclasses.replace(sequence, read=lambda i: sequence.frame(i)[:, : 40 if i == 2 else None])
    write_video(odd, {"truth": odd.boxes}, tmp_path / f"video{ending}", width=100, frames_per_second=3000.0)
    with Image.open(tmp_path / f"video{ending}") as video:
        assert video.n_frames == 4  # pyright: ignore[reportAttributeAccessIssue]


def test_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sequence = dark(3)
    good = {"truth": sequence.boxes}
    with pytest.raises(ConfigError, match="count=0: give a whole number of at least 1"):
        contact_sheet(sequence, good, count=0)
    for track in (sequence.boxes[:2], sequence.boxes[:, :3]):
        with pytest.raises(ShapeError, match=r"tracks\['mine'\] has shape"):
            unchecked(sequence, {"mine": track})
    for ending in ("avi", "psd", "h5", "wmf"):  # some are known to pillow, which cannot write them
        with pytest.raises(ConfigError, match=r"no pictures are written with this ending; use .png or .jpg"):
            contact_sheet(sequence, good, tmp_path / f"sheet.{ending}")
    with pytest.raises(ConfigError, match=r"an animated picture ends in .gif, .webp"):
        write_video(sequence, good, tmp_path / "video.avi")
    with pytest.raises(ConfigError, match="every=0: give a whole number of at least 1"):
        write_video(sequence, good, tmp_path / "video.gif", every=0)
    for rate in (0.0, math.inf, math.nan):
        with pytest.raises(ConfigError, match=rf"frames_per_second={rate}: give a positive number"):
            write_video(sequence, good, tmp_path / "video.gif", frames_per_second=rate)
    with pytest.raises(ConfigError, match="width=0: give a whole number of at least 1"):
        contact_sheet(sequence, good, width=0)
    with pytest.raises(ConfigError, match="width=0: give a whole number of at least 1"):
        write_video(sequence, good, tmp_path / "video.gif", width=0)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(MissingExtraError, match="drawing boxes on frames needs the package 'pillow'"):
        contact_sheet(sequence, good)
    assert not list(tmp_path.iterdir())


def unchecked(sequence: TrackingSequence, tracks: dict[str, torch.Tensor]) -> None:
    import jaxtyping

    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        contact_sheet(sequence, tracks)
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
