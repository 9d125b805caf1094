"""Pooling over scales."""

from equivision.nn import GroupPool


class ScalePool(GroupPool):
    """Pool over the axis of scales and orientations: what is left depends on neither of each feature.

    For the scales alone, ``x.unflatten(2, (scales, order)).amax(2)`` leaves a feature map on the group.

    Args:
        mode: ``"max"``, ``"mean"`` or ``"norm"``.

    Shape:
        ``[B, C, S, H, W]`` to ``[B, C, H, W]``; ``[B, C, S]`` to ``[B, C]``; likewise with ``S * order`` slots.

    Equivariance: exact under the group, and under shifts along the scales that lose nothing at the ends.

    Raises:
        ConfigError: unknown mode.
        ShapeError: the input has not 3 or 5 axes.

    >>> import torch
    >>> ScalePool()(torch.randn(2, 16, 3, 5, 5)).shape
    torch.Size([2, 16, 5, 5])
    """
