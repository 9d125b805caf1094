"""Pooling over feature groups of one size and of several."""

import pytest
import torch

from equivision.errors import ConfigError, ShapeError
from equivision.implicit import FeatureGroupPool

GROUPS = (((4, 3),), ((1, 5),), ((4, 2), (2, 1), (1, 1)), ((8, 1), (2, 3)))


@pytest.mark.parametrize("groups", GROUPS, ids=str)
def test_every_group_gives_its_largest_channel(groups: tuple[tuple[int, int], ...]) -> None:
    pool = FeatureGroupPool(groups)
    x = torch.randn(2, pool.channels, 3, 4, dtype=torch.float64)
    first, expected = 0, []
    for size, count in groups:
        for _ in range(count):
            expected.append(torch.stack([x[:, c] for c in range(first, first + size)]).max(0).values)
            first += size
    assert first == pool.channels
    assert torch.equal(pool(x), torch.stack(expected, 1))
    assert pool(x).shape[1] == pool.num_groups


def test_channels_may_change_places_inside_a_group_only() -> None:
    pool = FeatureGroupPool(((4, 2), (2, 2), (1, 2)))
    x = torch.randn(1, 14, 5, 5)
    inside = torch.tensor([2, 0, 3, 1, 7, 6, 5, 4, 9, 8, 10, 11, 12, 13])
    assert torch.equal(pool(x[:, inside]), pool(x))
    across = torch.tensor([4, 1, 2, 3, 0, *range(5, 14)])
    assert not torch.equal(pool(x[:, across]), pool(x))


def test_vectors_are_pooled_too() -> None:
    assert FeatureGroupPool([(2, 3)])(torch.randn(4, 6)).shape == (4, 3)


@pytest.mark.usefixtures("unchecked_annotations")
class TestErrors:
    @pytest.mark.parametrize("groups", [(), 4, "42", (4, 2), ((4, 2, 1),)], ids=str)
    def test_groups(self, groups: object) -> None:
        with pytest.raises(ConfigError, match=r"give pairs .size, count."):
            FeatureGroupPool(groups)  # type: ignore[arg-type]

    @pytest.mark.parametrize("groups", [((4, 0),), ((4.0, 2),), ((True, 2),)], ids=str)
    def test_numbers(self, groups: object) -> None:
        with pytest.raises(ConfigError, match="give a whole number of at least 1"):
            FeatureGroupPool(groups)  # type: ignore[arg-type]

    def test_channels(self) -> None:
        with pytest.raises(ShapeError, match=r"groups=\(\(4, 2\),\) need 8 channels as axis 1"):
            FeatureGroupPool(((4, 2),))(torch.zeros(1, 7, 2, 2))
