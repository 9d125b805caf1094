"""Lie groups acting on points of the plane: how a point is lifted to elements, and what two elements are to each other.

An element is kept as plain numbers ``[..., dim]``; the logarithm is taken of ``v^-1 u`` only, which is the same for all
``g u, g v``. Coordinates have x to the right and y upwards, angles are in radians, counter-clockwise.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from equivision._numbers import check_count, check_part
from equivision.errors import ConfigError, ShapeError

#: The jump of an angle is kept this far from half a turn, which many pairs of lifted pixels differ by exactly.
_JUMP = 1e-3


class Lifted(NamedTuple):
    """Points as elements of a group: one or several elements each.

    Attributes:
        elements: the numbers of every element; the first axis is 1 where all examples have the same points.
        orbits: what tells apart points that no element moves to each other; may have no columns.
        mask: False for elements that are not there, such as padding; None: all are.
    """

    elements: Float[Tensor, "batch element dim"]
    orbits: Float[Tensor, "batch element orbit_dim"]
    mask: Bool[Tensor, "batch element"] | None = None


class Pairs(NamedTuple):
    """All pairs (u, v) of lifted elements.

    Attributes:
        coordinates: ``log(v^-1 u)``, orbit of u, orbit of v.
        distance: of u and v.
        mask: False where v is not there.
    """

    coordinates: Float[Tensor, "batch element element2 coordinate"]
    distance: Float[Tensor, "batch element element2"]
    mask: Bool[Tensor, "batch element element2"] | None = None


@dataclass(frozen=True)
class LieGroup(ABC):
    """A group that acts on the points of the plane. Values are frozen and hashable; see :func:`lie_group`.

    Attributes:
        num_lifts: elements for each point; more than 1 only where several move the origin there.
        dim: numbers of an element.
        orbit_dim: numbers that tell orbits apart.
        fixes_origin: whether no element moves the origin of the plane.
    """

    num_lifts: int = 1
    dim = 2
    orbit_dim = 0
    fixes_origin = False

    def __post_init__(self) -> None:
        check_count("num_lifts", self.num_lifts)
        if self.num_lifts > 1 and not isinstance(self, RotoTranslations):
            raise ConfigError(f"num_lifts={self.num_lifts}: {self!r} has one element for each point; leave it at 1")

    @abstractmethod
    def lift(
        self, points: Float[Tensor, "batch point 2"], mask: Bool[Tensor, "batch point"] | None = None,
        shift: float | Tensor = 0.0,
    ) -> Lifted:  # fmt: skip
        """The elements that move the origin of the group to each point; those of one point follow each other.

        Args:
            points: coordinates (right, up).
            mask: False for points that are not there.
            shift: moves the angles of several lifts, in steps.
        """

    def repeated(self, values: Shaped[Tensor, "*axes point"]) -> Shaped[Tensor, "*axes element"]:
        """Values at the points, once for each element of a point."""
        return values[..., None].expand(*values.shape, self.num_lifts).flatten(-2)

    @abstractmethod
    def between(self, u: Float[Tensor, "*pairs dim"], v: Float[Tensor, "*pairs dim"]) -> Float[Tensor, "*pairs dim"]:
        """``log(v^-1 u)``, broadcasting: the same for u, v and for g u, g v."""

    @abstractmethod
    def product(self, g: Float[Tensor, "*pairs dim"], u: Float[Tensor, "*pairs dim"]) -> Float[Tensor, "*pairs dim"]:
        """``g u``, broadcasting."""

    def pairs(self, lifted: Lifted, alpha: float = 0.5) -> Pairs:
        """All pairs, with the distance ``alpha |log(v^-1 u)| + (1 - alpha) |q_u - q_v|``.

        Raises:
            ConfigError: alpha is outside of [0, 1].
        """
        check_part("alpha", alpha, "a number from 0 (orbits alone) to 1 (group alone)")
        u, v = lifted.elements[:, :, None], lifted.elements[:, None]
        shape = (*u.shape[:2], v.shape[2], -1)
        log = self.between(u, v)
        q_u, q_v = lifted.orbits[:, :, None].expand(shape), lifted.orbits[:, None].expand(shape)
        weights = (1.0, 0.0) if self.orbit_dim == 0 else (alpha, 1 - alpha)
        # no gradient: the root has none at 0, and neighbours are chosen, not learned
        distance = weights[0] * log.detach().norm(dim=-1) + weights[1] * (q_u - q_v).detach().norm(dim=-1)
        mask = None if lifted.mask is None else lifted.mask[:, None].expand(shape[:-1])
        return Pairs(torch.cat([log, q_u, q_v], -1), distance, mask)


class Translations(LieGroup):
    """T(2): moves. One element for each point, no orbits: with it, a LieConv is a PointConv."""

    def lift(self, points: Tensor, mask: Tensor | None = None, shift: float | Tensor = 0.0) -> Lifted:
        """The point itself."""
        _check_points(points)
        return Lifted(points, points[..., :0], mask)

    def between(self, u: Tensor, v: Tensor) -> Tensor:
        """The difference."""
        return u - v

    def product(self, g: Tensor, u: Tensor) -> Tensor:
        """The sum."""
        return g + u


class Rotations(LieGroup):
    """SO(2): turns about the origin. The orbit of a point is its distance from there.

    The origin itself is moved nowhere by all turns; it is lifted to the identity, which no turn respects: leave it out.
    """

    dim = 1
    orbit_dim = 1
    fixes_origin = True

    def lift(self, points: Tensor, mask: Tensor | None = None, shift: float | Tensor = 0.0) -> Lifted:
        """The angle; the orbit is the radius."""
        _check_points(points)
        return Lifted(_angle(points), points.norm(dim=-1, keepdim=True), mask)

    def between(self, u: Tensor, v: Tensor) -> Tensor:
        """The difference of the angles."""
        return _wrapped(u - v)

    def product(self, g: Tensor, u: Tensor) -> Tensor:
        """The sum of the angles."""
        return _wrapped(g + u)


class ScaleRotations(LieGroup):
    """R+ x SO(2): turns about the origin, and enlargements: angle and logarithm of the radius.

    One element for each point but the origin, no orbits. The origin has to be left out.
    """

    fixes_origin = True

    def lift(self, points: Tensor, mask: Tensor | None = None, shift: float | Tensor = 0.0) -> Lifted:
        """Angle and logarithm of the radius."""
        _check_points(points)
        radius = points.norm(dim=-1, keepdim=True).clamp_min(torch.finfo(points.dtype).tiny)
        return Lifted(torch.cat([_angle(points), radius.log()], -1), points[..., :0], mask)

    def between(self, u: Tensor, v: Tensor) -> Tensor:
        """The differences."""
        angle, scale = (u - v).unbind(-1)
        return torch.stack([_wrapped(angle), scale], -1)

    def product(self, g: Tensor, u: Tensor) -> Tensor:
        """The sums."""
        angle, scale = (g + u).unbind(-1)
        return torch.stack([_wrapped(angle), scale], -1)


class RotoTranslations(LieGroup):
    """SE(2): moves and turns. Each point is lifted to ``num_lifts`` equally spaced directions.

    Elements are (angle, right, up). A turn by a multiple of 360 degrees / num_lifts maps the lifts of a point onto
    those of the turned point; other turns do so approximately.
    """

    dim = 3

    def lift(self, points: Tensor, mask: Tensor | None = None, shift: float | Tensor = 0.0) -> Lifted:
        """Every direction at every point."""
        _check_points(points)
        steps = torch.arange(self.num_lifts, device=points.device, dtype=points.dtype) + shift
        angles = (steps * (2 * math.pi / self.num_lifts)).repeat(points.shape[1])[:, None]
        places = self.repeated(points.transpose(1, 2)).transpose(1, 2)
        elements = torch.cat([angles.expand(*places.shape[:-1], 1), places], -1)
        again = None if mask is None else self.repeated(mask)
        return Lifted(elements, points.new_zeros((*elements.shape[:-1], 0)), again)

    def between(self, u: Tensor, v: Tensor) -> Tensor:
        """The angle, and the move that would lead there while turning steadily."""
        angle = _wrapped(u[..., 0] - v[..., 0])
        right, up = _turned(u[..., 1:] - v[..., 1:], -v[..., 0])
        half = angle / 2
        small = half.abs() < 1e-4
        safe = torch.where(small, torch.ones_like(half), half)
        factor = torch.where(small, 1 - half**2 / 3, safe * torch.cos(safe) / torch.sin(safe))
        return torch.stack([angle, factor * right + half * up, factor * up - half * right], -1)

    def product(self, g: Tensor, u: Tensor) -> Tensor:
        """Turn and move u by g."""
        right, up = _turned(u[..., 1:], g[..., 0])
        return torch.stack([_wrapped(g[..., 0] + u[..., 0]), right + g[..., 1], up + g[..., 2]], -1)


_GROUPS: dict[str, type[LieGroup]] = {
    "T2": Translations, "SO2": Rotations, "SE2": RotoTranslations, "R+xSO2": ScaleRotations,
}  # fmt: skip


def lie_group(group: LieGroup | str) -> LieGroup:
    """A group by its name; a group is given back as it is.

    ==========  ==============================================================
    ``T2``      :class:`Translations`
    ``SO2``     :class:`Rotations`
    ``SE2``     :class:`RotoTranslations`, with four lifts for each point
    ``R+xSO2``  :class:`ScaleRotations`
    ==========  ==============================================================

    Raises:
        ConfigError: the name is not known.

    >>> lie_group("SE2")
    RotoTranslations(num_lifts=4)
    """
    if isinstance(group, LieGroup):
        return group
    if group not in _GROUPS:
        raise ConfigError(f"group={group!r} is not known: choose one of {', '.join(_GROUPS)}")
    return RotoTranslations(4) if group == "SE2" else _GROUPS[group]()


def _check_points(points: Tensor) -> None:
    if points.ndim != 3 or points.shape[-1] != 2:
        raise ShapeError(f"points have shape {tuple(points.shape)}: give [batch, point, 2], the batch may be 1")


def _wrapped(angle: Tensor) -> Tensor:
    """The angle in [-pi + jump, pi + jump)."""
    return torch.remainder(angle + (math.pi - _JUMP), 2 * math.pi) - (math.pi - _JUMP)


def _angle(points: Tensor) -> Tensor:
    return torch.atan2(points[..., 1:], points[..., :1])


def _turned(places: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    cos, sin = torch.cos(angle), torch.sin(angle)
    return cos * places[..., 0] - sin * places[..., 1], sin * places[..., 0] + cos * places[..., 1]
