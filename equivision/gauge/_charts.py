"""Charts: overlapping parts of one space, each with frames of its own, and the transitions between them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from equivision.errors import ConfigError, FrameError, ShapeError
from equivision.gauge._frames import is_orthonormal, rotation_fields, runs_of, turned
from equivision.reps import Representation

Pair = tuple[str, str]
_WHOLE = (torch.int64, torch.int32, torch.int16, torch.uint8, torch.int8)


@dataclass(frozen=True, eq=False)
class Chart:
    """A part of a space with a frame at each of its points.

    Attributes:
        name: of the chart, for messages.
        points: numbers of its points among those of the space, ascending.
        frames: two orthonormal vectors at each, ``[point, axis, coordinate]``, in the plane (:func:`frame_vectors`) or
            tangent to a surface.

    Raises:
        ShapeError: points and frames do not fit, or points are no numbers in ascending order.
        FrameError: vectors are not orthonormal.
    """

    name: str
    points: Int[Tensor, " points"]
    frames: Float[Tensor, "points 2 space"]

    def __post_init__(self) -> None:
        if self.points.ndim != 1 or self.frames.ndim != 3 or self.frames.shape[:2] != (len(self.points), 2):
            raise ShapeError(
                f"chart {self.name!r}: {tuple(self.points.shape)} points have frames of shape "
                f"{tuple(self.frames.shape)}: needs [points, 2, space]"
            )
        if self.points.dtype not in _WHOLE or bool((self.points < 0).any()) or bool((self.points.diff() <= 0).any()):
            raise ShapeError(
                f"chart {self.name!r}: points must be whole numbers of at least 0 in ascending order, each of them once"
            )
        wrong = ~is_orthonormal(self.frames, _tolerance(self.frames))
        if bool(wrong.any()):
            at = int(self.points[wrong][0])
            raise FrameError(
                f"chart {self.name!r}: the frame at point {at} is not orthonormal: give two orthogonal vectors of "
                "length 1"
            )


class Atlas:
    """Charts that together cover a space, with transitions between their frames where they overlap.

    The transition to chart j from chart i turns components in the frames of i into those in the frames of j: ``v_j =
    rho(t_ji) v_i``, where ``t_ji = e_j^-1 e_i``. Three charts that overlap must agree: ``t_ki = t_kj t_ji`` (cocycle).

    Args:
        charts: two or more, with different names.
        transitions: angles in radians at the points that two charts share, ascending, by the names (to, from); for each
            two charts that overlap, in one direction or in both. By default they follow from the frames.

    Raises:
        ConfigError: names are not different, or transitions are missing, or for charts that do not overlap.
        ShapeError: a transition has not one angle for each common point.
        FrameError: frames of two charts lie in different planes or turn the other way round, or transitions of two or
            three charts contradict each other; the message names them and a point.

    >>> from equivision.gauge import frame_vectors
    >>> one = Chart("one", torch.arange(4), frame_vectors(torch.zeros(4)))
    >>> two = Chart("two", torch.arange(2, 6), frame_vectors(torch.full((4,), 0.5)))
    >>> Atlas([one, two]).transition("two", "one").tolist()
    [-0.5, -0.5]
    """

    def __init__(self, charts: Sequence[Chart], transitions: Mapping[Pair, Tensor] | None = None) -> None:
        self.charts = {chart.name: chart for chart in charts}
        if len(self.charts) < max(len(charts), 2):
            names = ", ".join(repr(chart.name) for chart in charts)
            raise ConfigError(f"charts={names}: give at least two, with different names")
        self._transitions: dict[Pair, Tensor] = {}
        for to, of in permutations(self.charts, 2):
            if len(self.overlap(to, of)[0]):
                self._transitions[to, of] = (
                    self._from_frames(to, of) if transitions is None else self._given(to, of, transitions)
                )
        for pair, angles in (transitions or {}).items():
            if pair not in self._transitions and (not {*pair} <= {*self.charts} or angles.numel()):
                raise ConfigError(f"transitions has {pair!r}: these charts do not overlap, or are not in the atlas")
        self._check()

    def overlap(self, to: str, of: str) -> tuple[Int[Tensor, " common"], Int[Tensor, " common"]]:
        """Where the common points of two charts stand in the one and in the other.

        Raises:
            ConfigError: a chart is not in the atlas.
        """
        for argument, name in (("to", to), ("of", of)):
            if name not in self.charts:
                known = ", ".join(map(repr, self.charts))
                raise ConfigError(f"{argument}={name!r} is not a chart of this atlas: choose one of {known}")
        first, second = self.charts[to].points, self.charts[of].points
        return torch.isin(first, second).nonzero()[:, 0], torch.isin(second, first).nonzero()[:, 0]

    def transition(self, to: str, of: str) -> Float[Tensor, " common"]:
        """The angles by which components turn, from chart ``of`` to chart ``to``, at their common points.

        Raises:
            ConfigError: the charts do not overlap, or are not in the atlas.
        """
        if (to, of) not in self._transitions:
            raise ConfigError(f"to={to!r}, of={of!r}: these charts do not overlap, or are not in the atlas")
        return self._transitions[to, of]

    def transfer(
        self, x: Float[Tensor, "batch channels *points"], rep: Representation | str, to: str, of: str
    ) -> Float[Tensor, "batch channels common"]:
        """Features of one chart at the points that it shares with another, in the frames of that.

        Raises:
            ConfigError: the charts do not overlap, or are not in the atlas.
            ShapeError: features do not fit the chart, or the fields.
        """
        fields, (_, there) = runs_of(rotation_fields(rep)), self.overlap(to, of)
        return turned(self._flat(of, x)[:, :, there], fields, self.transition(to, of), "transfer")

    def disagreement(
        self,
        features: Mapping[str, Float[Tensor, "batch channels *points"]],
        rep: Representation | str,
        inner: Mapping[str, Tensor] | None = None,
    ) -> float:
        """The largest difference of two charts at a common point, relative to the largest component; NaN if one is NaN.

        Args:
            features: of every chart, ``[B, channels, *points]``, in its frames.
            rep: their fields.
            inner: for every chart which of its points count, such as those whose neighbours all lie in it; by default
                all.

        Raises:
            ConfigError: a chart has no features.
            ShapeError: features do not fit their chart, or the fields.
        """
        for name, given in (("features", features), ("inner", inner)):
            if given is not None and (missing := [chart for chart in self.charts if chart not in given]):
                raise ConfigError(f"{name} has nothing for the chart {missing[0]!r}: give it for every chart")
        flat = {name: self._flat(name, features[name]) for name in self.charts}
        counted = {} if inner is None else {name: self._mask(name, inner[name]) for name in self.charts}
        apart: list[Tensor] = []
        for to, of in self._transitions:
            here, there = self.overlap(to, of)
            between = self.transfer(flat[of], rep, to, of) - flat[to][:, :, here]
            apart.append(between[:, :, counted[to][here] & counted[of][there]] if counted else between)
        most = _largest(flat.values())
        return 0.0 if most == 0 else _largest(apart) / most

    def _flat(self, name: str, x: Tensor) -> Tensor:
        """Features of a chart, with one axis of points."""
        points = len(self.charts[name].points)
        if x.ndim < 3 or math.prod(x.shape[2:]) != points:
            raise ShapeError(
                f"features of chart {name!r} have shape {tuple(x.shape)}: needs [batch, channels, ...] with {points} "
                "points"
            )
        return x.flatten(2)

    def _mask(self, name: str, inner: Tensor) -> Tensor:
        points = len(self.charts[name].points)
        if inner.shape != (points,) or inner.dtype != torch.bool:
            raise ShapeError(
                f"inner[{name!r}] has shape {tuple(inner.shape)} and dtype {inner.dtype}: needs a truth value for each "
                f"of its {points} points"
            )
        return inner

    def _from_frames(self, to: str, of: str) -> Tensor:
        """The angle of ``e_to^-1 e_of`` at every common point."""
        here, there = self.overlap(to, of)
        ours, theirs = self.charts[to].frames[here], self.charts[of].frames[there]
        if ours.shape[-1] != theirs.shape[-1]:
            raise ShapeError(
                f"charts {to!r} and {of!r} have frames with {ours.shape[-1]} and {theirs.shape[-1]} coordinates: give "
                "all in the same space"
            )
        matrix = ours @ theirs.mT
        rotation = torch.stack([matrix[:, 0, 0], -matrix[:, 1, 0], matrix[:, 1, 0], matrix[:, 0, 0]], 1).view(-1, 2, 2)
        whole = rotation @ rotation.mT - torch.eye(2).to(rotation)
        wrong = ~(torch.maximum((matrix - rotation).abs(), whole.abs()).amax((1, 2)) <= _tolerance(matrix))
        if bool(wrong.any()):
            at = int(self.charts[to].points[here[wrong]][0])
            raise FrameError(
                f"charts {to!r} and {of!r}: at point {at} their frames lie in different planes, or one turns clockwise "
                "and the other does not, so that no rotation leads from one to the other: give all frames tangent, and "
                "counter-clockwise from the same side"
            )
        return torch.atan2(matrix[:, 1, 0], matrix[:, 0, 0])

    def _given(self, to: str, of: str, transitions: Mapping[Pair, Tensor]) -> Tensor:
        if (to, of) not in transitions and (of, to) not in transitions:
            raise ConfigError(f"transitions: charts {to!r} and {of!r} overlap: give the angles for ({to!r}, {of!r})")
        angles = transitions[to, of] if (to, of) in transitions else -transitions[of, to]
        common = len(self.overlap(to, of)[0])
        if angles.shape != (common,):
            raise ShapeError(
                f"transitions[{to!r}, {of!r}] has shape {tuple(angles.shape)}: needs one angle for each of the "
                f"{common} points that the charts share"
            )
        return angles

    def _check(self) -> None:
        """The cocycle of two and of three charts."""
        for to, of in self._transitions:
            self._closes((to, of, to), self._transitions[to, of] + self._transitions[of, to], self._common(to, of))
        for last, middle, first in permutations(self.charts, 3):
            common = self._common(last, middle, first)
            if len(common):
                steps = ((last, middle), (middle, first), (first, last))
                around = [self._transitions[pair][torch.isin(self._common(*pair), common)] for pair in steps]
                self._closes((last, middle, first), around[0] + around[1] + around[2], common)

    def _common(self, *names: str) -> Tensor:
        """The points that charts share."""
        points = self.charts[names[0]].points
        for name in names[1:]:
            points = points[torch.isin(points, self.charts[name].points)]
        return points

    def _closes(self, names: tuple[str, ...], around: Tensor, points: Tensor) -> None:
        left = torch.remainder(around + math.pi, 2 * math.pi) - math.pi
        wrong = ~(left.abs() <= _tolerance(left))
        if bool(wrong.any()):
            way = " to ".join(repr(name) for name in dict.fromkeys(names[::-1]))
            raise FrameError(
                f"the transitions from {way} and back turn by {float(left[wrong][0]):.3g} radians at point "
                f"{int(points[wrong][0])} instead of by 0 (cocycle): they contradict each other, so that features "
                "cannot be the same in all charts"
            )


def _largest(values: Iterable[Tensor]) -> float:
    """The largest magnitude of all; NaN if one is NaN, which Python's ``max`` may pass over; 0 of nothing."""
    each = [float(x.detach().abs().max()) for x in values if x.numel()]
    return float(torch.tensor([0.0, *each], dtype=torch.float64).max())


def _tolerance(values: Tensor) -> float:
    return 1e-9 if values.dtype == torch.float64 else 1e-4
