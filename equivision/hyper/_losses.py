"""What was tried instead of the equi-combiner, and how invariance of an accuracy is measured."""

import math
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from equivision.errors import ConfigError
from equivision.hyper._network import HyperEquivariantCNN

Form = Literal["corrected", "printed"]


def rotation_loss(
    net: HyperEquivariantCNN, images: Float[Tensor, "batch channel height width"], *, form: Form = "corrected"
) -> Float[Tensor, ""]:
    """Mean squared difference between the parameters of an image and those of the image turned by 90 degrees.

    Add it to the loss of a network with ``combiner="none"``, in the place of the equi-combiner. With a combiner the
    corrected form is zero.

    Args:
        net: the network.
        images: a batch.
        form: ``"corrected"``: kernels are turned before they are compared, ``MSE(g w(g^i x), w(g^(i+1) x))``.
            ``"printed"``: they are not, as in the study; this is zero for a generator that does not see turns, the
            opposite of what is wanted.

    Raises:
        ConfigError: the form is not known, or net is another network.
        ShapeError: images are not those that the network takes.

    Source: HE-CNN, appendix B.1.
    """
    if form not in get_args(Form):
        raise ConfigError(f"form={form!r} is not known: choose 'corrected' or 'printed'")
    if not isinstance(net, HyperEquivariantCNN):
        raise ConfigError(f"net={type(net).__name__} generates no parameters: give a HyperEquivariantCNN")
    turns = [net.generate(torch.rot90(images, i, (-2, -1))) for i in range(4)]
    total, numbers = images.new_zeros(()), 0
    for name in turns[0]:
        layer, _, kind = name.rpartition(".")
        for i in range(4):
            before, after = turns[i][name], turns[(i + 1) % 4][name]
            if form == "corrected" and kind == "weight":
                before = net.layers[layer].turned(before, 1)
            total = total + (before - after).square().sum()
        numbers += 4 * turns[0][name].numel()
    return total / numbers


def equivariance_difference(upright: float, turned: float) -> float:
    """Difference of two accuracies relative to their sum, in %: 0 where turning the test images changes nothing.

    Args:
        upright: accuracy on test images as they are.
        turned: accuracy on the same images, turned by 90 degrees.

    Raises:
        ConfigError: an accuracy is negative, or both are zero.

    Source: HE-CNN, section 5.1.

    >>> round(equivariance_difference(96.29, 17.76), 2)
    68.86
    """
    if not (min(upright, turned) >= 0 and 0 < upright + turned < math.inf):
        raise ConfigError(f"upright={upright}, turned={turned}: give two accuracies, at least one above 0")
    return 100 * abs(upright - turned) / (upright + turned)
