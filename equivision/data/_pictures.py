"""Decoding pictures and stacking them."""

import io
import re
import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from equivision.data._extras import require
from equivision.data._images import ImageData, Skipped, image_data
from equivision.data._masks import BadMask, MaskClasses, MaskReader, mask_values, scale_mask
from equivision.errors import ConfigError, DataError

# What pillow raises for damaged files, besides its own errors, which are OSErrors.
_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, struct.error, zlib.error)
_GREY = ("1", "L", "LA")
_DEEP = ("I", "I;16", "I;16B", "I;16L")
#: Formats whose files may hold several pictures; in those of cameras further ones are previews.
_PAGED = ("TIFF", "GIF", "WEBP", "PNG")
#: Largest value of 16-bit pictures that use at most a quarter of what is there.
_DARK = 2**14 - 1


class _Unreadable(Exception):  # noqa: N818
    """A picture that cannot be read, with the reason."""


@contextmanager
def _any_number_of_pixels(image_module: Any) -> Iterator[None]:
    """Let pillow read what it would take for an attack by its size, as slides of whole tissues are."""
    limit = image_module.MAX_IMAGE_PIXELS
    image_module.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        image_module.MAX_IMAGE_PIXELS = limit


def _open(content: bytes | Path, *, large: bool = False) -> Any:
    """Decode a picture completely; the orientation in its EXIF data is applied."""
    image_module = require("PIL.Image", "pillow", "reading pictures")
    operations = require("PIL.ImageOps", "pillow", "reading pictures")
    try:
        with _any_number_of_pixels(image_module) if large else nullcontext():
            picture = image_module.open(io.BytesIO(content if isinstance(content, bytes) else content.read_bytes()))
            _check_pages(picture)
            picture.load()
            return operations.exif_transpose(picture)
    except (*_UNREADABLE, image_module.DecompressionBombError) as error:
        reason = re.sub(r" <_io\..*?>", "", str(error))  # pillow names the buffer that the bytes were read into
        raise _Unreadable(reason or type(error).__name__) from error


def _check_pages(picture: Any) -> None:
    """Refuse stacks and animations, of which the first page would be all that is seen."""
    pages = getattr(picture, "n_frames", 1) if picture.format in _PAGED else 1
    if pages > 1:
        raise _Unreadable(f"it holds {pages} pictures, a stack or an animation: save each in a file of its own")


def _grey_or_rgb(picture: Any, channels: int | None) -> Any:
    """The picture in mode L or RGB; 16-bit grey values are divided by 257."""
    if picture.mode in _DEEP:
        values = np.asarray(picture)
        if values.min() < 0 or values.max() > 65535:
            raise _Unreadable("grey values beyond 16 bits")
        picture = require("PIL.Image", "pillow", "reading pictures").fromarray((values // 257).astype(np.uint8))
    elif picture.mode == "F":
        raise _Unreadable("floating-point grey values")
    if channels is None:
        return picture.convert("L" if picture.mode in _GREY else "RGB")
    return picture.convert("L" if channels == 1 else "RGB")


def read_picture(
    path: str | Path, *, channels: Literal[1, 3] = 3, large: bool = False
) -> UInt8[Tensor, "channels height width"]:
    """One picture as bytes, in its own size.

    Args:
        path: the file.
        channels: 1, grey, or 3, RGB.
        large: read it however many pixels it has. Otherwise one of more than 179 million is refused, since its file may
            have been made to fill the memory.

    Raises:
        DataError: it cannot be read, or holds several pictures.
    """
    try:
        picture = _grey_or_rgb(_open(Path(path), large=large), channels)
    except _Unreadable as error:
        raise DataError(f"{path} cannot be read ({error}): fetch it again, or remove it") from error
    values = torch.from_numpy(np.array(picture))
    return values[None] if channels == 1 else values.permute(2, 0, 1).contiguous()


def _fit(picture: Any, size: int | None, crop: bool) -> Any:
    """Scale the shorter side to ``size`` and cut out the central square: pixels stay square, angles stay angles.

    Without ``crop`` the whole picture is stretched.
    """
    if size is None or picture.size == (size, size):
        return picture
    bilinear = require("PIL.Image", "pillow", "reading pictures").Resampling.BILINEAR
    width, height = picture.size
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    box = (left, top, left + side, top + side) if crop else None
    return picture.resize((size, size), bilinear, box)


class PictureStack:
    """Collects decoded pictures, then stacks them to one :class:`ImageData`.

    Args:
        source: where the pictures come from, for messages.
        image_size: every picture is scaled (bilinear, antialiased; masks: :func:`scale_mask`) so that its shorter side
            has this length, then its central square is cut out; None: the pictures must all have one size.
        crop: whether to cut; False: the whole picture is stretched to the square.
        channels: 1 or 3; None: 1 if all pictures are grey, else 3.
        skip_bad: leave out pictures that cannot be read, list them in ``skipped``, and warn once.
        masks: every picture has a mask whose values mean this; None: masks, where there are any, are kept as they are.

    Raises:
        ConfigError: channels is neither 1, 3 nor None.
    """

    def __init__(
        self,
        source: str,
        *,
        image_size: int | None = None,
        crop: bool = True,
        channels: Literal[1, 3] | None = None,
        skip_bad: bool = False,
        masks: MaskClasses | None = None,
    ) -> None:
        if channels not in (1, 3, None):
            raise ConfigError(f"channels={channels!r}: choose 1 (grey), 3 (RGB), or None (what the pictures have)")
        if image_size is not None and image_size < 1:
            raise ConfigError(
                f"image_size={image_size}: give the side in pixels, or None to keep the pictures as they are"
            )
        self.source, self.image_size, self.channels, self.skip_bad = source, image_size, channels, skip_bad
        self.crop, self._reader = crop, None if masks is None else MaskReader(masks)
        self._images: list[np.ndarray] = []
        self._masks: list[np.ndarray] = []
        self._labels: list[int] = []
        self._names: list[str] = []
        self._skipped: list[Skipped] = []
        self._deepest: int | None = None  # largest value in 16-bit pictures

    def add(
        self,
        content: bytes | Path | None,
        name: str,
        label: int | None = None,
        mask: bytes | Path | None = None,
        mask_name: str = "its mask",
    ) -> None:
        """Decode a picture, and its mask if there is one.

        Raises:
            DataError: the picture or its mask cannot be read, or they do not fit each other, and skip_bad is off; or
                its size differs from the others'.
        """
        try:
            if content is None:
                raise _Unreadable("there is no picture")
            found = _open(content)
            if found.mode in _DEEP:
                self._deepest = max(self._deepest or 0, int(np.asarray(found).max()))
            opened = _grey_or_rgb(found, self.channels)
            picture = _fit(opened, self.image_size, self.crop)
            if mask is not None or self._reader is not None:
                self._masks.append(self._mask(mask, mask_name, opened.size))
        except _Unreadable as error:
            self.leave_out(name, str(error))
            return
        image = np.array(picture)
        if self._images and image.shape[:2] != self._images[0].shape[:2]:
            (height, width), (height0, width0) = image.shape[:2], self._images[0].shape[:2]
            raise DataError(
                f"the pictures in {self.source} differ in size: {self._names[0]} is {width0}x{height0}, {name} is "
                f"{width}x{height}. Give image_size= (on the command line --data.image_size) to scale and crop all of "
                "them to one square"
            )
        self._images.append(image)
        self._names.append(name)
        if label is not None:
            self._labels.append(label)

    def leave_out(self, name: str, reason: str) -> None:
        """Count a picture as one that cannot be read.

        Raises:
            DataError: skip_bad is off.
        """
        if not self.skip_bad:
            raise DataError(
                f"{name} in {self.source} cannot be read ({reason}): replace or remove it, or pass skip_bad=True "
                "(on the command line --skip-bad) to leave such pictures out"
            )
        self._skipped.append(Skipped(self.source, name, reason))

    def _mask(self, content: bytes | Path | None, name: str, size: tuple[int, int]) -> np.ndarray:
        """The mask of a picture of this size, scaled like it."""
        if not content:
            raise _Unreadable(f"{name} is missing")
        try:
            values = mask_values(_open(content))
        except (BadMask, _Unreadable) as error:
            raise _Unreadable(f"{name}: {error}") from error
        if values.shape != size[::-1]:
            width, height = size
            raise _Unreadable(f"{name} is {values.shape[1]}x{values.shape[0]}, the picture {width}x{height}")
        if self._reader is not None:
            values = self._reader.class_numbers(values, name)
        return values if self.image_size is None else scale_mask(values, self.image_size, crop=self.crop)

    def finish(self, class_names: Sequence[str] = ()) -> ImageData:
        """Stack what was added; warn about what was skipped.

        Args:
            class_names: of the labels; masks whose values have a meaning come with their own.

        Raises:
            DataError: not one picture could be read, or a mask holds a value that means nothing.
        """
        total = len(self._images) + len(self._skipped)
        if not self._images:
            first = f", the first: {self._skipped[0].name} ({self._skipped[0].reason})" if self._skipped else ""
            raise DataError(
                f"{self.source} holds no readable picture (skipped: {total}{first}): check the folder and its files"
            )
        if self._skipped:
            listed = ", ".join(f"{one.name} ({one.reason})" for one in self._skipped[:5])
            more = ", ..." if len(self._skipped) > 5 else ""
            warnings.warn(
                f"skipped {len(self._skipped)} of {total} pictures in {self.source} that cannot be read: "
                f"{listed}{more}",
                stacklevel=3,
            )
        if self._deepest is not None and 255 < self._deepest <= _DARK:
            warnings.warn(
                f"the 16-bit pictures in {self.source} have values up to {self._deepest} of 65535, and are read as "
                f"bytes up to {self._deepest // 257}: nearly black, with few steps. Save them with their values "
                f"multiplied by {65535 // (2 ** self._deepest.bit_length() - 1)}, those to be predicted, too",
                stacklevel=3,
            )
        if any(image.ndim == 3 for image in self._images):
            planes = [image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2) for image in self._images]
        else:
            planes = [image[..., None] for image in self._images]
        masks, ignore_index = np.stack(self._masks) if self._masks else None, None
        if self._reader is not None and masks is not None:
            masks, class_names = self._reader.finish(masks, self.source)
            ignore_index = self._reader.meaning.ignore_index
        return image_data(
            torch.from_numpy(np.stack(planes)).permute(0, 3, 1, 2).contiguous(),
            torch.tensor(self._labels, dtype=torch.int64) if self._labels else None,
            class_names,
            source=self.source,
            names=self._names,
            masks=None if masks is None else torch.from_numpy(masks),
            skipped=self._skipped,
            ignore_index=ignore_index,
        )
