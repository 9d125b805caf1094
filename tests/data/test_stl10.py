"""The binary files of STL-10, generated."""

from pathlib import Path

import numpy as np
import pytest

from equivision.data import STL10DataModule, read_stl10
from equivision.errors import ConfigError, DataError


def write(folder: Path, part: str, count: int) -> np.ndarray:
    """Random pictures, column after column; returns them row after row."""
    pictures = np.random.default_rng(count).integers(0, 256, (count, 3, 96, 96), dtype=np.uint8)
    columns = [pictures[i, c, :, column] for i in range(count) for c in range(3) for column in range(96)]
    np.concatenate(columns).tofile(folder / f"{part}_X.bin")
    (1 + np.arange(count, dtype=np.uint8) % 10).tofile(folder / f"{part}_y.bin")
    return pictures


def test_pictures_and_labels(tmp_path: Path) -> None:
    pictures = write(tmp_path, "train", 12)
    data = read_stl10(tmp_path)
    assert np.array_equal(data.images.numpy(), pictures)
    assert data.labels is not None
    assert data.labels.tolist() == [*range(10), 0, 1]
    assert data.class_names[data.labels[9]] == "truck"
    (tmp_path / "train_X.bin").rename(tmp_path / "unlabeled_X.bin")
    assert read_stl10(tmp_path, "unlabeled").labels is None


def test_the_data_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stl10_binary").mkdir()
    for part, count in (("train", 20), ("test", 3)):
        write(tmp_path / "stl10_binary", part, count)
    monkeypatch.setenv("EQUIVISION_DATA", str(tmp_path))
    module = STL10DataModule(val_size=5, batch_size=4)
    module.setup("fit")
    assert module.splits.val is not None
    assert module.splits.test is not None
    assert (len(module.splits.train), len(module.splits.val), len(module.splits.test)) == (15, 5, 3)
    assert (module.in_channels, module.image_size, module.num_classes) == (3, (96, 96), 10)


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="part='valid' is not known: choose one of train, test, unlabeled"):
        read_stl10(tmp_path, "valid")
    with pytest.raises(DataError, match=r"there is no file .*train_X\.bin: fetch it, or point root= at the folder"):
        read_stl10(tmp_path)
    write(tmp_path, "train", 2)
    whole = (tmp_path / "train_X.bin").read_bytes()
    for content in (whole[:-1], b""):
        (tmp_path / "train_X.bin").write_bytes(content)
        with pytest.raises(DataError, match=f"holds {len(content)} bytes, which is no multiple of 27648.*cut short"):
            read_stl10(tmp_path)
    (tmp_path / "train_X.bin").write_bytes(whole[:27648])
    with pytest.raises(DataError, match="holds 1 images but 2 labels: the files do not belong together"):
        read_stl10(tmp_path)
    (tmp_path / "train_X.bin").write_bytes(whole)
    (tmp_path / "train_y.bin").write_bytes(bytes([1, 0]))
    with pytest.raises(DataError, match="image 1 has label -1, but the 10 classes"):
        read_stl10(tmp_path)
    (tmp_path / "train_y.bin").unlink()
    with pytest.raises(DataError, match=r"there is no file .*train_y\.bin"):
        read_stl10(tmp_path)
