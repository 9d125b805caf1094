"""The IDX files of MNIST and of the data sets in its format."""

import gzip
import math
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from equivision.data._images import ImageData, image_data, pool
from equivision.data._root import data_folder
from equivision.errors import ConfigError, DataError

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_FILES = {"train": "train", "test": "t10k"}
_DIGITS = tuple("0123456789")


def read_idx(path: str | Path) -> np.ndarray:
    """Read one IDX file, compressed with gzip or not (the content decides, not the name).

    Layout: two zero bytes, a type code, the number of axes, the length of each axis (4 bytes, big-endian), the values
    (http://yann.lecun.com/exdb/mnist).

    Raises:
        DataError: the file is missing, damaged, cut short, or not an IDX file.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except FileNotFoundError:
        raise DataError(f"there is no file {path}: check the folder, or fetch the file") from None
    except (EOFError, zlib.error, OSError) as error:
        raise DataError(
            f"{path} cannot be read or unpacked ({error}): it is damaged or cut short; fetch it again"
        ) from error
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _TYPES or content[3] == 0:
        raise DataError(
            f"{path} starts with the bytes {content[:4].hex(' ') or 'of an empty file'}, which is no IDX magic "
            "number (as 00 00 08 03 for images): this is another kind of file, perhaps a saved error page; fetch it "
            "again"
        )
    kind, axes = np.dtype(_TYPES[content[2]]), content[3]
    header = 4 + 4 * axes
    shape = [int.from_bytes(content[4 + 4 * i : 8 + 4 * i], "big") for i in range(axes)]
    expected = header + kind.itemsize * math.prod(shape)
    if len(content) != expected:
        raise DataError(
            f"{path} holds {len(content)} bytes (unpacked), but its header of shape {shape} calls for {expected}: "
            "it is cut short or damaged; fetch it again"
        )
    return np.frombuffer(content, kind, offset=header).reshape(shape).astype(kind.newbyteorder("="))


def _find(folder: Path, stem: str, suffix: str) -> Path:
    names = [f"{stem}-{suffix}", f"{stem}-{suffix}.gz", f"{stem}.{suffix}", f"{stem}.{suffix}.gz"]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise DataError(f"{folder} holds none of {', '.join(names)}: fetch the file, or point root= at the right folder")


def _read_part(folder: Path, part: str) -> ImageData:
    image_file = _find(folder, f"{_FILES[part]}-images", "idx3-ubyte")
    label_file = _find(folder, f"{_FILES[part]}-labels", "idx1-ubyte")
    images, labels = read_idx(image_file), read_idx(label_file)
    for path, array, axes in ((image_file, images, 3), (label_file, labels, 1)):
        if array.ndim != axes or array.dtype != np.uint8:
            raise DataError(
                f"{path} holds {array.dtype} of shape {array.shape}, but bytes with {axes} axes are needed: images and "
                "labels may have been exchanged; check the names, or fetch the file again"
            )
    return image_data(
        torch.from_numpy(images)[:, None],
        torch.from_numpy(labels).long(),
        _DIGITS,
        source=f"{image_file} with {label_file.name}",
    )


def read_mnist(
    root: str | Path | None = None, parts: Sequence[Literal["train", "test"]] = ("train", "test")
) -> ImageData:
    """MNIST's digits from the original IDX files: 28x28 bytes, one channel.

    Args:
        root: folder of the files; by default ``mnist`` below the environment variable EQUIVISION_DATA.
        parts: which files, one after another; by default all 70,000 digits, those of the train file first.

    Raises:
        ConfigError: parts is empty or names something else.
        DataError: a file is missing, damaged, or does not fit the others.
    """
    if not parts or not set(parts) <= set(_FILES):
        raise ConfigError(f"parts={tuple(parts)}: name 'train', 'test' or both")
    folder = data_folder(root, "mnist")
    first, *others = (_read_part(folder, part) for part in parts)
    for other in others:
        first = pool(first, other)
    return first
