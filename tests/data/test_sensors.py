"""Several sensors before one scene: what each sees, what the label says, and nothing left to chance."""

from typing import Any

import pytest
import torch

from equivision.data import ImageData, odd_sensors, read_digits, sensor_sets
from equivision.errors import ConfigError, DataError

PERFECT: dict[str, Any] = {"noise": 0.0, "dead": 0.0}


def grey(count: int, value: float = 0.5, size: tuple[int, int] = (20, 30)) -> ImageData:
    labels = torch.arange(count) % 2
    return ImageData(torch.full((count, 1, *size), value), labels, ("0", "1"), torch.arange(count))


@pytest.fixture(scope="module")
def digits() -> ImageData:
    return read_digits().take(range(40))


def test_perfect_sensors_see_the_picture(digits: ImageData) -> None:
    data = sensor_sets(digits, sensors=3, broken=0.0, **PERFECT)
    assert torch.equal(data.images, digits.images.expand(-1, 3, -1, -1))
    assert data.labels is digits.labels
    assert data.class_names == digits.class_names
    assert torch.equal(data.index, digits.index)
    bytes_ = ImageData((digits.images * 255).byte(), digits.labels, digits.class_names, digits.index)
    assert torch.equal(sensor_sets(bytes_, broken=0.0, **PERFECT).images[:, :1], bytes_.images.float() / 255)


def test_broken_sensors_see_nothing(digits: ImageData) -> None:
    for broken, low, high in ((1.0, 1.0, 1.0), (0.4, 2.5, 3.5)):
        works = sensor_sets(digits, broken=broken, **PERFECT).images.flatten(2).amax(2) > 0
        assert works.any(1).all()
        assert low <= works.sum(1).float().mean() <= high
        assert len(set(map(tuple, works.tolist()))) > 4
        listed = sensor_sets(digits, broken=broken, shuffled=False, **PERFECT).images.flatten(2).amax(2) > 0
        assert (listed.int().diff(dim=1) <= 0).all()


def test_dead_bands() -> None:
    seen = sensor_sets(grey(60), sensors=4, broken=0.0, noise=0.0, dead=0.3).images
    rows, columns = (seen == 0).all(3), (seen == 0).all(2)
    assert ((rows.sum(2) == 6) ^ (columns.sum(2) == 9)).all()  # of 20, of 30
    assert 80 < int(rows.any(2).sum()) < 160
    assert rows.any(1).any(0).all()
    assert columns.any(1).any(0).all()
    band = rows.float().diff(dim=2)
    assert (band.abs().sum(2) <= 2).all()
    assert ((seen == 0) | (seen == 0.5)).all()


def test_noise() -> None:
    listed = sensor_sets(grey(25, size=(60, 60)), broken=0.0, noise=0.05, dead=0.0, shuffled=False).images - 0.5
    spread = listed.flatten(2).std(2)
    assert (spread.diff(dim=1) > -0.004).all()
    assert 0.02 < spread.min() < 0.03 < 0.07 < spread.max() < 0.08
    assert listed.mean().abs() < 1e-3
    kurtosis = ((listed / spread[..., None, None]) ** 4).mean()
    assert 2.9 < kurtosis < 3.1
    flat = listed.flatten(0, 1).flatten(1)
    assert (torch.corrcoef(flat) - torch.eye(len(flat))).abs().max() < 0.1


def test_the_order_is_all_that_shuffling_changes(digits: ImageData) -> None:
    mixed, listed = (sensor_sets(digits, shuffled=shuffled).images for shuffled in (True, False))
    assert not torch.equal(mixed, listed)
    same = (mixed[:, :, None] == listed[:, None]).flatten(3).all(3)
    assert (same.sum(1) == 1).all()
    assert (same.sum(2) == 1).all()


def test_a_set_does_not_depend_on_the_others(digits: ImageData) -> None:
    data, part = sensor_sets(digits, seed=3), sensor_sets(digits.take([7, 2]), seed=3)
    assert torch.equal(part.images, data.images[[7, 2]])
    assert not torch.equal(sensor_sets(digits, seed=4).images, data.images)


def test_the_odd_sensor(digits: ImageData) -> None:
    data = odd_sensors(digits, sensors=4, **PERFECT)
    assert data.class_names == ("0", "1", "2", "3")
    assert data.labels is not None
    assert digits.labels is not None
    assert set(data.labels.tolist()) == {0, 1, 2, 3}
    known = {
        tuple(image.flatten().tolist()): int(label) for image, label in zip(digits.images, digits.labels, strict=True)
    }
    for i, odd in enumerate(data.labels.tolist()):
        classes = [known[tuple(view.flatten().tolist())] for view in data.images[i]]
        assert [one == digits.labels[i] for one in classes] == [k != odd for k in range(4)]


def test_whether_it_is_the_first(digits: ImageData) -> None:
    """Sets come in pairs that differ in the order of two sensors."""
    data, which = odd_sensors(digits, question="first"), odd_sensors(digits)
    assert data.images.shape == (80, 5, 28, 28)
    assert data.labels is not None
    assert data.labels.tolist() == [1, 0] * 40
    assert data.index.tolist() == list(range(80))
    first, another = data.images.unflatten(0, (40, 2)).unbind(1)
    same = (first[:, :, None] == another[:, None]).flatten(3).all(3)
    assert (same.sum(1) == 1).all()
    assert (same.diagonal(dim1=1, dim2=2).sum(1) == 3).all()
    partner = same[:, 0].int().argmax(1)
    assert set(partner.tolist()) == {1, 2, 3, 4}
    perfect = odd_sensors(digits, question="first", **PERFECT).images
    assert (perfect[::2, 1:] == digits.images).all()
    assert which.labels is not None
    moved = [torch.equal(a[0], b[k]) for a, b, k in zip(first, which.images, which.labels.tolist(), strict=True)]
    assert all(moved)


def test_these_are_the_sets() -> None:
    """Others would mean that numbers published before belong to other data."""
    data, odd = sensor_sets(read_digits().take(range(8))), odd_sensors(read_digits().take(range(8)))
    assert odd.labels is not None
    assert odd.labels.tolist() == [1, 2, 1, 0, 1, 2, 3, 3]
    means = [0.14803, 0.197714, 0.178212, 0.205287, 0.20504]
    assert data.images.mean((0, 2, 3)).tolist() == pytest.approx(means, abs=1e-5)
    assert odd.images[0, 0, :2, :2].flatten().tolist() == pytest.approx([0, 0, 0.274088, 0], abs=1e-5)


@pytest.mark.usefixtures("unchecked_annotations")
def test_errors(digits: ImageData) -> None:
    for make in (sensor_sets, odd_sensors):
        for name, value, shown in (
            ("sensors", 1, "sensors=1: give a whole number of at least 2"),
            ("sensors", 2.5, "sensors=2.5: give a whole number"),
            ("noise", float("nan"), "noise=nan: give a standard deviation"),
            ("noise", -0.1, "noise=-0.1: give a standard deviation"),
            ("dead", 1.5, "dead=1.5: give a number from 0 to 1"),
        ):
            options: dict[str, Any] = {name: value}
            with pytest.raises(ConfigError, match=shown):
                make(digits, **options)
        for labels, channels in ((None, 1), (torch.zeros(2, dtype=torch.long), 3)):
            wrong = ImageData(torch.zeros(2, channels, 8, 8), labels, ("0",), torch.arange(2))
            with pytest.raises(DataError, match="sensors need labelled pictures with one channel"):
                make(wrong)
    with pytest.raises(ConfigError, match="broken=-1: give a number from 0 to 1"):
        sensor_sets(digits, broken=-1)
    with pytest.raises(ConfigError, match="question='last' is not known: choose 'which' or 'first'"):
        odd_sensors(digits, question="last")  # pyright: ignore[reportArgumentType]
    with pytest.raises(DataError, match="the odd sensor sees another class, but all pictures have label 0"):
        odd_sensors(grey(4).take([0, 2]))
