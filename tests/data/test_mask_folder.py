from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from equivision.data import MaskClasses, read_mask_folder, read_ph2
from equivision.errors import DataError
from tests.data._make import picture, write_masks, write_ph2


def values(folder: Path, **options) -> list[int]:
    """The grey value of each picture, which its mask has as well."""
    data = read_mask_folder(folder, masks=MaskClasses(tuple("abcdefgh")), **options)
    assert data.masks is not None
    assert data.labels is None
    assert data.images[:, 0, 0, 0].tolist() == data.masks[:, 0, 0].tolist()
    return data.masks[:, 0, 0].tolist()


def test_masks_of_the_same_name(tmp_path: Path) -> None:
    write_masks(tmp_path, 4)
    assert values(tmp_path) == [0, 1, 2, 3]
    assert read_mask_folder(tmp_path).names == tuple(f"images/{i}.png" for i in range(4))
    assert read_mask_folder(tmp_path).class_names == ("0", "1", "2", "3")


def test_masks_with_other_endings_and_in_folders_below(tmp_path: Path) -> None:
    for folder in ("images/b", "images/a", "masks/b", "masks/a"):
        (tmp_path / folder).mkdir(parents=True)
    picture(1).save(tmp_path / "images/b/1.PNG")
    picture(1).save(tmp_path / "masks/b/1.gif")
    picture(2).save(tmp_path / "images/a/1.bmp")
    picture(2).save(tmp_path / "masks/a/1_mask.tif")
    assert values(tmp_path) == [2, 1]


def test_pictures_and_masks_in_one_folder(tmp_path: Path) -> None:
    for i in range(3):
        picture(i).save(tmp_path / f"{i}.bmp")
        picture(i).save(tmp_path / f"{i}_mask.png")
    assert values(tmp_path) == [0, 1, 2]
    for i in range(3):
        (tmp_path / f"{i}_mask.png").rename(tmp_path / f"{i}-seg.png")
    assert values(tmp_path, mask_suffix="-seg") == [0, 1, 2]


def without_a_mask(root: Path) -> None:
    (root / "masks" / "2.png").unlink()


def without_a_picture(root: Path) -> None:
    (root / "images" / "2.png").unlink()


def of_another_size(root: Path) -> None:
    picture(2, (5, 6)).save(root / "masks" / "2.png")


def damaged(root: Path) -> None:
    (root / "masks" / "2.png").write_bytes(b"rubbish")


def coloured(root: Path) -> None:
    picture((1, 2, 3), mode="RGB").save(root / "masks" / "2.png")


@pytest.mark.parametrize("image_size", [None, 3])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (without_a_mask, r"images/2.png in .* cannot be read \(the mask masks/2.\* is missing\)"),
        (without_a_picture, r"masks/2.png in .* cannot be read \(there is no picture for this mask\)"),
        (of_another_size, r"images/2.png in .* \(the mask masks/2.png is 5x6, the picture 6x6\)"),
        (damaged, r"images/2.png in .* \(the mask masks/2.png: cannot identify image file\)"),
        (coloured, r"images/2.png in .* \(the mask masks/2.png: a mask needs one class number .* colours\)"),
    ],
)
def test_pairs_that_do_not_fit_are_named_or_left_out(
    tmp_path: Path, spoil: Callable[[Path], None], message: str, image_size: int | None
) -> None:
    write_masks(tmp_path, 4)
    spoil(tmp_path)
    with pytest.raises(DataError, match=message):
        values(tmp_path, image_size=image_size)
    with pytest.warns(UserWarning, match="skipped 1 of 4 pictures"):
        assert values(tmp_path, image_size=image_size, skip_bad=True) == [0, 1, 3]


def test_masks_saved_as_jpeg(tmp_path: Path) -> None:
    write_masks(tmp_path, 2)
    shape = np.zeros((32, 32), dtype=np.uint8)
    shape[8:20, 9:25] = 255
    for i in range(2):
        picture(i, (32, 32)).save(tmp_path / "images" / f"{i}.png")
        (tmp_path / "masks" / f"{i}.png").unlink()
        Image.fromarray(shape).save(tmp_path / "masks" / f"{i}.jpg", quality=70)
    with pytest.raises(
        DataError, match=r"not class numbers 0, 1, 2, ...: .* saved as JPEG, or scaled with interpolation"
    ):
        read_mask_folder(tmp_path)
    with pytest.raises(DataError, match=r"mask masks/0.jpg in .* holds the value .*saved as JPEG"):
        read_mask_folder(tmp_path, masks=MaskClasses(("skin", "lesion")))
    masks = read_mask_folder(tmp_path, masks=MaskClasses(classes={"lesion": range(128, 256)})).masks
    assert masks is not None
    assert np.array_equal(masks[1].numpy(), shape // 255)


def test_folders_without_pairs(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none is not a folder"):
        read_mask_folder(tmp_path / "none")
    with pytest.raises(DataError, match=r"no pairs of a picture and its mask \(0 pictures, 0 masks\).*_mask.png"):
        read_mask_folder(tmp_path)
    (tmp_path / "images").mkdir()
    with pytest.raises(DataError, match="masks is not a folder"):
        read_mask_folder(tmp_path)
    write_masks(tmp_path, 1)
    (tmp_path / "masks" / "0.png").rename(tmp_path / "masks" / "other.png")
    with pytest.raises(DataError, match=r"no pairs of a picture and its mask \(1 pictures, 1 masks\)"):
        read_mask_folder(tmp_path, skip_bad=True)


def test_a_name_must_be_one_file(tmp_path: Path) -> None:
    write_masks(tmp_path, 2)
    picture(1).save(tmp_path / "masks" / "1.gif")
    with pytest.raises(DataError, match=r"1.gif and .*1.png have the same name: which of them it is cannot be told"):
        read_mask_folder(tmp_path)


def test_ph2(tmp_path: Path) -> None:
    write_ph2(tmp_path, 5)
    for root in (tmp_path, tmp_path / "PH2 Dataset images"):
        data = read_ph2(root, image_size=9)
        assert repr(data) == "ImageData([5, 3, 9, 9] uint8 with masks, 2 classes)"
        assert data.names == ("IMD001", "IMD002", "IMD003", "IMD004", "IMD005")
        assert data.class_names == ("background", "lesion")
        assert data.masks is not None
        assert data.masks.unique().tolist() == [0, 1]
    left = read_ph2(tmp_path, image_size=16).masks
    cut = read_ph2(tmp_path, image_size=16, crop=True).masks
    assert left is not None
    assert cut is not None
    assert left[0].sum() == 16 * 4  # the lesion is a quarter of the width
    assert cut[0].sum() == 16 * 3  # of which a half lies outside the central square


def test_ph2_that_is_not_complete(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no folders IMD002, IMD003, ...: name the folder 'PH2 Dataset images'"):
        read_ph2(tmp_path)
    write_ph2(tmp_path, 3)
    case = tmp_path / "PH2 Dataset images" / "IMD002"
    (case / "IMD002_lesion" / "IMD002_lesion.bmp").unlink()
    with pytest.raises(DataError, match=r"IMD002 in .* \(the mask IMD002_lesion is missing\)"):
        read_ph2(tmp_path)
    (case / "IMD002_Dermoscopic_Image" / "IMD002.bmp").unlink()
    with pytest.raises(DataError, match=r"IMD002 in .* \(there is no picture\)"):
        read_ph2(tmp_path)
    with pytest.warns(UserWarning, match="skipped 1 of 3 pictures"):
        assert len(read_ph2(tmp_path, skip_bad=True)) == 2
