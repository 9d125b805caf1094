"""Made sequences: textured targets that move, turn and scale before photographs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Float64, UInt8
from torch import Tensor

from equivision.data._crops import crop_and_resize
from equivision.data._extras import require
from equivision.data._random import random_uniform
from equivision.data._sequences import Image, TrackingSequence, box_corners, hull, turn_points
from equivision.errors import ConfigError, DataError

_TEXTURE = 64  # pixels along a side of a target's texture
_OUTLINE = 360  # points on a target's outline, one a degree


def synthetic_sequences(
    count: int,
    *,
    backgrounds: Sequence[Image] | UInt8[Tensor, "image 3 height width"] | Literal["photographs", "noise"] = (
        "photographs"
    ),
    frames: int = 60,
    size: tuple[int, int] = (240, 320),
    turn: float = 4.0,
    zoom: float = 1.3,
    distractors: int = 3,
    seed: int = 0,
) -> list[TrackingSequence]:
    """Sequences to train trackers on where there are no videos. Frames are drawn when they are asked for.

    A target is a random smooth shape. Its texture is a sum of coloured waves or, for every second one
    where the backgrounds are pictures, a piece of a picture. It swings along both axes, by at most a tenth of its size
    a frame, turns at a steady rate, and grows and shrinks. Other shapes, of the same kind, move behind it. The camera
    pans over the background, and the light changes a little.

    ``boxes`` are the tight upright boxes around the shape; ``corners`` those of the box that was tight in frame 0,
    moved with the target. Sequence i depends on the seed, on i and on the backgrounds, not on ``count``.

    Args:
        count: number of sequences.
        backgrounds: pictures, as bytes ``[3, height, width]``; ``"photographs"``: the two sample pictures that come
            with scikit-learn; ``"noise"``: sums of coloured waves.
        frames: in each sequence.
        size: height and width of the frames.
        turn: largest rate in degrees a frame; each target has its own between minus and plus this. 0: upright.
        zoom: largest scale; targets scale between 1/zoom and zoom. 1: not at all.
        distractors: other shapes in each sequence.
        seed: of everything.

    Raises:
        ConfigError: a number is out of range, or backgrounds is an unknown word.
        DataError: backgrounds is empty, or one of them is not a picture of bytes.
        MissingExtraError: "photographs", and scikit-learn is not installed.

    >>> sequence = synthetic_sequences(1, backgrounds="noise", frames=3)[0]
    >>> sequence, sequence.frame(2).shape, sequence.boxes.shape
    (TrackingSequence('synthetic 0', 3 frames), torch.Size([3, 240, 320]), torch.Size([3, 4]))
    """
    for name, value, least in (
        ("count", count, 0),
        ("frames", frames, 1),
        ("distractors", distractors, 0),
        ("the height in size", size[0], 32),
        ("the width in size", size[1], 32),
        ("turn", turn, 0),
        ("zoom", zoom, 1),
    ):
        if not (math.isfinite(value) and value >= least):
            raise ConfigError(f"{name} is {value}: it must be finite, and at least {least}")
    pictures = _pictures(backgrounds)
    return [_sequence((seed, i), pictures, frames, size, turn, zoom, distractors) for i in range(count)]


class _Draws:
    """Random numbers, taken one after another from those that belong to some keys."""

    def __init__(self, *keys: int | str) -> None:
        self._left = random_uniform(np.arange(512), "synthetic", *keys)

    def many(self, low: float, high: float, *shape: int) -> Float64[Tensor, "..."]:
        """Uniform numbers from low to high."""
        count = math.prod(shape)
        taken, self._left = self._left[:count], self._left[count:]
        return torch.from_numpy(low + (high - low) * taken).reshape(shape)

    def one(self, low: float, high: float) -> float:
        """A uniform number from low to high."""
        return self.many(low, high, 1).item()

    def choice(self, count: int) -> int:
        """A whole number from 0 to below count."""
        return min(int(self.one(0.0, float(count))), count - 1)


@dataclass(frozen=True)
class _Swing:
    """A number that swings: middle + extent sin(2 pi (frequency t + phase))."""

    middle: float
    extent: float
    frequency: float
    phase: float

    def __call__(self, t: int) -> float:
        return self.middle + self.extent * math.sin(2 * math.pi * (self.frequency * t + self.phase))


@dataclass(frozen=True, eq=False)
class _Thing:
    """A textured shape on its way.

    Attributes:
        texture: over the square [-1, 1] x [-1, 1], in which the shape lies.
        radius: ``[angle]`` of the outline in that square, at every degree.
        half: half width and half height of the square, in pixels.
        x, y: of its centre.
        rate: degrees counter-clockwise a frame.
        log_scale: logarithm of its scale.
    """

    texture: UInt8[Tensor, "3 texture texture"]
    radius: Float64[Tensor, " angle"]
    half: tuple[float, float]
    x: _Swing
    y: _Swing
    rate: float
    log_scale: _Swing

    def follow(self, points: Float64[Tensor, "point 2"], frames: int) -> Float64[Tensor, "frame point 2"]:
        """Where points of the shape, given in pixels from its centre, are in each frame."""
        poses = [(self.rate * t, math.exp(self.log_scale(t)), self.x(t), self.y(t)) for t in range(frames)]
        degrees, scale, x, y = torch.tensor(poses, dtype=torch.float64).unbind(1)
        turned = turn_points(points.expand(frames, -1, -1), degrees)
        return turned * scale[:, None, None] + torch.stack([x, y], 1)[:, None]

    def outline(self) -> Float64[Tensor, "angle 2"]:
        """The outline, in pixels from the centre, before it turns and scales."""
        angles = torch.arange(_OUTLINE, dtype=torch.float64) * (2 * math.pi / _OUTLINE)
        square = torch.stack([self.radius * angles.cos(), self.radius * angles.sin()], 1)
        return square * torch.tensor(self.half, dtype=torch.float64)

    def draw(self, image: Float[Tensor, "3 height width"], t: int) -> None:
        """Draw it over the image, with edges one pixel soft."""
        scale, x, y = math.exp(self.log_scale(t)), self.x(t), self.y(t)
        reach = math.hypot(*self.half) * scale + 1
        left, right = _clip(x - reach, x + reach, image.shape[2])
        top, bottom = _clip(y - reach, y + reach, image.shape[1])
        if left >= right or top >= bottom:
            return
        down, across = torch.meshgrid(
            torch.arange(top, bottom) + 0.5 - y, torch.arange(left, right) + 0.5 - x, indexing="ij"
        )
        radians = math.radians(self.rate * t)
        cos, sin = math.cos(radians) / scale, math.sin(radians) / scale
        u = (cos * across - sin * down) / self.half[0]
        v = (sin * across + cos * down) / self.half[1]
        angle = torch.atan2(v, u).mul(_OUTLINE / (2 * math.pi)).round().long() % _OUTLINE
        pixels = (self.radius.float()[angle] - torch.hypot(u, v)) * min(self.half) * scale
        opacity = (pixels + 0.5).clamp(0, 1)
        texture = self.texture[None].float() / 255
        looked_up = torch.nn.functional.grid_sample(
            texture, torch.stack([u, v], -1)[None], padding_mode="border", align_corners=False
        )[0]
        patch = image[:, top:bottom, left:right]
        patch += opacity * (looked_up - patch)


@dataclass(frozen=True, eq=False)
class _Scene:
    """Draws the frames of a sequence: a window on a picture, mirrored and turned by quarters; things, the last one in
    front; a light over all.
    """

    picture: Image
    side: float
    x: _Swing
    y: _Swing
    quarters: int
    mirrored: bool
    light: _Swing
    things: tuple[_Thing, ...]
    size: tuple[int, int]

    def __call__(self, t: int) -> Image:
        height, width = self.size
        window = crop_and_resize(self.picture, (self.x(t), self.y(t)), self.side, max(height, width), fill=0.5)
        window = torch.rot90(window.flip(-1) if self.mirrored else window, self.quarters, (-2, -1))
        image = window[:, :height, :width].clone()
        for thing in self.things:
            thing.draw(image, t)
        return (image * self.light(t) * 255).round().clamp(0, 255).to(torch.uint8)


def _sequence(
    keys: tuple[int, int],
    pictures: Sequence[Image],
    frames: int,
    size: tuple[int, int],
    turn: float,
    zoom: float,
    distractors: int,
) -> TrackingSequence:
    things = tuple(
        _thing(_Draws(*keys, "thing", number), pictures, size, turn, zoom) for number in range(distractors, -1, -1)
    )
    target = things[-1]
    outline = target.outline()
    corners = box_corners(hull(outline[None]))[0]
    return TrackingSequence(
        f"synthetic {keys[1]}",
        hull(target.follow(outline, frames)),
        _scene(_Draws(*keys, "scene"), pictures, things, size),
        corners=target.follow(corners, frames),
    )


def _thing(draws: _Draws, pictures: Sequence[Image], size: tuple[int, int], turn: float, zoom: float) -> _Thing:
    large, aspect, upright = draws.one(0.09, 0.2) * min(size), draws.one(0.5, 1.0), draws.choice(2)
    bumps, phases = draws.many(-0.15, 0.15, 4) / torch.arange(1, 5), draws.many(0.0, 2 * math.pi, 4)
    angles = torch.arange(_OUTLINE, dtype=torch.float64) * (2 * math.pi / _OUTLINE)
    outline = 1 + bumps @ torch.cos(torch.arange(2, 6)[:, None] * angles + phases[:, None])

    def swing(length: int) -> _Swing:
        extent = max(draws.one(0.2, 1.0) * (length / 2 - large * zoom), 1.0)
        fastest = draws.one(0.02, 0.1) * 2 * large
        return _Swing(length / 2, extent, fastest / (2 * math.pi * extent), draws.one(0.0, 1.0))

    return _Thing(
        half=(large * aspect, large) if upright else (large, large * aspect),
        radius=outline / (1 + bumps.abs().sum()),
        x=swing(size[1]),
        y=swing(size[0]),
        rate=draws.one(-turn, turn),
        log_scale=_Swing(0.0, math.log(zoom), draws.one(0.003, 0.015), draws.one(0.0, 1.0)),
        texture=_piece(draws, pictures)
        if pictures and draws.choice(2)
        else _waves(draws, _TEXTURE, number=16, cycles=4.0),
    )


def _scene(draws: _Draws, pictures: Sequence[Image], things: tuple[_Thing, ...], size: tuple[int, int]) -> _Scene:
    quarters, mirrored = draws.choice(4), bool(draws.choice(2))
    light = _Swing(0.95, 0.05, draws.one(0.0, 0.02), draws.one(0.0, 1.0))
    relative, motion = draws.one(0.5, 0.9), draws.many(0.0, 1.0, 2, 3).tolist()
    picture = pictures[draws.choice(len(pictures))] if pictures else _waves(draws, 256, number=48, cycles=20.0)
    side = relative * min(picture.shape[1:])
    y, x = (
        _Swing(length / 2, extent * (length - side) / 2, 0.005 * frequency, phase)
        for length, (extent, frequency, phase) in zip(picture.shape[1:], motion, strict=True)
    )
    return _Scene(picture, side, x, y, quarters, mirrored, light, things, size)


def _piece(draws: _Draws, pictures: Sequence[Image]) -> UInt8[Tensor, "3 texture texture"]:
    """A square cut from one of the pictures: of four at random the one with the most contrast."""

    def cut() -> Float[Tensor, "3 texture texture"]:
        picture = pictures[draws.choice(len(pictures))]
        height, width = picture.shape[1:]
        side = draws.one(0.1, 0.4) * min(height, width)
        centre = (draws.one(side / 2, width - side / 2), draws.one(side / 2, height - side / 2))
        return crop_and_resize(picture, centre, side, _TEXTURE, fill=0.5)

    best = max((cut() for _ in range(4)), key=lambda piece: piece.std().item())
    return (best * 255).round().to(torch.uint8)


def _waves(draws: _Draws, size: int, *, number: int, cycles: float) -> UInt8[Tensor, "3 size size"]:
    """A sum of coloured plane waves with up to so many cycles along a side, long ones stronger."""
    at = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    mean, grey = draws.many(0.3, 0.7, 3), draws.one(0.3, 0.9)
    lengths, directions, phases = cycles ** draws.many(0.0, 1.0, number), *draws.many(0.0, math.pi, 2, number)
    colours = grey * draws.many(-1.0, 1.0, number) + (1 - grey) * draws.many(-1.0, 1.0, 3, number)
    x = 2 * math.pi * (lengths * directions.cos())[:, None] * at + 2 * phases[:, None]
    y = 2 * math.pi * (lengths * directions.sin())[:, None] * at
    weights = colours / lengths.sqrt()
    mixed = (weights[:, None] * y.cos().T) @ x.cos() - (weights[:, None] * y.sin().T) @ x.sin()  # of cos(x + y)
    mixed = mixed / mixed.std() * 0.22 + mean[:, None, None]
    return (mixed.clamp(0, 1) * 255).round().to(torch.uint8)


def _pictures(backgrounds: object) -> list[Image]:
    """The backgrounds as pictures; none for noise."""
    if isinstance(backgrounds, str):
        if backgrounds == "noise":
            return []
        if backgrounds != "photographs":
            raise ConfigError(f"backgrounds={backgrounds!r}: choose 'photographs' or 'noise', or give pictures")
        require("PIL.Image", "pillow", "reading scikit-learn's sample pictures")
        samples = require("sklearn.datasets", "scikit-learn", "photographs as backgrounds")
        return [
            torch.from_numpy(np.array(samples.load_sample_image(name))).permute(2, 0, 1)
            for name in ("china.jpg", "flower.jpg")
        ]
    pictures = list(backgrounds)  # type: ignore[call-overload]
    if not pictures:
        raise DataError("backgrounds is empty: give at least one picture, or 'photographs' or 'noise'")
    for number, picture in enumerate(pictures):
        if picture.dtype != torch.uint8 or picture.ndim != 3 or picture.shape[0] != 3 or not picture.numel():
            raise DataError(
                f"backgrounds[{number}] is {picture.dtype} of shape {tuple(picture.shape)}: give bytes (torch.uint8) "
                "of shape [3, height, width]"
            )
    return pictures


def _clip(low: float, high: float, length: int) -> tuple[int, int]:
    return max(math.floor(low), 0), min(math.ceil(high), length)
