"""What logits of every pixel mean, what they are trained with, and the score of the segmentation study."""

import torch
from jaxtyping import Float, Integer
from torch import Tensor
from torch.nn import functional as F

from equivision.errors import DataError, ShapeError
from equivision.functional._confusion import check_logits

Logits = Float[Tensor, "batch maps height width"]
Masks = Integer[Tensor, "batch height width"]


def probabilities_of(logits: Logits) -> Float[Tensor, "batch classes height width"]:
    """The probability of every class; of a single map, those of background and mask.

    Raises:
        ShapeError: logits have not 4 axes, or are no floating-point numbers.

    >>> probabilities_of(torch.zeros(1, 1, 1, 1)).flatten().tolist()
    [0.5, 0.5]
    """
    check_logits(logits)
    if logits.shape[1] > 1:
        return logits.softmax(1)
    return torch.cat([torch.sigmoid(-logits), torch.sigmoid(logits)], 1)


def mask_loss(logits: Logits, masks: Masks, *, ignore_index: int | None = None) -> Float[Tensor, ""]:
    """Mean over the pixels of the logistic loss of a single map, or else of the cross-entropy.

    Of a single map z and masks y of 0 and 1 this is the mean of ``max(z, 0) - z y + log(1 + exp(-|z|))``.

    Args:
        logits: one map a class, or a single one.
        masks: class numbers.
        ignore_index: class number of pixels that do not count; where no other is left, the loss is 0.

    Equivariance: invariant: turning logits and masks changes the loss by rounding only.

    Raises:
        ShapeError: logits and masks do not fit.
        DataError: masks hold a value that is no class (not looked for in compiled programs).

    Source: the G-CNN segmentation study, section 4.2.

    >>> mask_loss(torch.zeros(1, 1, 2, 2), torch.tensor([[[0, 1], [1, 0]]]))
    tensor(0.6931)
    """
    check_logits(logits)
    if (len(logits), *logits.shape[2:]) != tuple(masks.shape):
        raise ShapeError(
            f"logits have shape {tuple(logits.shape)}, masks {tuple(masks.shape)}: need one class number for every "
            "pixel, [batch, height, width]"
        )
    counts = torch.ones_like(masks, dtype=torch.bool) if ignore_index is None else masks != ignore_index
    if not torch.compiler.is_compiling():
        _check_classes(masks[counts], logits.shape[1])
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))  # sums are beyond what half precision holds
    if logits.shape[1] == 1:
        each = F.binary_cross_entropy_with_logits(logits[:, 0], (masks == 1).to(logits.dtype), reduction="none")
    else:
        each = F.cross_entropy(logits, torch.where(counts, masks.long(), 0), reduction="none")
    return torch.where(counts, each, 0).sum() / counts.sum().clamp(min=1)


def _check_classes(known: Tensor, maps: int) -> None:
    """Check the class numbers of all pixels that count; a single map would take any other for the background."""
    num_classes = max(maps, 2)
    if known.numel() and (known.min() < 0 or known.max() >= num_classes):
        raise DataError(
            f"masks hold values from {int(known.min())} to {int(known.max())}, but {maps} map(s) of logits tell "
            f"classes 0 to {num_classes - 1}: give a network with more maps, or name the value of pixels without a "
            "class as ignore_index"
        )


def thresholded_iou(iou: Float[Tensor, "*values"]) -> Float[Tensor, "*values"]:
    """The score that the segmentation study calls IoU: ``ceil(clamp(20 (IoU - 0.5), 0, 10)) / 10``.

    It is 0 up to an intersection over union of 0.5, and 1 above 0.95; so it must not be compared with a true IoU.

    Args:
        iou: intersections over union; NaN, where neither has the class, counts as 1.

    Source: the G-CNN segmentation study, tables 3 and 4, as its code has it.

    >>> thresholded_iou(torch.tensor([0.5, 0.72, 0.96, float("nan")]))
    tensor([0.0000, 0.5000, 1.0000, 1.0000])
    """
    return (20 * (iou.nan_to_num(1.0) - 0.5)).clamp(0, 10).ceil() / 10
