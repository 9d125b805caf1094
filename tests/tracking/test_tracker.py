"""The tracker with a network that can be seen through: it moves, grows and turns with its target."""

import math
from dataclasses import FrozenInstanceError, replace

import pytest
import torch
from torch import Tensor, nn

from equivision.data import TrackingSequence, rotating
from equivision.errors import ConfigError, DataError, ShapeError
from equivision.models import SiameseNetwork, create_model
from equivision.tracking import SiameseTracker, TrackerState, overlap
from tests.tracking._made import film, see_through, target, walk


def test_a_moving_square_is_followed() -> None:
    sequence = film(walk(16), [target()] * 16)
    track = SiameseTracker(see_through(), num_scales=1).track(sequence)
    assert torch.equal(track.boxes[0], sequence.boxes[0])
    assert float(overlap(track.boxes, sequence.boxes).min()) > 0.75
    still = sequence.boxes[:1].repeat(16, 1)
    assert float(overlap(still, sequence.boxes)[-1]) == 0  # it does move away
    assert track.orientations.tolist() == [0] * 16
    assert math.isnan(track.scores[0])
    assert track.scores[1:].isfinite().all()
    assert track.frames_per_second > 0


def test_centres_are_found_to_a_pixel() -> None:
    """Within the finest step: half a pixel of the search image."""
    for dx, dy in ((7, -5), (-9, 4), (0, 0)):
        sequence = film([(80, 60), (80 + dx, 60 + dy)], [target()] * 2)
        tracker = SiameseTracker(see_through(), window=0.0, num_scales=1)
        state = tracker.update(sequence.frame(1), tracker.init(sequence.frame(0), sequence.boxes[0]))
        assert state.centre == pytest.approx((96 + dx, 76 + dy), abs=1.0)
        assert state.size == (32, 32)


def test_the_window_holds_the_target_back() -> None:
    """A twin farther away is not taken, and a heavy window keeps the target where it was."""
    patch = target()
    sequence = film([(60, 60), (60, 60)], [patch] * 2)
    frame = sequence.frame(1).clone()
    frame[:, 60:92, 120:152] = patch
    tracker = SiameseTracker(see_through())
    first = tracker.init(sequence.frame(0), sequence.boxes[0])
    assert tracker.update(frame, first).centre == pytest.approx((76, 76), abs=2)
    moved = film([(60, 60), (76, 60)], [patch] * 2).frame(1)
    far, near = (SiameseTracker(see_through(), window=w).update(moved, first).centre[0] for w in (0.0, 1.0))
    assert far == pytest.approx(92, abs=1)
    assert near == pytest.approx(76, abs=1)


class Scripted(SiameseNetwork):
    """Gives the response that it was told to."""

    def __init__(self, response: Tensor, group: str = "C1") -> None:
        super().__init__(see_through().backbone, group=group)
        self.response = response

    def responses(self, templates: Tensor, x: Tensor) -> Tensor:
        return self.response


def peak(scale: int, row: int, column: int, orientation: int = 0, number: int = 1, height: float = 1.0) -> Tensor:
    """A response of three scales with one peak."""
    response = torch.zeros(3, number, 17, 17)
    response[scale, orientation, row, column] = height
    return response


@pytest.mark.parametrize(("scale", "row", "column"), [(0, 8, 8), (1, 6, 11), (2, 10, 4)])
def test_a_peak_moves_and_scales_the_target(scale: int, row: int, column: int) -> None:
    """One position of the response is 8 pixels of the search image, which shows 255/127 of the context."""
    frame = film([(60, 50)], [target(40)]).frame(0)
    tracker = SiameseTracker(Scripted(peak(scale, row, column)), window=0.0)
    state = tracker.update(frame, tracker.init(frame, (60.0, 50.0, 40.0, 40.0)))
    factor = 1.0375 ** (scale - 1)
    pixels = 8 * factor * 80 / 127
    # the bicubic peak between the two middle pixels of a cell: half a pixel of 16 to a side
    assert state.centre == pytest.approx((80 + (column - 8) * pixels, 70 + (row - 8) * pixels), abs=pixels / 16)
    assert state.size == pytest.approx((40 * (0.41 + 0.59 * factor),) * 2)
    assert state.score == pytest.approx(1.0 if scale == 1 else 0.9745, abs=0.03)


def test_other_scales_are_penalised() -> None:
    frame = film([(60, 50)], [target(40)]).frame(0)
    for height, best in ((1.02, 1.0), (1.04, 0.41 + 0.59 * 1.0375)):
        for sign in (1.0, -1.0):  # a penalty must not help a negative response
            response = sign * torch.ones(3, 1, 17, 17)
            response[2] *= height**sign
            tracker = SiameseTracker(Scripted(response))
            state = tracker.update(frame, tracker.init(frame, (60.0, 50.0, 40.0, 40.0)))
            assert state.size[0] == pytest.approx(40 * best)


def test_the_size_has_limits() -> None:
    """A fifth and five times the first size, on both sides, however often another scale is best."""
    frame = film([(60, 50)], [target(40)]).frame(0)
    for scale, limit in ((0, 0.2), (2, 5.0)):
        net = Scripted(peak(scale, 8, 8))
        tracker = SiameseTracker(net, window=0.0, scale_step=1.5, scale_penalty=1.0, scale_rate=1.0)
        state = tracker.init(frame, (60.0, 50.0, 40.0, 20.0))
        for _ in range(2):
            state = tracker.update(frame, state)
        assert state.size[0] == pytest.approx(40 * 1.5 ** (2 * scale - 2))  # not yet
        for _ in range(4):
            state = tracker.update(frame, state)
        assert state.size == pytest.approx((40 * limit, 20 * limit))


@pytest.mark.parametrize("direction", [1, -1])
def test_the_orientation_is_told(direction: int) -> None:
    turns = [direction * (i // 2) for i in range(9)]
    sequence = film(walk(9, (4, 3)), [target().rot90(k, (1, 2)) for k in turns])
    track = SiameseTracker(see_through("C4"), num_scales=1).track(sequence)
    assert track.orientations.tolist() == [k % 4 for k in turns]
    assert float(overlap(track.boxes, sequence.boxes).min()) > 0.7
    lost = SiameseTracker(see_through("C1"), num_scales=1).track(sequence)  # a half turn is another target
    assert float(lost.scores[4]) < 0.7 * float(track.scores[4])


def test_orientations_may_be_held_back() -> None:
    """A half turn is seen best, a quarter turn second best."""
    response = torch.zeros(3, 4, 17, 17)
    response[:, :, 8, 8] = torch.tensor([0.1, 0.3, 0.9, 0.2])
    frame = film([(60, 50)], [target(40)]).frame(0)
    for max_turn, expected, score in ((None, 2, 0.9), (2, 2, 0.9), (1, 1, 0.3), (0, 0, 0.1)):
        tracker = SiameseTracker(Scripted(response, "C4"), max_turn=max_turn)
        state = tracker.update(frame, tracker.init(frame, (60.0, 50.0, 40.0, 40.0)))
        assert (state.orientation, state.degrees) == (expected, 90.0 * expected)
        assert state.score == pytest.approx(score, rel=0.03)


def test_steps_are_cyclic() -> None:
    tracker = SiameseTracker(see_through("C4"), max_turn=1)
    assert tracker._allowed(4, 0).tolist() == [True, True, False, True]
    assert tracker._allowed(4, 3).tolist() == [True, False, True, True]
    assert SiameseTracker(see_through("C4"), max_turn=0)._allowed(4, 2).tolist() == [False, False, True, False]
    assert SiameseTracker(see_through("C8"))._allowed(8, 2).all()


def test_boxes_turn_where_that_is_wanted() -> None:
    state = TrackerState((50.0, 40.0), (20.0, 10.0), (20.0, 10.0), torch.zeros(1, 1, 1, 1, 1), torch.zeros(3))
    assert state.box == state.hull == (40.0, 35.0, 20.0, 10.0)
    quarter = TrackerState(*vars(state).values())
    object.__setattr__(quarter, "degrees", 90.0)
    assert quarter.hull == pytest.approx((45.0, 30.0, 10.0, 20.0))
    object.__setattr__(quarter, "degrees", 45.0)
    assert quarter.hull[2:] == pytest.approx((30 / 2**0.5, 30 / 2**0.5))
    wide = torch.cat([target(), target()], 2)
    sequence = film([(60, 60), (76, 44)], [wide, wide.rot90(1, (1, 2))])
    for turn_box, ratio in ((False, 2.0), (True, 0.5)):
        track = SiameseTracker(see_through("C4"), turn_box=turn_box).track(sequence)
        assert int(track.orientations[1]) == 1
        assert float(track.boxes[1, 2] / track.boxes[1, 3]) == pytest.approx(ratio)


def test_a_turning_camera() -> None:
    """Frames of a square of even sides, turned by 90 degrees a frame: each orientation in turn."""
    still = film([(84, 40)] * 5, [target()] * 5, size=(200, 200))
    sequence = rotating(still, 90.0)
    tracker = SiameseTracker(see_through("C4"))
    state = tracker.init(sequence.frame(0), sequence.boxes[0])
    for i in range(1, 5):
        about = sequence.boxes[i]
        centre = (float(about[0] + about[2] / 2), float(about[1] + about[3] / 2))
        state = TrackerState(centre, state.size, state.first_size, state.templates, state.fill)
        state = tracker.update(sequence.frame(i), state)
        assert state.orientation == i % 4


def test_all_that_is_known_is_in_the_state() -> None:
    sequence = film(walk(4), [target()] * 4)
    net = create_model("re_siamfc", width=2)
    tracker, before = SiameseTracker(net), {key: value.clone() for key, value in net.state_dict().items()}
    first = tracker.init(sequence.frame(0), sequence.boxes[0])
    one = tracker.update(sequence.frame(1), first)
    tracker.update(sequence.frame(3), tracker.update(sequence.frame(2), one))
    again = tracker.update(sequence.frame(1), first)
    assert (again.box, again.orientation, again.score) == (one.box, one.orientation, one.score)
    assert net.training
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    with pytest.raises(FrozenInstanceError):
        first.orientation = 1  # type: ignore[misc]


def test_other_precisions() -> None:
    sequence = film(walk(2), [target()] * 2)
    boxes = [SiameseTracker(see_through().to(dtype)).track(sequence).boxes for dtype in (torch.float32, torch.float64)]
    torch.testing.assert_close(*boxes, rtol=0, atol=1e-3)


@pytest.mark.usefixtures("unchecked_annotations")
class TestErrors:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"template_size": 0}, "template_size=0: give a whole number of at least 1"),
            ({"search_size": 100}, "template_size=127, search_size=100: the second must not be smaller"),
            ({"upsampling": 0}, "upsampling=0: give a whole number of at least 1"),
            ({"upsampling": 1.5}, "upsampling=1.5: give a whole number of at least 1"),
            ({"max_turn": 1.5}, "max_turn=1.5: give a number of steps from 0 on"),
            ({"num_scales": 2}, "num_scales=2: give an odd number"),
            ({"window": 1.5}, "window=1.5: give a number from 0 to 1"),
            ({"scale_penalty": -1.0}, "scale_penalty=-1.0: give a number from 0 to 1"),
            ({"scale_rate": 2.0}, "scale_rate=2.0: give a number from 0 to 1"),
            ({"scale_step": 0.9}, "scale_step=0.9: give a ratio of at least 1"),
            ({"max_turn": -1}, "max_turn=-1: give a number of steps from 0 on"),
        ],
    )
    def test_options(self, options: dict[str, float], message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            SiameseTracker(see_through(), **options)  # type: ignore[arg-type]

    def test_frames_and_boxes(self) -> None:
        tracker, frame = SiameseTracker(see_through()), torch.zeros(3, 60, 60, dtype=torch.uint8)
        for box in ((1.0, 2.0, 3.0), (0.0, 0.0, 0.0, 5.0), (0.0, math.nan, 4.0, 5.0)):
            with pytest.raises(ConfigError, match=r"box=.*: give left edge, upper edge, width and height"):
                tracker.init(frame, box)  # type: ignore[arg-type]
        state = tracker.init(frame, (10.0, 10.0, 20.0, 20.0))
        for outside in ((60.0, 0.0, 9.0, 9.0), (0.0, -9.0, 9.0, 9.0), (1000.0, 1000.0, 10.0, 10.0)):
            with pytest.raises(ConfigError, match=r"box=.* lies outside the frame, which is 60 wide and 60 high"):
                tracker.init(frame, outside)
        for wrong in (frame.float(), frame[0], frame[:1]):
            with pytest.raises(ShapeError, match=r"the frame is .*: give bytes"):
                tracker.init(wrong, (10.0, 10.0, 20.0, 20.0))
            with pytest.raises(ShapeError, match=r"the frame is .*: give bytes"):
                tracker.update(wrong, state)

    def test_other_networks_and_frames(self) -> None:
        with pytest.raises(ConfigError, match=r"net=Identity: give a SiameseNetwork, such as re_siamfc\(\)"):
            SiameseTracker(nn.Identity())  # type: ignore[arg-type]
        frame = torch.zeros(3, 60, 60, dtype=torch.uint8)
        for net, size in ((create_model("siamfc", width=2, in_channels=1), 127), (create_model("siamfc", width=2), 20)):
            with pytest.raises(ShapeError, match=rf"does not take a template of shape \(3, {size}, {size}\)"):
                SiameseTracker(net, template_size=size).init(frame, (10.0, 10.0, 20.0, 20.0))

    def test_a_first_frame_that_does_not_show_the_target(self) -> None:
        sequence = film(walk(3), [target()] * 3)
        hidden = replace(sequence, visible=torch.tensor([False, True, True]))
        with pytest.raises(DataError, match="its target is not visible in the first frame"):
            SiameseTracker(see_through()).track(hidden)
        outside = replace(sequence, boxes=sequence.boxes + torch.tensor([1000.0, 0.0, 0.0, 0.0]))
        with pytest.raises(DataError, match=r"TrackingSequence\(.*\), first frame: box=.* lies outside the frame"):
            SiameseTracker(see_through()).track(outside)

    def test_broken_weights(self) -> None:
        net = see_through()
        nn.init.constant_(net.gain, math.nan)
        sequence = film(walk(2), [target()] * 2)
        with pytest.raises(DataError, match="the network gives responses that are not finite"):
            SiameseTracker(net).track(sequence)

    def test_frames_that_cannot_be_read(self) -> None:
        def read(index: int) -> torch.Tensor:
            raise DataError(f"frame {index} is damaged")

        sequence = TrackingSequence("broken", torch.ones(2, 4, dtype=torch.float64), read)
        with pytest.raises(DataError, match="frame 0 is damaged"):
            SiameseTracker(see_through()).track(sequence)
