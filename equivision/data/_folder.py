"""Folders of pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from equivision.data._images import ImageData
from equivision.data._pictures import PictureStack
from equivision.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")


def list_pictures(folder: str | Path) -> list[Path]:
    """The picture files in a folder and below, sorted.

    Raises:
        DataError: the folder is missing, or holds none.
    """
    folder = Path(folder)
    check_folder(folder)
    pictures = pictures_in(folder)
    if not pictures:
        raise DataError(f"{folder} holds no pictures ({', '.join(SUFFIXES)}): check the path")
    return pictures


def pictures_in(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file() and not _is_hidden(path.relative_to(folder))
    )


def _is_hidden(path: Path) -> bool:
    """Whether a file or one of its folders is hidden, as ``.ipynb_checkpoints`` is, which holds copies."""
    return any(part.startswith(".") for part in path.parts)


def check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder: check the path")


def read_image_folder(
    root: str | Path,
    *,
    class_names: Sequence[str] | None = None,
    image_size: int | None = None,
    channels: Literal[1, 3] | None = None,
    skip_bad: bool = False,
) -> ImageData:
    """Pictures in one folder a class: ``root/<class>/*.png`` (also jpg, bmp, gif, tif, webp, ppm, pgm), in sorted
    order.

    Args:
        root: folder whose subfolders are the classes.
        class_names: the classes in the order of their numbers; by default the names of the subfolders, sorted.
        image_size: side of the square that every picture is scaled and cropped to; None: they all have one size.
        channels: 1 or 3; None: 1 if all pictures are grey, else 3.
        skip_bad: leave out pictures that cannot be read, list them in ``skipped``, and warn once.

    Raises:
        DataError: a folder is missing or empty, a picture cannot be read, or the sizes differ.
    """
    root = Path(root)
    check_folder(root)
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not folders:
        raise DataError(
            f"{root} has no subfolders: labelled pictures are read from one folder a class, {root}/<class>/*.png"
        )
    names = tuple(path.name for path in folders) if class_names is None else tuple(class_names)
    stack = PictureStack(str(root), image_size=image_size, channels=channels, skip_bad=skip_bad)
    for folder in folders:
        if folder.name not in names:
            raise DataError(
                f"{folder} is not one of the classes {', '.join(names)}: rename or remove it, or give the class to the "
                "training pictures too"
            )
        pictures = pictures_in(folder)
        if not pictures:
            raise DataError(f"{folder} holds no pictures ({', '.join(SUFFIXES)}): add some, or remove the folder")
        for path in pictures:
            stack.add(path, str(path.relative_to(root)), names.index(folder.name))
    return stack.finish(names)


def read_pictures(
    folder: str | Path,
    *,
    image_size: int | None = None,
    crop: bool = True,
    channels: Literal[1, 3] | None = None,
    skip_bad: bool = False,
) -> ImageData:
    """All pictures in a folder and below, without labels, in sorted order; ``names`` are their paths below the folder.

    Args:
        folder: where the pictures are.
        image_size: side of the square that every picture is scaled and cropped to; None: they all have one size.
        crop: False: the whole picture is stretched to the square instead.
        channels: 1 or 3; None: 1 if all pictures are grey, else 3.
        skip_bad: leave out pictures that cannot be read, list them in ``skipped``, and warn once.

    Raises:
        DataError: the folder is missing or empty, a picture cannot be read, or the sizes differ.
    """
    folder = Path(folder)
    pictures = list_pictures(folder)
    stack = PictureStack(str(folder), image_size=image_size, crop=crop, channels=channels, skip_bad=skip_bad)
    for path in pictures:
        stack.add(path, str(path.relative_to(folder)))
    return stack.finish(())
