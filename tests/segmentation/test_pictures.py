"""Pictures of masks."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from equivision.errors import ConfigError, ShapeError
from equivision.functional import act
from equivision.groups import dihedral
from equivision.segmentation import overlay, overlay_sheet

D4 = dihedral(4)
RED, GREEN = "#ff0000", "#00ff00"


def square(size: int = 7, value: int = 1) -> Tensor:
    """A square of five pixels inside of background."""
    mask = torch.zeros(size, size, dtype=torch.int64)
    mask[1:-1, 1:-1] = value
    return mask


def test_inside_the_colour_shines_through_and_the_outline_is_full() -> None:
    picture = torch.full((1, 7, 7), 0.4)
    found = overlay(picture, square(), alpha=0.5, colours=[RED, GREEN])
    grey = [102, 102, 102]
    assert found.dtype == torch.uint8
    assert found[:, 0, 0].tolist() == found[:, 6, 3].tolist() == grey
    assert found[:, 1, 1].tolist() == found[:, 3, 5].tolist() == [255, 0, 0]
    assert found[:, 3, 3].tolist() == [178, 51, 51]
    plain = overlay(picture, torch.zeros(7, 7, dtype=torch.int64))
    assert torch.equal(plain, torch.full((3, 7, 7), 102, dtype=torch.uint8))


def test_bytes_and_floats_look_alike() -> None:
    picture = torch.randint(0, 256, (3, 7, 7), dtype=torch.uint8)
    assert torch.equal(overlay(picture, square()), overlay(picture, square().byte()))
    assert torch.equal(overlay(picture, square()), overlay(picture.float() / 255, square()))
    assert torch.equal(overlay(picture, square(value=0)), picture)


def test_colours_repeat() -> None:
    picture = torch.zeros(1, 7, 7)
    one, three = (overlay(picture, square(value=value), colours=[RED, GREEN]) for value in (1, 3))
    assert torch.equal(one, three)
    assert not torch.equal(one, overlay(picture, square(value=2), colours=[RED, GREEN]))


def test_whole_numbers_that_are_no_bytes() -> None:
    with pytest.raises(ShapeError, match=r"picture has dtype torch\.int64: give uint8, or floats in \[0, 1\]"):
        overlay(torch.full((3, 4, 4), 200), torch.zeros(4, 4, dtype=torch.int64))


@pytest.mark.parametrize("size", [(8, 8), (9, 9), (6, 9)])
def test_overlays_turn_with_picture_and_mask(size: tuple[int, int]) -> None:
    picture, mask = torch.rand(3, *size), torch.randint(0, 3, size)
    found = overlay(picture, mask)
    for g in range(1, D4.order):
        moved = act(mask[None, None].float(), g, D4)[0, 0].long()
        assert torch.equal(overlay(act(picture[None], g, D4)[0], moved), act(found[None].float(), g, D4)[0].byte())


@pytest.mark.usefixtures("unchecked_annotations")
@pytest.mark.parametrize(
    ("picture", "mask"), [((2, 7, 7), (7, 7)), ((3, 7, 7), (7, 8)), ((7, 7), (7, 7)), ((3, 7, 7), (1, 7, 7))]
)
def test_pictures_and_masks_that_do_not_fit(picture: tuple[int, ...], mask: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"need \[1 or 3, height, width\] and \[height, width\]"):
        overlay(torch.zeros(picture), torch.zeros(mask, dtype=torch.int64))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 1.5}, "alpha=1.5: give a number from 0 to 1"),
        ({"alpha": float("nan")}, "alpha=nan"),
        ({"colours": ["red"]}, r"colours=\['red'\]: give at least one, each as '#rrggbb'"),
        ({"colours": ["#ff00"]}, r"colours=\['#ff00'\]"),
        ({"colours": []}, r"colours=\[\]: give at least one"),
    ],
)
def test_options_of_overlays(options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        overlay(torch.zeros(1, 7, 7), square(), **options)


def test_a_sheet_shows_every_picture(tmp_path: Path) -> None:
    colours = {"left": (255, 0, 0), "right": (0, 0, 255)}
    row = {name: torch.tensor(rgb, dtype=torch.uint8)[:, None, None].repeat(1, 10, 20) for name, rgb in colours.items()}
    tall = {name: picture.permute(0, 2, 1).float() / 255 for name, picture in row.items()}
    sheet = overlay_sheet([row, tall], tmp_path / "new" / "sheet.png", width=40)
    assert sheet.size == (81, 13 + 20 + 1 + 80)
    assert (sheet.getpixel((20, 23)), sheet.getpixel((60, 23))) == tuple(colours.values())
    assert (sheet.getpixel((20, 70)), sheet.getpixel((60, 70))) == tuple(colours.values())
    with Image.open(tmp_path / "new" / "sheet.png") as file:
        assert np.array_equal(np.array(file), np.array(sheet))
    assert (np.array(sheet)[:13] < 128).any(), "names are written above the columns"
    grey = overlay_sheet([{"one": torch.full((1, 3, 400), 0.5)}], width=40)
    assert grey.size == (40, 14)
    assert grey.getpixel((20, 13)) == (128, 128, 128)


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([], {}, "rows=0 rows of pictures: give at least one"),
        ([{}], {}, "rows=1 rows of pictures"),
        ([{"a": torch.zeros(1, 4, 4)}, {"b": torch.zeros(1, 4, 4)}], {}, "all with the same names"),
        ([{"a": torch.zeros(1, 4, 4)}], {"width": 0}, "width=0: give at least 1 pixel"),
        ([{"a": torch.zeros(2, 4, 4)}], {}, r"picture 'a' has shape \(2, 4, 4\): need \[1 or 3, height, width\]"),
    ],
)
def test_sheets_that_cannot_be(rows: list, options: dict, message: str) -> None:
    with pytest.raises((ConfigError, ShapeError), match=message):
        overlay_sheet(rows, **options)
