"""Finitely many movements of the plane: turns, reflections and scalings, at which a feature map is known.

An element is ``h = s R(angle) M^flip``: flip first, then turn counter-clockwise, then enlarge by s, as everywhere in
this library, in coordinates with x to the right and y upwards.
"""

import itertools
import math
from collections.abc import Sequence
from numbers import Real
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from equivision._numbers import check_count
from equivision.errors import ConfigError


class Elements(NamedTuple):
    """Movements of the plane, one for each slot of a feature map ``[batch, channel, group, height, width]``.

    Attributes:
        angles: radians, counter-clockwise.
        flips: 0 or 1, whether the rows are reversed before.
        log_scales: logarithms of the enlargements.
        weights: how much each counts in sums over the group; 0 is as good as absent.
    """

    angles: Float[Tensor, " element"]
    flips: Float[Tensor, " element"]
    log_scales: Float[Tensor, " element"]
    weights: Float[Tensor, " element"]

    @property
    def shares(self) -> Float[Tensor, " element"]:
        """The weights, divided by their sum: means over the group are sums with these."""
        return self.weights / self.weights.sum()


def grid_elements(
    num_rotations: int,
    *,
    reflections: bool = False,
    scales: Sequence[float] = (1.0,),
    shift: float | Tensor = 0.0,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> Elements:
    """Equally spaced turns; each of them at every scale; all of them once more after a flip.

    Args:
        num_rotations: n; the angles are ``(i + shift) 360 / n`` degrees.
        reflections: whether there are reflections.
        scales: enlargements, from small to large.
        shift: moves all angles, in steps.
        device, dtype: of the tensors.

    Raises:
        ConfigError: num_rotations is less than 1, or the scales are not positive and ascending.

    >>> grid_elements(4).angles.rad2deg().tolist()
    [0.0, 90.0, 180.0, 270.0]
    """
    check_count("num_rotations", num_rotations)
    scales = check_scales(scales)
    steps = torch.arange(num_rotations, device=device, dtype=dtype or torch.get_default_dtype())
    angles = (steps + shift) * (2 * math.pi / num_rotations)
    return combine(angles, reflections=reflections, scales=scales)


def combine(angles: Float[Tensor, " rotation"], *, reflections: bool, scales: Sequence[float] = (1.0,)) -> Elements:
    """These turns, at every scale, and all of them once more after a flip if there are reflections."""
    logs = angles.new_tensor([math.log(s) for s in scales]).repeat_interleave(len(angles))
    both = 2 if reflections else 1
    flips = torch.arange(both, device=angles.device).to(angles).repeat_interleave(len(logs))
    return Elements(angles.repeat(len(scales) * both), flips, logs.repeat(both), torch.ones_like(flips))


def check_scales(scales: Sequence[float | int]) -> tuple[float, ...]:
    """Enlargements as a tuple.

    Raises:
        ConfigError: they are none, not positive, or not ascending.
    """
    try:
        found = tuple(float(s) for s in scales)
    except (TypeError, ValueError):
        found = ()
    limits = (0.0, *found, math.inf)  # not a number is in no order
    if not found or not all(a < b for a, b in itertools.pairwise(limits)):
        raise ConfigError(f"scales={scales!r}: give positive numbers in ascending order, such as (1.0, 1.3, 1.7)")
    return found


def log_spaced(num: int, largest: float) -> tuple[float, ...]:
    """Enlargements from 1 to the largest, each as many times the one before it.

    Raises:
        ConfigError: num is less than 1, or the largest of several is not more than 1.

    >>> log_spaced(3, 4.0)
    (1.0, 2.0, 4.0)
    """
    check_count("num", num)
    if num > 1 and not (isinstance(largest, Real) and 1 < largest < math.inf):
        raise ConfigError(f"largest={largest!r}: give a number greater than 1")
    return tuple(largest ** (i / max(num - 1, 1)) for i in range(num))


def pull_back(places: Float[Tensor, "place 2"], elements: Elements) -> Float[Tensor, "element place 2"]:
    """``h^-1 x`` for every element h and every place x = (right, up)."""
    cos, sin = torch.cos(elements.angles)[:, None], torch.sin(elements.angles)[:, None]
    right, up = places[:, 0], places[:, 1]
    mirror = 1 - 2 * elements.flips[:, None]
    moved = torch.stack([cos * right + sin * up, mirror * (cos * up - sin * right)], -1)
    return moved * torch.exp(-elements.log_scales)[:, None, None]


class Relative(NamedTuple):
    """``g^-1 g'`` for every pair of a target g and a source g'."""

    angles: Float[Tensor, "target source"]
    mirrors: Float[Tensor, "target source"]
    log_scales: Float[Tensor, "target source"]

    def turns(self) -> Float[Tensor, "target source 2"]:
        """Cosine and sine of the angle: unlike the angle itself, without a jump."""
        return torch.stack([torch.cos(self.angles), torch.sin(self.angles)], -1)


def relative(target: Elements, source: Elements) -> Relative:
    """``g^-1 g'`` for every target g and source g'; ``mirrors`` is -1 where just one of both flips, else 1."""
    mirror, other = 1 - 2 * target.flips[:, None], 1 - 2 * source.flips
    return Relative(
        mirror * (source.angles - target.angles[:, None]),
        mirror * other,
        source.log_scales - target.log_scales[:, None],
    )
