"""How far a network is from equivariant under changes of scale."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from equivision.errors import ConfigError, ShapeError
from equivision.functional import relative_error, rescale


class ScaleError(NamedTuple):
    """Relative errors of a network under a change of scale, each ``||f(L x) - L f(x)|| / ||L f(x)||``, 0-d tensors.

    Attributes:
        shared: over the scales that both have: slot ``k + steps`` of the enlarged image against slot k.
        full: over all scales, where those that come in from beyond the first or last are expected to be 0, as a layer
            that pads with zeros assumes: the error of the truncated axis.
        unshifted: slot k against slot k: what the shift along the scales is worth.
    """

    shared: Float[Tensor, ""]
    full: Float[Tensor, ""]
    unshifted: Float[Tensor, ""]


def scale_error(
    function: Callable[[Tensor], Tensor],
    x: Float[Tensor, "batch channel height width"],
    *,
    factor: float,
    steps: int = 1,
    margin: int = 0,
) -> ScaleError:
    """Enlarge the image by a factor, and compare with the enlarged maps, ``steps`` slots further along the scales.

    ``(L f)(p, k) = f(p / factor, k - steps)``. The axis of scales is finite: what moves in at its end has no partner,
    so ``shared`` leaves it out; ``full`` counts it. Pictures and maps are interpolated (bicubic), which puts a floor
    under the error: use smooth images.

    Args:
        function: maps images to feature maps on scales ``[B, C', S, H', W']``; any ``nn.Module`` will do.
        x: images.
        factor: enlargement; less than 1 shrinks.
        steps: how many slots that is: ``factor = ratio^steps`` for scales that differ by a ratio; negative where it
            shrinks.
        margin: pixels of the maps on every side that are not compared, since there a map sees the border. Where the
            image shrinks by a half, at least a quarter of the map is border.

    Raises:
        ConfigError: as many steps as there are scales, or a margin that leaves nothing.
        ShapeError: the function gives no maps on scales.

    >>> from equivision.scale import ScaleLiftConv2d
    >>> lift = ScaleLiftConv2d(1, 4, 21, scales=(1.5, 3.0), padding="same")
    >>> bump = torch.exp(-torch.linspace(-4, 4, 48)[:, None] ** 2 - torch.linspace(-4, 4, 48) ** 2)
    >>> error = scale_error(lift, bump[None, None], factor=2.0, margin=10)
    >>> bool(error.shared < 0.1 < error.unshifted)
    True
    """
    still = function(x)
    if not isinstance(still, Tensor) or still.ndim != 5:
        found = list(still.shape) if isinstance(still, Tensor) else type(still).__name__
        raise ShapeError(
            f"the function gives {found}: scale_error compares [batch, channel, scale, height, width]; "
            "leave out the pool over scales"
        )
    scales, (height, width) = still.shape[2], still.shape[-2:]
    if not -scales < steps < scales:
        raise ConfigError(f"steps={steps}: with {scales} scale(s) no slot is left to compare; give fewer steps")
    if margin < 0 or 2 * margin >= min(height, width):
        raise ConfigError(f"margin={margin}: of maps of {height}x{width} nothing is left; give a smaller one")
    inner = (..., slice(margin, height - margin), slice(margin, width - margin))
    moved = function(rescale(x, factor, antialias=False))[inner]
    still = rescale(still.flatten(1, 2), factor, antialias=False).unflatten(1, still.shape[1:3])[inner]
    first, last = max(steps, 0), scales + min(steps, 0)
    expected = torch.zeros_like(still)
    expected[:, :, first:last] = still[:, :, first - steps : last - steps]
    shared = relative_error(moved[:, :, first:last], expected[:, :, first:last])
    return ScaleError(shared, relative_error(moved, expected), relative_error(moved, still))
