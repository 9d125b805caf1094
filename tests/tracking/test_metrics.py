"""Overlap, success and precision against counting by hand."""

import pytest
import torch
from torch import Tensor

from equivision.errors import ShapeError
from equivision.tracking import overlap, precision, success_auc, success_curve


def on_paper(a: list[int], b: list[int]) -> float:
    """Overlap of boxes with whole numbers, by counting unit squares."""
    first, second = ({(x, y) for x in range(p, p + w) for y in range(q, q + h)} for p, q, w, h in (a, b))
    return len(first & second) / len(first | second)


def boxes(count: int = 200) -> tuple[Tensor, Tensor]:
    both = torch.randint(0, 12, (2, count, 4)) + torch.tensor([0, 0, 1, 1])
    return both[0].float(), both[1].float()


def test_overlap_counts_squares() -> None:
    a, b = boxes()
    expected = [on_paper(p, q) for p, q in zip(a.int().tolist(), b.int().tolist(), strict=True)]
    assert min(expected) == 0.0
    assert max(expected) > 0.5
    assert overlap(a, b).tolist() == pytest.approx(expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_overlap_does_not_depend_on_order_place_and_scale(dtype: torch.dtype) -> None:
    a, b = (one.to(dtype) for one in boxes())
    moved = torch.tensor([8.0, -4.0, 0.0, 0.0], dtype=dtype)
    for same in (overlap(b, a), overlap(4 * a, 4 * b), overlap(a + moved, b + moved)):
        torch.testing.assert_close(same, overlap(a, b))
    assert not torch.allclose(overlap(a + moved, b), overlap(a, b))


def test_boxes_that_are_none_overlap_with_nothing() -> None:
    good = torch.tensor([[0.0, 0.0, 4.0, 4.0]])
    for bad in ([1.0, 1.0, 0.0, 0.0], [1.0, 1.0, -2.0, 3.0], [torch.nan, 1.0, 2.0, 2.0], [0.0, 0.0, torch.inf, 1.0]):
        assert overlap(torch.tensor([bad]), good).item() == 0.0
        assert overlap(torch.tensor([bad]), torch.tensor([bad])).item() == 0.0


def test_success_by_hand() -> None:
    """Overlaps 1, 1/2, 0: above tau are 2 (tau below 1/2), 1 (tau below 1) and 0."""
    truth = torch.tensor([[0.0, 0.0, 4.0, 4.0]]).expand(3, 4)
    predicted = torch.tensor([[0.0, 0.0, 4.0, 4.0], [0.0, 0.0, 2.0, 4.0], [9.0, 9.0, 4.0, 4.0]])
    assert success_curve(predicted, truth).tolist() == pytest.approx([2 / 3] * 10 + [1 / 3] * 10 + [0.0])
    assert success_auc(predicted, truth) == pytest.approx((20 / 3 + 10 / 3) / 21)
    assert success_auc(truth, truth) == pytest.approx(20 / 21)


def test_thresholds_are_exact() -> None:
    """An overlap of 0.15 is not above the threshold 0.15, 3/20."""
    truth = torch.tensor([[0.0, 0.0, 20.0, 1.0]])
    for k in range(1, 21):
        assert success_curve(torch.tensor([[0.0, 0.0, float(k), 1.0]]), truth).sum().item() == k


def test_precision_counts_centres_within_twenty_pixels() -> None:
    truth = torch.tensor([[10.0, 10.0, 6.0, 8.0]]).expand(4, 4)
    moves = torch.tensor([[12.0, 16.0], [12.1, 16.0], [0.0, 0.0], [100.0, 0.0]])
    predicted = torch.cat([truth[:, :2] + moves, truth[:, 2:]], 1)
    assert precision(predicted, truth) == 0.5
    assert precision(predicted, truth, 25.0) == 0.75
    wider = predicted + torch.tensor([-5.0, 0.0, 10.0, 0.0])  # the centres stay
    assert precision(wider, truth) == 0.5
    assert precision(torch.full_like(truth, torch.nan), truth) == 0.0


@pytest.mark.usefixtures("unchecked_annotations")
def test_shapes_that_do_not_fit() -> None:
    good = torch.ones(3, 4)
    for a, b in ((good, good[:2]), (good[0], good[0]), (good[:, :3], good[:, :3]), (good[:0], good[:0])):
        for measure in (overlap, success_auc, precision):
            with pytest.raises(ShapeError, match=r"both must be \[frame, 4\]"):
                measure(a, b)
