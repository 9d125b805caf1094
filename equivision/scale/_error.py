"""How far a network is from equivariant under changes of scale, and under turns at the same time."""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from numbers import Integral, Real
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equivision._modes import evaluation_mode
from equivision._numbers import check_positive
from equivision.errors import ConfigError, ShapeError
from equivision.functional import relative_error, rescale, rotate
from equivision.groups import PlanarGroup, planar

Function = Callable[[Tensor], Tensor]


class ScaleError(NamedTuple):
    """Relative errors of a network under a change of scale, each ``||f(L x) - L f(x)|| / ||L f(x)||``, 0-d tensors.

    Attributes:
        shared: over the scales that both have: slot ``k + steps`` of the enlarged image against slot k.
        full: over all scales, where those that come in from beyond the first or last are expected to be 0, as a layer
            that pads with zeros assumes: the error of the truncated axis.
        unshifted: slot k against slot k, and every orientation against itself: what the shift of the slots is worth.
    """

    shared: Float[Tensor, ""]
    full: Float[Tensor, ""]
    unshifted: Float[Tensor, ""]


class SimilitudeErrors(NamedTuple):
    """Relative errors by scale and angle; printed, a table of ``shared`` in %, with ``full`` in brackets.

    Attributes:
        factors: by which the image is enlarged, the rows.
        degrees: by which it is turned, the columns.
        shared, full, unshifted: as in :class:`ScaleError`.
    """

    factors: tuple[float, ...]
    degrees: tuple[float, ...]
    shared: Float[Tensor, "factors degrees"]
    full: Float[Tensor, "factors degrees"]
    unshifted: Float[Tensor, "factors degrees"]

    def __str__(self) -> str:
        lines = ["  scale" + "".join(f"{f'{d:g}°':>15}" for d in self.degrees)]
        for factor, shared, full in zip(self.factors, self.shared.tolist(), self.full.tolist(), strict=True):
            cells = (f"{100 * one:6.1f} ({100 * all_:5.1f})" for one, all_ in zip(shared, full, strict=True))
            lines.append(f"{factor:7.3f}" + "".join(f"{cell:>15}" for cell in cells))
        return "\n".join(lines)


class _Move(NamedTuple):
    """``(L f)(p, s, h) = f(R^-1 p / factor, s - steps, r^-1 h)``: a turn R and the element r that is nearest to it."""

    factor: float
    steps: int
    degrees: float
    group: PlanarGroup

    def plane(self, x: Tensor) -> Tensor:
        """Enlarged and turned, not yet a slot further."""
        x = rescale(x, self.factor, antialias=False)
        return rotate(x, self.degrees, mode="bicubic") if self.degrees % 360 else x

    def turned_slots(self, maps: Float[Tensor, "b c s h rows columns"]) -> Float[Tensor, "b c s h rows columns"]:
        """Every orientation where the turn takes it."""
        element = self.group.element(0, round(self.degrees * self.group.rotations / 360))
        source = torch.tensor(self.group.table[self.group.inverse(element)], device=maps.device)
        return maps.index_select(3, source)

    def error(self, function: Function, x: Tensor, still: Tensor, margin: int) -> ScaleError:
        """Compare the maps ``still`` of an image, moved, with those of the moved image."""
        if self.degrees % 360 and x.shape[-2] != x.shape[-1]:
            raise ShapeError(
                f"images have {x.shape[-2]} x {x.shape[-1]} pixels, which a turn by {self.degrees:g} degrees cuts off: "
                "give square ones"
            )
        order, (height, width) = self.group.order, still.shape[-2:]
        scales, steps = still.shape[2] // order, self.steps
        for name, value, unit in (("steps", steps, "slots"), ("margin", margin, "pixels")):
            if not isinstance(value, Integral):
                raise ConfigError(f"{name}={value!r}: give a whole number of {unit}")
        if not -scales < steps < scales:
            raise ConfigError(f"steps={steps}: with {scales} scale(s) no slot is left to compare; give fewer steps")
        if margin < 0 or 2 * margin >= min(height, width):
            raise ConfigError(f"margin={margin}: of maps of {height}x{width} nothing is left; give a smaller one")
        inner = (..., slice(margin, height - margin), slice(margin, width - margin))
        slots = (scales, order)
        moved = function(self.plane(x))[inner].unflatten(2, slots)
        still = self.plane(still.flatten(1, 2)).unflatten(1, (-1, *slots))[inner]
        first, last = max(steps, 0), scales + min(steps, 0)
        expected = torch.zeros_like(still)
        expected[:, :, first:last] = self.turned_slots(still)[:, :, first - steps : last - steps]
        shared = relative_error(moved[:, :, first:last], expected[:, :, first:last])
        return ScaleError(shared, relative_error(moved, expected), relative_error(moved, still))


def scale_error(
    function: Function,
    x: Float[Tensor, "batch channel height width"],
    *,
    factor: float | int,
    steps: int = 1,
    degrees: float | int = 0.0,
    group: PlanarGroup | str = "C1",
    margin: int = 0,
) -> ScaleError:
    """Enlarge the image by a factor, and compare with the enlarged maps, ``steps`` slots further along the scales.

    ``(L f)(p, k) = f(p / factor, k - steps)``. The axis of scales is finite: what moves in at its end has no partner,
    so ``shared`` leaves it out; ``full`` counts it. Pictures and maps are interpolated (bicubic), which puts a floor
    under the error: use smooth images.

    Where maps have orientations the image can be turned at the same time, by any angle; the orientations are permuted
    by the nearest element of the group.

    Args:
        function: maps images to feature maps on scales ``[B, C', S, H', W']``, or on scales and orientations, ``[B, C',
            S * order, H', W']``; any ``nn.Module`` will do, and runs in evaluation mode.
        x: images; square ones where they turn.
        factor: enlargement; less than 1 shrinks.
        steps: how many slots that is: ``factor = ratio^steps`` for scales that differ by a ratio; negative where it
            shrinks.
        degrees: angle of the turn, counter-clockwise.
        group: that of the maps.
        margin: pixels of the maps on every side that are not compared, since there a map sees the border. Where the
            image shrinks by a half, at least a quarter of the map is border; where it turns by 45 degrees, 15 % are.

    Raises:
        ConfigError: a number is out of range, as many steps as there are scales, or a margin that leaves nothing.
        ShapeError: the function gives no maps on scales and the elements of the group; or images that turn are not
            square.

    >>> from equivision.scale import ScaleLiftConv2d
    >>> lift = ScaleLiftConv2d(1, 4, 21, scales=(1.5, 3.0), padding="same")
    >>> bump = torch.exp(-torch.linspace(-4, 4, 48)[:, None] ** 2 - torch.linspace(-4, 4, 48) ** 2)
    >>> error = scale_error(lift, bump[None, None], factor=2.0, margin=10)
    >>> bool(error.shared < 0.1 < error.unshifted)
    True
    """
    check_positive("factor", factor)
    _check_angle("degrees", degrees)
    move = _Move(float(factor), steps, float(degrees), planar(group))
    with _evaluation(function):
        return move.error(function, x, _maps(function, x, move.group), margin)


def similitude_errors(
    function: Function,
    x: Float[Tensor, "batch channel height width"],
    *,
    factors: Sequence[float | int],
    degrees: Sequence[float | int],
    ratio: float | int | None = None,
    group: PlanarGroup | str = "C1",
    margin: int = 0,
) -> SimilitudeErrors:
    """Enlarge and turn the image, by every factor and every angle: :func:`scale_error` as a table.

    Slots are moved to the nearest scale and the nearest element of the group.

    Args:
        function: maps images to feature maps on scales and orientations, as in :func:`scale_error`.
        x: images; square ones where they turn.
        factors: enlargements.
        degrees: angles.
        ratio: of a scale of the maps and the one before it; None: no scale of the image moves slots.
        group: that of the maps.
        margin: as in :func:`scale_error`.

    Raises:
        ConfigError: there are no factors or no angles, or one is out of range; a factor moves more slots than there are
            scales, the ratio is not more than 1, or a margin that leaves nothing.
        ShapeError: the function gives no maps on scales and the elements of the group; or images that turn are not
            square.

    >>> from equivision.scale import ScaleLiftConv2d
    >>> lift = ScaleLiftConv2d(1, 4, 21, scales=(1.5, 3.0), group="C4", padding="same")
    >>> bump = torch.exp(-torch.linspace(-4, 4, 48)[:, None] ** 2 - torch.linspace(-4, 5, 48) ** 2)
    >>> found = similitude_errors(lift, bump[None, None], factors=(1, 2), degrees=(0, 90), ratio=2, group="C4")
    >>> bool(found.shared[0, 1] < 1e-5), bool(found.shared[1, 1] < 0.1 < found.unshifted[1, 1])
    (True, True)
    """
    group = planar(group)
    for name, values, check in (("factors", factors, check_positive), ("degrees", degrees, _check_angle)):
        if not isinstance(values, Sequence) or not values:
            raise ConfigError(f"{name}={values!r}: give a list of at least one number")
        for value in values:
            check(name, value)
    if ratio is not None and not 1 < ratio < math.inf:
        raise ConfigError(f"ratio={ratio}: give a number of more than 1, that of a scale and the one before it")
    rows: list[Tensor] = []
    with _evaluation(function):
        still = _maps(function, x, group)
        for factor in factors:
            steps = 0 if ratio is None else round(math.log(factor) / math.log(ratio))
            moves = (_Move(float(factor), steps, float(angle), group) for angle in degrees)
            rows.append(torch.stack([torch.stack(move.error(function, x, still, margin)) for move in moves]))
    shared, full, unshifted = torch.stack(rows).unbind(-1)
    return SimilitudeErrors(tuple(map(float, factors)), tuple(map(float, degrees)), shared, full, unshifted)


def _evaluation(function: Function) -> AbstractContextManager[None]:
    """Of a module, evaluation mode: else dropout would count as error, and batch norm would learn from the images."""
    return evaluation_mode(function, gradients=True) if isinstance(function, nn.Module) else nullcontext()


def _check_angle(name: str, value: float | int) -> None:
    if not isinstance(value, Real) or not math.isfinite(value):
        raise ConfigError(f"{name}={value!r}: give an angle in degrees")


def _maps(function: Function, x: Tensor, group: PlanarGroup) -> Float[Tensor, "batch channel slot height width"]:
    """What the function gives for an image.

    Raises:
        ShapeError: it is no image, or that is no map with a slot for each scale and element of the group.
    """
    if x.ndim != 4:
        raise ShapeError(f"images have shape {tuple(x.shape)}: needs [batch, channel, height, width]")
    found = function(x)
    if not isinstance(found, Tensor) or found.ndim != 5:
        shape = list(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise ShapeError(
            f"the function gives {shape}: scale_error compares [batch, channel, scale, height, width]; "
            "leave out the pool over scales"
        )
    if found.shape[2] % group.order:
        raise ShapeError(
            f"the function gives {list(found.shape)}: {found.shape[2]} slot(s) are no number of scales times the "
            f"{group.order} elements of {group.name}; name the group of the maps"
        )
    return found
