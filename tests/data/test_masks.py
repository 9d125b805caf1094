import io
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from equivision.data import MaskClasses, Variant, named_variant, scale_mask
from equivision.data._masks import BadMask, MaskReader, mask_values
from equivision.data._pictures import PictureStack
from equivision.errors import ConfigError, DataError
from tests.data._make import picture, png

MOTIONS: list[Callable[[np.ndarray], np.ndarray]] = [
    lambda m: np.rot90(m, 1),
    lambda m: np.rot90(m, 2),
    lambda m: np.rot90(m, 3),
    lambda m: m[::-1],
    lambda m: m[:, ::-1],
    lambda m: m.T,
    lambda m: m[::-1, ::-1].T,
]


def blobs(height: int, width: int, classes: int, seed: int = 0) -> np.ndarray:
    """Classes in patches of a few pixels, and single pixels."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, classes, (-(-height // 3), -(-width // 3)))
    mask = coarse.repeat(3, 0).repeat(3, 1)[:height, :width]
    single = random.random(mask.shape) < 0.2
    return np.where(single, random.integers(0, classes, mask.shape), mask).astype(np.uint8)


def slow(mask: np.ndarray, size: int, crop: bool) -> np.ndarray:
    """Shares of all classes by loops, as fractions."""
    sides = [min(mask.shape)] * 2 if crop else list(mask.shape)

    def weights(axis: int, new: int) -> list[Fraction]:
        length, side = mask.shape[axis], sides[axis]
        centre = Fraction(length - side, 2) + (new + Fraction(1, 2)) * Fraction(side, size)
        width = max(Fraction(1), Fraction(side, size))
        return [max(Fraction(0), 1 - abs(i + Fraction(1, 2) - centre) / width) for i in range(length)]

    result = np.zeros((size, size), dtype=np.uint8)
    for row, column in np.ndindex(size, size):
        down, across = weights(0, row), weights(1, column)
        shares = dict.fromkeys(range(256), Fraction(0))
        for i, j in np.ndindex(mask.shape):
            shares[int(mask[i, j])] += down[i] * across[j]
        result[row, column] = max(shares, key=lambda value: (shares[value], -value))
    return result


@pytest.mark.parametrize("crop", [True, False])
@pytest.mark.parametrize(("shape", "size"), [((7, 7), 4), ((6, 9), 4), ((6, 9), 5), ((5, 4), 7), ((8, 8), 4)])
def test_a_scaled_pixel_has_the_class_with_the_largest_share(shape: tuple[int, int], size: int, crop: bool) -> None:
    mask = blobs(*shape, classes=4)
    assert np.array_equal(scale_mask(mask, size, crop=crop), slow(mask, size, crop))


@pytest.mark.parametrize("crop", [True, False])
@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("size", [16, 17, 40, 41])
@pytest.mark.parametrize("shape", [(32, 32), (33, 33), (30, 35), (31, 24)])
def test_scaling_masks_and_moving_them_can_change_places(
    shape: tuple[int, int], size: int, classes: int, crop: bool
) -> None:
    mask = blobs(*shape, classes=classes, seed=size)
    scaled = scale_mask(mask, size, crop=crop)
    assert len(np.unique(scaled)) == classes
    assert set(np.unique(scaled)) <= set(np.unique(mask))
    for move in MOTIONS:
        assert np.array_equal(scale_mask(np.ascontiguousarray(move(mask)), size, crop=crop), move(scaled))


def test_taking_the_nearest_pixel_would_not_do() -> None:
    mask = blobs(32, 32, 3)

    def nearest(values: np.ndarray) -> np.ndarray:
        return np.array(Image.fromarray(values).resize((16, 16), Image.Resampling.NEAREST))

    assert not np.array_equal(nearest(np.ascontiguousarray(mask[::-1])), nearest(mask)[::-1])


def test_a_mask_is_scaled_like_its_picture() -> None:
    for shape, size in (((40, 40), 15), ((30, 43), 16), ((17, 20), 33)):
        mask = blobs(*shape, classes=2)
        stack = PictureStack("here", image_size=size, masks=MaskClasses(("0", "1")))
        stack.add(png(Image.fromarray(mask * 255)), "a", mask=png(Image.fromarray(mask)))
        data = stack.finish()
        assert data.masks is not None
        share = data.images[0, 0].double() / 255
        clear = (share - 0.5).abs() > 0.01
        assert torch.equal(data.masks[0][clear].bool(), share[clear] > 0.5)
        assert clear.sum() > 0.9 * clear.numel()


def test_stretching_keeps_the_whole_picture() -> None:
    mask = np.zeros((10, 30), dtype=np.uint8)
    mask[:, :6] = 1
    assert scale_mask(mask, 10).sum() == 0
    assert scale_mask(mask, 10, crop=False).sum() == 20
    stack = PictureStack("here", image_size=10, crop=False)
    stack.add(png(Image.fromarray(mask * 255)), "a")
    assert (stack.finish().images[0, 0] > 127).sum() == 20


def saved(values: Sequence[Sequence[int]], mode: str = "L", kind: str = "PNG", palette: bytes | None = None) -> Any:
    image = Image.fromarray(np.array(values, dtype=np.uint8))
    if palette is not None:
        image.putpalette(palette)
    elif mode != "L":
        image = image.convert(mode, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return Image.open(buffer)


BINARY = [[0, 255], [255, 0]]


@pytest.mark.parametrize(
    ("opened", "values"),
    [
        (saved(BINARY), BINARY),
        (saved(BINARY, "1"), [[0, 1], [1, 0]]),
        (saved(BINARY, "1", "BMP"), [[0, 1], [1, 0]]),
        (saved(BINARY, "RGB"), BINARY),
        (saved(BINARY, "RGB", "BMP"), BINARY),
        (saved(BINARY, "LA"), BINARY),
        (saved(BINARY, "RGBA"), BINARY),
        (saved(BINARY, "L", "GIF"), BINARY),
        (saved([[0, 1], [1, 0]], palette=bytes([255, 255, 255, 0, 0, 0])), [[255, 0], [0, 255]]),  # white has number 0
        (saved([[0, 1], [2, 0]], palette=bytes([0, 0, 0, 128, 0, 0, 0, 128, 0])), [[0, 1], [2, 0]]),
        (saved([[0, 1], [2, 0]], palette=bytes([2, 2, 2, 0, 0, 0, 1, 1, 1])), [[2, 0], [1, 2]]),
        (saved([[0, 3], [7, 0]]), [[0, 3], [7, 0]]),
        (Image.fromarray(np.array([[0, 3], [7, 0]], dtype=np.uint16)), [[0, 3], [7, 0]]),
    ],
)
def test_all_usual_ways_to_store_a_mask(opened: Any, values: list[list[int]]) -> None:
    found = mask_values(opened)
    assert found.dtype == np.uint8
    assert found.tolist() == values


@pytest.mark.parametrize(
    ("opened", "message"),
    [
        (picture((1, 2, 3), mode="RGB"), "mode RGB and colours"),
        (Image.fromarray(np.array([[0, 300]], dtype=np.uint16)), "values from 0 to 300"),
        (Image.fromarray(np.array([[-1, 3]], dtype=np.int32)), "values from -1 to 3"),
        (Image.fromarray(np.array([[0.5, 1.0]], dtype=np.float32)), "mode F"),
    ],
)
def test_pictures_that_are_no_masks(opened: Any, message: str) -> None:
    with pytest.raises(BadMask, match=f"one class number from 0 to 255 for each pixel, .*{message}"):
        mask_values(opened)


def read(meaning: MaskClasses, *masks: Sequence[int]) -> tuple[list[list[int]], tuple[str, ...]]:
    """Masks of one row each."""
    reader = MaskReader(meaning)
    rows = [reader.class_numbers(np.array([mask], dtype=np.uint8), f"m{i}") for i, mask in enumerate(masks)]
    numbers, names = reader.finish(np.stack(rows), "here")
    return numbers[:, 0].tolist(), names


def test_values_are_class_numbers_by_default() -> None:
    assert read(MaskClasses(), [0, 2], [1, 1]) == ([[0, 2], [1, 1]], ("0", "1", "2"))
    assert read(MaskClasses(("a", "b", "c")), [0, 2], [0, 0]) == ([[0, 2], [0, 0]], ("a", "b", "c"))
    assert read(MaskClasses(("a", "b", "c")), [0, 0]) == ([[0, 0]], ("a", "b", "c"))


def test_masks_of_0_and_255_are_binary() -> None:
    assert read(MaskClasses(), [0, 0], [0, 255]) == ([[0, 0], [0, 1]], ("0", "1"))
    assert read(MaskClasses(), [255, 255]) == ([[1, 1]], ("0", "1"))
    assert read(MaskClasses(("skin", "lesion")), [0, 255]) == ([[0, 1]], ("skin", "lesion"))
    assert read(MaskClasses(("skin", "lesion")), [0, 1]) == ([[0, 1]], ("skin", "lesion"))


def test_values_can_be_merged_and_left_out() -> None:
    masks = ([0, 1], [2, 1])
    assert read(MaskClasses(classes={"cell": (1, 2)}), *masks) == ([[0, 1], [1, 1]], ("background", "cell"))
    assert read(MaskClasses(classes={"nucleus": [2]}), *masks) == ([[0, 0], [1, 0]], ("background", "nucleus"))
    swapped = MaskClasses(classes={"none": (0,), "nucleus": (2,), "plasma": (1,)})
    assert read(swapped, *masks) == ([[0, 2], [1, 2]], ("none", "nucleus", "plasma"))
    assert read(MaskClasses(classes={"lesion": range(128, 256)}), [0, 130], [90, 255])[0] == [[0, 1], [0, 1]]


def test_unknown_pixels_keep_their_value() -> None:
    assert read(MaskClasses(ignore_index=255), [0, 255], [1, 0]) == ([[0, 255], [1, 0]], ("0", "1"))
    merged = MaskClasses(classes={"cell": (1, 2)}, ignore_index=9)
    assert read(merged, [0, 9], [2, 1]) == ([[0, 9], [1, 1]], ("background", "cell"))


@pytest.mark.parametrize(
    ("meaning", "masks", "message"),
    [
        (
            MaskClasses(("a", "b")),
            ([0, 1], [1, 7]),
            "m1 in here holds the value 7, but the classes a, b have .* 0 to 1",
        ),
        (MaskClasses(("a", "b", "c")), ([0, 255],), "m0 in here holds the value 255, .*ignore_index"),
        (MaskClasses(("a", "b")), ([0, 1], [1, 255]), "m1 in here holds the value 255"),
        (MaskClasses(("a", "b")), ([0, 3, 254, 255],), r"value 3, .* \(in all: 3, 254, 255\).*saved as JPEG"),
        (MaskClasses(), ([0, 0], [0, 2]), r"here hold 2 values, 0, 2 \(m1 holds the last of them\), not class numbers"),
        (MaskClasses(), ([0, 60], [199, 255]), "0, 60, 199, 255 .*saved as JPEG, or scaled with interpolation"),
        (MaskClasses(), (range(100),), "100 values, 0, 1, 2, 3, 4, 5, ..., 99"),
        (MaskClasses(ignore_index=7), ([7, 7],), "hold only ignore_index=7: no pixel has a class; check the files"),
        (MaskClasses(), ([0, 0],), "hold only the value 0: there is nothing to tell apart"),
        (MaskClasses(classes={"x": (1,)}), ([0, 255],), r"hold the values 0, 255, but none of those in classes="),
        (
            MaskClasses(classes={"x": (255,)}),
            (range(200, 256),),
            r"m0 in here holds the value 200, .*range\(128, 256\)",
        ),
    ],
)
def test_values_that_mean_nothing_are_named_with_their_mask(meaning: MaskClasses, masks: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(meaning, *masks)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"class_names": ["a", "b"], "classes": {"c": [1]}}, "give class_names to keep the values of the masks, or"),
        ({"class_names": ["a"]}, "at least two names"),
        ({"classes": {}}, "give for each class the values"),
        ({"classes": {"a": []}}, "give for each class the values"),
        ({"classes": {"a": [1], "b": [1]}}, "each value once"),
        ({"classes": {"a": [256]}}, "from 0 to 255"),
        ({"classes": {"a": [1], "b": [0]}}, "0 only in the first class"),
        ({"classes": {"a": [0, 1]}}, "0 only in the first class"),
        ({"class_names": ["a", "b"], "ignore_index": 1}, "ignore_index=1: give a number up to 255 that is no class"),
        ({"ignore_index": 256}, "ignore_index=256"),
        ({"ignore_index": 0}, "ignore_index=0"),
        ({"classes": {"a": [5]}, "ignore_index": 5}, "ignore_index=5 is also among the values"),
    ],
)
def test_meanings_that_contradict_themselves(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        MaskClasses(**options)


def test_classes_need_lists_of_values(unchecked_annotations: None) -> None:
    with pytest.raises(ConfigError, match="give for each class the values"):
        MaskClasses(classes={"a": 1})  # type: ignore[dict-item]


def test_a_picture_and_its_mask_must_fit() -> None:
    cases: list[tuple[Any, str]] = [
        (png(picture(0, (5, 6))), r"a.png in here cannot be read \(a_mask.png is 5x6, the picture 6x6\)"),
        (b"rubbish", r"a.png in here cannot be read \(a_mask.png: cannot identify image file\)"),
        (png(picture((1, 2, 3), mode="RGB")), r"\(a_mask.png: a mask needs one class number .* mode RGB and colours\)"),
        (None, r"a.png in here cannot be read \(a_mask.png is missing\): replace or remove it, or pass skip_bad=True"),
    ]
    for mask, message in cases:
        for size in (None, 4):
            stack = PictureStack("here", image_size=size, masks=MaskClasses(("0", "1")))
            with pytest.raises(DataError, match=message):
                stack.add(png(picture(1)), "a.png", mask=mask, mask_name="a_mask.png")
    stack = PictureStack("here", skip_bad=True, masks=MaskClasses(("0", "1")))
    for mask, _ in cases:
        stack.add(png(picture(1)), "a.png", mask=mask)
    stack.add(png(picture(9)), "b.png", mask=png(picture(1)))
    with pytest.warns(UserWarning, match="skipped 4 of 5"):
        data = stack.finish()
    assert data.masks is not None
    assert (data.images.unique().tolist(), data.masks.unique().tolist()) == ([9], [1])


def moved_pairs() -> tuple[Tensor, Tensor]:
    masks = torch.from_numpy(np.stack([blobs(15, 15, 3, seed) for seed in range(20)]))
    return masks[:, None].float() / 2, masks


@pytest.mark.parametrize(
    "variant", [named_variant("quarters", seed=4), named_variant("quarters_reflected"), Variant(90)]
)
def test_masks_go_where_their_pictures_go_exactly(variant: Variant) -> None:
    images, masks = moved_pairs()
    index = torch.arange(100, 120)
    moved = variant.apply_masks(masks, index)
    assert moved.dtype == torch.int64
    assert torch.equal(variant.apply(images, index)[:, 0], moved / 2)
    assert not torch.equal(moved, masks.long())
    assert torch.equal(variant.apply_masks(masks, index, outside=255), moved)  # nothing comes in


@pytest.mark.parametrize("variant", [named_variant("rotated", seed=1), Variant(30.0, "always"), Variant(scale=0.6)])
def test_what_comes_in_from_outside_has_the_class_of_outside(variant: Variant) -> None:
    _, masks = moved_pairs()
    masks = masks.clamp_min(1)
    moved, marked = variant.apply_masks(masks), variant.apply_masks(masks, outside=255)
    assert set(moved.unique().tolist()) == {0, 1, 2}
    assert set(marked.unique().tolist()) == {1, 2, 255}
    assert torch.equal(marked == 255, moved == 0)
    assert torch.equal(marked.where(marked != 255, 0), moved)
    seen = variant.apply(torch.ones(20, 1, 15, 15))[:, 0]
    assert (marked[seen > 0.99] != 255).all()
    assert (marked[seen < 0.01] == 255).all()
