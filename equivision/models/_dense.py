"""Layers that networks with one answer a pixel are made of, over a group or plain."""

from typing import Any

from torch import Tensor, fx, nn

from equivision.errors import GridError
from equivision.filters._sample import Interpolation
from equivision.groups import PlanarGroup
from equivision.models._parts import movement
from equivision.nn import BatchNorm3d, GroupConv2d, GroupConvTranspose2d, GroupPool, LiftConv2d, MaxPool2d


class DenseLayers:
    """Makes the layers of a network: those of a group, or torch's own where there is none.

    Args:
        group: C_n or D_n of any order; None: plain layers.
        interpolation: how kernels move; None: ``"steerable"`` off the pixel grid, on which nothing is interpolated.
    """

    def __init__(self, group: PlanarGroup | None, interpolation: Interpolation | None = None) -> None:
        self.group = group
        self._options: dict[str, Any] = {}
        if group is not None:
            self._options = {"group": group, "interpolation": movement(group, interpolation)}

    def lift(self, in_channels: int, out_channels: int, kernel_size: int, **options: Any) -> nn.Module:
        """The first convolution."""
        kind = nn.Conv2d if self.group is None else LiftConv2d
        return kind(in_channels, out_channels, kernel_size, **self._options, **options)

    def conv(self, in_channels: int, out_channels: int, kernel_size: int, **options: Any) -> nn.Module:
        """A convolution."""
        kind = nn.Conv2d if self.group is None else GroupConv2d
        return kind(in_channels, out_channels, kernel_size, **self._options, **options)

    def transposed(self, in_channels: int, out_channels: int, kernel_size: int, **options: Any) -> nn.Module:
        """A transposed convolution."""
        kind = nn.ConvTranspose2d if self.group is None else GroupConvTranspose2d
        return kind(in_channels, out_channels, kernel_size, **self._options, **options)

    def norm(self, channels: int) -> nn.Module:
        """Batch norm."""
        return nn.BatchNorm2d(channels) if self.group is None else BatchNorm3d(channels)

    def max_pool(self, kernel_size: int, stride: int, padding: int) -> nn.Module:
        """A max pool over space."""
        if self.group is None:
            return nn.MaxPool2d(kernel_size, stride, padding)
        return MaxPool2d(kernel_size, group=self.group, stride=stride, padding=padding)

    def invariant(self) -> nn.Module:
        """The largest of the slots: from maps on the group to maps on the plane."""
        return nn.Identity() if self.group is None else GroupPool("max")


def check_multiple(layer: str, x: Tensor, step: int, rest: int, cure: str) -> None:
    """Check that height and width leave this rest when they are divided by the step; while traced, nothing is checked.

    Raises:
        GridError: one of them does not; the message names the nearest sizes, then ``cure``.
    """
    if isinstance(x, fx.Proxy):  # sizes are not known; strict layers guard what is frozen
        return
    for name, n in zip(("height", "width"), x.shape[-2:], strict=True):
        if n % step != rest or n < step:
            below = max((n - rest) // step, 1) * step + rest
            sizes = f"{below} or {below + step}" if n > below else str(below)
            raise GridError(f"{layer}: {name} {n} is not {step} times a number plus {rest}: use {sizes}{cure}")
