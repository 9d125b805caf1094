"""Batch norm of fields: on invariants torch's own numbers, in every dtype, and its statistics."""

import pytest
import torch
from torch import Tensor, nn

import equivision.nn as evnn

SHARED = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def pair_on_invariants(**options: float | None) -> tuple[nn.Module, nn.Module]:
    """Ours and torch's, which are the same where the group leaves everything alone."""
    return evnn.FieldBatchNorm2d("4 A", group="C4", **options), nn.BatchNorm2d(4, **options)  # type: ignore[arg-type]


def check_same(ours: nn.Module, theirs: nn.Module, limit: float) -> None:
    for name in SHARED:
        one, other = getattr(ours, name), getattr(theirs, name)
        torch.testing.assert_close(one, other.to(one.dtype), rtol=limit, atol=limit)


@pytest.mark.parametrize("momentum", [0.1, 0.7, None])
def test_numbers_are_those_of_torch(momentum: float | None) -> None:
    ours, theirs = (norm.double() for norm in pair_on_invariants(momentum=momentum))
    for batch in (3, 5, 2):
        x = 3 * torch.randn(batch, 4, 5, 6, dtype=torch.float64) + 1
        torch.testing.assert_close(ours(x), theirs(x), rtol=1e-12, atol=1e-12)
    check_same(ours, theirs, 1e-12)
    assert ("momentum=None" in repr(ours)) == (momentum is None)


@pytest.mark.filterwarnings("error")
def test_an_empty_batch_teaches_nothing() -> None:
    norm = evnn.FieldBatchNorm2d("2 regular + E1", group="D4")
    assert norm(torch.randn(0, 18, 5, 5)).shape == (0, 18, 5, 5)
    assert torch.equal(norm.running_mean, torch.zeros(2))
    assert torch.equal(norm.running_var, torch.ones(3))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_training_in_half_precision(dtype: torch.dtype) -> None:
    x = 3 * torch.randn(4, 18, 5, 5) + 1
    wide, half = (evnn.FieldBatchNorm2d("2 regular + E1", group="D4") for _ in range(2))
    expected, y = wide(x.to(dtype).float()), half.to(dtype)(x.to(dtype))
    y.float().square().mean().backward()
    assert y.dtype == dtype
    torch.testing.assert_close(y.float(), expected, rtol=2e-2, atol=2e-2)
    assert all(parameter.grad is not None and torch.isfinite(parameter.grad).all() for parameter in half.parameters())


def test_autocast_does_not_round_the_statistics() -> None:
    """Maps far from 0 lose their mean, and must not lose it by half."""
    x = torch.randn(8, 4, 9, 9) + 100
    ours, theirs = pair_on_invariants()
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(ours(x), theirs(x), rtol=1e-3, atol=1e-3)
        check_same(ours, theirs, 1e-4)
        torch.testing.assert_close(ours.eval()(x), theirs.eval()(x), rtol=1e-3, atol=1e-3)


@pytest.mark.compile
@pytest.mark.parametrize("rep", ["E1", "2 regular + E1"])
def test_a_train_step_compiles_in_one_graph(rep: str) -> None:
    plain, other = (evnn.FieldBatchNorm2d(rep, group="D4").double() for _ in range(2))
    x = torch.randn(2, plain.rep.size, 5, 5, dtype=torch.float64)

    def step(norm: nn.Module, x: Tensor) -> Tensor:
        return norm(x).pow(3).mean()

    torch.compiler.reset()
    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(other, x), step(plain, x))
    for one, two in zip(other.buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(one, two)
