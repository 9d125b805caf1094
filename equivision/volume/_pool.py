"""Pooling over space that keeps the symmetry of the voxel grid."""

from typing import Any

from jaxtyping import Float
from torch import Tensor

from equivision.groups import PointGroup
from equivision.nn._pool import SpatialPool
from equivision.volume._functional import avg_pool3d, max_pool3d, voxel_group


class _VoxelPool(SpatialPool):
    group: PointGroup

    @classmethod
    def acting(cls, group: Any) -> PointGroup:
        """The group that acts, of a group or its name."""
        return voxel_group(group)


class MaxPool3d(_VoxelPool):
    """Spatial max pooling of volumes and of feature maps on a group that refuses sizes on which it is off centre.

    Unlike torch's class of this name it leaves a group axis before depth, height and width alone.

    Args:
        kernel_size: window.
        group: a point group on the voxel grid, as a group or its name: the symmetry that must hold.
        stride: step; the window by default.
        padding: voxels on both sides.
        strict: raise GridError where size and stride cannot be exact.

    Shape:
        ``[B, C, D, H, W]`` or ``[B, C, |G|, D, H, W]``; only the last three axes change.

    Equivariance: exact where ``(n + 2 padding - kernel_size) mod stride == 0``.

    Raises:
        GridError: it is not 0; the message names sizes, paddings and kernels that would do.
        GroupMismatchError: the group is not on the voxel grid, or exchanges axes that are treated differently.

    >>> import torch
    >>> MaxPool3d(2, group="O")(torch.randn(1, 3, 24, 4, 4, 4)).shape
    torch.Size([1, 3, 24, 2, 2, 2])
    """

    def forward(self, x: Float[Tensor, "batch channel *rest"]) -> Float[Tensor, "batch channel *out"]:
        """Pool."""
        return max_pool3d(
            x, self.kernel_size, group=self.group, stride=self.stride, padding=self.padding, strict=self.strict
        )


class AvgPool3d(_VoxelPool):
    """Spatial mean pooling; otherwise as :class:`MaxPool3d`.

    >>> import torch
    >>> AvgPool3d(3, group="Oh", stride=2, padding=1)(torch.randn(1, 3, 5, 5, 5)).shape
    torch.Size([1, 3, 3, 3, 3])
    """

    def forward(self, x: Float[Tensor, "batch channel *rest"]) -> Float[Tensor, "batch channel *out"]:
        """Pool."""
        return avg_pool3d(
            x, self.kernel_size, group=self.group, stride=self.stride, padding=self.padding, strict=self.strict
        )
