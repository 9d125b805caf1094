import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from equivision.data import Skipped, read_image_folder, read_picture, read_pictures
from equivision.errors import ConfigError, DataError
from tests.data._make import picture, write_classes


def test_classes_are_the_sorted_folders(tmp_path: Path) -> None:
    write_classes(tmp_path, ["bee", "ant"], each=3)
    data = read_image_folder(tmp_path)
    assert data.class_names == ("ant", "bee")
    assert data.labels is not None
    assert data.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.images[:, 0, 0, 0].tolist() == [50, 51, 52, 0, 1, 2]
    assert data.images.shape == (6, 1, 6, 6)
    assert data.names[4].replace("\\", "/") == "bee/1.png"


def test_given_classes_set_the_numbers(tmp_path: Path) -> None:
    write_classes(tmp_path, ["bee", "ant"], each=1)
    data = read_image_folder(tmp_path, class_names=["wasp", "bee", "ant"])
    assert data.labels is not None
    assert data.labels.tolist() == [2, 1]
    assert data.class_names == ("wasp", "bee", "ant")
    with pytest.raises(DataError, match="bee is not one of the classes ant, fly: rename or remove it"):
        read_image_folder(tmp_path, class_names=["ant", "fly"])


def test_a_flat_folder_has_no_labels(tmp_path: Path) -> None:
    for name in ("b.png", "a.PNG", "below/c.bmp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        picture(7).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / ".hidden.png").write_bytes(b"")
    data = read_pictures(tmp_path)
    assert data.labels is None
    assert [name.replace("\\", "/") for name in data.names] == ["a.PNG", "b.png", "below/c.bmp"]


@pytest.mark.parametrize("suffix", ["png", "jpg", "jpeg", "bmp", "gif", "tif", "tiff", "webp", "pgm"])
def test_the_usual_formats(tmp_path: Path, suffix: str) -> None:
    picture(100, (8, 6)).save(tmp_path / f"x.{suffix}")
    data = read_pictures(tmp_path, channels=1)
    assert data.images.shape == (1, 1, 6, 8)
    assert (data.images.int() - 100).abs().max() <= 1


def test_grey_stays_grey_until_one_picture_has_colour(tmp_path: Path) -> None:
    picture(9).save(tmp_path / "a.png")
    assert read_pictures(tmp_path).images.shape[1] == 1
    assert read_pictures(tmp_path, channels=3).images.shape[1] == 3
    picture((1, 2, 3), mode="RGB").save(tmp_path / "b.png")
    both = read_pictures(tmp_path).images
    assert both[:, :, 0, 0].tolist() == [[9, 9, 9], [1, 2, 3]]
    assert read_pictures(tmp_path, channels=1).images.shape[1] == 1


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 128 * 257, np.uint16)).save(tmp_path / "deep.png")
    assert read_pictures(tmp_path).images.unique().tolist() == [128]


def test_cameras_of_fewer_bits_are_warned_of(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 4095, np.uint16)).save(tmp_path / "deep.tif")
    Image.fromarray(np.full((4, 4), 800, np.uint16)).save(tmp_path / "dark.tif")
    with pytest.warns(UserWarning, match=r"values up to 4095 of 65535, .* bytes up to 15: .* multiplied by 16, those"):
        assert read_pictures(tmp_path).images.amax((1, 2, 3)).tolist() == [3, 15]
    Image.fromarray(np.full((4, 4), 60000, np.uint16)).save(tmp_path / "bright.tif")
    assert read_pictures(tmp_path).images.amax() == 233  # all 16 bits are used: nothing to say


@pytest.mark.parametrize("suffix", [".tif", ".gif", ".webp"])
def test_stacks_and_animations_are_not_read_as_their_first_page(tmp_path: Path, suffix: str) -> None:
    pages = [picture(10 * i) for i in range(1, 4)]
    pages[0].save(tmp_path / f"stack{suffix}", save_all=True, append_images=pages[1:])
    with pytest.raises(DataError, match=r"it holds 3 pictures, a stack or an animation: save each in a file"):
        read_pictures(tmp_path)
    with pytest.raises(DataError, match=r"it holds 3 pictures"):
        read_picture(tmp_path / f"stack{suffix}")


def test_hidden_folders_are_not_looked_into(tmp_path: Path) -> None:
    write_classes(tmp_path)
    before = read_image_folder(tmp_path).names
    for hidden in (".ipynb_checkpoints", "ant/.ipynb_checkpoints", "ant/deep/.cache/deeper"):
        (tmp_path / hidden).mkdir(parents=True)
        picture().save(tmp_path / hidden / "copy.png")
    assert len(before) == 8
    assert read_image_folder(tmp_path).names == before
    hidden_root = tmp_path / ".mine" / "pictures"  # the folder itself may be
    hidden_root.mkdir(parents=True)
    picture().save(hidden_root / "a.png")
    assert read_pictures(hidden_root).names == ("a.png",)


def test_slides_of_whole_tissues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow takes very large pictures for an attack."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    picture((1, 2, 3), (6, 5), "RGB").save(tmp_path / "slide.png")
    with pytest.raises(DataError, match="decompression bomb"):
        read_picture(tmp_path / "slide.png")
    assert read_picture(tmp_path / "slide.png", large=True).shape == (3, 5, 6)
    assert Image.MAX_IMAGE_PIXELS == 10


def test_palettes_and_transparency_become_colour(tmp_path: Path) -> None:
    picture((10, 20, 30, 128), mode="RGBA").save(tmp_path / "a.png")
    picture((10, 20, 30), mode="RGB").convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "b.png")
    assert read_pictures(tmp_path).images[:, :, 0, 0].tolist() == [[10, 20, 30], [10, 20, 30]]


def test_the_orientation_of_a_photograph_is_applied(tmp_path: Path) -> None:
    photo = Image.fromarray(np.array([[0, 50], [100, 150], [200, 250]], np.uint8))
    exif = photo.getexif()
    exif[0x0112] = 6  # turned by 90 degrees
    photo.save(tmp_path / "x.png", exif=exif)
    data = read_pictures(tmp_path)
    assert data.images[0, 0].tolist() == [[200, 100, 0], [250, 150, 50]]


def test_pictures_are_scaled_and_cropped_to_a_square(tmp_path: Path) -> None:
    # black, 8 columns of grey, black: the central square of 16x4 lies in the grey, with a margin for the filter
    array = np.zeros((4, 16), np.uint8)
    array[:, 4:12] = 90
    Image.fromarray(array).save(tmp_path / "a.png")
    Image.fromarray(array.T.copy()).save(tmp_path / "b.png")
    data = read_pictures(tmp_path, image_size=2)
    assert data.images.shape == (2, 1, 2, 2)
    assert data.images.unique().tolist() == [90]


def test_scaling_commutes_with_quarter_turns(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 256, (21, 21), dtype=np.uint8)
    for k in range(4):
        Image.fromarray(np.rot90(array, k).copy()).save(tmp_path / f"{k}.png")
    small = read_pictures(tmp_path, image_size=8).images.int()
    for k in range(4):
        assert (small[k] - torch.rot90(small[0], k, (-2, -1))).abs().max() <= 1


def test_different_sizes_need_a_common_one(tmp_path: Path) -> None:
    picture(1, (6, 6)).save(tmp_path / "a.png")
    picture(1, (8, 6)).save(tmp_path / "b.png")
    with pytest.raises(DataError, match=r"differ in size: a.png is 6x6, b.png is 8x6. Give image_size="):
        read_pictures(tmp_path)
    assert read_pictures(tmp_path, image_size=5).images.shape == (2, 1, 5, 5)


def bad_pictures(folder: Path) -> list[str]:
    picture(3, (40, 40)).save(folder / "whole.png")
    noise = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "good.png")
    content = (folder / "good.png").read_bytes()
    (folder / "cut.png").write_bytes(content[: len(content) // 2])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "page.png").write_text("<html>not found</html>")
    Image.fromarray(noise).save(folder / "j.jpg")
    content = (folder / "j.jpg").read_bytes()
    (folder / "j.jpg").write_bytes(content[:300])
    Image.fromarray(noise.astype(np.float32)).save(folder / "float.tif")
    Image.fromarray(noise.astype(np.int32) + 70_000).save(folder / "deep.tif")
    return ["cut.png", "deep.tif", "empty.jpg", "float.tif", "j.jpg", "page.png"]


def test_every_unreadable_picture_is_named_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "all").mkdir()
    for name in bad_pictures(tmp_path / "all"):
        (tmp_path / "one").mkdir(exist_ok=True)
        (tmp_path / "all" / name).rename(tmp_path / "one" / name)
        with pytest.raises(DataError, match=f"{name} in .*one cannot be read .*remove it, or pass skip_bad=True"):
            read_pictures(tmp_path / "one")
        (tmp_path / "one" / name).unlink()


def test_skipped_pictures_are_counted_and_listed(tmp_path: Path) -> None:
    bad = bad_pictures(tmp_path)
    with pytest.warns(UserWarning, match=r"skipped 6 of 8 pictures in .* cannot be read: cut.png \(.*, \.\.\.$"):
        data = read_pictures(tmp_path, skip_bad=True)
    assert data.names == ("good.png", "whole.png")
    assert [one.name for one in data.skipped] == bad
    assert all(one.reason and "0x" not in one.reason for one in data.skipped), "no addresses of objects"
    assert {one.name: one.reason for one in data.skipped}["float.tif"] == "floating-point grey values"


def test_labels_follow_the_pictures_that_are_left(tmp_path: Path) -> None:
    write_classes(tmp_path, each=3)
    (tmp_path / "ant" / "1.png").write_bytes(b"rubbish")
    with pytest.warns(UserWarning, match="skipped 1 of 6"):
        data = read_image_folder(tmp_path, skip_bad=True)
    assert data.labels is not None
    assert data.labels.tolist() == [0, 0, 1, 1, 1]
    assert data.images[:, 0, 0, 0].tolist() == [0, 2, 50, 51, 52]
    assert data.index.tolist() == [0, 1, 2, 3, 4]
    assert data.take([0]).skipped == data.skipped
    assert dataclasses.asdict(data.skipped[0])["name"] == str(Path("ant") / "1.png")
    assert isinstance(data.skipped[0], Skipped)


def test_a_sound_folder_warns_of_nothing(tmp_path: Path) -> None:
    write_classes(tmp_path)
    assert read_image_folder(tmp_path, skip_bad=True).skipped == ()


def test_nothing_but_bad_pictures_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"rubbish")
    with pytest.raises(
        DataError, match=r"holds no readable picture \(skipped: 1, the first: x.png \(.*check the folder"
    ):
        read_pictures(tmp_path, skip_bad=True)


def test_empty_and_missing_folders(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere is not a folder: check the path"):
        read_pictures(tmp_path / "nowhere")
    with pytest.raises(DataError, match="nowhere is not a folder: check the path"):
        read_image_folder(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"holds no pictures \(\.png, .*check the path"):
        read_pictures(tmp_path)
    with pytest.raises(DataError, match="has no subfolders: labelled pictures are read from one folder a class"):
        read_image_folder(tmp_path)
    write_classes(tmp_path)
    (tmp_path / "cow").mkdir()
    with pytest.raises(DataError, match=r"cow holds no pictures .*add some, or remove the folder"):
        read_image_folder(tmp_path)


@pytest.mark.usefixtures("unchecked_annotations")
def test_options_that_do_not_exist(tmp_path: Path) -> None:
    picture(1).save(tmp_path / "a.png")
    with pytest.raises(ConfigError, match=r"channels=2: choose 1 \(grey\), 3 \(RGB\)"):
        read_pictures(tmp_path, channels=2)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="image_size=0: give the side in pixels"):
        read_pictures(tmp_path, image_size=0)
