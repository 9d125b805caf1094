"""Agreement of masks: counts of pixels and the overlaps that follow from them."""

import math

import pytest
import torch

from equivision.errors import ConfigError, DataError, ShapeError
from equivision.functional import act, confusion, dice, iou
from equivision.groups import dihedral


def counted_one_by_one(prediction: torch.Tensor, target: torch.Tensor, num_classes: int, ignored: int) -> torch.Tensor:
    counts = torch.zeros(len(target), num_classes, num_classes, dtype=torch.int64)
    for image in range(len(target)):
        for guess, truth in zip(prediction[image].flatten().tolist(), target[image].flatten().tolist(), strict=True):
            if truth != ignored:
                counts[image, truth, guess] += 1
    return counts


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8])
@pytest.mark.parametrize("ignore_index", [None, 255, 1])
def test_counts(dtype: torch.dtype, ignore_index: int | None) -> None:
    prediction = torch.randint(40, (3, 5, 4)).to(dtype)
    target = torch.randint(40, (3, 5, 4)).to(dtype)
    if ignore_index == 255:
        target[torch.rand(target.shape) < 0.3] = 255
    ignored = -1 if ignore_index is None else ignore_index
    expected = counted_one_by_one(prediction, target, 40, ignored)
    assert torch.equal(confusion(prediction, target, 40, ignore_index=ignore_index), expected)


def test_turned_masks_have_the_same_counts() -> None:
    group = dihedral(4)
    prediction, target = torch.randint(3, (2, 1, 5, 5)), torch.randint(3, (2, 1, 5, 5))
    upright = confusion(prediction[:, 0], target[:, 0], 3)
    for g in range(1, group.order):
        turned = act(prediction, g, group)[:, 0]
        assert torch.equal(confusion(turned, act(target, g, group)[:, 0], 3), upright)
        assert not torch.equal(confusion(turned, target[:, 0], 3), upright)


def test_nothing_to_count() -> None:
    empty = torch.zeros(0, 4, 4, dtype=torch.int64)
    assert confusion(empty, empty, 3).shape == (0, 3, 3)
    unknown = torch.full((2, 4, 4), 255)
    counts = confusion(torch.zeros_like(unknown), unknown, 3, ignore_index=255)
    assert not counts.any()
    assert iou(counts).isnan().all()
    assert dice(counts).isnan().all()


def test_overlaps_are_those_of_sets() -> None:
    prediction, target = torch.randint(3, (2, 6, 7)), torch.randint(3, (2, 6, 7))
    target[1] = target[1].clamp(max=1)
    prediction[1] = prediction[1].clamp(max=1)  # class 2 is in neither
    counts = confusion(prediction, target, 3)
    for image in range(2):
        for c in range(3):
            a, b = prediction[image] == c, target[image] == c
            both, either = int((a & b).sum()), int((a | b).sum())
            expected = both / either if either else math.nan
            assert float(iou(counts)[image, c]) == pytest.approx(expected, nan_ok=True)
            expected = 2 * both / int(a.sum() + b.sum()) if either else math.nan
            assert float(dice(counts)[image, c]) == pytest.approx(expected, nan_ok=True)
    assert iou(counts.sum(0)).shape == (3,)
    overlap = iou(counts[:1])
    assert torch.allclose(dice(counts[:1]), 2 * overlap / (1 + overlap))


def test_of_perfect_and_disjoint_masks() -> None:
    mask = torch.randint(2, (1, 6, 6))
    for overlap in (iou, dice):
        assert overlap(confusion(mask, mask, 2)).tolist() == [[1.0, 1.0]]
        assert overlap(confusion(1 - mask, mask, 2)).tolist() == [[0.0, 0.0]]


@pytest.mark.usefixtures("unchecked_annotations")
class TestErrors:
    mask = torch.zeros(2, 4, 4, dtype=torch.int64)

    def test_number_of_classes(self) -> None:
        with pytest.raises(ConfigError, match="num_classes=0: give a whole number of at least 1"):
            confusion(self.mask, self.mask, 0)

    @pytest.mark.parametrize("shape", [(2, 4, 5), (2, 3, 4, 4)])
    def test_shapes(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(ShapeError, match=r"prediction has shape \(2, .*both must be masks \[batch, height, width"):
            confusion(torch.zeros(shape).long(), self.mask, 2)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bool])
    def test_dtypes(self, dtype: torch.dtype) -> None:
        with pytest.raises(DataError, match=f"prediction is of {dtype}: confusion counts whole numbers"):
            confusion(self.mask.to(dtype), self.mask, 2)
        with pytest.raises(DataError, match=f"target is of {dtype}: confusion counts whole numbers"):
            confusion(self.mask, self.mask.to(dtype), 2)

    def test_values(self) -> None:
        with pytest.raises(DataError, match=r"prediction holds values from 2 to 2: with num_classes=2 .* 0 and 1$"):
            confusion(self.mask + 2, self.mask, 2)
        with pytest.raises(DataError, match=r"target holds values from -1 to -1: .* name the value .* as ignore_index"):
            confusion(self.mask, self.mask - 1, 2)

    @pytest.mark.parametrize("overlap", [iou, dice])
    @pytest.mark.parametrize("shape", [(3,), (2, 3)])
    def test_matrices(self, overlap, shape: tuple[int, ...]) -> None:
        with pytest.raises(ShapeError, match=r"confusion has shape \(.*it must be square in its last two axes"):
            overlap(torch.zeros(shape).long())
