"""Sequences and a network that can be seen through."""

import torch
from torch import Tensor, nn

from equivision.data import TrackingSequence
from equivision.models import SiameseNetwork


class Colours(nn.Module):
    """Mean colours of patches, less grey: zero where the background is grey."""

    def __init__(self) -> None:
        super().__init__()
        self.grey = nn.Parameter(torch.tensor(0.5), requires_grad=False)
        self.mean = nn.AvgPool2d(15, stride=8)

    def forward(self, x: Tensor) -> Tensor:
        return self.mean(x - self.grey)


def see_through(group: str = "C1") -> SiameseNetwork:
    """Correlates colours: its features turn with the image as they are."""
    return SiameseNetwork(Colours(), group=group)


def target(size: int = 32) -> Tensor:
    """Bytes of a square in four colours, one in each corner."""
    corners = torch.tensor([[[255, 0], [128, 255]], [[0, 255], [128, 0]], [[0, 128], [255, 60]]], dtype=torch.uint8)
    return corners.repeat_interleave(size // 2, 1).repeat_interleave(size // 2, 2)


def film(
    places: list[tuple[int, int]], patches: list[Tensor], name: str = "made", size: tuple[int, int] = (160, 200)
) -> TrackingSequence:
    """Patches on grey, with their left upper corners at (x, y)."""
    frames = torch.full((len(places), 3, *size), 128, dtype=torch.uint8)
    boxes = []
    for frame, (x, y), patch in zip(frames, places, patches, strict=True):
        height, width = patch.shape[1:]
        frame[:, y : y + height, x : x + width] = patch
        boxes.append([x, y, width, height])
    return TrackingSequence.from_tensors(name, frames, torch.tensor(boxes, dtype=torch.float64))


def walk(frames: int, step: tuple[int, int] = (6, 3), start: tuple[int, int] = (30, 40)) -> list[tuple[int, int]]:
    """Places along a line."""
    return [(start[0] + i * step[0], start[1] + i * step[1]) for i in range(frames)]
