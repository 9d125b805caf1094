import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from equivision.data import ImageData, random_split, stratified_split
from equivision.errors import ConfigError
from tests.data._make import numbered_images


def data_with(labels: list[int]) -> ImageData:
    n = len(labels)
    return ImageData(torch.zeros(n, 1, 1, 1), torch.tensor(labels, dtype=torch.int64), tuple("abcde"), torch.arange(n))


@pytest.mark.parametrize("split", [random_split, stratified_split])
def test_parts_are_disjoint_have_their_sizes_and_depend_on_the_seed(split) -> None:
    data = numbered_images(30)
    parts = split(data, (12, 5, 9), seed=3)
    assert [len(part) for part in parts] == [12, 5, 9]
    taken = torch.cat([part.index for part in parts]).tolist()
    assert len(set(taken)) == 26
    again = torch.cat([part.index for part in split(data, (12, 5, 9), seed=3)]).tolist()
    other = torch.cat([part.index for part in split(data, (12, 5, 9), seed=4)]).tolist()
    assert taken == again
    assert taken != other
    assert taken != sorted(taken)


@pytest.mark.parametrize("split", [random_split, stratified_split])
def test_the_first_parts_do_not_depend_on_the_later_ones(split) -> None:
    data = numbered_images(30)
    assert split(data, (7, 20))[0].index.tolist() == split(data, (7, 3, 4))[0].index.tolist()


@given(st.lists(st.integers(0, 4), min_size=10, max_size=80), st.integers(0, 20), st.floats(0.0, 1.0))
def test_every_part_has_the_proportions_of_the_whole(labels: list[int], seed: int, share: float) -> None:
    size = int(share * len(labels))
    first, second = stratified_split(data_with(labels), (size, len(labels) - size), seed=seed)
    assert first.labels is not None
    assert second.labels is not None
    whole = np.bincount(labels, minlength=5)
    assert np.array_equal(first.labels.bincount(minlength=5) + second.labels.bincount(minlength=5), whole)
    expected = whole * size / len(labels)
    assert np.all(np.abs(first.labels.bincount(minlength=5).numpy() - expected) < 2)


def test_a_stratified_split_is_tighter_than_a_random_one() -> None:
    data = numbered_images(300, classes=3)
    labels = [split(data, (30,), seed=0)[0].labels for split in (stratified_split, random_split)]
    assert labels[0].bincount().tolist() == [10, 10, 10]
    assert labels[1].bincount().tolist() != [10, 10, 10]


@pytest.mark.parametrize("split", [random_split, stratified_split])
def test_sizes_must_fit(split) -> None:
    with pytest.raises(ConfigError, match=r"sizes=\(8, 5\): need numbers >= 0 with a sum of at most 12"):
        split(numbered_images(12), (8, 5))
    with pytest.raises(ConfigError, match=r"sizes=\(-1, 5\)"):
        split(numbered_images(12), (-1, 5))


def test_only_labelled_data_can_be_stratified() -> None:
    data = numbered_images(4)
    unlabelled = ImageData(data.images, None, data.class_names, data.index)
    with pytest.raises(ConfigError, match="has no labels: use random_split"):
        stratified_split(unlabelled, (2, 2))
