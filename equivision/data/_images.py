"""Images in memory with labels or masks: what every reader returns."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped, UInt8
from torch import Tensor

from equivision.errors import DataError


@dataclass(frozen=True)
class Skipped:
    """A picture that could not be read: the folder or table it lies in, its name there, and what is wrong with it."""

    source: str
    name: str
    reason: str


@dataclass(frozen=True, eq=False)
class ImageData:
    """Images of one size with their labels, or with their masks.

    Where there are labels, they are what is learned, and ``class_names`` are theirs. Where there are masks and no
    labels, the class of every pixel is learned, and ``class_names`` are the names of the values in the masks.

    Attributes:
        images: ``[image, channel, height, width]``, either uint8 (0 to 255) or float (0 to 1).
        labels: ``[image]``, the class numbers; None when nothing is labelled.
        class_names: the names of the classes, by number.
        index: ``[image]``, the position of each image in its source. Variants draw their random numbers by it, so an
            image is turned by the same angle in whichever subset it stands.
        names: where each image comes from (file names); empty when the source has no names.
        masks: ``[image, height, width]`` class number of each pixel, when masks were asked for; 0 is the background.
        skipped: what was left out because it could not be read.
        ignore_index: the value of pixels in masks whose class is not known, and of those that come in from outside when
            a picture is turned; None: there are none, and what comes in is background.

    Raises:
        DataError: the masks do not fit the images.

    >>> ImageData(torch.zeros(4, 3, 8, 8), None, ("0", "1"), torch.arange(4), masks=torch.zeros(4, 8, 8).byte())
    ImageData([4, 3, 8, 8] float32 with masks, 2 classes)
    """

    images: Shaped[Tensor, "image channel height width"]
    labels: Int[Tensor, " image"] | None
    class_names: tuple[str, ...]
    index: Int[Tensor, " image"]
    names: tuple[str, ...] = ()
    masks: UInt8[Tensor, "image height width"] | None = None
    skipped: tuple[Skipped, ...] = ()
    ignore_index: int | None = None

    def __post_init__(self) -> None:
        if self.masks is None:
            return
        if (len(self.images), *self.images.shape[2:]) != tuple(self.masks.shape) or self.masks.dtype != torch.uint8:
            raise DataError(
                f"images are {list(self.images.shape)} and masks {list(self.masks.shape)}, {self.masks.dtype}: "
                "need one mask an image, [image, height, width], of uint8"
            )

    def __len__(self) -> int:
        return self.images.shape[0]

    def __repr__(self) -> str:
        kind = str(self.images.dtype).removeprefix("torch.")
        masks = "" if self.masks is None else " with masks"
        return f"ImageData({list(self.images.shape)} {kind}{masks}, {len(self.class_names)} classes)"

    def take(self, positions: Sequence[int] | np.ndarray | Int[Tensor, " taken"]) -> "ImageData":
        """The images at these positions, in this order."""
        at = torch.as_tensor(positions, dtype=torch.int64)
        return dataclasses.replace(
            self,
            images=self.images[at],
            labels=None if self.labels is None else self.labels[at],
            index=self.index[at],
            names=tuple(self.names[i] for i in at.tolist()) if self.names else (),
            masks=None if self.masks is None else self.masks[at],
        )


def as_float(images: Shaped[Tensor, "*axes"]) -> Float[Tensor, "*axes"]:
    """Images as floats in [0, 1]: uint8 is divided by 255, floats stay as they are; nothing else is normalised."""
    return images.float().div_(255.0) if images.dtype == torch.uint8 else images


def image_data(
    images: Shaped[Tensor, "image channel height width"],
    labels: Int[Tensor, " label"] | None,
    class_names: Sequence[str],
    *,
    source: str,
    names: Sequence[str] = (),
    masks: UInt8[Tensor, "image height width"] | None = None,
    skipped: Sequence[Skipped] = (),
    ignore_index: int | None = None,
) -> ImageData:
    """Put the pieces of a source together and check that they fit.

    Raises:
        DataError: the labels do not fit the images in number, or the class names in range.
    """
    if labels is not None:
        if len(labels) != len(images):
            raise DataError(
                f"{source} holds {len(images)} images but {len(labels)} labels: the files do not belong together or "
                "one is cut short; fetch both again"
            )
        wrong = ((labels < 0) | (labels >= len(class_names))).nonzero().flatten()
        if len(wrong):
            first = int(wrong[0])
            raise DataError(
                f"{source}: image {first} has label {int(labels[first])}, but the {len(class_names)} classes are "
                f"numbered 0 to {len(class_names) - 1} ({len(wrong)} such labels): the file is damaged, holds other "
                "classes, or is a test set without labels; use another split, or name another label column"
            )
    index = torch.arange(len(images))
    return ImageData(
        images, labels, tuple(class_names), index, tuple(names), masks, tuple(skipped), ignore_index=ignore_index
    )


def pool(first: ImageData, second: ImageData) -> ImageData:
    """One data set after another, with the positions counted through.

    Raises:
        DataError: they differ in image shape or in classes.
    """
    pairs = ((one.images.shape[1:], one.class_names, one.ignore_index) for one in (first, second))
    if len(set(pairs)) > 1:
        raise DataError(
            f"cannot pool {first!r} and {second!r}: both need the same channels, height, width and class names"
        )

    def joined(a: Tensor | None, b: Tensor | None) -> Tensor | None:
        return None if a is None or b is None else torch.cat([a, b])

    return ImageData(
        torch.cat([first.images, second.images]),
        joined(first.labels, second.labels),
        first.class_names,
        torch.arange(len(first) + len(second)),
        first.names + second.names,
        joined(first.masks, second.masks),
        skipped=first.skipped + second.skipped,
        ignore_index=first.ignore_index,
    )
