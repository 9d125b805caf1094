"""How well boxes follow a target. Boxes are ``[frame, 4]``: left edge, upper edge, width, height, in pixels."""

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from equivision.errors import ShapeError

Boxes = Float[Tensor, "frame 4"]


def overlap(a: Boxes, b: Boxes) -> Float64[Tensor, " frame"]:
    """Area of the intersection over area of the union, frame by frame; 0 where a box has no area or is not finite.

    Raises:
        ShapeError: they are not two tensors ``[frame, 4]`` with equally many frames.

    >>> overlap(torch.tensor([[0.0, 0.0, 2.0, 2.0]]), torch.tensor([[1.0, 0.0, 2.0, 2.0]])).item()
    0.3333333333333333
    """
    a, b = _pair(a, b)
    low = torch.maximum(a[:, :2], b[:, :2])
    high = torch.minimum(a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:])
    common = (high - low).clamp_min(0).prod(1)
    union = a[:, 2:].clamp_min(0).prod(1) + b[:, 2:].clamp_min(0).prod(1) - common
    return torch.where(union > 0, common / union, torch.zeros_like(common)).nan_to_num(0.0, 0.0, 0.0)


def success_curve(predicted: Boxes, truth: Boxes) -> Float64[Tensor, "21"]:
    """For the thresholds 0, 0.05, ..., 1: the fraction of frames whose :func:`overlap` is larger than the threshold.

    From Wu, Lim and Yang, Object tracking benchmark, 2015.

    >>> truth = torch.tensor([[0.0, 0.0, 2.0, 2.0]])
    >>> success_curve(torch.tensor([[1.0, 0.0, 2.0, 2.0]]), truth).sum().item()  # 1/3 is above 0, ..., 0.3
    7.0
    """
    thresholds = torch.arange(21, dtype=torch.float64) / 20
    return (overlap(predicted, truth).cpu()[:, None] > thresholds).double().mean(0)


def success_auc(predicted: Boxes, truth: Boxes) -> float:
    """The area under the :func:`success_curve`: its mean.

    No overlap is larger than 1, so a perfect tracker has 20/21, which is 0.952.

    >>> truth = torch.tensor([[0.0, 0.0, 2.0, 2.0], [1.0, 0.0, 2.0, 2.0]])
    >>> round(success_auc(truth, truth), 3)
    0.952
    """
    return success_curve(predicted, truth).mean().item()


def precision(predicted: Boxes, truth: Boxes, pixels: float = 20.0) -> float:
    """The fraction of frames where the centres of the two boxes are at most so many pixels apart.

    From Wu, Lim and Yang, Object tracking benchmark, 2015.

    >>> truth = torch.tensor([[0.0, 0.0, 4.0, 4.0], [0.0, 0.0, 4.0, 4.0]])
    >>> precision(truth + torch.tensor([[20.0, 0.0, 0.0, 0.0], [21.0, 0.0, 0.0, 0.0]]), truth)
    0.5
    """
    a, b = _pair(predicted, truth)
    distance = ((a[:, :2] + a[:, 2:] / 2) - (b[:, :2] + b[:, 2:] / 2)).norm(dim=1)
    return (distance <= pixels).double().mean().item()


def _pair(a: Boxes, b: Boxes) -> tuple[Float64[Tensor, "frame 4"], Float64[Tensor, "frame 4"]]:
    if a.ndim != 2 or a.shape != b.shape or a.shape[1] != 4 or not len(a):
        raise ShapeError(
            f"boxes have the shapes {tuple(a.shape)} and {tuple(b.shape)}: both must be [frame, 4] (x, y, width, "
            "height), with the same number of frames, at least one"
        )
    return a.double(), b.double()
