"""What logits mean, what they are trained with, and the score of the segmentation study."""

import math

import pytest
import torch
from torch import Tensor

from equivision.errors import DataError, ShapeError
from equivision.functional import act
from equivision.groups import dihedral
from equivision.segmentation import classes_of, mask_loss, probabilities_of, thresholded_iou

D4 = dihedral(4)
SIZES = [(5, 5), (6, 6), (4, 7)]


def logits_and_masks(maps: int, size: tuple[int, int], batch: int = 3) -> tuple[Tensor, Tensor]:
    masks = torch.randint(0, max(maps, 2), (batch, *size))
    return 3 * torch.randn(batch, maps, *size, dtype=torch.float64), masks


def loss_by_loops(logits: Tensor, masks: Tensor, ignore_index: int | None) -> float:
    """The formulas, pixel by pixel."""
    each = []
    for image, mask in zip(logits, masks, strict=True):
        for values, label in zip(image.flatten(1).T.tolist(), mask.flatten().tolist(), strict=True):
            if label == ignore_index:
                continue
            if len(values) == 1:
                z = values[0]
                each.append(max(z, 0) - z * label + math.log(1 + math.exp(-abs(z))))
            else:
                each.append(math.log(sum(math.exp(v) for v in values)) - values[label])
    return sum(each) / len(each)


@pytest.mark.parametrize("ignore_index", [None, 255, -1])
@pytest.mark.parametrize("maps", [1, 2, 3])
def test_the_loss_is_the_mean_over_pixels(maps: int, ignore_index: int | None) -> None:
    logits, masks = logits_and_masks(maps, (4, 7))
    if ignore_index is not None:
        masks[0, :2] = ignore_index
        masks[2, 1, 3] = ignore_index
    found = mask_loss(logits, masks, ignore_index=ignore_index)
    assert float(found) == pytest.approx(loss_by_loops(logits, masks, ignore_index), rel=1e-12)
    if ignore_index != -1:
        assert torch.equal(mask_loss(logits, masks.byte(), ignore_index=ignore_index), found)


@pytest.mark.parametrize("maps", [1, 3])
def test_ignored_pixels_have_no_gradient(maps: int) -> None:
    logits, masks = logits_and_masks(maps, (4, 4))
    masks[:, :2] = 255
    logits.requires_grad_()
    mask_loss(logits, masks, ignore_index=255).backward()
    assert logits.grad is not None
    assert not logits.grad[:, :, :2].any()
    assert logits.grad[:, :, 2:].all()


@pytest.mark.parametrize("maps", [1, 3])
def test_nothing_to_learn_from(maps: int) -> None:
    logits, _ = logits_and_masks(maps, (4, 4))
    logits.requires_grad_()
    loss = mask_loss(logits, torch.full((3, 4, 4), 255), ignore_index=255)
    loss.backward()
    assert float(loss.detach()) == 0
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("maps", [1, 3])
def test_the_loss_does_not_move(maps: int, size: tuple[int, int]) -> None:
    logits, masks = logits_and_masks(maps, size)
    masks[:, 0, 1] = 255
    loss = mask_loss(logits, masks, ignore_index=255)
    for g in range(1, D4.order):
        moved = act(masks[:, None].double(), g, D4)[:, 0].long()
        assert float(mask_loss(act(logits, g, D4), moved, ignore_index=255)) == pytest.approx(float(loss), rel=1e-12)
        if moved.shape == masks.shape:
            assert float(mask_loss(logits, moved, ignore_index=255)) != pytest.approx(float(loss), rel=1e-3)


@pytest.mark.parametrize("maps", [1, 2, 3])
def test_classes_are_those_with_the_largest_probability(maps: int) -> None:
    logits, _ = logits_and_masks(maps, (4, 7))
    probabilities = probabilities_of(logits)
    assert probabilities.shape == (3, max(maps, 2), 4, 7)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(3, 4, 7, dtype=torch.float64))
    assert torch.equal(classes_of(logits), probabilities.argmax(1))
    assert classes_of(logits).unique().tolist() == list(range(max(maps, 2)))
    for g in range(D4.order):
        moved = act(classes_of(logits)[:, None].double(), g, D4)[:, 0].long()
        assert torch.equal(classes_of(act(logits, g, D4)), moved)


def test_a_single_map_is_that_of_the_mask() -> None:
    logits = torch.tensor([[[[-1e4, 0.0, 1e-6, 1e4]]]])
    assert classes_of(logits).tolist() == [[[0, 0, 1, 1]]]
    assert probabilities_of(logits)[0, 1, 0].tolist() == pytest.approx([0, 0.5, 0.5, 1])
    two = torch.cat([torch.zeros_like(logits), logits], 1)
    torch.testing.assert_close(probabilities_of(two), probabilities_of(logits))


def test_the_score_of_the_study() -> None:
    """``ceil(clamp(20 (IoU - 0.5), 0, 10)) / 10``: steps of 0.05, open on the left."""
    edges = [(0.0, 0.0), (0.5, 0.0), (0.500001, 0.1), (0.5499, 0.1), (0.5501, 0.2), (0.75, 0.5), (0.7501, 0.6)]
    edges += [(0.9499, 0.9), (0.9501, 1.0), (1.0, 1.0)]
    ious = torch.tensor([value for value, _ in edges], dtype=torch.float64)
    assert thresholded_iou(ious).tolist() == pytest.approx([score for _, score in edges])
    every = torch.rand(200, dtype=torch.float64)
    wanted = [math.ceil(min(max(20 * (value - 0.5), 0), 10)) / 10 for value in every.tolist()]
    assert thresholded_iou(every).tolist() == pytest.approx(wanted)
    assert thresholded_iou(torch.full((2, 3), math.nan)).tolist() == [[1.0] * 3] * 2


@pytest.mark.usefixtures("unchecked_annotations")
@pytest.mark.parametrize(
    "logits",
    [torch.zeros(2, 4, 4), torch.zeros(2, 1, 4, 4, dtype=torch.int64), torch.zeros(2, 0, 4, 4)],
    ids=["three axes", "whole numbers", "no maps"],
)
def test_logits_that_are_none(logits: Tensor) -> None:
    masks = torch.zeros(2, 4, 4, dtype=torch.int64)
    for function in (classes_of, probabilities_of, lambda x: mask_loss(x, masks)):
        with pytest.raises(ShapeError, match=r"logits have shape .* need \[batch, maps, height, width\]"):
            function(logits)


@pytest.mark.usefixtures("unchecked_annotations")
@pytest.mark.parametrize("shape", [(2, 4, 5), (1, 4, 4), (2, 1, 4, 4)])
def test_masks_that_do_not_fit(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="need one class number for every pixel"):
        mask_loss(torch.zeros(2, 1, 4, 4), torch.zeros(shape, dtype=torch.int64))


@pytest.mark.parametrize(("maps", "value"), [(1, 2), (1, 255), (1, -1), (2, 2), (3, 3), (3, 255)])
def test_values_that_are_no_class(maps: int, value: int) -> None:
    logits, masks = logits_and_masks(maps, (5, 5))
    wanted = mask_loss(logits, masks.index_fill(1, torch.tensor(2), 9), ignore_index=9)
    masks[:, 2] = value
    with pytest.raises(
        DataError, match=rf"{maps} map\(s\) of logits tell classes 0 to {max(maps, 2) - 1}: .* as ignore_index"
    ):
        mask_loss(logits, masks)
    torch.testing.assert_close(mask_loss(logits, masks, ignore_index=value), wanted)


@pytest.mark.parametrize("maps", [1, 3])
def test_the_loss_of_many_pixels_in_half_precision(maps: int) -> None:
    logits, masks = torch.zeros(1, maps, 400, 400, dtype=torch.float16), torch.zeros(1, 400, 400, dtype=torch.int64)
    assert float(mask_loss(logits, masks)) == pytest.approx(math.log(max(maps, 2)), abs=1e-5)
