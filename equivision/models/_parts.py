"""Parts that several architectures choose by a word."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, get_args

from torch import nn

from equivision._numbers import check_count
from equivision.errors import ConfigError
from equivision.filters._sample import Interpolation
from equivision.functional import filter_sampling
from equivision.groups import PlanarGroup
from equivision.nn import GroupConv2d, SeparableGroupConv2d
from equivision.nn._base import grid_group

Kernel = Literal["dense", "g", "gc"]


def check_plain(group: PlanarGroup | str, name: str, other: str) -> None:
    """Check that a plain network is asked for no symmetry.

    Raises:
        ConfigError: the group is not C1.
    """
    if grid_group(group).order != 1:
        raise ConfigError(
            f"group={group!r}: {name} has no symmetry but C1; choose the model {other!r} for other groups"
        )


def check_counts(**counts: int) -> None:
    """Check that each is a whole number of at least 1.

    Raises:
        ConfigError: one of them is not.
    """
    for name, value in counts.items():
        check_count(name, value)


def doubled_widths(width: int | None, widths: Sequence[int] | None, default: Sequence[int]) -> tuple[int, ...]:
    """One width, doubled from stage to stage; or those of all stages; or the default.

    Raises:
        ConfigError: both are given, or the width is no whole number of at least 1.
    """
    if width is not None and widths is not None:
        raise ConfigError(f"width={width} and widths={tuple(widths)} say the same: give one of them")
    if width is None:
        return tuple(default if widths is None else widths)
    check_count("width", width)
    return tuple(width * 2**i for i in range(len(default)))


def movement(group: PlanarGroup, interpolation: Interpolation | None) -> Interpolation:
    """How kernels move: what is given, else as steerable kernels off the grid; on it, nothing is interpolated."""
    if interpolation is not None:
        return interpolation
    return "bilinear" if group.is_on_grid else "steerable"


def kernel_numbers(group: PlanarGroup, kernel_size: int, interpolation: Interpolation) -> int:
    """How many numbers are learned for one kernel: its taps, or the functions that it is a sum of."""
    sampling = filter_sampling(group, (kernel_size, kernel_size), interpolation=interpolation)
    return kernel_size**2 if sampling is None else sampling.shape[2]


def group_conv(
    kernel: Kernel, group: PlanarGroup, interpolation: Interpolation = "bilinear"
) -> Callable[..., nn.Module]:
    """The class of convolution that a word stands for, with its group filled in.

    Raises:
        ConfigError: the word is not known.
    """
    if kernel not in get_args(Kernel):
        raise ConfigError(f"kernel={kernel!r} is not known: choose one of {', '.join(get_args(Kernel))}")
    if kernel == "dense":
        return partial(GroupConv2d, group=group, interpolation=interpolation)
    return partial(SeparableGroupConv2d, group=group, variant=kernel, interpolation=interpolation)
