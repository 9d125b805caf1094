"""The binary files of STL-10."""

from pathlib import Path

import numpy as np
import torch

from equivision.data._images import ImageData, image_data
from equivision.data._root import data_folder
from equivision.errors import ConfigError, DataError

_SHAPE = (3, 96, 96)
_PARTS = ("train", "test", "unlabeled")
_NAMES = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")


def read_stl10(root: str | Path | None = None, part: str = "train") -> ImageData:
    """Read the pictures of STL-10 from the files of its release: ``train_X.bin``, ``train_y.bin`` and their like.

    A picture is 3 x 96 x 96 bytes, a channel after the other, each *column after column*; a label is one byte, counted
    from 1 (https://cs.stanford.edu/~acoates/stl10). Here labels are counted from 0.

    Args:
        root: folder of the files; by default ``stl10_binary`` below the environment variable EQUIVISION_DATA.
        part: ``"train"``, ``"test"``, or ``"unlabeled"``, which has no labels.

    Raises:
        ConfigError: another part is asked for.
        DataError: a file is missing or cut short, or pictures and labels do not belong together.
    """
    if part not in _PARTS:
        raise ConfigError(f"part={part!r} is not known: choose one of {', '.join(_PARTS)}")
    folder = data_folder(root, "stl10_binary")
    path = folder / f"{part}_X.bin"
    content = _read(path)
    if not len(content) or len(content) % int(np.prod(_SHAPE)):
        raise DataError(
            f"{path} holds {len(content)} bytes, which is no multiple of {int(np.prod(_SHAPE))}, the 3 x 96 x 96 bytes "
            "of a picture: it is cut short, or another kind of file; fetch it again"
        )
    images = torch.from_numpy(content.reshape(-1, *_SHAPE).swapaxes(-1, -2).copy())
    labels = None
    if part != "unlabeled":
        labels = torch.from_numpy(_read(folder / f"{part}_y.bin").astype(np.int64)) - 1
    return image_data(images, labels, _NAMES, source=str(path))


def _read(path: Path) -> np.ndarray:
    try:
        return np.fromfile(path, np.uint8)
    except FileNotFoundError:
        raise DataError(
            f"there is no file {path}: fetch it, or point root= at the folder of the binary files"
        ) from None
