"""Tracking sequences on disk, in the layouts of OTB and of GOT-10k."""

import itertools
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from equivision.data._folder import SUFFIXES
from equivision.data._pictures import read_picture
from equivision.data._root import data_folder
from equivision.data._sequences import TrackingSequence, check_boxes
from equivision.errors import ConfigError, DataError

# The first and the last annotated picture where OTB annotates a part of the pictures: configSeqs.m of its benchmark.
_OTB_SPANS = {
    "David": (300, 770),
    "Football1": (1, 74),
    "Freeman3": (1, 460),
    "Freeman4": (1, 283),
    "Diving": (1, 215),
    "BlurCar1": (247, 988),
    "BlurCar3": (3, 359),
    "BlurCar4": (18, 397),
}
_OTB_TRUTH, _GOT10K_TRUTH = "groundtruth_rect.txt", "groundtruth.txt"


@dataclass(frozen=True)
class _Files:
    """Reads frames from picture files."""

    paths: tuple[Path, ...]

    def __call__(self, index: int) -> UInt8[Tensor, "3 height width"]:
        return read_picture(self.paths[index])


def read_otb(folder: str | Path, *, target: int | None = None, span: tuple[int, int] | None = None) -> TrackingSequence:
    """A sequence of OTB: pictures ``img/0001.jpg``, ..., boxes in ``groundtruth_rect.txt``, one line a picture.

    A line holds left edge, upper edge, width, height, with commas, tabs or spaces between them. The files count pixels
    from 1, :class:`TrackingSequence` measures from the left upper corner: 1 is subtracted from both edges.

    Args:
        folder: of the sequence; the name of the folder becomes its name.
        target: in sequences with several targets (Jogging, Skating2, Human4), which of the files
            ``groundtruth_rect.1.txt``, ... to read.
        span: the numbers of the first and of the last annotated picture, where boxes are there for a part of the
            pictures only. Known for David, Football1, Freeman3, Freeman4, Diving and BlurCar1, 3 and 4 of OTB.

    Raises:
        DataError: pictures or boxes are missing, a line cannot be read, there are not as many boxes as pictures, or a
            box is without area. Pictures are read later: see :meth:`TrackingSequence.frame`.

    From Wu, Lim and Yang, Object tracking benchmark, 2015.
    """
    folder = data_folder(folder)
    name = folder.resolve().name
    file = folder / (_OTB_TRUTH if target is None else f"groundtruth_rect.{target}.txt")
    if not file.is_file():
        raise DataError(_no_truth(file, target))
    boxes, lines = _read_boxes(file)
    paths = _numbered(folder / "img")
    if span is None and len(paths) != len(boxes):
        span = _OTB_SPANS.get(name)
    if span is not None:
        paths = [path for path in paths if span[0] <= int(path.stem) <= span[1]]
    _check_count(
        file,
        boxes,
        paths,
        "in Python, give read_otb span=(first, last), the numbers of the first and the last annotated picture",
    )
    check_boxes(boxes, str(file), lines=lines)
    boxes[:, :2] -= 1
    return TrackingSequence(name if target is None else f"{name}-{target}", boxes, _Files(tuple(paths)))


def read_got10k(folder: str | Path) -> TrackingSequence:
    """A sequence of GOT-10k: pictures ``00000001.jpg``, ..., and boxes in ``groundtruth.txt``, one line a picture.

    A line holds left edge, upper edge, width, height. As in OTB, 1 is subtracted from both edges (so do the trackers
    that are scored with the tools of GOT-10k). ``absence.label``, where it is there, holds one number a picture, 1
    where the target cannot be seen: ``visible`` is false there.

    Args:
        folder: of the sequence; the name of the folder becomes its name.

    Raises:
        DataError: pictures or boxes are missing, a line cannot be read, there are not as many boxes as pictures, or the
            box of a visible target is without area.

    From Huang, Zhao and Huang, GOT-10k: a large high-diversity benchmark for generic object tracking in the wild, 2019.
    """
    folder = data_folder(folder)
    file = folder / _GOT10K_TRUTH
    if not file.is_file():
        raise DataError(_no_truth(file, None))
    boxes, lines = _read_boxes(file)
    paths = _numbered(folder)
    _check_count(
        file, boxes, paths, "the sequences of GOT-10k's test part come with one box: use those of train or val"
    )
    visible = _read_absence(folder / "absence.label", len(boxes))
    check_boxes(boxes, str(file), visible, lines)
    boxes[:, :2] -= 1
    return TrackingSequence(folder.resolve().name, boxes, _Files(tuple(paths)), visible)


def find_sequences(
    root: str | Path | None = None, layout: Literal["auto", "otb", "got10k"] = "auto"
) -> list[TrackingSequence]:
    """All sequences in a folder and below, sorted by path; one for each target where there are several.

    Links to folders are followed, and a folder is read once, whatever leads to it.

    Args:
        root: a folder of sequences, or that of one sequence; a relative one is also looked for below the environment
            variable EQUIVISION_DATA, by default its folder ``tracking``.
        layout: of the sequences; ``"auto"``: OTB where there is a ``groundtruth_rect.txt``, GOT-10k where there is a
            ``groundtruth.txt``. A folder with ``img`` and no boxes is an error, not left out.

    Raises:
        ConfigError: the layout is not known.
        DataError: there is no sequence, or one of them cannot be read.
    """
    if layout not in ("auto", "otb", "got10k"):
        raise ConfigError(f"layout={layout!r} is not known: choose 'auto', 'otb' or 'got10k'")
    top = data_folder(root, "tracking")
    found: list[TrackingSequence] = []
    seen: set[Path] = set()
    for place, folders, files in os.walk(top, followlinks=True):
        folders.sort()
        here = Path(place)
        if here.resolve() in seen:  # a link to a folder that was read, or to one above itself
            folders.clear()
            continue
        seen.add(here.resolve())
        if layout != "got10k" and ("img" in folders or any(name.startswith("groundtruth_rect") for name in files)):
            found += [read_otb(here, target=target) for target in _targets(here)]
            folders.clear()
        elif layout != "otb" and _GOT10K_TRUTH in files:
            found.append(read_got10k(here))
            folders.clear()
    if not found:
        raise DataError(
            f"{top} holds no tracking sequences (layout={layout!r}): OTB has <name>/img/*.jpg and <name>/{_OTB_TRUTH}, "
            f"GOT-10k <name>/*.jpg with <name>/{_GOT10K_TRUTH}; check the path"
        )
    return found


def _targets(folder: Path) -> list[int | None]:
    """None where there is one target, else the numbers of the files that hold boxes."""
    if (folder / _OTB_TRUTH).is_file():
        return [None]
    matches = [re.fullmatch(r"groundtruth_rect\.(\d+)\.txt", path.name) for path in folder.iterdir()]
    numbers = sorted(int(match[1]) for match in matches if match and (folder / match[0]).stat().st_size)
    return [*numbers] or [None]


def _no_truth(file: Path, target: int | None) -> str:
    others = sorted(path.name for path in file.parent.glob("groundtruth*.txt"))
    cure = f"found instead: {', '.join(others)}" if others else "one line a picture, with x,y,width,height, is needed"
    if others and target is None and others[0].startswith("groundtruth_rect."):
        cure += "; choose one with target="
    return f"{file} is not there: the boxes of the target are missing; {cure}"


def _numbered(folder: Path) -> list[Path]:
    """The pictures of a folder, in the order of their numbers."""
    paths = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES] if folder.is_dir() else []
    if not paths:
        raise DataError(f"{folder} holds no pictures (0001.jpg, ...): check the folder, or unpack the sequence again")
    odd = [path.name for path in paths if not path.stem.isdecimal()]
    if odd:
        raise DataError(f"{folder}/{odd[0]}: the frames of a sequence have numbers as names; remove it, or rename it")
    return sorted(paths, key=lambda path: int(path.stem))


def _rows(file: Path) -> list[tuple[int, str]]:
    """The lines of a text file that are not empty, with their numbers from 1."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read as text ({error}): fetch it again") from error
    return [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]


def _read_boxes(file: Path) -> tuple[Tensor, list[int]]:
    """The boxes as they are written, and the number of the line of each."""
    boxes, lines = [], []
    for number, line in _rows(file):
        entries = re.split(r"\s*[,;]\s*|\s+", line.strip())
        if len(entries) != 4:
            raise DataError(
                f"{file}, line {number}: {line.strip()!r} has {len(entries)} columns; four are needed: x, y, width, "
                "height, with commas, tabs or spaces between them"
            )
        try:
            boxes.append([float(entry) for entry in entries])
        except ValueError as error:
            raise DataError(
                f"{file}, line {number}: {line.strip()!r} is not four numbers ({error}): correct the line"
            ) from error
        lines.append(number)
    if not boxes:
        raise DataError(f"{file} is empty: one line a picture, with x,y,width,height, is needed; fetch it again")
    return torch.tensor(boxes, dtype=torch.float64), lines


def _read_absence(file: Path, count: int) -> Bool[Tensor, " frame"] | None:
    if not file.is_file():
        return None
    rows = _rows(file)
    wrong = [(number, line) for number, line in rows if line.strip() not in ("0", "1")]
    if wrong:
        raise DataError(f"{file}, line {wrong[0][0]}: {wrong[0][1].strip()!r} is neither 0 nor 1 (1: not to be seen)")
    if len(rows) != count:
        raise DataError(f"{file} has {len(rows)} lines for {count} boxes: one a picture is needed; fetch it again")
    return torch.tensor([line.strip() == "0" for _, line in rows])


def _check_count(file: Path, boxes: Tensor, paths: Sequence[Path], cure: str) -> None:
    if len(boxes) == len(paths):
        return
    numbers = [int(path.stem) for path in paths]
    gaps = [a + 1 for a, b in itertools.pairwise(numbers) if b != a + 1]
    hint = f" (picture {gaps[0]} is missing)" if gaps else ""
    raise DataError(
        f"{file} has {len(boxes)} boxes for {len(paths)} pictures{hint}: one a picture is needed. Unpack the sequence "
        f"again; or {cure}"
    )
