"""Image sequences with the box of one target in every frame."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float64, UInt8
from torch import Tensor

from equivision.errors import ConfigError, DataError
from equivision.functional import rotate

Image = UInt8[Tensor, "3 height width"]


@dataclass(frozen=True, eq=False)
class TrackingSequence:
    """One target through the frames of a video. Frames are read, or made, when they are asked for.

    A point is (x, y), in pixels: x to the right and y down from the left upper corner of the frame. Pixel 0 covers the
    interval from 0 to 1, so its centre is at 0.5. A box is (x, y, width, height), where x and y are its left and its
    upper edge.

    Attributes:
        name: of the sequence.
        boxes: ``[frame, 4]``, the box of the target, in pixels.
        read: gives frame i, ``[3, height, width]``; must be picklable where loaders have worker processes.
        visible: ``[frame]``, whether the target can be seen; None: always.
        corners: ``[frame, 4, 2]``, the corners of the box that turns with the target, where they are known; the
            target's left upper corner comes first, then clockwise.

    >>> frames = torch.zeros(2, 3, 48, 64, dtype=torch.uint8)
    >>> boxes = torch.tensor([[10.0, 20.0, 16.0, 8.0], [12.0, 20.0, 16.0, 8.0]])
    >>> sequence = TrackingSequence.from_tensors("dark", frames, boxes)
    >>> len(sequence), sequence.frame(1).shape, sequence.boxes[1].tolist()
    (2, torch.Size([3, 48, 64]), [12.0, 20.0, 16.0, 8.0])
    """

    name: str
    boxes: Float64[Tensor, "frame 4"]
    read: Callable[[int], Image]
    visible: Bool[Tensor, " frame"] | None = None
    corners: Float64[Tensor, "frame 4 2"] | None = None

    def __len__(self) -> int:
        return self.boxes.shape[0]

    def __repr__(self) -> str:
        return f"TrackingSequence({self.name!r}, {len(self)} frames)"

    def frame(self, index: int) -> Image:
        """Frame ``index``, counted from 0, as RGB bytes ``[3, height, width]``.

        Raises:
            IndexError: there is no such frame.
            DataError: its file cannot be read.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"frame {index}: {self.name!r} has the frames 0 to {len(self) - 1}")
        return self.read(index)

    @classmethod
    def from_tensors(
        cls, name: str, frames: UInt8[Tensor, "frame 3 height width"], boxes: Tensor
    ) -> "TrackingSequence":
        """Frames in memory.

        Args:
            name: of the sequence.
            frames: RGB bytes.
            boxes: ``[frame, 4]``, x, y, width, height in pixels.

        Raises:
            DataError: there are no frames, not as many boxes as frames, or a box is without area.
        """
        if frames.dtype != torch.uint8 or frames.ndim != 4 or frames.shape[1] != 3:
            raise DataError(
                f"the frames of {name!r} are {frames.dtype} of shape {tuple(frames.shape)}: give bytes (torch.uint8) "
                "of shape [frame, 3, height, width]"
            )
        if boxes.shape != (len(frames), 4) or not len(frames):
            raise DataError(
                f"{name!r} has {len(frames)} frames and boxes of shape {tuple(boxes.shape)}: give at least one frame, "
                "and for each one box of x, y, width, height"
            )
        boxes = boxes.to(torch.float64)
        check_boxes(boxes, name)
        return cls(name, boxes, _Frames(frames))


@dataclass(frozen=True, eq=False)
class _Frames:
    """Reads frames from memory."""

    frames: UInt8[Tensor, "frame 3 height width"]

    def __call__(self, index: int) -> Image:
        return self.frames[index]


def check_boxes(
    boxes: Float64[Tensor, "frame 4"],
    source: str,
    visible: Bool[Tensor, " frame"] | None = None,
    lines: list[int] | None = None,
) -> None:
    """Every visible target has a box with an area.

    Args:
        boxes: x, y, width, height.
        source: a file or a name, for the message.
        visible: boxes elsewhere are not looked at.
        lines: the number of the line that each box stands on.

    Raises:
        DataError: a box is not.
    """
    good = boxes.isfinite().all(1) & (boxes[:, 2:] > 0).all(1)
    bad = (~good if visible is None else ~good & visible).nonzero().flatten().tolist()
    if bad:
        where = f"frame {bad[0]}" if lines is None else f"line {lines[bad[0]]}"
        raise DataError(
            f"{source}, {where}: the box {boxes[bad[0]].tolist()} (x, y, width, height) has no area ({len(bad)} such "
            "boxes): width and height must be positive numbers; correct the box, or leave the frame out"
        )


def rotating(sequence: TrackingSequence, degrees_per_frame: float = 0.5) -> TrackingSequence:
    """The sequence seen by a camera that turns: frame t is turned counter-clockwise, by t times the rate.

    With the sequences of OTB and half a degree a frame this is Rot-OTB. A frame turns about its centre, on a canvas
    as wide and as high as its diagonal, rounded up to pixels, so that nothing is cut off; around it is the mean colour
    of the frame, with which trackers fill, too. Frame 0 is not turned. Pixels are interpolated bilinearly; at multiples
    of 90 degrees they only move, if height and width are both even or both odd.

    ``corners`` are those of the box turned with the frame. ``boxes`` are the upright boxes around them. These are
    larger than the turned box: a square at 45 degrees by the factor sqrt(2) in width and in height, which doubles its
    area; a long box by more in its short side.

    Args:
        sequence: any sequence, all its frames of one size.
        degrees_per_frame: rate; negative: clockwise.

    Raises:
        ConfigError: the rate is not finite.

    >>> frames = torch.zeros(91, 3, 30, 40, dtype=torch.uint8)
    >>> boxes = torch.tensor([[20.0, 10.0, 12.0, 6.0]]).expand(91, 4)
    >>> turned = rotating(TrackingSequence.from_tensors("dark", frames, boxes), 1.0)
    >>> turned.frame(90).shape, turned.boxes[90].round().tolist()
    (torch.Size([3, 50, 50]), [20.0, 13.0, 6.0, 12.0])
    """
    if not math.isfinite(degrees_per_frame):
        raise ConfigError(f"degrees_per_frame={degrees_per_frame}: give a finite number, such as 0.5")
    height, width = sequence.frame(0).shape[1:]
    canvas = _canvas(height, width)
    corners = box_corners(sequence.boxes) if sequence.corners is None else sequence.corners
    angles = torch.arange(len(sequence), dtype=torch.float64) * degrees_per_frame
    centre = torch.tensor([width / 2, height / 2], dtype=torch.float64)
    turned = turn_points(corners - centre, angles) + torch.tensor([canvas[1] / 2, canvas[0] / 2], dtype=torch.float64)
    return dataclasses.replace(
        sequence,
        name=f"{sequence.name} turning",
        boxes=hull(turned),
        read=_Turned(sequence, degrees_per_frame, (height, width), canvas),
        corners=turned,
    )


@dataclass(frozen=True)
class _Turned:
    """Reads the frames of :func:`rotating`."""

    sequence: TrackingSequence
    degrees_per_frame: float
    size: tuple[int, int]
    canvas: tuple[int, int]

    def __call__(self, index: int) -> Image:
        image = self.sequence.frame(index).float()
        height, width = image.shape[1:]
        if (height, width) != self.size:
            raise DataError(
                f"frame {index} of {self.sequence.name!r} is {height} x {width}, the first is {self.size[0]} x "
                f"{self.size[1]}: a sequence is turned if all its frames are of one size"
            )
        fill = image.mean((1, 2), keepdim=True)
        top, left = (self.canvas[0] - height) // 2, (self.canvas[1] - width) // 2
        surround = (left, self.canvas[1] - width - left, top, self.canvas[0] - height - top)
        padded = torch.nn.functional.pad(image - fill, surround)
        turned = rotate(padded[None], index * self.degrees_per_frame)[0] + fill
        return turned.round().clamp(0, 255).to(torch.uint8)


def _canvas(height: int, width: int) -> tuple[int, int]:
    """Height and width of the canvas: the diagonal, enlarged so that the margins on both sides are equal."""
    diagonal = math.ceil(math.hypot(height, width))
    return diagonal + (diagonal - height) % 2, diagonal + (diagonal - width) % 2


def box_corners(boxes: Float64[Tensor, "frame 4"]) -> Float64[Tensor, "frame 4 2"]:
    """The corners of upright boxes, from the left upper one clockwise."""
    x, y, width, height = boxes.unbind(-1)
    along = torch.stack([x, x + width, x + width, x], -1)
    down = torch.stack([y, y, y + height, y + height], -1)
    return torch.stack([along, down], -1)


def hull(points: Float64[Tensor, "frame point 2"]) -> Float64[Tensor, "frame 4"]:
    """The upright boxes around points."""
    low, high = points.amin(-2), points.amax(-2)
    return torch.cat([low, high - low], -1)


def turn_points(
    points: Float64[Tensor, "frame point 2"], degrees: Float64[Tensor, " frame"]
) -> Float64[Tensor, "frame point 2"]:
    """Turn points about the origin, counter-clockwise as one sees it: y points down."""
    radians = torch.deg2rad(degrees)[:, None]
    cos, sin = radians.cos(), radians.sin()
    x, y = points.unbind(-1)
    return torch.stack([cos * x + sin * y, cos * y - sin * x], -1)
