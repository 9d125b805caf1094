import torch

from equivision.data import named_variant, read_digits


def test_the_digits_are_complete_and_in_the_unit_interval() -> None:
    data = read_digits()
    assert data.images.shape == (1797, 1, 28, 28)
    assert data.images.dtype == torch.float32
    assert data.images.min() == 0
    assert data.images.max() == 1
    assert data.labels is not None
    assert data.labels.bincount().tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert data.class_names == tuple("0123456789")


def test_a_turn_keeps_the_ink() -> None:
    data = read_digits().take(range(100))
    upright = data.images.sum((1, 2, 3))
    turned = named_variant("rotated").apply(data.images).sum((1, 2, 3))
    assert ((turned - upright).abs() / upright).max() < 0.02
