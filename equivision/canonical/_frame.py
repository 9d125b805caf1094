"""Which elements bring an image into its canonical pose: the best scores, and what to do where several are best."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from equivision.functional._tolerance import TOLERANCE


class Frame(NamedTuple):
    """The pose that was found for every image of a batch: ``image = h (canonical image)``.

    Attributes:
        elements: the element h, ``[B]``; of several that give the same canonical image, the first.
        weights: ``[B, |G|]``, 1 at that element and 0 elsewhere; equal parts where several give the same canonical
            image. Gradients are those of ``softmax(beta * scores)``.
        scores: of every element, ``[B, |G|]``.
    """

    elements: Int[Tensor, " batch"]
    weights: Float[Tensor, "batch order"]
    scores: Float[Tensor, "batch order"]

    def prior_loss(self) -> Float[Tensor, ""]:
        """Cross-entropy of the scores to the identity: how surprising it is that images lie as in the training set.

        Add it, with a factor, to the loss of the task while training on data in the pose that the predictor knows.

        Source: Mondal et al. 2023, section 3.3.

        >>> frame = Frame(torch.tensor([0]), torch.tensor([[1.0, 0.0]]), torch.tensor([[9.0, 0.0]]))
        >>> bool(frame.prior_loss() < 1e-3)
        True
        """
        return F.cross_entropy(self.scores, torch.zeros_like(self.elements))

    def identity_fraction(self) -> Float[Tensor, ""]:
        """The part of the images that are left as they are."""
        return (self.weights[:, 0].detach() > 0).to(self.weights.dtype).mean()


def maximisers(scores: Float[Tensor, "batch order"]) -> Bool[Tensor, "batch order"]:
    """Elements whose score is the largest one, to the tolerance of the dtype: the argmax frame, with all its ties."""
    slack = TOLERANCE[scores.dtype] * scores.abs().amax(1, keepdim=True)
    return scores >= scores.amax(1, keepdim=True) - slack


def _projection(copies: Tensor) -> Tensor:
    """One number for every copy, ``[B, |G|]``, that differs where copies do: their product with a fixed pattern."""
    flat = copies.flatten(2)
    flat = flat if flat.dtype == torch.float64 else flat.float()
    k = torch.arange(flat.shape[2], device=flat.device, dtype=torch.float64)
    return (flat * torch.cos(math.sqrt(2) * k * k).to(flat.dtype)).sum(2)


def _same_image(copies: Tensor, tied: Tensor) -> Tensor:
    """Among tied elements, those that give one canonical image, ``[B, |G|]``.

    It is chosen by the copies themselves, and these are the same set of images however the input is turned.
    """
    values = _projection(copies)
    slack = TOLERANCE[values.dtype] * torch.linalg.vector_norm(copies[:, :1].flatten(2).to(values.dtype), dim=2)
    return tied & (values >= values.masked_fill(~tied, -math.inf).amax(1, keepdim=True) - slack)


def find_frame(scores: Tensor, copies: Tensor, beta: float) -> Frame:
    """The frame of the best scores.

    Args:
        scores: ``[B, |G|]``.
        copies: every ``h^-1 x``, ``[B, |G|, C, H, W]``.
        beta: sharpness of the softmax that gradients go through.
    """
    with torch.no_grad(), torch.autocast(copies.device.type, enabled=False):
        best = _same_image(copies, maximisers(scores))
        hard = best.to(scores.dtype) / best.sum(1, keepdim=True)
    soft = torch.softmax(beta * scores, 1)
    return Frame(best.int().argmax(1), hard + (soft - soft.detach()), scores)
