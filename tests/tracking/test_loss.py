"""Labels and the balanced loss, against loops."""

import math

import pytest
import torch
from torch.autograd import gradcheck

from equivision.errors import ConfigError, ShapeError
from equivision.tracking import balanced_logistic_loss, response_labels


@pytest.mark.parametrize("size", [17, 8])
def test_labels_are_a_disk_around_the_target(size: int) -> None:
    offset = torch.tensor([[0.0, 0.0], [24.0, -8.0], [3.5, 11.25]], dtype=torch.float64)
    labels = response_labels(offset, size)
    for b, (x, y) in enumerate(offset.tolist()):
        for row in range(size):
            for column in range(size):
                distance = math.hypot(8 * (column - (size - 1) / 2) - x, 8 * (row - (size - 1) / 2) - y)
                assert bool(labels[b, row, column]) == (distance <= 16)
    assert 0 < int(labels.sum()) < labels.numel()


def test_labels_turn_with_the_target() -> None:
    offset = torch.tensor([[20.0, 5.0]])
    quarter = torch.stack([offset[:, 1], -offset[:, 0]], 1)  # counter-clockwise; y points down
    assert torch.equal(response_labels(quarter, 17), response_labels(offset, 17).rot90(1, (1, 2)))
    assert not torch.equal(response_labels(quarter, 17), response_labels(offset, 17))


def slow_loss(response: torch.Tensor, labels: torch.Tensor) -> float:
    total = 0.0
    for v, y in zip(response, labels, strict=True):
        halves: dict[bool, list[float]] = {True: [], False: []}
        for one, label in zip(v.flatten().tolist(), y.flatten().tolist(), strict=True):
            halves[label].append(math.log(1 + math.exp(-one if label else one)))
        total += sum(sum(half) / len(half) / 2 for half in halves.values() if half)
    return total / len(response)


def test_the_loss_is_the_sum_written_out() -> None:
    response = 3 * torch.randn(3, 6, 5, dtype=torch.float64)
    labels = torch.rand(3, 6, 5) < 0.2
    labels[2] = False  # the target is not in the image
    assert float(balanced_logistic_loss(response, labels)) == pytest.approx(slow_loss(response, labels), abs=1e-12)


def test_few_positions_on_the_target_weigh_as_much_as_the_rest() -> None:
    labels = torch.zeros(1, 10, 10, dtype=torch.bool)
    labels[0, 0, 0] = True
    for chosen in (labels, ~labels):
        wrong = torch.where(labels, 50.0, -50.0)
        wrong = torch.where(chosen, -wrong, wrong)
        assert float(balanced_logistic_loss(wrong, labels)) == pytest.approx(25.0)


def test_gradients_and_large_logits() -> None:
    response = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    labels = torch.rand(2, 3, 4) < 0.5
    assert gradcheck(lambda v: balanced_logistic_loss(v, labels), (response,))
    assert balanced_logistic_loss(1e4 * response, labels).isfinite()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_does_not_overflow(dtype: torch.dtype) -> None:
    response, labels = 1000 * torch.randn(2, 17, 17), torch.rand(2, 17, 17) < 0.5
    exact = balanced_logistic_loss(response, labels).item()
    assert balanced_logistic_loss(response.to(dtype), labels).item() == pytest.approx(exact, rel=0.01)


@pytest.mark.usefixtures("unchecked_annotations")
def test_errors() -> None:
    with pytest.raises(ShapeError, match=r"response has shape \(1, 2, 2\), labels \(1, 2, 3\)"):
        balanced_logistic_loss(torch.zeros(1, 2, 2), torch.zeros(1, 2, 3, dtype=torch.bool))
    for options in ({"size": 0}, {"stride": 0}, {"radius": -1.0}):
        with pytest.raises(ConfigError, match=r"size=.*, stride=.*, radius=.*: give positive numbers"):
            response_labels(torch.zeros(1, 2), **{"size": 3, **options})  # type: ignore[arg-type]
