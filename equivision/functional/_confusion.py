"""Masks that logits stand for, and how well masks agree: confusion matrices, and the overlaps that follow from them."""

import torch
from jaxtyping import Float, Float64, Int64, Integer
from torch import Tensor

from equivision._numbers import check_count
from equivision.errors import DataError, ShapeError


def confusion(
    prediction: Integer[Tensor, "batch height width"],
    target: Integer[Tensor, "batch height width"],
    num_classes: int,
    *,
    ignore_index: int | None = None,
) -> Int64[Tensor, "batch true predicted"]:
    """Count the pixels of every image by their true and their predicted class.

    The matrices of several images or batches add up; those of a mask and its turned copy are the same.

    Args:
        prediction: predicted class of every pixel, 0 to ``num_classes - 1``.
        target: true class of every pixel, 0 to ``num_classes - 1`` or ``ignore_index``.
        num_classes: how many classes there are.
        ignore_index: value in ``target`` of pixels that are not counted; None if all are.

    Raises:
        ConfigError: ``num_classes`` is not a positive whole number.
        ShapeError: the two are no masks ``[batch, height, width]`` of the same shape.
        DataError: they hold no whole numbers, or one that is no class.

    >>> prediction, target = torch.tensor([[[0, 1, 1]]]), torch.tensor([[[0, 0, 1]]])
    >>> confusion(prediction, target, 2)
    tensor([[[1, 1],
             [0, 1]]])
    """
    check_count("num_classes", num_classes)
    if prediction.ndim != 3 or prediction.shape != target.shape:
        raise ShapeError(
            f"prediction has shape {tuple(prediction.shape)} and target {tuple(target.shape)}: both must be masks "
            "[batch, height, width] of one shape; take the argmax of logits first"
        )
    known = torch.ones_like(target, dtype=torch.bool) if ignore_index is None else target != ignore_index
    _check_classes(prediction[known], num_classes, "prediction")
    _check_classes(target[known], num_classes, "target")
    image = torch.arange(len(target), device=target.device).view(-1, 1, 1)
    pair = (image * num_classes + target) * num_classes + prediction
    counts = torch.bincount(pair[known].long(), minlength=len(target) * num_classes**2)
    return counts.view(len(target), num_classes, num_classes)


def _check_classes(values: Tensor, num_classes: int, name: str) -> None:
    if values.is_floating_point() or values.is_complex() or values.dtype == torch.bool:
        raise DataError(f"{name} is of {values.dtype}: confusion counts whole numbers, the classes of the pixels")
    if not values.numel():
        return
    low, high = int(values.min()), int(values.max())
    if low < 0 or high >= num_classes:
        hint = "; name the value of pixels without a class as ignore_index" if name == "target" else ""
        raise DataError(
            f"{name} holds values from {low} to {high}: with num_classes={num_classes} they must lie between 0 and "
            f"{num_classes - 1}{hint}"
        )


def _overlaps(confusion: Tensor) -> tuple[Tensor, Tensor]:
    """Pixels of each class in both masks, and in the two masks together, those in both twice."""
    if confusion.ndim < 2 or confusion.shape[-1] != confusion.shape[-2]:
        raise ShapeError(
            f"confusion has shape {tuple(confusion.shape)}: it must be square in its last two axes, [..., true, "
            "predicted], as functional.confusion counts it"
        )
    both = confusion.diagonal(dim1=-2, dim2=-1).double()
    return both, (confusion.sum(-1) + confusion.sum(-2)).double()


def iou(confusion: Int64[Tensor, "*batch classes classes"]) -> Float64[Tensor, "*batch classes"]:
    """Intersection over union of each class, ``TP / (TP + FP + FN)``, from counts of pixels.

    Sum the matrices of several images first for the value over all their pixels.

    Args:
        confusion: as :func:`equivision.functional.confusion` counts it.

    Returns:
        Values between 0 and 1; NaN for a class that is in neither mask.

    Raises:
        ShapeError: the matrices are not square.

    >>> iou(torch.tensor([[1, 1, 0], [0, 1, 0], [0, 0, 0]]))
    tensor([0.5000, 0.5000,    nan], dtype=torch.float64)
    """
    both, together = _overlaps(confusion)
    return both / (together - both)


def dice(confusion: Int64[Tensor, "*batch classes classes"]) -> Float64[Tensor, "*batch classes"]:
    """Dice coefficient of each class, ``2 TP / (2 TP + FP + FN)``, from counts of pixels.

    Sum the matrices of several images first for the value over all their pixels.

    Args:
        confusion: as :func:`equivision.functional.confusion` counts it.

    Returns:
        Values between 0 and 1; NaN for a class that is in neither mask.

    Raises:
        ShapeError: the matrices are not square.

    Source: Dice 1945.

    >>> dice(torch.tensor([[1, 1, 0], [0, 1, 0], [0, 0, 0]]))
    tensor([0.6667, 0.6667,    nan], dtype=torch.float64)
    """
    both, together = _overlaps(confusion)
    return 2 * both / together


def check_logits(logits: Tensor) -> None:
    """Raise ShapeError unless these are maps of logits."""
    if logits.ndim != 4 or not logits.is_floating_point() or logits.shape[1] < 1:
        raise ShapeError(
            f"logits have shape {tuple(logits.shape)}, {logits.dtype}: need [batch, maps, height, width] of "
            "floating-point numbers, one map a class, or a single map for a mask of one kind"
        )


def classes_of(logits: Float[Tensor, "batch maps height width"]) -> Int64[Tensor, "batch height width"]:
    """The class of every pixel: that of the largest logit; of a single map, 1 where it is above 0.

    Equivariance: exact, plane to plane; where logits are equal, the first class wins, wherever the pixel is.

    Raises:
        ShapeError: logits have not 4 axes, or are no floating-point numbers.

    >>> classes_of(torch.tensor([[[[1.0]], [[2.0]], [[0.5]]]])).tolist()
    [[[1]]]
    """
    check_logits(logits)
    return (logits[:, 0] > 0).long() if logits.shape[1] == 1 else logits.argmax(1)
