"""What all elements of a group do to images and feature maps: copies on a second axis, and the way back."""

from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from equivision.errors import ConfigError, ShapeError
from equivision.filters import has_quarter_turns
from equivision.functional import rotate
from equivision.functional._checks import check_floating
from equivision.groups import PlanarGroup, planar

#: How an output moves when the input does: not at all, as plane maps, or as values or maps on the group.
Output = Literal["invariant", "plane", "regular"]
#: How images are turned by angles off the grid.
Sampling = Literal["nearest", "bilinear", "bicubic"]


def check_choice(name: str, value: str, kind: object) -> None:
    """Raise ConfigError unless the value is one of the words of a Literal."""
    if value not in get_args(kind):
        raise ConfigError(f"{name}={value!r} is not known: choose one of {', '.join(map(repr, get_args(kind)))}")


class _Step(NamedTuple):
    """What one element does: reverse the rows, then turn; and which slot every slot takes its values from."""

    flip: bool
    turns: int | None  # quarter turns; None off the grid
    degrees: float
    slots: tuple[int, ...]


def _step(group: PlanarGroup, g: int) -> _Step:
    turns, rest = divmod(4 * group.split(g)[1], group.rotations)
    slots = tuple(group.table[group.inverse(g)].tolist())  # slot h reads slot g^-1 h
    return _Step(bool(group.split(g)[0]), None if rest else turns, group.degrees(g), slots)


class Orbit:
    """All elements of a group acting on images at once.

    On the grid pixels move, and nothing is computed. Other angles are interpolated; what lies outside the picture is
    its edge, continued, as if it had been padded, turned and cropped back.

    Args:
        group: C_n or D_n, or its name.
        sampling: of angles off the grid.
    """

    def __init__(self, group: PlanarGroup | str, sampling: Sampling = "bilinear") -> None:
        self.group = planar(group)
        check_choice("sampling", sampling, Sampling)
        self.sampling: Sampling = sampling
        self.order = self.group.order  # looked up once: torch.compile does not go through groups
        self._steps = tuple(_step(self.group, g) for g in range(self.order))
        self._undo = tuple(self._steps[g] for g in self.group.inverses.tolist())
        self._square = has_quarter_turns(self.group)

    @property
    def is_exact(self) -> bool:
        """Whether no element needs interpolation."""
        return all(step.turns is not None for step in self._steps)

    def check_images(self, x: Tensor, layer: str, *, oblong: bool = False) -> None:
        """Raise ShapeError unless x is a batch of images that the group can move, if need be to another shape."""
        if x.ndim != 4:
            raise ShapeError(f"{layer}: input has shape {tuple(x.shape)}: give images [batch, channel, height, width]")
        check_floating(x, layer)
        if not (oblong and self.is_exact):
            self._check_square(x, layer)

    def is_oblong(self, x: Tensor) -> bool:
        """Whether some elements turn the images to another shape, so that copies cannot be stacked."""
        return self._square and x.shape[-2] != x.shape[-1]

    def _check_square(self, x: Tensor, layer: str) -> None:
        if self._square and x.shape[-2] != x.shape[-1]:
            raise ShapeError(
                f"{layer}: {x.shape[-2]} x {x.shape[-1]} pixels; {self.group.name} mixes rows and columns: give square "
                "images, or use a group that does not (C2, D1, D2)"
            )

    def _move(self, x: Tensor, step: _Step) -> Tensor:
        flipped = x.flip(-2) if step.flip else x
        if step.turns is not None:
            return torch.rot90(flipped, step.turns, (-2, -1))
        maps = flipped if x.ndim == 4 else flipped.flatten(1, -3)
        turned = rotate(maps, step.degrees, mode=self.sampling, padding_mode="border")
        return turned if x.ndim == 4 else turned.unflatten(1, x.shape[1:-2])

    def undone(self, x: Tensor) -> Tensor:
        """Every ``h^-1 x``, ``[B, |G|, C, H, W]``."""
        return torch.stack([self._move(x, step) for step in self._undo], 1)

    def done(self, pieces: Tensor, output: Output) -> Tensor:
        """Slot h of ``[B, |G|, ...]`` moved by h."""
        if output == "invariant":
            return pieces
        moved = []
        for piece, step in zip(pieces.unbind(1), self._steps, strict=True):
            slots = piece if output == "plane" else piece[:, :, list(step.slots)]
            moved.append(self._move(slots, step) if slots.ndim > 3 else slots)
        return torch.stack(moved, 1)

    def plane_mean(self, x: Tensor, network: Callable[[Tensor], Tensor], layer: str) -> Tensor:
        """The mean of ``h f(h^-1 x)``, one element after the other; images may be oblong where :attr:`is_exact`."""
        total: Tensor | None = None
        for step, undo in zip(self._steps, self._undo, strict=True):
            y = network(self._move(x, undo))
            if y.ndim != 4 or len(y) != len(x):
                raise ShapeError(f"{layer}: the predictor gives shape {tuple(y.shape)}: oblong images need maps")
            moved = self._move(y, step)
            if total is not None and moved.shape != total.shape:
                raise ShapeError(
                    f"{layer}: maps of turned images, turned back, are {moved.shape[-2]} x {moved.shape[-1]}, those of "
                    f"the images themselves {total.shape[-2]} x {total.shape[-1]}: give square images, or a predictor "
                    "whose maps have a size that turns with that of the images"
                )
            total = moved if total is None else total + moved
        assert total is not None  # noqa: S101 (a group has an element)
        return total / self.order

    def check_output(self, y: object, output: Output, layer: str, batch: int | torch.SymInt) -> None:
        """Raise ShapeError unless what a predictor gave for so many images can move as it should."""
        if not isinstance(y, Tensor):
            raise ShapeError(f"{layer}: the predictor gives a {type(y).__name__}: it must give one tensor")
        if y.ndim == 0 or y.shape[0] != batch:
            raise ShapeError(
                f"{layer}: the predictor gives shape {tuple(y.shape)} for {batch} image(s): its first axis must be "
                "that of the images"
            )
        if output == "plane" and y.ndim != 4:
            raise ShapeError(
                f"{layer}: the predictor gives shape {tuple(y.shape)}; output='plane' needs maps [batch, channel, "
                "height, width]. For classes and scores: output='invariant'"
            )
        if output == "regular" and (y.ndim not in (3, 5) or y.shape[2] != self.order):
            raise ShapeError(
                f"{layer}: the predictor gives shape {tuple(y.shape)}; output='regular' needs values or maps on the "
                f"group, [batch, channel, {self.order}] or [batch, channel, {self.order}, height, width]"
            )
        if output == "plane" or (output == "regular" and y.ndim == 5):
            self._check_square(y, f"{layer}, output of the predictor")

    def __repr__(self) -> str:
        return f"Orbit({self.group!r}, sampling={self.sampling!r})"


def blend(copies: Tensor, weights: Tensor) -> Tensor:
    """The sum over the second axis with a weight for each copy; where one weight is 1 and all others 0, that copy."""
    shape = weights.shape + (1,) * (copies.ndim - 2)
    return (copies * weights.to(copies.dtype).reshape(shape)).sum(1)
