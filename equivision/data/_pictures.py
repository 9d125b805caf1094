"""Decoding pictures and stacking them."""

import io
import re
import struct
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from equivision.data._extras import require
from equivision.data._images import ImageData, Skipped, image_data
from equivision.errors import ConfigError, DataError

# What pillow raises for damaged files, besides its own errors, which are OSErrors.
_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, struct.error, zlib.error)
_GREY = ("1", "L", "LA")
_DEEP = ("I", "I;16", "I;16B", "I;16L")


class _Unreadable(Exception):  # noqa: N818
    """A picture that cannot be read, with the reason."""


def _open(content: bytes | Path) -> Any:
    """Decode a picture completely; the orientation in its EXIF data is applied."""
    image_module = require("PIL.Image", "pillow", "reading pictures")
    operations = require("PIL.ImageOps", "pillow", "reading pictures")
    try:
        picture = image_module.open(io.BytesIO(content if isinstance(content, bytes) else content.read_bytes()))
        picture.load()
        return operations.exif_transpose(picture)
    except (*_UNREADABLE, image_module.DecompressionBombError) as error:
        reason = re.sub(r" <_io\..*?>", "", str(error))  # pillow names the buffer that the bytes were read into
        raise _Unreadable(reason or type(error).__name__) from error


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


def read_rgb(path: Path) -> UInt8[Tensor, "3 height width"]:
    """One picture as RGB bytes.

    Raises:
        DataError: it cannot be read.
    """
    try:
        picture = _grey_or_rgb(_open(path), 3)
    except _Unreadable as error:
        raise DataError(f"{path} cannot be read ({error}): fetch it again, or remove it") from error
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()


def _class_map(picture: Any) -> Any:
    """A mask: one class number a pixel, in mode L."""
    values = np.asarray(picture)
    if values.ndim != 2 or values.min() < 0 or values.max() > 255:
        raise _Unreadable(
            f"a mask needs one class number from 0 to 255 for each pixel, this one has mode {picture.mode}"
        )
    return require("PIL.Image", "pillow", "reading pictures").fromarray(values.astype(np.uint8))


def _fit(picture: Any, size: int | None, resample: str) -> Any:
    """Scale the shorter side to ``size`` and cut out the central square: pixels stay square, angles stay angles."""
    if size is None or picture.size == (size, size):
        return picture
    image_module = require("PIL.Image", "pillow", "reading pictures")
    width, height = picture.size
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return picture.resize((size, size), image_module.Resampling[resample], (left, top, left + side, top + side))


class PictureStack:
    """Collects decoded pictures, then stacks them to one :class:`ImageData`.

    Args:
        source: where the pictures come from, for messages.
        image_size: every picture is scaled (bilinear, antialiased; masks: nearest) so that its shorter side has this
            length, then its central square is cut out; None: the pictures must all have one size.
        channels: 1 or 3; None: 1 if all pictures are grey, else 3.
        skip_bad: leave out pictures that cannot be read, list them in ``skipped``, and warn once.

    Raises:
        ConfigError: channels is neither 1, 3 nor None.
    """

    def __init__(
        self,
        source: str,
        *,
        image_size: int | None = None,
        channels: Literal[1, 3] | None = None,
        skip_bad: bool = False,
    ) -> None:
        if channels not in (1, 3, None):
            raise ConfigError(f"channels={channels!r}: choose 1 (grey), 3 (RGB), or None (what the pictures have)")
        if image_size is not None and image_size < 1:
            raise ConfigError(
                f"image_size={image_size}: give the side in pixels, or None to keep the pictures as they are"
            )
        self.source, self.image_size, self.channels, self.skip_bad = source, image_size, channels, skip_bad
        self._images: list[np.ndarray] = []
        self._masks: list[np.ndarray] = []
        self._labels: list[int] = []
        self._names: list[str] = []
        self._skipped: list[Skipped] = []

    def add(
        self, content: bytes | Path | None, name: str, label: int | None = None, mask: bytes | Path | None = None
    ) -> None:
        """Decode a picture, and its mask if there is one.

        Raises:
            DataError: the picture cannot be read and skip_bad is off, or its size differs from the others'.
        """
        try:
            if content is None:
                raise _Unreadable("there is no picture")
            picture = _fit(_grey_or_rgb(_open(content), self.channels), self.image_size, "BILINEAR")
            if mask is not None:
                class_map = np.array(_fit(_class_map(_open(mask)), self.image_size, "NEAREST"))
                if class_map.shape != picture.size[::-1]:
                    raise _Unreadable(f"its mask is {class_map.shape[1]}x{class_map.shape[0]}, not {picture.size}")
                self._masks.append(class_map)
        except _Unreadable as error:
            if not self.skip_bad:
                raise DataError(
                    f"{name} in {self.source} cannot be read ({error}): replace or remove it, or pass skip_bad=True "
                    "(on the command line --skip-bad) to leave such pictures out"
                ) from error
            self._skipped.append(Skipped(self.source, name, str(error)))
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

    def finish(self, class_names: Sequence[str]) -> ImageData:
        """Stack what was added; warn about what was skipped.

        Raises:
            DataError: not one picture could be read.
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
        if any(image.ndim == 3 for image in self._images):
            planes = [image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2) for image in self._images]
        else:
            planes = [image[..., None] for image in self._images]
        return image_data(
            torch.from_numpy(np.stack(planes)).permute(0, 3, 1, 2).contiguous(),
            torch.tensor(self._labels, dtype=torch.int64) if self._labels else None,
            class_names,
            source=self.source,
            names=self._names,
            masks=torch.from_numpy(np.stack(self._masks)) if self._masks else None,
            skipped=self._skipped,
        )
