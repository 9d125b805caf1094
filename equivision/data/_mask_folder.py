"""Folders of pictures with masks."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from equivision.data._folder import SUFFIXES, check_folder, pictures_in
from equivision.data._images import ImageData
from equivision.data._masks import MaskClasses
from equivision.data._pictures import PictureStack
from equivision.errors import DataError

PH2_CLASSES = MaskClasses(("background", "lesion"))


def read_mask_folder(
    root: str | Path,
    *,
    masks: MaskClasses | None = None,
    mask_suffix: str = "_mask",
    image_size: int | None = None,
    crop: bool = True,
    channels: Literal[1, 3] | None = None,
    skip_bad: bool = False,
) -> ImageData:
    """Pictures and masks of the same names: ``root/images/a.jpg`` and ``root/masks/a.png``, in sorted order.

    The mask may also be ``root/masks/a_mask.png``. Without a folder ``images``, pictures and masks lie together,
    ``root/a.jpg`` and ``root/a_mask.png``. Folders below these are read too, and must be the same for both.

    Args:
        root: the folder.
        masks: what the values in the masks mean; None: they are class numbers, or 0 and 255.
        mask_suffix: what the name of a mask has at its end.
        image_size: side of the square that every picture is scaled and cropped to; None: they all have one size.
        crop: False: the whole picture is stretched to the square instead.
        channels: 1 or 3; None: 1 if all pictures are grey, else 3.
        skip_bad: leave out pairs that cannot be read or are not complete, list them in ``skipped``, and warn once.

    Raises:
        DataError: there are no pairs, a picture has no mask or several, a mask has no picture, one of them cannot be
            read, the sizes differ, or a mask holds a value that means nothing.
    """
    root = Path(root)
    check_folder(root)
    together = not (root / "images").is_dir()
    if together:
        found = pictures_in(root)
        images = _by_stem((path for path in found if not path.stem.endswith(mask_suffix)), root)
        found_masks = _by_stem((path for path in found if path.stem.endswith(mask_suffix)), root)
    else:
        check_folder(root / "masks")
        images = _by_stem(pictures_in(root / "images"), root / "images")
        found_masks = _by_stem(pictures_in(root / "masks"), root / "masks")
    pairs = {name: found_masks.get(f"{name}{mask_suffix}", found_masks.get(name)) for name in images}
    if not any(pairs.values()):
        raise DataError(
            f"{root} holds no pairs of a picture and its mask ({len(images)} pictures, {len(found_masks)} masks): they "
            f"are read from {root}/images/a.jpg and {root}/masks/a.png, or from {root}/a.jpg and "
            f"{root}/a{mask_suffix}.png ({', '.join(SUFFIXES)})"
        )
    stack = PictureStack(
        str(root), image_size=image_size, crop=crop, channels=channels, skip_bad=skip_bad, masks=masks or MaskClasses()
    )
    for name, image in images.items():
        mask = pairs[name]
        wanted = f"{'' if together else 'masks/'}{name}{mask_suffix if together else ''}.*"
        stack.add(
            image,
            _below(image, root),
            mask=mask,
            mask_name=f"the mask {wanted if mask is None else _below(mask, root)}",
        )
    for mask in sorted(set(found_masks.values()) - {*pairs.values()}):
        stack.leave_out(_below(mask, root), "there is no picture for this mask")
    return stack.finish()


def _by_stem(paths: Iterable[Path], folder: Path) -> dict[str, Path]:
    """The files by their names below the folder, without the ending."""
    named: dict[str, Path] = {}
    for path in paths:
        name = _below(path.with_suffix(""), folder)
        if name in named:
            raise DataError(
                f"{named[name]} and {path} have the same name: which of them it is cannot be told; remove one"
            )
        named[name] = path
    return named


def _below(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def read_ph2(
    root: str | Path,
    *,
    image_size: int = 256,
    crop: bool = False,
    channels: Literal[1, 3] | None = 3,
    skip_bad: bool = False,
    masks: MaskClasses = PH2_CLASSES,
) -> ImageData:
    """PH2: 200 dermoscopic pictures with masks of the lesion, in the layout they are given out in.

    ``PH2 Dataset images/IMD002/IMD002_Dermoscopic_Image/IMD002.bmp`` and ``.../IMD002_lesion/IMD002_lesion.bmp``, in
    sorted order.

    Args:
        root: the folder ``PH2 Dataset images``, or the one that holds it.
        image_size: side of the square that pictures are scaled to; they have several sizes.
        crop: True: the central square is cut out; False: the whole picture is stretched to the square.
        channels: 1 or 3.
        skip_bad: leave out pairs that cannot be read, list them in ``skipped``, and warn once.
        masks: what the values in the masks mean.

    Raises:
        DataError: there are no such folders, a picture or its mask is missing or cannot be read, or their sizes differ.

    From Mendonca et al., PH2 - a dermoscopic image database for research and benchmarking, 2013.
    """
    root = Path(root)
    check_folder(root)
    inner = root / "PH2 Dataset images"
    cases = sorted(path for path in (inner if inner.is_dir() else root).glob("IMD*") if path.is_dir())
    if not cases:
        raise DataError(
            f"{root} holds no folders IMD002, IMD003, ...: name the folder 'PH2 Dataset images' of PH2, or the "
            "one that holds it"
        )
    stack = PictureStack(str(root), image_size=image_size, crop=crop, channels=channels, skip_bad=skip_bad, masks=masks)
    for case in cases:
        name = case.name
        image = _only(case / f"{name}_Dermoscopic_Image", name)
        mask = _only(case / f"{name}_lesion", f"{name}_lesion")
        stack.add(image, name, mask=mask, mask_name=f"the mask {name}_lesion")
    return stack.finish()


def _only(folder: Path, stem: str) -> Path | None:
    """The picture of this name in the folder, if there is one."""
    return next((path for path in sorted(folder.glob(f"{stem}.*")) if path.suffix.lower() in SUFFIXES), None)
