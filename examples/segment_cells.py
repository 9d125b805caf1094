"""Find the masks of cells under slanting light: a plain and an equivariant U-Net, upright and turned, and in tiles."""

import torch
from torch import Tensor

import equivision as ev
from equivision.functional import confusion, iou
from equivision.segmentation import classes_of, mask_loss, overlay, overlay_sheet, predict_tiled
from equivision.tasks import SegmentationTask


def cells(number: int, size: tuple[int, int], seed: int, each: int = 2) -> tuple[Tensor, Tensor]:
    """Made pictures of domes lit from the left, as under an oblique microscope, and their masks."""
    generator = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(torch.arange(size[0]), torch.arange(size[1]), indexing="ij")
    height = torch.zeros(number, *size)
    for _ in range(each):
        row, column, radius, slim, angle = torch.rand(5, number, 1, 1, generator=generator)
        down, right, angle, radius = y - row * size[0], x - column * size[1], 3.14 * angle, 4 + 4 * radius
        u, v = right * angle.cos() + down * angle.sin(), down * angle.cos() - right * angle.sin()
        height = torch.maximum(height, 1 - (u / radius) ** 2 - (v / radius / (0.7 + 0.6 * slim)) ** 2)
    noise = 0.05 * torch.randn(height.shape, generator=generator)
    return (0.5 + 0.8 * (height - height.roll(2, 2)) + noise).clamp(0, 1)[:, None], (height > 0).long()


def score(task: SegmentationTask, images: Tensor, masks: Tensor) -> float:
    """Intersection over union of the cells."""
    with torch.no_grad():
        return float(iou(confusion(classes_of(task(images)), masks, 2).sum(0))[1])


(images, masks), (tests, truth) = cells(48, (32, 32), 0), cells(48, (32, 32), 1)
turned, turned_truth = tests.rot90(2, (2, 3)), truth.rot90(2, (1, 2))
columns: dict[str, Tensor] = {}
for name, width in (("z2_unet", 12), ("unet", 4)):  # about as many parameters
    torch.manual_seed(0)
    task = SegmentationTask(name, width=width, model_args={"depth": 2}, in_channels=1, image_size=(32, 32))
    optimizer = torch.optim.Adam(task.parameters(), 0.01)
    for _ in range(12):
        for batch in torch.randperm(len(images)).split(8):
            optimizer.zero_grad()
            mask_loss(task(images[batch]), masks[batch]).backward()
            optimizer.step()
    task.eval()
    print(f"{name}: IoU upright {score(task, tests, truth):.3f}, turned {score(task, turned, turned_truth):.3f}")
    for way, picture in (("upright", tests[:1]), ("turned", turned[:1])):
        columns[f"{name}, {way}"] = overlay(picture[0], classes_of(task(picture))[0])
    if name == "z2_unet":
        task.symmetrize = "D4"  # every answer is the mean of eight
        print(f"  averaged over D4: {score(task, tests, truth):.3f}, {score(task, turned, turned_truth):.3f}")
overlay_sheet([columns], "cells.png")
large, _ = cells(1, (75, 100), 2, each=12)
ev.testing.assert_equivariant(lambda x: predict_tiled(task, x[0], tile=32, overlap=8)[None], large, group="D4")
mask = classes_of(predict_tiled(task, large[0], tile=32, overlap=8)[None])[0]
overlay_sheet([{"in tiles": overlay(large[0], mask)}], "large.png", width=400)
print(f"in tiles: {tuple(mask.shape)} pixels, the mask turns with the picture")
