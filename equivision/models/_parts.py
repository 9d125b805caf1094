"""Parts that several architectures choose by a word."""

from collections.abc import Callable
from functools import partial
from typing import Literal, get_args

from torch import nn

from equivision.errors import ConfigError
from equivision.groups import PlanarGroup
from equivision.nn import GroupConv2d, SeparableGroupConv2d

Kernel = Literal["dense", "g", "gc"]


def group_conv(kernel: Kernel, group: PlanarGroup) -> Callable[..., nn.Module]:
    """The class of convolution that a word stands for, with its group filled in.

    Raises:
        ConfigError: the word is not known.
    """
    if kernel not in get_args(Kernel):
        raise ConfigError(f"kernel={kernel!r} is not known: choose one of {', '.join(get_args(Kernel))}")
    if kernel == "dense":
        return partial(GroupConv2d, group=group)
    return partial(SeparableGroupConv2d, group=group, variant=kernel)
