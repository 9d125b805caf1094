"""Frames that change from position to position, and the components of features in them.

A frame of the plane is an angle in radians, counter-clockwise from the x axis (to the right) to its first axis. A
vector with components v in a frame at angle a is ``R(a) v`` in the world; a field of frequency k turns k times as fast.
"""

import math
from itertools import groupby
from numbers import Real
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from equivision._numbers import check_count
from equivision.errors import ConfigError, GroupMismatchError, ShapeError
from equivision.groups import special_orthogonal
from equivision.reps import Representation, parse
from equivision.reps._orthogonal import OrthogonalIrrep

_WAVES = 8


class Run(NamedTuple):
    """Fields of one frequency that stand side by side."""

    frequency: int
    fields: int

    @property
    def channels(self) -> int:
        """Two for each field that turns, one for each scalar."""
        return self.fields * (2 if self.frequency else 1)


def rotation_fields(rep: Representation | str) -> Representation:
    """A direct sum of irreps of SO(2), given as one or by its name.

    Raises:
        GroupMismatchError: it represents another group, or a field is not an irrep.
    """
    found = parse(rep, special_orthogonal())
    for field in found.fields:
        if not isinstance(field, OrthogonalIrrep):
            raise GroupMismatchError(
                f"rep={found.name!r} has the field {field.name!r}, whose channels do not turn with one frequency: give "
                "a sum of irreps of SO2, such as '4 A + 4 E1 + 2 E2'"
            )
    return found


def runs_of(rep: Representation) -> tuple[Run, ...]:
    """Frequencies of the fields, counted."""
    frequencies = [field.frequency for field in rep.fields if isinstance(field, OrthogonalIrrep)]
    return tuple(Run(frequency, len(list(run))) for frequency, run in groupby(frequencies))


def turned(x: Tensor, runs: tuple[Run, ...], angles: Tensor, layer: str) -> Tensor:
    """Turn the fields at every position by an angle, ``[B, channels, *positions]``."""
    if not isinstance(angles, Tensor):
        raise ShapeError(
            f"{layer}: frames are of type {type(angles).__name__}: give a tensor with one angle for each position"
        )
    places = tuple(angles.shape)
    if x.ndim < 3 or (places != tuple(x.shape[2:]) and places != (x.shape[0], *x.shape[2:])):
        raise ShapeError(
            f"{layer}: frames have shape {places}, features {tuple(x.shape)}: give one angle for each position, "
            f"{tuple(x.shape[2:])}, or one for each position of each example"
        )
    channels = [run.channels for run in runs]
    if x.shape[1] != sum(channels):
        raise ShapeError(
            f"{layer}: input has shape {tuple(x.shape)}; the representation needs {sum(channels)} channels"
        )
    angles = angles if len(places) == x.ndim - 2 else angles.unsqueeze(1)
    parts = []
    for run, part in zip(runs, x.split(channels, 1), strict=True):
        if run.frequency:
            cos, sin = (function(run.frequency * angles).to(x.dtype) for function in (torch.cos, torch.sin))
            first, second = part.unflatten(1, (run.fields, 2)).unbind(2)
            part = torch.stack([cos * first - sin * second, sin * first + cos * second], 2).flatten(1, 2)
        parts.append(part)
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


def is_orthonormal(frames: Float[Tensor, "points 2 space"], tolerance: float) -> Bool[Tensor, " points"]:
    """Whether the two vectors at each point are orthogonal and of length 1; NaN are not."""
    products = frames @ frames.mT
    return (products - torch.eye(2).to(products)).abs().amax((1, 2)) <= tolerance


def to_world(
    x: Float[Tensor, "batch channels *positions"], rep: Representation | str, frames: Float[Tensor, "*angles"]
) -> Float[Tensor, "batch channels *positions"]:
    """Components along the axes of the world, from those in the frames.

    Args:
        x: features.
        rep: their fields, a sum of irreps of SO(2) or its name.
        frames: angles in radians, ``[*positions]``, or one field of them for each example.

    Raises:
        ShapeError: frames or channels do not fit.

    >>> to_world(torch.tensor([[[1.0], [0.0]]]), "E1", torch.tensor([math.pi / 2])).flatten().round(decimals=3).tolist()
    [-0.0, 1.0]
    """
    return turned(x, runs_of(rotation_fields(rep)), frames, "to_world")


def to_frames(
    x: Float[Tensor, "batch channels *positions"], rep: Representation | str, frames: Float[Tensor, "*angles"]
) -> Float[Tensor, "batch channels *positions"]:
    """Components in the frames, from those along the axes of the world: the inverse of :func:`to_world`.

    >>> x, frames = torch.randn(2, 5, 4, 4), torch.rand(4, 4)
    >>> torch.allclose(to_world(to_frames(x, "A + 2 E1", frames), "A + 2 E1", frames), x, atol=1e-5)
    True
    """
    return turned(x, runs_of(rotation_fields(rep)), -frames, "to_frames")


def radial_frames(
    height: int, width: int, *, centre: tuple[float, float] | None = None
) -> Float[Tensor, "height width"]:
    """Frames whose first axis points away from a centre, and the second around it, counter-clockwise.

    Args:
        height, width: of the map.
        centre: row and column, in pixels; the middle by default. A pixel in the centre itself has angle 0.

    >>> radial_frames(1, 3).rad2deg().tolist()
    [[180.0, 0.0, 0.0]]
    """
    check_count("height", height)
    check_count("width", width)
    row, column = ((height - 1) / 2, (width - 1) / 2) if centre is None else centre
    up = row - torch.arange(height, dtype=torch.float64)
    right = torch.arange(width, dtype=torch.float64) - column
    return torch.atan2(*torch.broadcast_tensors(up[:, None], right))


def random_frames(
    height: int, width: int, *, length: float | None = None, seed: int = 0
) -> Float[Tensor, "height width"]:
    """Frames at random angles, for tests of what must not depend on them.

    Args:
        height, width: of the map.
        length: of the waves that the angles follow, in pixels; None: every pixel has an angle of its own.
        seed: of the angles.

    Raises:
        ConfigError: the length is not positive.

    >>> random_frames(5, 7, length=4.0).shape
    torch.Size([5, 7])
    """
    check_count("height", height)
    check_count("width", width)
    generator = torch.Generator().manual_seed(seed)
    if length is None:
        return 2 * math.pi * torch.rand(height, width, generator=generator, dtype=torch.float64)
    if not isinstance(length, Real) or not 0 < length < math.inf:
        raise ConfigError(f"length={length!r}: give a positive number of pixels, or None")
    direction, phase = 2 * math.pi * torch.rand(2, _WAVES, 1, 1, generator=generator, dtype=torch.float64)
    rows = torch.arange(height, dtype=torch.float64)[:, None]
    columns = torch.arange(width, dtype=torch.float64)
    along = (direction.cos() * columns + direction.sin() * rows) * (2 * math.pi / length)
    return math.pi * math.sqrt(2 / _WAVES) * torch.cos(along + phase).sum(0)


def frame_vectors(frames: Float[Tensor, "*positions"]) -> Float[Tensor, "*positions 2 2"]:
    """The two axes of each frame of the plane as vectors (to the right, up), ``[..., axis, coordinate]``.

    >>> frame_vectors(torch.tensor([0.0])).tolist()
    [[[1.0, 0.0], [-0.0, 1.0]]]
    """
    cos, sin = frames.cos(), frames.sin()
    return torch.stack([torch.stack([cos, sin], -1), torch.stack([-sin, cos], -1)], -2)
