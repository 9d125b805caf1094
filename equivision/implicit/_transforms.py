"""Finite sets of invertible motions of images, one of which is drawn for every image."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from equivision._disk import inscribed_disk
from equivision.errors import ConfigError, ShapeError
from equivision.functional import rescale, rotate

Maps = Float[Tensor, "batch channel height width"]
Mask = Literal["disk", "support", "none"]


@dataclass(frozen=True)
class Transform:
    """An invertible motion in the plane, of images and of feature maps alike: it moves pixels, whatever they hold.

    A change of colours is none: what it would have to be undone to in feature maps is not known.

    Attributes:
        name: in reports.
        apply: moves ``[B, C, H, W]`` with any number of channels, and keeps the size. It is given images in their own
            precision, and maps in single or double precision.
        undo: moves back.
        exact: whether nothing is lost, as when pixels are only rearranged. Otherwise what undo(apply(x)) lacks at the
            border is left out when maps are compared.
    """

    name: str
    apply: Callable[[Tensor], Tensor]
    undo: Callable[[Tensor], Tensor]
    exact: bool = False

    def support(self, like: Maps, *, disk: bool = True) -> Bool[Tensor, "height width"]:
        """Which pixels of such maps survive there and back; with ``disk``, only those inside the largest disk.

        Raises:
            ShapeError: none does, or the size is not kept.
        """
        height, width = like.shape[-2:]
        ones = torch.ones(1, 1, height, width, dtype=wide(like.dtype), device=like.device)
        moved = self.apply(ones)
        self.check_size(moved, ones)
        if self.exact:
            return torch.ones_like(ones[0, 0], dtype=torch.bool)
        inside = (self.undo(moved) > 1 - 1e-3)[0, 0]
        inside = inside & inscribed_disk(height, width, like.device) if disk else inside
        if not inside.any():
            raise ShapeError(
                f"{self.name!r} and back leaves no pixel of maps of {height} x {width} pixels, so nothing could be "
                "compared: leave that layer out of layers, use larger images or smaller motions, or mask='none'"
            )
        return inside

    def check_size(self, moved: Tensor, maps: Tensor) -> None:
        """Raise a ShapeError if moved maps have another shape than before."""
        if moved.shape[1:] != maps.shape[1:]:
            raise ShapeError(
                f"{self.name} makes {tuple(moved.shape[1:])} of maps of {tuple(maps.shape[1:])}: motions must keep the "
                "size; quarter turns need square maps"
            )


def wide(dtype: torch.dtype) -> torch.dtype:
    """The precision in which maps are moved and compared: at least single, since sums of squares need it."""
    return torch.promote_types(dtype, torch.float32)


def _in_turn(x: Tensor, *, steps: Sequence[Callable[[Tensor], Tensor]]) -> Tensor:
    for step in steps:
        x = step(x)
    return x


class TransformSet:
    """A finite set of motions, one of which is drawn for every image, all with equal probability.

    Args:
        members: the motions; name one twice to draw it twice as often. Your own are :class:`Transform`.

    Raises:
        ConfigError: there is none, or one is no Transform.

    >>> flip = partial(torch.flip, dims=(-1,))
    >>> TransformSet([Transform("flip", flip, flip, exact=True)]).names
    ('flip',)
    """

    def __init__(self, members: Sequence[Transform]) -> None:
        if not members or not all(isinstance(member, Transform) for member in members):
            raise ConfigError(f"members={members!r}: give at least one Transform(name, apply, undo)")
        self.members = tuple(members)
        self._supports: dict[tuple[torch.Size, bool, torch.device], Tensor] = {}
        self._kept: set[torch.Size] = set()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the motions."""
        return tuple(member.name for member in self.members)

    def then(self, other: "TransformSet") -> "TransformSet":
        """All combinations of one of these and, after it, one of the others.

        >>> rotations(4).then(reflections()).names[:3]
        ('0 degrees', '0 degrees, flip rows', '0 degrees, flip columns')
        """
        return TransformSet([_both(first, second) for first in self.members for second in other.members])

    def sample(self, number: int, generator: torch.Generator | None = None) -> "Motion":
        """Draw one for each of so many images."""
        return Motion(self, torch.randint(len(self.members), (number,), generator=generator))

    def check_size(self, images: Maps) -> None:
        """Raise a ShapeError if a motion does not keep the size of such images, whether it is drawn or not."""
        if images.shape[-2:] not in self._kept:
            for member in self.members:
                member.check_size(member.apply(images[:1]), images)
            self._kept.add(images.shape[-2:])

    def supports(self, like: Maps, *, disk: bool = True) -> Bool[Tensor, "motion height width"]:
        """Which pixels of such maps survive each motion and its inverse; kept, since every step asks for it.

        Raises:
            ShapeError: of one motion none does, or it does not keep the size.
        """
        key = (like.shape[-2:], disk, like.device)
        if key not in self._supports:
            self._supports[key] = torch.stack([member.support(like, disk=disk) for member in self.members])
        return self._supports[key]

    def __repr__(self) -> str:
        return f"TransformSet({', '.join(self.names)})"


def _both(first: Transform, second: Transform) -> Transform:
    names = [name for name in (first.name, second.name) if name]
    apply = partial(_in_turn, steps=(first.apply, second.apply))
    undo = partial(_in_turn, steps=(second.undo, first.undo))
    return Transform(", ".join(names), apply, undo, first.exact and second.exact)


@dataclass(frozen=True)
class Motion:
    """One motion for each image of a batch.

    Attributes:
        transforms: the set it was drawn from.
        index: number of the motion of each image.
    """

    transforms: TransformSet
    index: Int[Tensor, " batch"]

    @property
    def is_sorted(self) -> bool:
        """Whether images that move alike follow each other; nothing has to be gathered then."""
        return bool((self.index[1:] >= self.index[:-1]).all())

    def apply(self, maps: Maps) -> Maps:
        """Move each image, or its maps, by its own motion.

        Raises:
            ShapeError: a motion changes the size, or the number of images is another.
        """
        return self._each(maps, lambda member, part: member.apply(part))

    def undo(self, maps: Maps) -> Maps:
        """Move each back."""
        return self._each(maps, lambda member, part: member.undo(part))

    def support(self, maps: Maps, mask: Mask = "disk") -> Bool[Tensor, "batch 1 height width"] | None:
        """Which pixels can be compared after moving there and back; None where all can.

        Raises:
            ShapeError: one motion of the set leaves none, or does not keep the size, whether it was drawn or not.
        """
        if mask == "none":
            return None
        inside = self.transforms.supports(maps, disk=mask == "disk")  # of all motions: an error must not hang on luck
        if all(self.transforms.members[i].exact for i in self.index.unique().tolist()):
            return None
        return inside[self.index.to(maps.device)].unsqueeze(1)

    def _each(self, maps: Tensor, move: Callable[[Transform, Tensor], Tensor]) -> Tensor:
        if len(maps) != len(self.index):
            raise ShapeError(f"maps are of {len(maps)} images, and this motion was drawn for {len(self.index)}")
        used, counts = self.index.unique(return_counts=True)
        order = None if self.is_sorted else torch.argsort(self.index, stable=True)
        parts = (maps if order is None else maps[order.to(maps.device)]).split(counts.tolist())
        moved = [move(self.transforms.members[i], part) for i, part in zip(used.tolist(), parts, strict=True)]
        for i, part in zip(used.tolist(), moved, strict=True):
            self.transforms.members[i].check_size(part, maps)
        together = torch.cat(moved)
        return together if order is None else together[torch.argsort(order).to(maps.device)]


def _are_finite(numbers: Sequence[float | int]) -> bool:
    whole = isinstance(numbers, Sequence) and not isinstance(numbers, str) and len(numbers) > 0
    return whole and all(isinstance(number, int | float) and math.isfinite(number) for number in numbers)


def _turned(x: Tensor, *, degrees: float, mode: str) -> Tensor:
    turns, rest = divmod(degrees, 90)
    return torch.rot90(x, int(turns), (-2, -1)) if rest == 0 else rotate(x, degrees, mode=mode)


def rotations(angles: int | Sequence[float | int] = 4, *, mode: str = "nearest") -> TransformSet:
    """Turns about the centre, counter-clockwise.

    Args:
        angles: how many, equally spaced over the circle; or the angles in degrees.
        mode: how images and maps are interpolated away from quarter turns, ``"nearest"`` (as in the study),
            ``"bilinear"`` or ``"bicubic"``; outside is zero. Quarter turns of square maps are exact.

    Raises:
        ConfigError: the number is not at least 1, an angle is not finite, or the mode is not known.

    Source: IEN, section 4.

    >>> rotations(4).names
    ('0 degrees', '90 degrees', '180 degrees', '270 degrees')
    """
    if isinstance(angles, int):
        if isinstance(angles, bool) or angles < 1:
            raise ConfigError(f"angles={angles!r}: give how many, at least 1, or a list of degrees")
        angles = [360 * i / angles for i in range(angles)]
    if not _are_finite(angles):
        raise ConfigError(f"angles={angles!r}: give how many, or a list of finite degrees")
    if mode not in ("nearest", "bilinear", "bicubic"):
        raise ConfigError(f"mode={mode!r} is not known: choose 'nearest', 'bilinear' or 'bicubic'")
    return TransformSet(
        [
            Transform(
                f"{angle:g} degrees",
                partial(_turned, degrees=float(angle), mode=mode),
                partial(_turned, degrees=-float(angle), mode=mode),
                exact=angle % 90 == 0,
            )
            for angle in angles
        ]
    )


def reflections() -> TransformSet:
    """No flip, rows reversed, or columns reversed.

    Source: IEN, section 4.

    >>> reflections().names
    ('', 'flip rows', 'flip columns')
    """
    flips = [_identity, *(partial(torch.flip, dims=(axis,)) for axis in (-2, -1))]
    names = ("", "flip rows", "flip columns")
    return TransformSet([Transform(name, flip, flip, exact=True) for name, flip in zip(names, flips, strict=True)])


def scalings(factors: Sequence[float | int]) -> TransformSet:
    """Enlargement about the centre; the size of the image is kept, and outside is zero.

    Images are interpolated bilinearly, without aliasing where they shrink: :func:`equivision.functional.rescale`.

    Args:
        factors: positive; below 1 the image becomes smaller.

    Raises:
        ConfigError: there are none, or one is not positive.

    Source: IEN, section 4.4.

    >>> scalings([1.0, 0.7]).names
    ('x 1', 'x 0.7')
    """
    if not _are_finite(factors) or min(factors) <= 0:
        raise ConfigError(f"factors={factors!r}: give a list of positive numbers, such as [1, 0.7, 0.5]")
    return TransformSet([_scaling(float(factor)) for factor in factors])


def _scaling(factor: float) -> Transform:
    if factor == 1:
        return Transform("x 1", _identity, _identity, exact=True)
    there, back = (partial(rescale, factor=each, mode="bilinear") for each in (factor, 1 / factor))
    return Transform(f"x {factor:g}", there, back)


def _identity(x: Tensor) -> Tensor:
    return x
