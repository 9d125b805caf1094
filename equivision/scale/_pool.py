"""Pooling over scales."""

from equivision.nn import GroupPool


class ScalePool(GroupPool):
    """Pool over the axis of scales: what is left no longer depends on the size of each feature.

    Args:
        mode: ``"max"``, ``"mean"`` or ``"norm"``.

    Shape:
        ``[B, C, S, H, W]`` to ``[B, C, H, W]``; ``[B, C, S]`` to ``[B, C]``.

    Equivariance: exact under shifts along the scales that lose nothing at the ends.

    Raises:
        ConfigError: unknown mode.
        ShapeError: the input has not 3 or 5 axes.

    >>> import torch
    >>> ScalePool()(torch.randn(2, 16, 3, 5, 5)).shape
    torch.Size([2, 16, 5, 5])
    """
