"""Rotated, 90-degree, reflected and scaled variants of a data set, fixed by a seed."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int64, Shaped, UInt8
from torch import Tensor

from equivision.data._images import as_float
from equivision.data._random import random_uniform
from equivision.errors import ConfigError, ShapeError
from equivision.functional import rescale, rotate


@dataclass(frozen=True)
class Variant:
    """How the images of a data set are moved: reversed, then turned counter-clockwise and scaled about their centre.

    What happens to an image depends on ``seed`` and on its index only: not on the batch it comes in, on the order, on
    the number of workers, or on the versions of the packages.

    Attributes:
        angle: degrees counter-clockwise, one for all; ``"uniform"``: one for each image, uniform in [0, 360);
            ``"quarters"``: for each image one of 0, 90, 180, 270.
        flip: whether the order of the rows is reversed (upside down): ``"never"``, ``"always"``, or ``"random"``, with
            probability 1/2 for each image.
        seed: of the random angles and flips.
        padding: what comes in from outside a turned picture: ``"zeros"``, ``"border"`` or ``"reflection"``.
        scale: by how much images are enlarged on their canvas, a number for all; or two, between which there is one for
            each image, uniform. Bicubic, antialiased, zeros outside.
        upsample: how many times every pixel is repeated in both directions, at the end; a whole number.

    Multiples of 90 degrees are exact (the pixels move, ``torch.rot90``); all other angles are interpolated bilinearly.

    >>> image = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    >>> Variant(angle=90).apply(image).tolist()
    [[[[2.0, 4.0], [1.0, 3.0]]]]
    """

    angle: float | int | Literal["uniform", "quarters"] = 0.0
    flip: Literal["never", "always", "random"] = "never"
    seed: int = 0
    padding: Literal["zeros", "border", "reflection"] = "zeros"
    scale: float | tuple[float, float] = 1.0
    upsample: int = 1

    def __post_init__(self) -> None:
        if isinstance(self.angle, str) and self.angle not in ("uniform", "quarters"):
            raise ConfigError(f"angle={self.angle!r}: give a number of degrees, 'uniform' or 'quarters'")
        if self.flip not in ("never", "always", "random"):
            raise ConfigError(f"flip={self.flip!r}: choose 'never', 'always' or 'random'")
        if self.padding not in ("zeros", "border", "reflection"):
            raise ConfigError(f"padding={self.padding!r}: choose 'zeros', 'border' or 'reflection'")
        low, high = self._scale_range
        if not 0 < low <= high < math.inf:
            raise ConfigError(f"scale={self.scale!r}: give a positive number, or two in ascending order")
        if isinstance(self.upsample, bool) or not isinstance(self.upsample, int) or self.upsample < 1:
            raise ConfigError(f"upsample={self.upsample!r}: give a whole number of at least 1")

    @property
    def _scale_range(self) -> tuple[float, float]:
        return self.scale if isinstance(self.scale, tuple) else (self.scale, self.scale)

    @property
    def is_exact(self) -> bool:
        """Whether pixels are only moved and never interpolated."""
        return self._turns_exactly and self._scale_range == (1.0, 1.0)

    @property
    def _turns_exactly(self) -> bool:
        return self.angle == "quarters" or (not isinstance(self.angle, str) and self.angle % 90 == 0)

    @property
    def is_random(self) -> bool:
        """Whether images are moved in different ways."""
        low, high = self._scale_range
        return isinstance(self.angle, str) or self.flip == "random" or low < high

    @property
    def name(self) -> str:
        """One of :func:`list_variants` (whatever seed, padding, upsampling), or such as ``rotated22.5_scaled0.5``."""
        for name, named in _NAMED.items():
            if (named.angle, named.flip, named.scale) == (self.angle, self.flip, self.scale):
                return name
        parts = [] if self.angle == 0 else [self.angle if isinstance(self.angle, str) else f"rotated{self.angle:g}"]
        parts += [] if self.flip == "never" else [f"{self.flip}_reflected"]
        low, high = self._scale_range
        parts += [] if low == high == 1 else [f"scaled{low:g}" if low == high else f"scaled{low:g}to{high:g}"]
        return "_".join(parts)

    def angles(self, index: Int[Tensor, " image"]) -> Float[Tensor, " image"]:
        """Degrees by which the images of these indices are turned."""
        if not isinstance(self.angle, str):
            return torch.full((len(index),), float(self.angle), dtype=torch.float64)
        uniform = random_uniform(index.cpu().numpy(), "angle", self.seed)
        return torch.from_numpy(360.0 * uniform if self.angle == "uniform" else 90.0 * np.floor(4.0 * uniform))

    def flips(self, index: Int[Tensor, " image"]) -> Bool[Tensor, " image"]:
        """Which of the images of these indices are reversed."""
        if self.flip != "random":
            return torch.full((len(index),), self.flip == "always")
        return torch.from_numpy(random_uniform(index.cpu().numpy(), "flip", self.seed) < 0.5)

    def scales(self, index: Int[Tensor, " image"]) -> Float[Tensor, " image"]:
        """By how much the images of these indices are enlarged."""
        low, high = self._scale_range
        uniform = torch.from_numpy(random_uniform(index.cpu().numpy(), "scale", self.seed))
        return low + (high - low) * uniform

    def apply(
        self,
        images: Shaped[Tensor, "image channel height width"],
        index: Int[Tensor, " image"] | None = None,
        *,
        mode: str = "bilinear",
    ) -> Float[Tensor, "image channel new_height new_width"]:
        """Move images.

        Args:
            images: uint8 in 0 to 255, or float in 0 to 1.
            index: the index of each image in its data set; by default 0, 1, 2, ...
            mode: how angles between the multiples of 90 degrees are interpolated; ``"nearest"``, for masks, is also how
                they are scaled.

        Returns:
            Floats in [0, 1]; height and width change places where all images are turned by 90 or 270 degrees, and grow
            with ``upsample``.

        Raises:
            ShapeError: images that are not square would be turned by different quarters.
        """
        index = torch.arange(len(images)) if index is None else index
        moved = as_float(images)
        if self.flip != "never":
            flips = self.flips(index).to(images.device)[:, None, None, None]
            moved = torch.where(flips, moved.flip(-2), moved)
        moved = self._turned(moved, index, mode)
        if self._scale_range != (1.0, 1.0):
            kind = "nearest" if mode == "nearest" else "bicubic"  # in float64, so that other images do not matter
            moved = rescale(moved.double(), self.scales(index), mode=kind).clamp(0, 1).to(moved.dtype)
        return moved.repeat_interleave(self.upsample, -2).repeat_interleave(self.upsample, -1)

    def apply_masks(
        self,
        masks: UInt8[Tensor, "image height width"],
        index: Int[Tensor, " image"] | None = None,
        *,
        outside: int = 0,
    ) -> Int64[Tensor, "image new_height new_width"]:
        """Move masks as :meth:`apply` moves their images; angles and scales in between take the nearest pixel.

        Args:
            masks: class number of each pixel.
            index: the index of each image in its data set; by default 0, 1, 2, ...
            outside: the class number of what comes in from outside where the padding is zeros.

        Raises:
            ShapeError: masks that are not square would be turned by different quarters.

        >>> mask = torch.tensor([[[1, 2], [3, 4]]], dtype=torch.uint8)
        >>> Variant(angle=90).apply_masks(mask).tolist()
        [[[2, 4], [1, 3]]]
        """
        counted = (masks.long() - outside) % 256  # from the class outside on, so that the zeros that come in mean it
        moved = self.apply(counted.to(torch.uint8)[:, None], index, mode="nearest")[:, 0]
        return ((moved * 255).round().long() + outside) % 256

    def _turned(self, images: Tensor, index: Tensor, mode: str) -> Tensor:
        angles = self.angles(index)
        if not self._turns_exactly:
            return rotate(images, angles.to(torch.float64), mode=mode, padding_mode=self.padding)
        if not isinstance(self.angle, str):
            return torch.rot90(images, int(self.angle // 90) % 4, (-2, -1))
        return _turn_quarters(images, angles)


def _turn_quarters(
    images: Float[Tensor, "image channel height width"], angles: Float[Tensor, " image"]
) -> Float[Tensor, "image channel height width"]:
    if images.shape[-1] != images.shape[-2]:
        raise ShapeError(
            f"images are {images.shape[-2]}x{images.shape[-1]}: angle='quarters' needs square images, since those of "
            "two shapes do not fit in one batch. Give image_size= (on the command line --data.image_size) to crop all "
            "to one square; to test on them as they are, test_variants=['upright', 'rotated90', 'reflected']"
        )
    turned = torch.empty_like(images)
    quarters = (angles / 90).round().to(device=images.device, dtype=torch.int64)
    for k in range(4):
        turned[quarters == k] = torch.rot90(images[quarters == k], k, (-2, -1))
    return turned


_NAMED = {
    "upright": Variant(),
    "rotated": Variant("uniform"),
    "rotated90": Variant(90.0),
    "quarters": Variant("quarters"),
    "quarters_reflected": Variant("quarters", "random"),
    "reflected": Variant(flip="always"),
    "rotated_reflected": Variant("uniform", "random"),
    "scaled": Variant(scale=(0.3, 1.0)),
}


def list_variants() -> list[str]:
    """The names that :func:`named_variant` knows."""
    return list(_NAMED)


def named_variant(name: str, *, seed: int = 0, padding: Literal["zeros", "border", "reflection"] = "zeros") -> Variant:
    """A variant by name.

    ======================  ==================================================================================
    ``upright``             as it is
    ``rotated``             every image by its own angle, uniform in [0, 360), bilinear
    ``rotated90``           every image by 90 degrees counter-clockwise, exact ("90-MNIST")
    ``quarters``            every image by its own multiple of 90 degrees, exact
    ``quarters_reflected``  half of the images reversed, then every image by its own multiple of 90 degrees, exact
    ``reflected``           every image with its rows reversed, exact
    ``rotated_reflected``   half of the images reversed, then every image by its own angle, bilinear
    ``scaled``              every image by its own factor, uniform in [0.3, 1), bicubic ("Scale-MNIST")
    ======================  ==================================================================================

    Raises:
        ConfigError: the name is not known.

    >>> named_variant("rotated", seed=3)
    Variant(angle='uniform', flip='never', seed=3, padding='zeros', scale=1.0, upsample=1)
    """
    if name not in _NAMED:
        raise ConfigError(f"variant {name!r} is not known: choose one of {', '.join(_NAMED)}")
    return replace(_NAMED[name], seed=seed, padding=padding)
