"""The unit sphere: points, frames of charts, and what a convolution needs to know of it, all in closed form."""

import math
from numbers import Real

import torch
from jaxtyping import Float
from torch import Tensor

from equivision._numbers import check_count
from equivision.errors import ConfigError, FrameError, ShapeError
from equivision.gauge._frames import is_orthonormal
from equivision.gauge._surface import Stencil

#: How far a point may be from length 1, and an entry of what a frame must be from it.
_LENGTH, _FRAME = 1e-5, 1e-4


def sphere_points(count: int) -> Float[Tensor, "points 3"]:
    """Points spread evenly over the unit sphere, along a spiral (a Fibonacci lattice).

    >>> points = sphere_points(100)
    >>> bool(points.norm(dim=1).sub(1).abs().max() < 1e-12), bool(points.mean(0).norm() < 0.01)
    (True, True)
    """
    check_count("count", count)
    number = torch.arange(count, dtype=torch.float64)
    z = 1 - (2 * number + 1) / count
    angle = number * (math.pi * (3 - math.sqrt(5)))
    radius = (1 - z.square()).sqrt()
    return torch.stack([radius * angle.cos(), radius * angle.sin(), z], 1)


def carried(
    vectors: Float[Tensor, "*any 3"], start: Float[Tensor, "*any 3"], end: Float[Tensor, "*any 3"]
) -> Float[Tensor, "*any 3"]:
    """Tangent vectors at one point of the sphere, carried to another along the great circle between them."""
    share = (vectors * end).sum(-1, keepdim=True) / (1 + (start * end).sum(-1, keepdim=True))
    return vectors - share * (start + end)


def stereographic_frames(
    points: Float[Tensor, "points 3"], centre: tuple[float, float, float]
) -> Float[Tensor, "points 2 3"]:
    """Frames along the coordinates of a stereographic chart: two unit vectors at each point, counter-clockwise from
    outside.

    The chart projects the sphere from the antipode of its centre. It keeps angles, so that its coordinates are
    orthogonal everywhere; scaled to length 1 they are the axes at the centre, carried along great circles.

    Args:
        points: of the unit sphere, not the antipode of the centre, where the chart has no frame.
        centre: of the chart, any vector but 0; need not be of length 1.

    Raises:
        ConfigError: the centre is 0, or has not three coordinates.
        FrameError: a point is the antipode.
        ShapeError: points are no vectors of length 1.

    >>> stereographic_frames(torch.tensor([[0.0, 0.0, 1.0]], dtype=torch.float64), (0, 0, 2))[0].tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    _check_points(points)
    if len(centre) != 3 or not all(isinstance(c, Real) for c in centre):
        raise ConfigError(f"centre={centre}: give three coordinates, such as (0, 0, 1)")
    middle = torch.tensor(centre, dtype=points.dtype, device=points.device)
    if not 0 < middle.norm() < math.inf:
        raise ConfigError(f"centre={centre}: give a vector that is not 0, such as (0, 0, 1)")
    middle = middle / middle.norm()
    if bool(((points * middle).sum(1) < -1 + 1e-6).any()):
        raise FrameError(
            f"centre={centre}: a point is its antipode, where a stereographic chart has no frame: leave it to another "
            "chart"
        )
    # the axis of the world that is farthest from the centre, made tangent; for (0, 0, 1) the x axis
    axis = torch.zeros_like(middle)
    axis[int(middle.abs().argmin())] = 1.0
    first = axis - (axis * middle).sum() * middle
    first = first / first.norm()
    second = torch.linalg.cross(middle, first)
    axes = torch.stack([first, second]).expand(len(points), -1, -1)
    at = points[:, None].expand(-1, 2, -1)
    return carried(axes, middle.expand_as(at), at)


def sphere_stencil(
    points: Float[Tensor, "points 3"],
    frames: Float[Tensor, "points 2 3"],
    radius: float,
    *,
    whole: int | None = None,
) -> Stencil:
    """Neighbours on the unit sphere within a distance, measured, as directions and transport, along great circles.

    Nothing is approximated but the integral over the neighbourhood, which is a mean over points that should lie evenly.

    Args:
        points: of the unit sphere, all different.
        frames: two orthonormal tangent vectors at each, counter-clockwise from outside, such as those of
            :func:`stereographic_frames`; any others will do.
        radius: largest distance, as an angle in radians, less than pi.
        whole: how many points the whole sphere has, where these are those of a chart; by default they are all.

    Raises:
        ConfigError: the radius is out of range, no point has a neighbour, or the whole sphere has fewer points.
        FrameError: a frame is not orthonormal, not tangent, or clockwise; the message names its point.
        ShapeError: points are no vectors of length 1, two of them are the same, or there is not one frame for each.

    >>> points = sphere_points(50)
    >>> stencil = sphere_stencil(points, stereographic_frames(points, (0, 0, 1)), 0.6)
    >>> bool((stencil.weight.sum(1) - 1).abs().max() < 0.5)
    True
    """
    _check_points(points)
    if frames.shape != (len(points), 2, 3):
        raise ShapeError(f"frames have shape {tuple(frames.shape)}: needs [points, 2, 3], here {(len(points), 2, 3)}")
    _check_frames(points, frames)
    if whole is not None:
        check_count("whole", whole)
        if whole < len(points):
            raise ConfigError(f"whole={whole}: the whole sphere has at least the {len(points)} points given here")
    if not isinstance(radius, Real) or not 0 < radius < math.pi:
        raise ConfigError(f"radius={radius!r}: give an angle in radians between 0 and pi")
    dots = points @ points.T
    near = (dots > math.cos(radius)).fill_diagonal_(False)
    most = int(near.sum(1).max()) if len(points) else 0
    if not most:
        raise ConfigError(f"radius={radius!r}: no point has a neighbour: give a larger radius, or more points")
    order = torch.where(near, dots, -2.0).topk(most, 1).indices
    present = near.gather(1, order)
    order = torch.where(present, order, torch.arange(len(points), device=points.device)[:, None])
    here, there = points[:, None].expand(-1, most, -1), points[order]
    _check_different(present & ((there - here).abs().amax(-1) <= _LENGTH), order)
    cos, sin = (here * there).sum(-1), torch.linalg.cross(here, there).norm(dim=-1)
    way = there - cos[..., None] * here
    axes = frames[order][:, :, 0]
    along = carried(axes, there, here)
    cap = (1 - math.cos(radius)) / 2  # the share of the sphere that a neighbourhood covers
    weight = present.to(points.dtype) / (cap * (len(points) if whole is None else whole))
    return Stencil(order, torch.atan2(sin, cos) / radius, _angle(way, frames), _angle(along, frames), weight)


def _angle(
    vectors: Float[Tensor, "points most 3"], frames: Float[Tensor, "points 2 3"]
) -> Float[Tensor, "points most"]:
    """Angles of tangent vectors in the frames of their points."""
    first, second = torch.einsum("pkc,pac->apk", vectors, frames)
    return torch.atan2(second, first)


def _check_points(points: Tensor) -> None:
    if points.ndim != 2 or points.shape[1] != 3 or not bool(((points.norm(dim=1) - 1).abs() <= _LENGTH).all()):
        raise ShapeError(
            f"points have shape {tuple(points.shape)}: needs [points, 3], vectors of length 1, as sphere_points() "
            "gives them"
        )


def _check_frames(points: Tensor, frames: Tensor) -> None:
    """Raise FrameError unless all frames are orthonormal, tangent and counter-clockwise from outside."""
    normal = torch.linalg.cross(frames[:, 0], frames[:, 1])
    upright = (normal - points).abs().amax(1) <= _FRAME
    orthonormal = is_orthonormal(frames, _FRAME)
    wrong = (~(upright & orthonormal)).nonzero()[:, 0].tolist()
    if not wrong:
        return
    at = wrong[0]
    if not orthonormal[at]:
        fault = "is not orthonormal: give two orthogonal vectors of length 1"
    elif bool((normal[at] + points[at]).abs().max() <= _FRAME):
        fault = "is clockwise from outside: exchange its two vectors"
    else:
        fault = "is not tangent: give vectors that are orthogonal to the point, as stereographic_frames() does"
    raise FrameError(f"frames: the one at point {at} {fault}")


def _check_different(same: Tensor, neighbours: Tensor) -> None:
    """Raise ShapeError if a neighbour is at the same place."""
    if bool(same.any()):
        point, place = same.nonzero()[0].tolist()
        raise ShapeError(
            f"points: {point} and {int(neighbours[point, place])} are the same, so that no direction leads from one to "
            "the other: give each point once"
        )
