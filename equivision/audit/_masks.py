"""Masks: the class that dense logits give to every pixel, and whether it moves with the image."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor

from equivision.audit._moves import nearest_rotation
from equivision.audit._report import MaskResult
from equivision.functional import act, classes_of, confusion, iou, rotate
from equivision.groups import PlanarGroup, SpatialGroup

#: Stands in true masks for a class that is not known.
UNKNOWN = -1


@dataclass(frozen=True)
class Masks:
    """What the masks of a network are measured by.

    Attributes:
        num_classes: how many classes a pixel can have; 2 for a single map of logits.
        truth: true class of every pixel, or ``UNKNOWN``; None without true masks.
    """

    num_classes: int
    truth: Int64[Tensor, "images height width"] | None


def move_mask(
    mask: Int64[Tensor, "batch height width"], g: int, group: SpatialGroup
) -> Int64[Tensor, "batch height width"]:
    """Move masks by an element."""
    return act(mask.unsqueeze(1), g, group).squeeze(1)


def rotate_mask(
    mask: Int64[Tensor, "batch height width"], degrees: float, group: PlanarGroup
) -> Int64[Tensor, "batch height width"]:
    """Rotate by any angle: the nearest element of the group exactly, then every pixel takes the class nearest to it."""
    element, rest = nearest_rotation(group, degrees)
    moved = move_mask(mask, element, group)
    if rest == 0:
        return moved
    turned = rotate(moved.unsqueeze(1).float(), rest, mode="nearest", padding_mode="border")
    return turned.squeeze(1).to(mask.dtype)


class MaskMeter:
    """Counts, over batches in the order of the images, the pixels whose class moves along, and those that are right.

    Args:
        masks: what to measure by; None if the output is no masks: then nothing is counted.
    """

    def __init__(self, masks: Masks | None) -> None:
        self._masks = masks
        self._images, self._pixels, self._same = 0, 0, 0
        classes = masks.num_classes if masks else 0
        self._predicted = torch.zeros(classes, dtype=torch.int64)
        self._confusion = torch.zeros(classes, classes, dtype=torch.int64)

    def add(
        self,
        logits: Tensor,
        upright: Tensor,
        move: Callable[[Tensor], Tensor],
        inside: Tensor | None = None,
    ) -> None:
        """Collect one batch.

        Args:
            logits: output for the moved images.
            upright: output for the images as they are.
            move: moves masks as the images were moved.
            inside: ``[height, width]``, 1 for the pixels that count; None for all.
        """
        if self._masks is None:
            return
        mask, expected = classes_of(logits), move(classes_of(upright))
        counted = torch.ones_like(mask, dtype=torch.bool) if inside is None else (inside > 0).expand_as(mask)
        self._pixels += int(counted.sum())
        self._same += int(((mask == expected) & counted).sum())
        self._predicted += torch.bincount(mask[counted], minlength=len(self._predicted)).cpu()
        if self._masks.truth is not None:
            truth = move(self._masks.truth[self._images : self._images + len(mask)].to(mask.device))
            truth = truth.where(counted, torch.full_like(truth, UNKNOWN))
            counts = confusion(mask, truth, self._masks.num_classes, ignore_index=UNKNOWN)
            self._confusion += counts.sum(0).cpu()
        self._images += len(mask)

    @property
    def has_one_class(self) -> bool:
        """Whether masks were counted, and all their pixels are of one class."""
        return int((self._predicted > 0).sum()) == 1

    def result(self) -> MaskResult | None:
        """What was counted."""
        if self._masks is None:
            return None
        overlaps = None
        if self._masks.truth is not None:
            overlaps = tuple(None if value != value else value for value in iou(self._confusion).tolist())
        return MaskResult(error=1 - self._same / self._pixels, iou=overlaps)
