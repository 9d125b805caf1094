import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from equivision.data import read_idx, read_mnist
from equivision.errors import ConfigError, DataError
from tests.data._make import IMAGES, LABELS, TEST_LABELS, idx_bytes, write_mnist


@pytest.mark.parametrize("kind", ["u1", "i1", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("compress", [False, True])
def test_every_number_type_is_read(tmp_path: Path, kind: str, compress: bool) -> None:
    array = np.arange(2 * 3 * 4).reshape(2, 3, 4).astype(kind)
    content = idx_bytes(array)
    path = tmp_path / "file"  # the content says whether it is compressed, not the name
    path.write_bytes(gzip.compress(content) if compress else content)
    read = read_idx(path)
    assert read.dtype == array.dtype
    assert np.array_equal(read, array)


GOOD = idx_bytes(np.zeros((3, 2, 2), np.uint8))
#: The header of a gzip file holds the time of packing, unless told not to: tests named after it would differ by the
#: second, and processes that share the tests out would not agree on their names.
PACKED = gzip.compress(GOOD, mtime=0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "starts with the bytes of an empty file, which is no IDX magic number"),
        (b"<!DOCTYPE html>", "starts with the bytes 3c 21 44 4f, which is no IDX magic number.*saved error page"),
        (b"\0\0\x07\x01\0\0\0\0", "no IDX magic number"),
        (b"\0\0\x08\0", "no IDX magic number"),
        (GOOD[:-1], r"holds 27 bytes \(unpacked\), but its header of shape \[3, 2, 2\] calls for 28"),
        (GOOD + b"\0", "holds 29 bytes .* calls for 28"),
        (GOOD[:6], "cut short or damaged"),
        (PACKED[:-9], "cannot be read or unpacked"),
        (PACKED[:12] + b"rubbish", "cannot be read or unpacked"),
        (PACKED[:-8] + bytes(8), "cannot be read or unpacked.*CRC"),
        (b"\x1f\x8b\x00\x00", "cannot be read or unpacked"),
    ],
)
def test_a_damaged_file_is_named_with_the_cure(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "broken-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)
    assert "fetch it again" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no file .*nothing-here: check the folder"):
        read_idx(tmp_path / "nothing-here")
    with pytest.raises(DataError, match="cannot be read or unpacked"):
        read_idx(tmp_path)


@pytest.mark.parametrize("compress", [False, True])
def test_the_train_file_comes_first(tmp_path: Path, compress: bool) -> None:
    write_mnist(tmp_path, 30, 20, compress)
    both, train, test = read_mnist(tmp_path), read_mnist(tmp_path, ["train"]), read_mnist(tmp_path, ["test"])
    assert both.images.shape == (50, 1, 28, 28)
    assert both.images.dtype == torch.uint8
    assert both.labels is not None
    assert both.labels.dtype == torch.int64
    assert torch.equal(both.images, torch.cat([train.images, test.images]))
    assert both.index.tolist() == list(range(50))
    assert both.class_names == tuple("0123456789")
    random = np.random.default_rng(0).integers(0, 256, (30, 28, 28), dtype=np.uint8)
    assert np.array_equal(train.images[:, 0].numpy(), random)


def test_the_other_usual_spelling_of_the_names_is_found(tmp_path: Path) -> None:
    write_mnist(tmp_path, compress=False)
    (tmp_path / IMAGES).rename(tmp_path / IMAGES.replace("-idx3", ".idx3"))
    assert len(read_mnist(tmp_path)) == 50


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    (tmp_path / f"{TEST_LABELS}.gz").unlink()
    assert len(read_mnist(tmp_path, ["train"])) == 30
    with pytest.raises(DataError, match=f"holds none of {TEST_LABELS}, .*point root= at the right folder"):
        read_mnist(tmp_path)


@pytest.mark.usefixtures("unchecked_annotations")
def test_there_are_two_parts(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    for parts in ([], ["train", "valid"]):
        with pytest.raises(ConfigError, match=r"parts=\(.*: name 'train', 'test' or both"):
            read_mnist(tmp_path, parts)  # type: ignore[arg-type]


def test_images_and_labels_must_match_in_number(tmp_path: Path) -> None:
    write_mnist(tmp_path, compress=False)
    (tmp_path / LABELS).write_bytes(idx_bytes(np.zeros(29, np.uint8)))
    with pytest.raises(DataError, match=f"{IMAGES} with {LABELS} holds 30 images but 29 labels"):
        read_mnist(tmp_path)


def test_labels_must_be_digits(tmp_path: Path) -> None:
    write_mnist(tmp_path, compress=False)
    labels = np.zeros(30, np.uint8)
    labels[17] = 10
    (tmp_path / LABELS).write_bytes(idx_bytes(labels))
    with pytest.raises(DataError, match=f"{LABELS}: image 17 has label 10"):
        read_mnist(tmp_path)


def test_exchanged_files_are_noticed(tmp_path: Path) -> None:
    write_mnist(tmp_path, compress=False)
    images, labels = (tmp_path / IMAGES).read_bytes(), (tmp_path / LABELS).read_bytes()
    (tmp_path / IMAGES).write_bytes(labels)
    (tmp_path / LABELS).write_bytes(images)
    with pytest.raises(DataError, match=rf"{IMAGES} holds uint8 of shape \(30,\), but bytes with 3 axes are needed"):
        read_mnist(tmp_path)
