import dataclasses

import numpy as np
import pytest
import torch

from equivision.data import ImageData, pool
from equivision.data._images import as_float, image_data
from equivision.errors import DataError
from tests.data._make import numbered_images


def test_take_keeps_images_labels_index_names_and_masks_together() -> None:
    data = numbered_images(6)
    masks = torch.arange(6, dtype=torch.uint8)[:, None, None].expand(6, 5, 5)
    data = dataclasses.replace(data, names=tuple("abcdef"), masks=masks)
    assert data.labels is not None
    for positions in ([4, 1], np.array([4, 1]), torch.tensor([4, 1])):
        part = data.take(positions)
        assert torch.equal(part.images, data.images[[4, 1]])
        assert part.labels is not None
        assert part.labels.tolist() == data.labels[[4, 1]].tolist()
        assert part.index.tolist() == [4, 1]
        assert part.names == ("e", "b")
        assert part.masks is not None
        assert part.masks[:, 0, 0].tolist() == [4, 1]
        assert part.take([1]).index.tolist() == [1]
    assert len(data.take([])) == 0


def test_bytes_become_floats_in_the_unit_interval_and_floats_stay() -> None:
    assert as_float(torch.tensor([0, 51, 255], dtype=torch.uint8)).tolist() == pytest.approx([0.0, 0.2, 1.0])
    floats = torch.tensor([0.5, 2.0])
    assert as_float(floats) is floats


def test_labels_must_fit_the_images() -> None:
    images = torch.zeros(3, 1, 2, 2)
    with pytest.raises(DataError, match=r"here holds 3 images but 2 labels.*fetch both again"):
        image_data(images, torch.tensor([0, 1]), "ab", source="here")
    with pytest.raises(DataError, match=r"here: image 1 has label 2, but the 2 classes are numbered 0 to 1 \(1 such"):
        image_data(images, torch.tensor([0, 2, 1]), "ab", source="here")
    with pytest.raises(DataError, match=r"image 0 has label -1.*test set without labels"):
        image_data(images, torch.tensor([-1, -1, -1]), "ab", source="here")


def test_pooled_data_counts_positions_through() -> None:
    first, second = numbered_images(4), numbered_images(6)
    both = pool(first, second)
    assert both.index.tolist() == list(range(10))
    assert torch.equal(both.images, torch.cat([first.images, second.images]))
    assert both.labels is not None
    assert both.labels.tolist() == [0, 1, 2, 0, 0, 1, 2, 0, 1, 2]


def test_only_data_of_one_kind_can_be_pooled() -> None:
    with pytest.raises(DataError, match=r"cannot pool ImageData.*same channels, height, width and class names"):
        pool(numbered_images(side=5), numbered_images(side=6))
    with pytest.raises(DataError, match="cannot pool"):
        pool(numbered_images(classes=3), numbered_images(classes=2))
    with pytest.raises(DataError, match="cannot pool"):
        pool(numbered_images(), dataclasses.replace(numbered_images(), ignore_index=255))
    unknown = dataclasses.replace(numbered_images(), ignore_index=255)
    assert pool(unknown, unknown).ignore_index == 255


def test_the_repr_names_shape_type_and_classes() -> None:
    assert repr(numbered_images(4)) == "ImageData([4, 1, 5, 5] uint8, 3 classes)"
    assert isinstance(numbered_images(), ImageData)
