"""Following a target with a siamese network, a pyramid of scales and, over C_n, its orientation."""

import math
import time
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Float64, Int64, UInt8
from torch import Tensor
from torch.nn import functional as F

from equivision._modes import evaluation_mode
from equivision._numbers import check_count
from equivision.data import TrackingSequence, context_side, crop_and_resize
from equivision.data._sequences import box_corners, hull, turn_points
from equivision.errors import ConfigError, DataError, ShapeError
from equivision.models import SiameseNetwork

Image = UInt8[Tensor, "3 height width"]


@dataclass(frozen=True, eq=False)
class TrackerState:
    """All that a tracker knows about its target after a frame. Positions and sizes are in pixels of the frames.

    Attributes:
        centre: (x, y) of the target.
        size: (width, height) of the box in the first frame, times the scale.
        first_size: (width, height) of the box in the first frame.
        templates: features of the first frame in all orientations.
        fill: colour of what lies outside the frames: the mean of the first.
        orientation: how often the target has turned, counter-clockwise, by the n-th part of a full turn.
        degrees: the same as an angle.
        score: largest response, with the penalty for a change of scale; the logit that the target is there.
    """

    centre: tuple[float, float]
    size: tuple[float, float]
    first_size: tuple[float, float]
    templates: Float[Tensor, "1 orientation channel h w"]
    fill: Float[Tensor, " 3"]
    orientation: int = 0
    degrees: float = 0.0
    score: float = math.nan

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left edge, upper edge, width, height."""
        return self.centre[0] - self.size[0] / 2, self.centre[1] - self.size[1] / 2, *self.size

    @property
    def hull(self) -> tuple[float, float, float, float]:
        """The upright box around the box of the first frame, scaled and turned with the target."""
        box = torch.tensor([[-self.size[0] / 2, -self.size[1] / 2, *self.size]], dtype=torch.float64)
        turned = turn_points(box_corners(box), torch.tensor([self.degrees], dtype=torch.float64))
        left, top, width, height = hull(turned)[0].tolist()
        return self.centre[0] + left, self.centre[1] + top, width, height


@dataclass(frozen=True, eq=False)
class Track:
    """What a tracker found in a sequence.

    Attributes:
        boxes: ``[frame, 4]``, left edge, upper edge, width, height; the first is the one that was given.
        orientations: ``[frame]``, in steps of 360/n degrees, counter-clockwise, since the first frame.
        scores: ``[frame]``; not a number for the first.
        frames_per_second: of the tracker alone, without reading the frames.
    """

    boxes: Float64[Tensor, "frame 4"]
    orientations: Int64[Tensor, " frame"]
    scores: Float64[Tensor, " frame"]
    frames_per_second: float


class SiameseTracker:
    """SiamFC's tracker: the target of the first frame is searched for around its last position, in a few scales.

    The response is upsampled, smaller for other scales than the last, normalised and blended with a cosine window; its
    peak moves the target. Nothing is learned on the way, and nothing is kept but the state that the methods return:
    one tracker can follow many targets in turn.

    Args:
        net: the network, which is used in evaluation mode; over C_n it says how far the target has turned, too.
        template_size: pixels of the template image; it shows the target and its context
            (:func:`equivision.data.context_side`).
        search_size: pixels of the search image, in the same scale.
        upsampling: by what the response is enlarged, bicubically.
        window: share of the cosine window in the response.
        num_scales: scales that are tried, an odd number.
        scale_step: ratio of neighbouring scales.
        scale_penalty: what the responses of other scales than the last are multiplied by.
        scale_rate: how far the size follows the best scale.
        max_turn: largest change of the orientation from frame to frame, in steps, cyclically; None: any.
        turn_box: whether boxes are the hull of the turned box of the first frame; else they keep its shape.

    Raises:
        ConfigError: an option is out of range, or the network is no SiameseNetwork.

    Source: Bertinetto et al. 2016 (SiamFC), section 4, with the numbers of its later code; for orientations Gupta et
    al. 2021 (RE-SiamNet), section 3.3.

    >>> from equivision.models import re_siamfc
    >>> tracker = SiameseTracker(re_siamfc(width=2), max_turn=1)
    >>> frame = torch.randint(0, 256, (3, 120, 160), dtype=torch.uint8)
    >>> state = tracker.init(frame, (60.0, 40.0, 30.0, 20.0))
    >>> state = tracker.update(frame, state)
    >>> len(state.box), state.orientation in (0, 1, 3)
    (4, True)
    """

    def __init__(
        self,
        net: SiameseNetwork,
        *,
        template_size: int = 127,
        search_size: int = 255,
        upsampling: int = 16,
        window: float = 0.176,
        num_scales: int = 3,
        scale_step: float = 1.0375,
        scale_penalty: float = 0.9745,
        scale_rate: float = 0.59,
        max_turn: int | None = None,
        turn_box: bool = False,
    ) -> None:
        if not isinstance(net, SiameseNetwork):
            raise ConfigError(f"net={type(net).__name__}: give a SiameseNetwork, such as re_siamfc()")
        _check_sizes(template_size, search_size, upsampling, num_scales)
        for name, value in (("window", window), ("scale_penalty", scale_penalty), ("scale_rate", scale_rate)):
            if not 0 <= value <= 1:
                raise ConfigError(f"{name}={value}: give a number from 0 to 1")
        if not 1 <= scale_step < 2:
            raise ConfigError(f"scale_step={scale_step}: give a ratio of at least 1 and below 2, such as 1.0375")
        if max_turn is not None and (not isinstance(max_turn, int) or max_turn < 0):
            raise ConfigError(f"max_turn={max_turn}: give a number of steps from 0 on, or None for any")
        self.net = net
        self.template_size, self.search_size, self.upsampling = template_size, search_size, upsampling
        self.window, self.scale_penalty, self.scale_rate = window, scale_penalty, scale_rate
        self.scales = [scale_step ** (i - num_scales // 2) for i in range(num_scales)]
        self.max_turn, self.turn_box = max_turn, turn_box

    def init(self, image: Image, box: tuple[float, float, float, float] | Float[Tensor, "4"]) -> TrackerState:
        """Take the target of a frame as the template.

        Args:
            image: the frame, bytes.
            box: left edge, upper edge, width, height, in pixels.

        Raises:
            ShapeError: the image is not of that form, or the network does not take templates of that size.
            ConfigError: the box is not finite, without area, or outside the frame.
        """
        x, y, width, height = _checked_box(image, box)
        like = next(self.net.parameters())
        centre, fill = (x + width / 2, y + height / 2), image.float().mean((1, 2)) / 255
        crop = crop_and_resize(image, centre, context_side(width, height), self.template_size, fill)
        with evaluation_mode(self.net):
            templates = self._templates(crop[None].to(like))
        return TrackerState(centre, (width, height), (width, height), templates, fill)

    def _templates(self, crop: Tensor) -> Tensor:
        try:
            return self.net.templates(crop)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise ShapeError(
                f"the network does not take a template of shape {tuple(crop.shape[1:])} ({error}): give another "
                f"template_size than {self.template_size}, or a network for images with three colours"
            ) from error

    def update(self, image: Image, state: TrackerState) -> TrackerState:
        """Find the target in the next frame.

        Args:
            image: the frame, bytes.
            state: after the frame before.

        Raises:
            ShapeError: the image is not of that form.
            DataError: the network gives responses that are not finite.
        """
        _check_image(image)
        side = context_side(*state.size) * self.search_size / self.template_size
        crops = [crop_and_resize(image, state.centre, side * s, self.search_size, state.fill) for s in self.scales]
        with evaluation_mode(self.net):
            responses = self.net.responses(state.templates, torch.stack(crops).to(state.templates)).cpu()
        if not responses.isfinite().all():
            raise DataError("the network gives responses that are not finite: use other weights, and check the frames")
        held_back = ~self._allowed(responses.shape[1], state.orientation)
        responses = responses.masked_fill(held_back[:, None, None], -math.inf)
        best, (row, column), score = self._peak(responses.amax(1))
        coarse = (row // self.upsampling, column // self.upsampling)
        orientation = int(responses[best, :, coarse[0], coarse[1]].argmax())
        middle = (responses.shape[-1] * self.upsampling - 1) / 2
        step = self.net.stride / self.upsampling * side * self.scales[best] / self.search_size
        centre = (state.centre[0] + (column - middle) * step, state.centre[1] + (row - middle) * step)
        factor = 1 - self.scale_rate + self.scale_rate * self.scales[best]
        factor = min(max(factor, 0.2 * state.first_size[0] / state.size[0]), 5 * state.first_size[0] / state.size[0])
        return replace(
            state, centre=centre, size=(state.size[0] * factor, state.size[1] * factor), orientation=orientation,
            degrees=self.net.group.degrees(orientation), score=score,
        )  # fmt: skip

    def _allowed(self, number: int, last: int) -> Tensor:
        """Which orientations may come after the last one."""
        turn = (torch.arange(number) - last) % number
        return torch.minimum(turn, number - turn) <= (number if self.max_turn is None else self.max_turn)

    def _peak(self, responses: Float[Tensor, "scale height width"]) -> tuple[int, tuple[int, int], float]:
        """The best scale, row and column of the peak in its upsampled response, and the largest response."""
        fine = F.interpolate(responses[:, None].double(), scale_factor=self.upsampling, mode="bicubic")[:, 0]
        largest = fine.amax((1, 2))
        middle = len(self.scales) // 2
        others = torch.arange(len(self.scales)) != middle
        # a penalty makes a response smaller, whatever its sign
        weighed = torch.where(others, largest - (1 - self.scale_penalty) * largest.abs(), largest)
        best = middle if weighed[middle] >= weighed.max() else int(weighed.argmax())
        one = fine[best] - fine[best].min()
        one = one / one.sum().clamp_min(1e-12)
        cosine = torch.hann_window(one.shape[0], periodic=False, dtype=torch.float64)
        prior = torch.outer(cosine, cosine)
        blended = (1 - self.window) * one + self.window * prior / prior.sum()
        row, column = divmod(int(blended.argmax()), one.shape[1])
        return best, (row, column), float(weighed[best])

    def track(self, sequence: TrackingSequence) -> Track:
        """Follow the target of the first frame through a sequence.

        Raises:
            DataError: a frame cannot be read, or the first does not show the target.
        """
        if sequence.visible is not None and not sequence.visible[0]:
            raise DataError(
                f"{sequence!r}: its target is not visible in the first frame, in which it is shown to the tracker: "
                "leave out the frames before it is"
            )
        try:
            state = self.init(sequence.frame(0), sequence.boxes[0])
        except ConfigError as error:
            raise DataError(f"{sequence!r}, first frame: {error}") from error
        boxes, orientations, scores, seconds = [state.box], [0], [math.nan], 0.0
        for i in range(1, len(sequence)):
            image = sequence.frame(i)
            start = time.perf_counter()
            state = self.update(image, state)
            seconds += time.perf_counter() - start
            boxes.append(state.hull if self.turn_box else state.box)
            orientations.append(state.orientation)
            scores.append(state.score)
        rate = (len(sequence) - 1) / seconds if seconds else math.nan
        found = torch.tensor(boxes, dtype=torch.float64), torch.tensor(orientations)
        return Track(*found, torch.tensor(scores, dtype=torch.float64), rate)


def _check_sizes(template_size: int, search_size: int, upsampling: int, num_scales: int) -> None:
    for name, value in (("template_size", template_size), ("search_size", search_size), ("num_scales", num_scales)):
        check_count(name, value)
    check_count("upsampling", upsampling)
    if template_size > search_size:
        raise ConfigError(f"template_size={template_size}, search_size={search_size}: the second must not be smaller")
    if num_scales % 2 == 0:
        raise ConfigError(f"num_scales={num_scales}: give an odd number, so that the last scale is one of them")


def _check_image(image: Tensor) -> None:
    if image.dtype != torch.uint8 or image.ndim != 3 or len(image) != 3:
        raise ShapeError(
            f"the frame is {image.dtype} of shape {tuple(image.shape)}: give bytes (torch.uint8) of shape "
            "[3, height, width]"
        )


def _checked_box(image: Tensor, box: tuple[float, float, float, float] | Tensor) -> list[float]:
    _check_image(image)
    numbers = [float(number) for number in box]
    if len(numbers) != 4 or not all(map(math.isfinite, numbers)) or min(numbers[2:]) <= 0:
        raise ConfigError(f"box={numbers}: give left edge, upper edge, width and height, the last two positive")
    left, top, width, height = numbers
    if left >= image.shape[2] or top >= image.shape[1] or left + width <= 0 or top + height <= 0:
        raise ConfigError(
            f"box={numbers} lies outside the frame, which is {image.shape[2]} wide and {image.shape[1]} high: give a "
            "box of the target in pixels of this frame"
        )
    return numbers
