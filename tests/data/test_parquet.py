from pathlib import Path

import pytest
import torch

from equivision.data import find_parquet, read_parquet
from equivision.errors import DataError
from tests.data._make import cells, picture, png, write_parquet


def test_the_layout_of_the_hub(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "train.parquet", {"image": cells(3), "label": [1, 0, 1]}, ["cat", "dog"])
    data = read_parquet(path)
    assert data.images[:, 0, 0, 0].tolist() == [0, 1, 2]
    assert data.labels is not None
    assert data.labels.tolist() == [1, 0, 1]
    assert data.class_names == ("cat", "dog")
    assert data.names == ("row 0 (0.png)", "row 1 (1.png)", "row 2 (2.png)")


@pytest.mark.parametrize(("image", "label"), [("img", "labels"), ("image", "class"), ("picture", "fine_label")])
def test_usual_names_of_the_columns_are_found(tmp_path: Path, image: str, label: str) -> None:
    path = write_parquet(tmp_path / "a.parquet", {"id": [5, 6], image: cells(2), label: [1, 0]})
    data = read_parquet(path)
    assert len(data) == 2
    assert data.class_names == ("0", "1")


def test_other_names_are_given_or_asked_for(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", {"scan": cells(2), "kind": [1, 0]})
    assert len(read_parquet(path, image_column="scan", label_column="kind")) == 2
    with pytest.raises(
        DataError, match=r"no column 'image' or 'img' or 'picture': its columns are 'scan', 'kind'; .*image_column="
    ):
        read_parquet(path)
    with pytest.raises(DataError, match=r"no column 'genus': .*name one with label_column="):
        read_parquet(path, image_column="scan", label_column="genus")
    with pytest.raises(DataError, match=r"no column 'mask': .*name one with mask_column="):
        read_parquet(path, image_column="scan", label_column="kind", mask_column="mask")


def test_labels_may_be_strings(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", {"image": cells(3), "label": ["dog", "ant", "dog"]})
    data = read_parquet(path)
    assert data.class_names == ("ant", "dog")
    assert data.labels is not None
    assert data.labels.tolist() == [1, 0, 1]
    with pytest.raises(DataError, match="holds the label 'ant', which is not one of dog, cow"):
        read_parquet(path, class_names=["dog", "cow"])


def test_labels_must_fit_the_classes(tmp_path: Path) -> None:
    columns = {"image": cells(2), "label": [0, 2]}
    with pytest.raises(DataError, match="image 1 has label 2, but the 2 classes are numbered 0 to 1"):
        read_parquet(write_parquet(tmp_path / "a.parquet", columns, ["cat", "dog"]))
    with pytest.raises(
        DataError, match="states the classes cat, dog, but dog, cat are needed: the files do not belong"
    ):
        read_parquet(tmp_path / "a.parquet", class_names=["dog", "cat"])
    with pytest.raises(DataError, match="of the types float: they must all be whole numbers, or all be strings"):
        read_parquet(write_parquet(tmp_path / "b.parquet", {"image": cells(2), "label": [0.5, 1.0]}))
    with pytest.raises(DataError, match="of the types NoneType, int"):
        read_parquet(write_parquet(tmp_path / "c.parquet", {"image": cells(2), "label": [0, None]}))


def test_plain_bytes_and_files_beside_the_table(tmp_path: Path) -> None:
    plain = write_parquet(tmp_path / "a.parquet", {"image": [png(picture(8))], "label": [0]})
    assert read_parquet(plain).images.unique().tolist() == [8]
    picture(9).save(tmp_path / "x.png")
    beside = write_parquet(tmp_path / "b.parquet", {"image": [{"bytes": None, "path": "x.png"}], "label": [0]})
    assert read_parquet(beside).images.unique().tolist() == [9]


def test_masks_are_read_when_asked_for(tmp_path: Path) -> None:
    masks = [{"bytes": png(picture(i, (6, 6))), "path": None} for i in (0, 2)]
    path = write_parquet(tmp_path / "a.parquet", {"image": cells(2, (6, 6), "RGB"), "mask": masks, "label": [0, 1]})
    assert read_parquet(path).masks is None
    data = read_parquet(path, mask_column="mask")
    assert data.masks is not None
    assert data.masks.dtype == torch.uint8
    assert data.masks[:, 0, 0].tolist() == [0, 2]
    small = read_parquet(path, mask_column="mask", image_size=3)
    assert small.masks is not None
    assert small.masks.shape == (2, 3, 3)
    assert small.masks.unique().tolist() == [0, 2]


def test_masks_that_do_not_fit(tmp_path: Path) -> None:
    wrong = [{"bytes": png(picture(0, (5, 6))), "path": None}, None, {"bytes": png(picture((1, 2, 3), mode="RGB"))}]
    for number, (mask, message) in enumerate(
        zip(
            wrong,
            (
                r"the mask of row 0 \(0.png\) is 5x6, the picture 6x6",
                "the mask of row 0 .* is missing",
                "one class number .* mode RGB",
            ),
            strict=True,
        )
    ):
        columns = {"image": cells(1), "mask": [mask], "label": [0]}
        path = write_parquet(tmp_path / f"{number}.parquet", columns)
        with pytest.raises(DataError, match=f"row 0 .* cannot be read .*{message}"):
            read_parquet(path, mask_column="mask")


def test_unreadable_pictures_are_named_or_skipped(tmp_path: Path) -> None:
    rows = cells(4)
    rows[1] = {"bytes": b"rubbish", "path": "b.png"}
    rows[2] = {"bytes": None, "path": None}
    path = write_parquet(tmp_path / "a.parquet", {"image": rows, "label": [0, 1, 2, 3]})
    with pytest.raises(DataError, match=r"row 1 \(b.png\) in .*a.parquet cannot be read"):
        read_parquet(path)
    with pytest.warns(UserWarning, match=r"skipped 2 of 4 .* row 1 \(b.png\) \(.*\), row 2 \(there is no picture\)"):
        data = read_parquet(path, skip_bad=True)
    assert data.labels is not None
    assert data.labels.tolist() == [0, 3]


def test_damaged_and_missing_files(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", {"image": cells(3), "label": [0, 1, 2]})
    content = path.read_bytes()
    for damaged in (content[: len(content) // 2], b"", b"<html>", content[:100] + bytes(100) + content[200:]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"a.parquet cannot be read"):
            read_parquet(path)
    with pytest.raises(DataError, match=r"there is no file .*none.parquet"):
        read_parquet(tmp_path / "none.parquet")
    with pytest.raises(DataError, match="cannot be read as parquet"):
        read_parquet(tmp_path)


def test_metadata_that_is_no_json_is_ignored(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table({"image": cells(2), "label": [0, 1]})
    for number, text in enumerate((b"{", b"[]", b'{"info": {"features": {"label": {}}}}')):
        path = tmp_path / f"{number}.parquet"
        pyarrow.parquet.write_table(table.replace_schema_metadata({"huggingface": text}), path)
        assert read_parquet(path).class_names == ("0", "1")


def test_shards_are_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for i in range(3):
        write_parquet(
            tmp_path / "data" / f"train-0000{i}-of-00003.parquet", {"image": cells(i + 1), "label": [i] * (i + 1)}
        )
    files = find_parquet(tmp_path, "train")
    assert [path.name[:11] for path in files] == ["train-00000", "train-00001", "train-00002"]
    data = read_parquet(files)
    assert data.labels is not None
    assert data.labels.tolist() == [0, 1, 1, 2, 2, 2]
    files[1].unlink()
    with pytest.raises(DataError, match=r"holds 2 of the 3 files of the split 'train' .*fetch the missing ones"):
        find_parquet(tmp_path, "train")


def test_the_names_of_the_validation_split_mean_the_same(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "valid-00000-of-00001.parquet", {"image": cells(1), "label": [0]})
    for name in ("validation", "valid", "val", "dev"):
        assert find_parquet(tmp_path, name) == [path]
    with pytest.raises(
        DataError, match=r"no file test\*.parquet for the split 'test'; there: valid-00000-of-00001.parquet"
    ):
        find_parquet(tmp_path, "test")
    with pytest.raises(DataError, match="there: no parquet files at all"):
        find_parquet(tmp_path / "empty", "train")
