"""Pooling over feature groups: consecutive channels that stand for one feature, however it lies."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.fx import Proxy

from equivision._numbers import check_count
from equivision.errors import ConfigError, ShapeError


class FeatureGroupPool(nn.Module):
    """The maximum over the channels of every feature group, pixel by pixel.

    ``y[j] = max_{c in group j} x[c]``

    A feature group is a number of consecutive channels; those of one kind follow each other. Groups of one size are
    homogeneous; of several, heterogeneous: of n groups, half of 4, a quarter of 2 and a quarter of 1 channel need
    ``2.75 n`` channels, 68.75 % of ``4 n``.

    Args:
        groups: pairs (size, count), in the order of the channels.

    Shape:
        ``[B, C, *space]`` to ``[B, N, *space]``, with C the sum of size times count and N that of the counts.

    Equivariance: none of its own: it is exact for the permutations of channels inside groups, which a network may
        learn.

    Raises:
        ConfigError: there is no group, or a size or a count is not a whole number of at least 1.
        ShapeError: the input has another number of channels.

    Source: Khetan et al. 2021 (implicit equivariance), sections 3.2 and 3.4.

    >>> pool = FeatureGroupPool([(4, 8), (2, 4), (1, 4)])
    >>> pool.channels, pool(torch.randn(1, 44, 6, 6)).shape
    (44, torch.Size([1, 16, 6, 6]))
    """

    def __init__(self, groups: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        self.groups = tuple((size, count) for size, count in _checked(groups))

    @property
    def channels(self) -> int:
        """Channels that go in."""
        return sum(size * count for size, count in self.groups)

    @property
    def num_groups(self) -> int:
        """Channels that come out, one for each feature group."""
        return sum(count for _, count in self.groups)

    def forward(self, x: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch feature_group *space"]:
        """Pool."""
        known = not isinstance(x, Proxy)  # not while the network is traced to be frozen
        if known and (x.ndim < 2 or x.shape[1] != self.channels):
            raise ShapeError(
                f"FeatureGroupPool: input has shape {tuple(x.shape)}; groups={self.groups} need {self.channels} "
                "channels as axis 1: give a map with as many, or other groups"
            )
        if len(self.groups) == 1:
            return _pool(x, *self.groups[0])
        parts = x.split([size * count for size, count in self.groups], dim=1)
        # by number: what is traced to be frozen does not say how many there are
        return torch.cat([_pool(parts[i], *group) for i, group in enumerate(self.groups)], dim=1)

    def extra_repr(self) -> str:
        return repr(self.groups)


def _pool(x: Tensor, size: int, count: int) -> Tensor:
    return x.unflatten(1, (count, size)).amax(2)


def _checked(groups: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
    whole = isinstance(groups, Sequence) and not isinstance(groups, str)
    if not whole or not groups or not all(isinstance(group, tuple | list) and len(group) == 2 for group in groups):
        raise ConfigError(
            f"groups={groups!r}: give pairs (size, count), such as [(4, 16)] for 16 feature groups of 4 channels"
        )
    for size, count in groups:
        check_count("size in groups", size)
        check_count("count in groups", count)
    return groups
