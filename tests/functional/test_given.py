"""What explicit weights and biases must be: errors of ours, for every layer and algorithm."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from equivision.errors import ShapeError
from equivision.functional import (
    group_conv2d,
    group_conv_transpose2d,
    group_linear,
    induce,
    lift_conv2d,
    project_conv2d,
    separable_group_conv2d,
)
from equivision.groups import cyclic
from equivision.kernels import channels_last, is_channels_last

C4 = cyclic(4)
Call = Callable[..., Tensor]


def calls() -> dict[str, Call]:
    """Every convolution with 4 input and 6 output fields, as functions of the bias and further options."""
    x, plane = torch.randn(2, 4, 4, 7, 7), torch.randn(2, 4, 7, 7)
    weight, flat, one = torch.randn(6, 4, 4, 3, 3), torch.randn(6, 4, 3, 3), torch.randn(6, 4, 4, 1, 1)
    return {
        "lift": lambda bias, **o: lift_conv2d(plane, flat, bias, group=C4, **o),
        "project": lambda bias, **o: project_conv2d(x, flat, bias, group=C4, **o),
        "transpose": lambda bias, **o: group_conv_transpose2d(x, weight.transpose(0, 1), bias, group=C4, **o),
        "separable": lambda bias, **o: separable_group_conv2d(x, flat[:, :1], weight[..., 0, 0], bias, group=C4, **o),
        **{
            f"group, {algorithm}, {size}x{size}": lambda bias, w=w, algorithm=algorithm, **o: group_conv2d(
                x, w, bias, group=C4, algorithm=algorithm, **o
            )
            for algorithm in ("expand", "fourier", "auto")
            for size, w in ((1, one), (3, weight))
        },
    }


@pytest.mark.usefixtures("unchecked_annotations")
@pytest.mark.parametrize("name", calls())
def test_a_bias_that_does_not_fit(name: str) -> None:
    """The compiled loops would read past its end."""
    call = calls()[name]
    for bias in (torch.ones(3), torch.ones(30), torch.ones(6, 1)):
        with pytest.raises(ShapeError, match=r"bias has shape .* one number for each output field, \(6,\)"):
            call(bias)
    with pytest.raises(ShapeError, match=r"bias has dtype torch\.float64, the weights torch\.float32"):
        call(torch.ones(6, dtype=torch.float64))
    assert torch.isfinite(call(torch.ones(6))).all()


@pytest.mark.usefixtures("unchecked_annotations")
def test_weights_and_biases_without_a_spatial_kernel() -> None:
    """Both would be taken as they are, and give other numbers: of some of the weights, or of more fields."""
    values, on_c2 = torch.randn(2, 3, 4), torch.randn(2, 3, 2)
    for bias in (torch.ones(3), torch.ones(1, 1), torch.ones(2)):
        with pytest.raises(ShapeError, match=r"GroupLinear: bias has shape .* \(1,\)"):
            group_linear(values, torch.randn(1, 3, 4), bias, group=C4)
        with pytest.raises(ShapeError, match=r"Induce: bias has shape .* \(1,\)"):
            induce(on_c2, torch.randn(1, 3, 4), bias, group=C4, subgroup=cyclic(2))
    for shape in ((1, 3, 8), (1, 3, 2), (3, 4)):
        with pytest.raises(ShapeError, match=r"Induce: weight has shape .* needs \[out_channels, in_channels, 4\]"):
            induce(on_c2, torch.randn(shape), group=C4, subgroup=cyclic(2))


@pytest.mark.parametrize("algorithm", ["expand", "fourier"])
def test_groups_that_do_not_divide_the_output_fields(algorithm: str) -> None:
    x, weight = torch.randn(1, 3, 4, 5, 5), torch.randn(4, 1, 4, 3, 3)
    with pytest.raises(ShapeError, match=r"groups=3 does not divide the 4 output field"):
        group_conv2d(x, weight, group=C4, groups=3, algorithm=algorithm)


def test_a_transposed_convolution_that_leaves_nothing() -> None:
    x, weight = torch.randn(1, 2, 4, 1, 1), torch.randn(2, 2, 4, 3, 3)
    with pytest.raises(ShapeError, match=r"input of 1 x 1 pixels with padding=\(2, 2\) gives an output of -1 x -1"):
        group_conv_transpose2d(x, weight, group=C4, padding=2)


def test_layouts_are_of_feature_maps() -> None:
    for ask in (channels_last, is_channels_last):
        with pytest.raises(ShapeError, match=r"x has shape \(2, 3, 5, 5\): a feature map on a group is"):
            ask(torch.randn(2, 3, 5, 5))
