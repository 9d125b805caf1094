"""Frames with boxes drawn: a sheet to look at, a video."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from equivision._colours import COLOURS
from equivision._files import replacing
from equivision._numbers import check_count
from equivision.data import TrackingSequence
from equivision.data._extras import require
from equivision.data._sequences import box_corners
from equivision.errors import ConfigError, ShapeError

Tracks = Mapping[str, Float[Tensor, "frame 4"] | Float[Tensor, "frame 4 2"]]

_ANIMATED = (".gif", ".webp")  # pillow writes these frame by frame


def contact_sheet(
    sequence: TrackingSequence,
    tracks: Tracks,
    path: str | Path | None = None,
    *,
    count: int = 12,
    width: int = 240,
) -> Any:
    """Some frames of a sequence, evenly spaced from the first to the last, with boxes drawn and a legend.

    Args:
        sequence: what the trackers saw.
        tracks: for each name, such as ``"truth"``, its boxes ``[frame, 4]`` or corners ``[frame, 4, 2]``.
        path: picture file to write, too.
        count: how many frames.
        width: of one frame on the sheet, in pixels.

    Returns:
        The sheet, a ``PIL.Image.Image``.

    Raises:
        ConfigError: count or width are not positive, or the ending of path is not known.
        ShapeError: a track does not have one box for each frame.
        MissingExtraError: pillow is not installed.

    >>> from equivision.data import synthetic_sequences
    >>> sequence = synthetic_sequences(1, backgrounds="noise", frames=8)[0]
    >>> contact_sheet(sequence, {"truth": sequence.boxes}, count=4).size
    (964, 201)
    """
    check_count("count", count)
    check_count("width", width)
    kind = None if path is None else _format(Path(path))
    corners = _corners(sequence, tracks)
    at = torch.linspace(0, len(sequence) - 1, min(count, len(sequence))).round().int().tolist()
    pictures = [_frame(sequence, corners, index, width) for index in at]
    columns = min(4, len(pictures))
    cell = (max(one.width for one in pictures) + 1, max(one.height for one in pictures) + 1)
    legend = _legend(tracks, columns * cell[0])
    rows = math.ceil(len(pictures) / columns)
    sheet = _pil("Image").new("RGB", (columns * cell[0], rows * cell[1] + legend.height), "black")
    sheet.paste(legend, (0, 0))
    for number, picture in enumerate(pictures):
        row, column = divmod(number, columns)
        sheet.paste(picture, (column * cell[0], legend.height + row * cell[1]))
    if path is not None:
        with replacing(path) as temporary:
            sheet.save(temporary, format=kind)
    return sheet


def write_video(
    sequence: TrackingSequence,
    tracks: Tracks,
    path: str | Path,
    *,
    width: int = 320,
    every: int = 1,
    frames_per_second: float = 25.0,
) -> None:
    """All frames, with boxes drawn and a legend, as an animated picture that browsers play.

    Frames of another shape than the first are cut off, or filled with black, at the bottom.

    Args:
        sequence: what the trackers saw.
        tracks: as in :func:`contact_sheet`.
        path: file to write: ``.webp`` is small, ``.gif`` has 256 colours.
        width: of the video, in pixels.
        every: take each so-many-th frame; the target moves as fast as before.
        frames_per_second: of the sequence; those that are shown are at least a millisecond apart.

    Raises:
        ConfigError: the ending of path is not known, or a number is not positive.
        ShapeError: a track does not have one box for each frame.
        MissingExtraError: pillow is not installed.
    """
    check_count("width", width)
    check_count("every", every)
    if not 0 < frames_per_second < math.inf:
        raise ConfigError(f"frames_per_second={frames_per_second}: give a positive number, such as 25")
    if Path(path).suffix.lower() not in _ANIMATED:
        raise ConfigError(f"path={str(path)!r}: an animated picture ends in {', '.join(_ANIMATED)}")
    corners = _corners(sequence, tracks)
    legend = _legend(tracks, width)
    frames = (_frame(sequence, corners, index, width) for index in range(0, len(sequence), every))
    first = next(frames)

    def under_legend(picture: Any) -> Any:
        whole = _pil("Image").new("RGB", (width, first.height + legend.height))
        whole.paste(legend, (0, 0))
        whole.paste(picture, (0, legend.height))
        return whole

    with replacing(path) as temporary:
        under_legend(first).save(
            temporary,
            format=_format(Path(path)),
            save_all=True,
            append_images=map(under_legend, frames),
            duration=max(round(1000 * every / frames_per_second), 1),
            loop=0,
        )


def _pil(name: str) -> Any:
    return require(f"PIL.{name}", "pillow", "drawing boxes on frames")


def _format(path: Path) -> str:
    """The name of a format that pillow can write pictures in three colours in, wherever it is installed."""
    pil = _pil("Image")
    kind = pil.registered_extensions().get(path.suffix.lower())
    if kind not in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "PDF"):
        raise ConfigError(f"path={str(path)!r}: no pictures are written with this ending; use .png or .jpg")
    return kind


def _corners(sequence: TrackingSequence, tracks: Tracks) -> list[Float[Tensor, "frame 4 2"]]:
    """The corners of the boxes of every track."""
    for name, track in tracks.items():
        if tuple(track.shape) not in ((len(sequence), 4), (len(sequence), 4, 2)):
            raise ShapeError(
                f"tracks[{name!r}] has shape {tuple(track.shape)}: {sequence!r} needs boxes of shape "
                f"[{len(sequence)}, 4], or corners of shape [{len(sequence)}, 4, 2]"
            )
    return [track if track.ndim == 3 else box_corners(track.double()) for track in tracks.values()]


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _frame(sequence: TrackingSequence, corners: Sequence[Tensor], index: int, width: int) -> Any:
    """One frame, scaled, with the boxes and its number."""
    image = sequence.frame(index)
    scale = width / image.shape[2]
    picture = _pil("Image").fromarray(image.permute(1, 2, 0).numpy())
    picture = picture.resize((width, max(1, round(image.shape[1] * scale))))
    pen = _pil("ImageDraw").Draw(picture)
    for number, track in enumerate(corners):
        points = track[index] * scale
        if bool(points.isfinite().all()):
            pen.line([tuple(point) for point in points[[0, 1, 2, 3, 0]].tolist()], fill=_colour(number), width=2)
    text, font = str(index), _font()
    pen.rectangle((0, 0, pen.textlength(text, font) + 4, 15), fill="black")
    pen.text((2, 1), text, fill="white", font=font)
    return picture


def _font() -> Any:
    return _pil("ImageFont").load_default(12)


def _legend(tracks: Tracks, width: int) -> Any:
    """The names beside their colours, in as many lines as they need."""
    picture, font = _pil("Image").new("RGB", (width, 20 * max(1, len(tracks)))), _font()
    pen = _pil("ImageDraw").Draw(picture)
    x, y = 4, 0
    for number, name in enumerate(tracks):
        need = 18 + int(pen.textlength(name, font))
        if x > 4 and x + need > width:
            x, y = 4, y + 20
        pen.rectangle((x, y + 5, x + 9, y + 14), fill=_colour(number))
        pen.text((x + 14, y + 3), name, fill="white", font=font)
        x += need + 10
    return picture.crop((0, 0, width, y + 20))
