import itertools
import pickle

import numpy as np
import pytest
import torch

from equivision.data import Variant, list_variants, named_variant
from equivision.errors import ConfigError, ShapeError
from equivision.functional import rescale, rotate

ALL = [
    *(named_variant(name, seed=5) for name in list_variants()), Variant(30.0, "always"), Variant(-90, "random"),
    Variant(45.0, scale=(0.5, 1.5), seed=5),
]  # fmt: skip


def images(count: int = 9, height: int = 7, width: int = 7, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.rand(count, 2, height, width, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(
        dtype
    )


@pytest.mark.parametrize("variant", ALL, ids=str)
@pytest.mark.parametrize("side", [6, 7])
def test_an_image_is_moved_alike_in_any_batch_and_order(variant: Variant, side: int) -> None:
    x = images(9, side, side, torch.float32)
    whole = variant.apply(x)
    order = torch.tensor([7, 0, 3, 8, 5])
    assert torch.equal(variant.apply(x[order], order), whole[order])
    for i in range(9):
        assert torch.equal(variant.apply(x[i : i + 1], torch.tensor([i])), whole[i : i + 1])


@pytest.mark.parametrize("variant", ALL, ids=str)
def test_the_images_given_stay_as_they_are(variant: Variant) -> None:
    x = images()
    kept = x.clone()
    variant.apply(x)
    assert torch.equal(x, kept)


@pytest.mark.parametrize("variant", ALL, ids=str)
def test_every_image_is_first_reversed_then_turned_counter_clockwise_then_scaled(variant: Variant) -> None:
    # one image at a time, by the reference rotation
    x = images()
    index = torch.arange(len(x))
    numbers = zip(variant.angles(index), variant.flips(index), variant.scales(index), strict=True)
    for image, (angle, flip, scale), result in zip(x, numbers, variant.apply(x), strict=True):
        reversed_image = torch.flip(image, (-2,)) if flip else image
        expected = rotate(reversed_image[None], float(angle))
        if variant.scale != 1.0:
            expected = rescale(expected, float(scale)).clamp(0, 1)
        assert torch.allclose(result, expected[0], atol=1e-12)


def test_the_named_variants_do_what_they_say() -> None:
    x = images()
    index = torch.arange(1000)
    assert torch.equal(named_variant("upright").apply(x), x)
    assert torch.equal(named_variant("rotated90").apply(x), torch.rot90(x, 1, (-2, -1)))
    assert torch.equal(named_variant("reflected").apply(x), torch.flip(x, (-2,)))
    assert set(named_variant("quarters").angles(index).tolist()) == {0.0, 90.0, 180.0, 270.0}
    assert not named_variant("rotated").flips(index).any()
    assert 400 < named_variant("rotated_reflected").flips(index).sum() < 600
    assert set(named_variant("quarters_reflected").angles(index).tolist()) == {0.0, 90.0, 180.0, 270.0}
    assert 400 < named_variant("quarters_reflected").flips(index).sum() < 600
    blended = [name for name in list_variants() if not named_variant(name).is_exact]
    assert blended == ["rotated", "rotated_reflected", "scaled"]
    same = [name for name in list_variants() if not named_variant(name).is_random]
    assert same == ["upright", "rotated90", "reflected"]


def test_scales_are_uniform_and_pixels_are_repeated_at_the_end() -> None:
    scales = named_variant("scaled", seed=2).scales(torch.arange(7_000))
    counts = np.histogram(scales.numpy(), bins=7, range=(0.3, 1.0))[0]
    assert 0.3 <= float(scales.min()) < 0.301 < 0.999 < float(scales.max()) < 1
    assert counts.min() > 900
    x = images()
    twice = Variant(scale=(0.3, 1.0), seed=4, upsample=2).apply(x)
    assert twice.shape == (9, 2, 14, 14)
    assert torch.equal(twice[..., ::2, 1::2], Variant(scale=(0.3, 1.0), seed=4).apply(x))
    masks = (images() > 0.5).double()
    assert set(Variant(scale=0.6).apply(masks, mode="nearest").unique().tolist()) == {0.0, 1.0}


def test_exact_variants_only_move_pixels() -> None:
    x = images()
    for variant in ALL:
        if variant.is_exact:
            moved = variant.apply(x)
            assert torch.equal(moved.flatten(1).sort(1).values, x.flatten(1).sort(1).values)


def test_angles_are_uniform_over_the_circle() -> None:
    angles = named_variant("rotated", seed=2).angles(torch.arange(36_000))
    counts = np.histogram(angles.numpy(), bins=36, range=(0, 360))[0]
    assert angles.min() >= 0
    assert angles.max() < 360
    assert np.all(np.abs(counts - 1000) < 5 * np.sqrt(1000))


def test_seeds_give_different_angles_and_flips() -> None:
    index = torch.arange(50)
    for name in ("rotated", "quarters", "rotated_reflected"):
        drawn = [named_variant(name, seed=seed).apply(images(50), index) for seed in range(3)]
        assert all(not torch.equal(a, b) for a, b in itertools.combinations(drawn, 2))
    flips = [tuple(named_variant("rotated_reflected", seed=seed).flips(index).tolist()) for seed in range(3)]
    assert len(set(flips)) == 3


def test_the_drawn_angles_never_change() -> None:
    # a change here changes every rotated data set, and with it every published number
    angles = named_variant("rotated", seed=0).angles(torch.tensor([0, 1, 69_999]))
    assert angles.tolist() == pytest.approx([220.265455165, 147.79156185, 194.806648374], abs=1e-8)


def test_bytes_are_scaled_to_the_unit_interval() -> None:
    x = torch.full((1, 1, 9, 9), 255, dtype=torch.uint8)
    for variant in ALL:
        assert variant.apply(x).dtype == torch.float32
        assert variant.apply(x)[0, 0, 4, 4] == pytest.approx(1.0)


def test_masks_are_moved_without_inventing_classes() -> None:
    mask = torch.zeros(4, 1, 9, 9)
    mask[:, :, 2:6, 3:8] = 2.0
    moved = named_variant("rotated", seed=1).apply(mask, mode="nearest")
    assert set(moved.unique().tolist()) == {0.0, 2.0}
    assert len(named_variant("rotated", seed=1).apply(mask).unique()) > 3


def test_padding_fills_the_corners() -> None:
    x = torch.ones(1, 1, 8, 8)
    assert Variant(45.0).apply(x)[0, 0, 0, 0] == 0.0
    assert Variant(45.0, padding="border").apply(x)[0, 0, 0, 0] == pytest.approx(1.0)
    assert named_variant("rotated", padding="reflection").apply(x).min() == pytest.approx(1.0)


def test_oblong_images() -> None:
    x = images(5, 6, 9)
    assert Variant(90.0).apply(x).shape == (5, 2, 9, 6)
    assert named_variant("rotated").apply(x).shape == (5, 2, 6, 9)
    with pytest.raises(ShapeError, match=r"images are 6x9: angle='quarters' needs square images, .* Give image_size="):
        named_variant("quarters").apply(x)


def test_no_images_are_no_problem() -> None:
    for variant in ALL:
        if variant.is_exact:
            assert variant.apply(torch.empty(0, 1, 4, 4)).shape == (0, 1, 4, 4)


def test_a_variant_is_a_value() -> None:
    for variant in ALL:
        assert pickle.loads(pickle.dumps(variant)) == variant
        assert eval(repr(variant)) == variant
    assert len({*ALL, *ALL}) == len(ALL)


def test_names() -> None:
    for name in list_variants():
        assert named_variant(name, seed=9, padding="border").name == name
    assert Variant(22.5).name == "rotated22.5"
    assert Variant(180).name == "rotated180"
    assert Variant("uniform", "always").name == "uniform_always_reflected"
    assert Variant(90, "random").name == "rotated90_random_reflected"
    assert Variant(22.5, scale=0.5).name == "rotated22.5_scaled0.5"
    assert Variant(scale=(0.3, 1.0), upsample=2).name == "scaled"
    assert Variant(scale=(0.5, 1.5)).name == "scaled0.5to1.5"


@pytest.mark.usefixtures("unchecked_annotations")
def test_options_that_do_not_exist() -> None:
    with pytest.raises(ConfigError, match=r"variant 'turned' is not known: choose one of upright, rotated,"):
        named_variant("turned")
    with pytest.raises(ConfigError, match="angle='random': give a number of degrees, 'uniform' or 'quarters'"):
        Variant("random")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="flip='yes': choose"):
        Variant(flip="yes")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="padding='mirror': choose"):
        Variant(padding="mirror")  # type: ignore[arg-type]
    for scale in (0.0, (1.0, 0.5), (0.5, float("inf"))):
        with pytest.raises(ConfigError, match=r"scale=.*: give a positive number, or two in ascending order"):
            Variant(scale=scale)
    with pytest.raises(ConfigError, match="upsample=0: give a whole number of at least 1"):
        Variant(upsample=0)
