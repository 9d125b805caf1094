"""Assertions about numbers: gradients, dtypes, memory formats, batches."""

from copy import deepcopy

import torch
from torch import Tensor, nn

from equivision.errors import ConfigError
from equivision.kernels import channels_last, is_channels_last
from equivision.testing._tolerance import assert_close, tolerance_of


def gradients_of(layer: nn.Module, x: Tensor) -> tuple[Tensor, ...]:
    """Output, and gradients of its sum of squares with respect to the input and every parameter."""
    x = x.detach().clone().requires_grad_()
    output = layer(x)
    wanted = [x, *(p for p in layer.parameters() if p.requires_grad)]
    grads = torch.autograd.grad(output.square().sum(), wanted, allow_unused=True, materialize_grads=True)
    return output.detach(), *grads


def assert_gradcheck(layer: nn.Module, x: Tensor) -> None:
    """Assert that gradients with respect to the input and all parameters agree with finite differences, in float64.

    Args:
        layer: any module; it is copied, not changed.
        x: a small input batch.

    Raises:
        AssertionError: they do not.

    >>> assert_gradcheck(nn.Conv2d(1, 2, 3), torch.randn(2, 1, 5, 5))
    """
    __tracebackhide__ = True
    layer = deepcopy(layer).double()
    names, values = zip(*layer.named_parameters(), strict=True) if list(layer.parameters()) else ((), ())

    def function(x: Tensor, *values: Tensor) -> Tensor:
        return torch.func.functional_call(layer, dict(zip(names, values, strict=True)), (x,))

    inputs = (x.detach().double().requires_grad_(), *(v.detach().clone().requires_grad_() for v in values))
    try:
        torch.autograd.gradcheck(function, inputs, fast_mode=True)
    except RuntimeError as error:
        raise AssertionError(f"gradients differ from finite differences: {error}") from error


def assert_dtypes(layer: nn.Module, x: Tensor) -> None:
    """Assert that a layer gives in float32, in bfloat16 and under bfloat16 autocast what it gives in float64.

    Converted layers must return the dtype they are given; under autocast, parameters and gradients stay float32.

    Args:
        layer: any module; it is copied, not changed.
        x: an input batch.

    Raises:
        AssertionError: a dtype is wrong, or an error is above :data:`TOLERANCE`.

    >>> assert_dtypes(nn.Conv2d(1, 2, 3), torch.randn(2, 1, 5, 5))
    """
    __tracebackhide__ = True
    with torch.no_grad():
        expected = deepcopy(layer).double()(x.double())
        for dtype in (torch.float32, torch.bfloat16):
            output = deepcopy(layer).to(dtype)(x.to(dtype))
            if output.dtype != dtype:
                raise AssertionError(f"the output is {output.dtype} where layer and input are {dtype}")
            assert_close(output, expected, tolerance_of(dtype), f"{dtype} against float64")
    mixed = deepcopy(layer).float()
    with torch.autocast(x.device.type, torch.bfloat16):
        output = mixed(x.float().requires_grad_())
    assert_close(output.detach(), expected, tolerance_of(torch.bfloat16), "bfloat16 autocast against float64")
    output.float().square().sum().backward()
    for name, parameter in mixed.named_parameters():
        if parameter.grad is None or not torch.isfinite(parameter.grad).all():
            raise AssertionError(f"under bfloat16 autocast the gradient of {name} is missing or not finite")


def assert_channels_last(layer: nn.Module, x: Tensor, *, kept: bool = True) -> None:
    """Assert that a layer takes maps in ``torch.channels_last``, gives the same numbers, and keeps the format.

    For ``[B, C, G, H, W]`` that is memory in the order ``B H W G C``: fields innermost, then slots.

    Args:
        layer: any module; it is copied, not changed.
        x: an input batch of 4 or 5 axes.
        kept: whether the output must be channels_last too; otherwise only its values are compared.

    Raises:
        AssertionError: the values differ, or the format is lost.
        ConfigError: x has no spatial axes.

    >>> assert_channels_last(nn.Conv2d(3, 2, 3), torch.randn(2, 3, 5, 5))
    """
    __tracebackhide__ = True
    if x.ndim not in (4, 5):
        raise ConfigError(f"x has shape {tuple(x.shape)}: channels_last needs 4 or 5 axes")

    def is_last(maps: Tensor) -> bool:
        return is_channels_last(maps) if maps.ndim == 5 else maps.is_contiguous(memory_format=torch.channels_last)

    converted = channels_last(x) if x.ndim == 5 else x.contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        expected, output = deepcopy(layer)(x), deepcopy(layer)(converted)
    assert_close(output, expected, tolerance_of(x.dtype), "channels_last against contiguous")
    if kept and not is_last(output):
        raise AssertionError(f"the output is not channels_last: shape {tuple(output.shape)}, strides {output.stride()}")


def assert_backward_twice(layer: nn.Module, x: Tensor) -> None:
    """Assert that, in eval mode, two backward passes give the same gradients and a changed weight is seen at once.

    This is where layers fail that keep expanded filters between calls.

    Args:
        layer: any module; it is copied, not changed.
        x: an input batch.

    Raises:
        AssertionError: gradients differ, or the output ignores a change of the parameters.

    >>> assert_backward_twice(nn.Conv2d(1, 2, 3), torch.randn(2, 1, 5, 5))
    """
    __tracebackhide__ = True
    layer = deepcopy(layer).eval()
    first = gradients_of(layer, x)
    for again, once in zip(gradients_of(layer, x), first, strict=True):
        assert_close(again, once, tolerance_of(x.dtype), "second backward against first")
    for name, parameter in layer.named_parameters():
        before = layer(x).detach()
        with torch.no_grad():
            parameter += torch.rand_like(parameter) + 0.5
        if torch.equal(layer(x), before):
            raise AssertionError(f"in eval mode the output does not change when {name} does")


def assert_batch_independent(layer: nn.Module, x: Tensor) -> None:
    """Assert that, in eval mode, the output for an example does not depend on the other examples of its batch.

    Args:
        layer: any module; it is copied, not changed.
        x: a batch of at least two examples.

    Raises:
        AssertionError: it does.
        ConfigError: the batch is too small to tell.

    >>> assert_batch_independent(nn.BatchNorm2d(1), torch.randn(2, 1, 5, 5))
    """
    __tracebackhide__ = True
    if len(x) < 2:
        raise ConfigError(f"x has shape {tuple(x.shape)}: a batch of at least two examples is needed")
    layer = deepcopy(layer).eval()
    with torch.no_grad():
        together = layer(x)
        for i in range(len(x)):
            assert_close(layer(x[i : i + 1]), together[i : i + 1], tolerance_of(x.dtype), f"example {i} alone")
