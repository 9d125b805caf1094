"""How the result of a call moves when images turn, and whether two results correspond.

Two runs are compared: one on images, one on the same images turned, the first by one quarter turn, the second by two.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

_TOLERANCE = 1e-8
#: Images in a run: two, so that what mixes them is seen, and turns by 90 and by 180 degrees are both tried.
IMAGES = 2


@dataclass(frozen=True)
class Form:
    """How the result of a call moves: a square map, a flattened one of this size, or not at all (size None)."""

    is_map: bool = False
    size: int | None = None
    numbers: int = 0

    def turned(self, value: Tensor) -> Tensor:
        """What the other run must give."""
        if not self.is_map and self.size is None:
            return value
        maps = value if self.size is None else value.reshape(value.shape[0], -1, self.size, self.size)
        return turned_images(maps).reshape(value.shape)


def turned_images(images: Tensor) -> Tensor:
    """Image i turned by i + 1 quarter turns; where channels have become images, those of an image together."""
    each = max(len(images) // IMAGES, 1)
    return torch.stack([torch.rot90(image, i // each + 1, (-2, -1)) for i, image in enumerate(images)])


def turned_pieces(values: Tensor) -> Tensor:
    """What a generator gives for the turned images, ``[turn, image, numbers]``: the same, in another order."""
    return torch.stack([values[:, i].roll(-(i + 1), 0) for i in range(values.shape[1])], dim=1)


def corresponds(expected: Tensor, found: Tensor) -> bool:
    """Whether two results are equal to rounding; what is not a number corresponds to what is none either."""
    if expected.shape != found.shape:
        return False
    if expected.numel() == 0 or not (expected.is_floating_point() or expected.is_complex()):
        return torch.equal(expected, found)
    alike = (expected == found) | (expected.isnan() & found.isnan())
    error = (expected - found).abs().masked_fill(alike, 0.0).max()
    size = expected.abs().nan_to_num(0.0, 0.0, 0.0).max()
    return bool(error <= _TOLERANCE * size.clamp(min=1e-30))


def revived(value: Tensor, form: Form) -> Tensor:
    """The same with random positive numbers in channels that are constant, as behind a ReLU that lets nothing through.

    Such channels would hide what the next calls do to positions; of a single pixel, it is 0 that hides it.
    """
    size = 1 if form.is_map and form.size is None else form.size
    if size is None or not value.is_floating_point():
        return value
    flat = value.reshape(value.shape[0], -1, size**2)
    spread = flat.abs() if size == 1 else flat.amax(-1, keepdim=True) - flat.amin(-1, keepdim=True)
    live = spread > 0  # False for what is not a number
    if bool(live.all()):
        return value
    noise = torch.rand(flat.shape, dtype=value.dtype, generator=torch.Generator().manual_seed(flat.shape[-1]))
    alive = torch.where(live, flat, noise + 0.1).reshape(value.shape)
    if 0 in value.stride():
        return alive
    return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype).copy_(alive)  # x.view goes on to fail
