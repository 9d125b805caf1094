"""The pixels of an image that any rotation about its centre keeps inside it."""

import torch
from jaxtyping import Bool
from torch import Tensor


def inscribed_disk(height: int, width: int, device: torch.device | None = None) -> Bool[Tensor, "height width"]:
    """True inside the largest disk that fits, false in the corners, which a rotation brings in from outside."""
    rows, columns = (torch.arange(n, device=device) - (n - 1) / 2 for n in (height, width))
    return rows[:, None] ** 2 + columns**2 <= (min(height, width) / 2) ** 2
