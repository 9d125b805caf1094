"""Errors image by image, collected over batches."""

import torch
from jaxtyping import Float
from torch import Tensor


def _norms(x: Tensor) -> Float[Tensor, " batch"]:
    return torch.linalg.vector_norm(x.flatten(1), dim=1, dtype=torch.float64).cpu()


def _wide(x: Tensor) -> Tensor:
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


class Errors:
    """Relative errors of many images: ``||actual_i - expected_i|| / rms_j ||expected_j||``.

    The scale is the root mean square over all images, so that the root mean square of the errors is exactly
    :func:`equivision.functional.relative_error` of the whole set, and an image on which a layer happens to be nearly
    silent does not blow up rounding.
    """

    def __init__(self) -> None:
        self._difference: list[Tensor] = []
        self._expected: list[Tensor] = []
        self._actual: list[Tensor] = []

    def add(self, actual: Float[Tensor, "*shape"], expected: Float[Tensor, "*shape"]) -> None:
        """Collect one batch."""
        self._difference.append(_norms(_wide(actual) - _wide(expected)))
        self._expected.append(_norms(expected))
        self._actual.append(_norms(actual))

    def relative(self) -> Float[Tensor, " images"]:
        """The error of every image; 0 where nothing differs, 1 where something appears although nothing is expected."""
        difference = torch.cat(self._difference)
        scale = torch.cat(self._expected).square().mean().sqrt()
        if scale == 0:
            scale = torch.cat(self._actual).square().mean().sqrt()
        return torch.where(difference == 0, torch.zeros_like(difference), difference / scale)


class Spread:
    """How much the outputs of different images differ, relative to their size."""

    def __init__(self) -> None:
        self._count = 0
        self._sum: Tensor | float = 0.0
        self._squares = 0.0
        self._scatter = 0.0

    def add(self, outputs: Float[Tensor, "*shape"]) -> None:
        """Collect one batch (mean and scatter are merged batch by batch, which is stable in floating point)."""
        values = outputs.detach().flatten(1).cpu().double()
        self._squares += float(values.square().sum())
        total, mean = self._count + len(values), values.mean(0)
        old = self._sum / self._count if self._count else mean
        gap = float((mean - old).square().sum())
        self._scatter += float((values - mean).square().sum()) + gap * self._count * len(values) / total
        self._sum, self._count = self._sum + values.sum(0), total

    def relative(self) -> float | None:
        """Root-mean-square distance of two different outputs over the root-mean-square norm; None for one image."""
        if self._count < 2:
            return None
        if self._squares == 0:
            return 0.0
        distance = 2 * self._scatter / (self._count - 1)
        return (distance / (self._squares / self._count)) ** 0.5
