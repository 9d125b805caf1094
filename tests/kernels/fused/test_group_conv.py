"""The fused kernels against the expanded form in float64: output and both gradients."""

import math
import os
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from equivision.functional import act, group_conv2d
from equivision.groups import planar
from equivision.kernels import _triton as operators
from equivision.kernels import channels_last, group_conv2d_triton, is_channels_last, supports_triton

pytestmark = pytest.mark.gpu
DEVICE = "cpu" if os.environ.get("TRITON_INTERPRET", "0") == "1" else "cuda"
GROUPS = ("C2", "C4", "D1", "D2", "D4")
#: Those whose every case the interpreter runs, which takes seconds for each.
MAIN = GROUPS if DEVICE == "cuda" else ("C4", "D4")
#: Largest relative error: rounding of the operands and of the result, 8, 11 and 24 bits; sums are float32.
TOLERANCE = {torch.bfloat16: 1e-2, torch.float16: 1e-3, torch.float32: 1e-5}

EVERY_GROUP = {
    "1x1": {"kernel": (1, 1), "size": (3, 4)},
    "1x1 stride": {"kernel": (1, 1), "size": (5, 4), "stride": 2},
    "3x3": {"kernel": (3, 3), "size": (5, 4), "padding": 1},
    "3x3 stride": {"kernel": (3, 3), "size": (5, 6), "stride": 2, "padding": 1},
    "2x2 groups": {"kernel": (2, 2), "size": (4, 5), "groups": 2, "batch": 1},
    "empty batch": {"kernel": (3, 3), "size": (5, 5), "batch": 0},
}
SQUARE = {
    "2x2 dilated": {"kernel": (2, 2), "size": (7, 6), "stride": 2, "padding": 2, "dilation": 3, "batch": 1},
    "4x4": {"kernel": (4, 4), "size": (4, 3), "padding": 2, "dilation": 2, "batch": 1},
    "5x5": {"kernel": (5, 5), "size": (4, 5), "padding": 2, "batch": 1},
    "wide border": {"kernel": (2, 2), "size": (2, 3), "padding": 3, "stride": 3, "batch": 1},
    "unequal axes": {"kernel": (2, 2), "size": (6, 5), "stride": (2, 1), "padding": (0, 2), "dilation": (2, 1)},
    "several tiles": {"kernel": (1, 1), "size": (7, 5), "batch": 2, "fields": (17, 18)},
    "groups of several tiles": {"kernel": (1, 1), "size": (3, 3), "fields": (34, 36), "groups": 2},
}
OBLONG = {
    "2x3": {"kernel": (2, 3), "size": (5, 6), "stride": (1, 2), "padding": (0, 1), "dilation": (2, 1)},
    "5x4": {"kernel": (5, 4), "size": (5, 4), "padding": 1, "batch": 1},
}
CASES = [
    *(pytest.param(g, case, id=f"{g} {name}") for g in MAIN for name, case in EVERY_GROUP.items()),
    *(pytest.param(g, EVERY_GROUP["3x3 stride"], id=f"{g} 3x3 stride") for g in GROUPS if g not in MAIN),
    *(pytest.param(g, case, id=f"{g} {name}") for g in ("C4", "D4") for name, case in SQUARE.items()),
    *(pytest.param(g, case, id=f"{g} {name}") for g in ("C2", "D1", "D2") for name, case in OBLONG.items()),
]


@pytest.fixture(autouse=True)
def _all_of_float32() -> Iterator[None]:
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before


def tensors(
    name: str,
    *,
    kernel: tuple[int, int],
    size: tuple[int, int],
    batch: int = 2,
    fields: tuple[int, int] = (4, 6),
    groups: int = 1,
    dtype: torch.dtype = torch.float32,
) -> tuple[Tensor, Tensor]:
    order = planar(name).order
    x = torch.randn(batch, fields[0], order, *size, dtype=dtype, device=DEVICE)
    scale = (fields[0] // groups * order * math.prod(kernel)) ** -0.5
    weight = torch.randn(fields[1], fields[0] // groups, order, *kernel, dtype=dtype, device=DEVICE) * scale
    return x.requires_grad_(), weight.requires_grad_()


def exact(name: str, x: Tensor, weight: Tensor, **options: object) -> tuple[Tensor, Tensor, Tensor]:
    """The expanded form in float64, with its two leaves."""
    x, weight = (t.detach().cpu().double().requires_grad_() for t in (x, weight))
    return group_conv2d(x, weight, group=planar(name), strict=False, algorithm="expand", **options), x, weight


def check(name: str, x: Tensor, weight: Tensor, **options: object) -> None:
    """Output and both gradients, for a random output gradient."""
    y = group_conv2d_triton(x, weight, group=planar(name), **options)
    expected, x64, weight64 = exact(name, x, weight, **options)
    grad = torch.randn(expected.shape).to(y)
    found = (y, *torch.autograd.grad(y, (x, weight), grad))
    wanted = (expected, *torch.autograd.grad(expected, (x64, weight64), grad.cpu().double()))
    for a, b in zip(found, wanted, strict=True):
        assert (a.dtype, a.shape) == (x.dtype, b.shape)
        assert (a.cpu().double() - b).norm() <= TOLERANCE[x.dtype] * b.norm()


@pytest.mark.costly(12)
@pytest.mark.parametrize(("name", "case"), CASES)
def test_float32(name: str, case: dict) -> None:
    layer = {key: case[key] for key in ("stride", "padding", "dilation", "groups") if key in case}
    sizes = {key: case[key] for key in ("kernel", "size", "batch", "fields", "groups") if key in case}
    check(name, *tensors(name, **sizes), **layer)


@pytest.mark.costly(3)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", MAIN)
def test_half(name: str, dtype: torch.dtype) -> None:
    check(name, *tensors(name, kernel=(3, 3), size=(4, 5), batch=1, dtype=dtype), padding=1)


@pytest.mark.parametrize("layout", ["channels_last", "channels_last_3d", "slice", "transposed"])
def test_memory_layouts(layout: str) -> None:
    x, weight = (t.detach() for t in tensors("D4", kernel=(2, 2), size=(4, 4)))
    if layout == "channels_last":
        x = channels_last(x)
    elif layout == "channels_last_3d":
        x = x.contiguous(memory_format=torch.channels_last_3d)
        weight = weight.transpose(0, 1).contiguous().transpose(0, 1)
    elif layout == "slice":
        x = torch.cat([x, x], 1)[:, ::2, :, :, 1:]
    else:
        x = x.transpose(3, 4)
    assert layout == "channels_last_3d" or not x.is_contiguous()
    check("D4", x.requires_grad_(), weight.requires_grad_())


def test_output_keeps_fields_side_by_side() -> None:
    y = group_conv2d_triton(*tensors("C4", kernel=(1, 1), size=(3, 4)), group=planar("C4"))
    assert is_channels_last(y)


def test_a_wrong_weight_is_noticed() -> None:
    x, weight = tensors("D4", kernel=(3, 3), size=(4, 4))
    wrong = weight.detach().clone()
    wrong[0, 0, 3, 0, 1] += 0.1
    y = group_conv2d_triton(x, wrong, group=planar("D4"))
    expected = exact("D4", x, weight)[0]
    assert (y.cpu().double() - expected).norm() > 1e-2 * expected.norm()


def test_equivariance() -> None:
    group = planar("D4")
    x, weight = (t.detach() for t in tensors("D4", kernel=(3, 3), size=(5, 5), batch=1, fields=(2, 3)))
    y = group_conv2d_triton(x, weight, group=group, stride=2)
    assert y.std() > 0.1
    for g in range(1, group.order):
        moved = group_conv2d_triton(act(x, g, group), weight, group=group, stride=2)
        torch.testing.assert_close(moved, act(y, g, group), rtol=1e-5, atol=1e-5)


def test_same_bits_again() -> None:
    """Gradients of the weight are summed over many pixels, always in the same order."""
    x, weight = tensors("C2", kernel=(1, 1), size=(16, 16), batch=2)
    y = group_conv2d_triton(x, weight, group=planar("C2"))
    grad = torch.randn_like(y)
    first, second = (torch.autograd.grad(y, weight, grad, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, second)
    check("C2", x, weight)


def test_gradients_of_gradients() -> None:
    x, weight = tensors("C4", kernel=(2, 2), size=(4, 4), batch=1, fields=(2, 2))
    y = group_conv2d_triton(x, weight, group=planar("C4"), stride=2)
    expected, x64, weight64 = exact("C4", x, weight, stride=2)
    grads = []
    for out, leaves in ((y, (x, weight)), (expected, (x64, weight64))):
        first = torch.autograd.grad(out.square().sum(), leaves, create_graph=True)
        grads.append(torch.autograd.grad(sum(g.pow(3).sum() for g in first), leaves))
    for a, b in zip(*grads, strict=True):
        assert (a.cpu().double() - b).norm() <= 1e-4 * b.norm()


def test_only_the_gradients_asked_for() -> None:
    x, weight = tensors("D2", kernel=(1, 1), size=(2, 2))
    (grad,) = torch.autograd.grad(group_conv2d_triton(x.detach(), weight, group=planar("D2")).sum(), weight)
    assert grad.shape == weight.shape
    assert not group_conv2d_triton(x.detach(), weight.detach(), group=planar("D2")).requires_grad


def test_autocast() -> None:
    x, weight = tensors("D1", kernel=(3, 3), size=(4, 4), batch=1)
    with torch.autocast(DEVICE, dtype=torch.bfloat16):
        y = group_conv2d_triton(x, weight, group=planar("D1"), padding=1)
    assert y.dtype == torch.bfloat16
    grads = torch.autograd.grad(y.float().square().sum(), (x, weight))
    expected, x64, weight64 = exact("D1", x, weight, padding=1)
    wanted = torch.autograd.grad(expected.square().sum(), (x64, weight64))
    for a, b in zip((y, *grads), (expected, *wanted), strict=True):
        assert (a.cpu().double() - b).norm() <= 2e-2 * b.norm()
    assert [g.dtype for g in grads] == [torch.float32] * 2


@pytest.mark.compile
def test_operators_keep_their_promises() -> None:
    """Schema, shapes and strides without data, autograd, tracing with unknown sizes: torch's own checks."""
    x, weight = tensors("C2", kernel=(2, 2), size=(3, 3), batch=1, fields=(2, 2))
    grad = torch.randn(1, 2, 2, 2, 2, device=DEVICE, requires_grad=True)
    options = ("C2", (1, 1), (0, 0), (1, 1), 1)
    torch.library.opcheck(operators._group_conv2d, (x, weight, *options))
    torch.library.opcheck(operators._input_grad, (grad, weight, (3, 3), *options))
    torch.library.opcheck(operators._weight_grad, (grad, x, (2, 2), *options))


@pytest.mark.compile
def test_compiles_without_graph_breaks() -> None:
    x, weight = tensors("C2", kernel=(3, 3), size=(4, 4), batch=1)

    def layer(x: Tensor, weight: Tensor) -> Tensor:
        assert supports_triton(x, planar("C2"))
        return torch.relu(group_conv2d_triton(x, weight, group=planar("C2"), padding=1))

    y = torch.compile(layer, fullgraph=True, backend="aot_eager")(x, weight)
    torch.testing.assert_close(y, layer(x, weight))
    grad = torch.randn_like(y)
    for a, b in zip(*(torch.autograd.grad(out, (x, weight), grad) for out in (y, layer(x, weight))), strict=True):
        torch.testing.assert_close(a, b)
