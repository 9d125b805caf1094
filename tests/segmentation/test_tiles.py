"""Large pictures in tiles: the tiles cover, lie symmetrically, and blend to logits that turn with the picture."""

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from equivision.errors import ConfigError, ShapeError
from equivision.functional import act
from equivision.groups import dihedral
from equivision.models import create_model
from equivision.segmentation import predict_tiled, tile_starts
from equivision.testing import randomize_

D4 = dihedral(4)
FAR = 1e-4


def blur(maps: int = 2, channels: int = 1) -> nn.Conv2d:
    """A plain network that sees one pixel around each."""
    return randomize_(nn.Conv2d(channels, maps, 3, padding=1).double())


def predicted(net: nn.Module, picture: Tensor, **options) -> Tensor:
    return predict_tiled(net, picture, dtype=torch.float64, **options)


@pytest.mark.parametrize("tile", [1, 2, 7, 8, 16])
def test_tiles_cover_overlap_and_lie_symmetrically(tile: int) -> None:
    for size, overlap in itertools.product(range(tile, tile + 50), range(tile)):
        starts = tile_starts(size, tile, overlap)
        assert starts == sorted(set(starts))
        assert starts == [size - tile - start for start in reversed(starts)]
        assert starts[0] == 0
        assert starts[-1] == size - tile
        assert all(b - a <= tile - overlap for a, b in itertools.pairwise(starts))
        fewest = -(-(size - tile) // (tile - overlap)) + 1
        assert len(starts) - fewest in (0, 1)  # one more where the one in the middle would be half a pixel off


@pytest.mark.parametrize(("size", "tile", "overlap"), [(10, 11, 0), (10, 0, 0), (10, 5, 5), (10, 5, -1), (10, 10, 10)])
def test_tiles_that_cannot_be(size: int, tile: int, overlap: int) -> None:
    with pytest.raises(ConfigError, match=f"size={size}, tile={tile}, overlap={overlap}: a tile may be as large"):
        tile_starts(size, tile, overlap)


@pytest.mark.parametrize("size", [16, 17])
def test_one_tile_is_the_network_itself(size: int) -> None:
    net = randomize_(create_model("unet", width=1, depth=2, num_classes=3).double().eval())
    picture = torch.rand(3, size, size, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(predicted(net, picture, tile=size, overlap=4), net(picture[None])[0])


def test_an_overlap_of_what_the_network_sees_loses_nothing_but_seams() -> None:
    """Where tiles overlap by more than the network sees, only pixels at the edges of tiles differ."""
    net, picture = blur(), torch.rand(1, 21, 34, dtype=torch.float64)
    with torch.no_grad():
        whole = net(picture[None])[0]
    tiled = predicted(net, picture, tile=13, overlap=6)
    differs = ~torch.isclose(tiled, whole, rtol=1e-12, atol=1e-12).all(0)
    rows, columns = (tile_starts(n, 13, 6) for n in (21, 34))
    seams = torch.zeros(21, 34, dtype=torch.bool)
    for row, column in itertools.product(rows, columns):
        seams[row : row + 13, [column, column + 12]] = True
        seams[[row, row + 12], column : column + 13] = True
    assert differs.any()
    assert not (differs & ~seams).any()
    pointwise = nn.Conv2d(1, 2, 1).double()
    with torch.no_grad():
        torch.testing.assert_close(predicted(pointwise, picture, tile=13, overlap=6), pointwise(picture[None])[0])


def worst(net: nn.Module, picture: Tensor, **options) -> float:
    """The largest relative difference between the tiled logits of the moved picture and the moved logits."""
    logits = predicted(net, picture, **options)
    errors = [
        float((predicted(net, act(picture[None], g, D4)[0], **options) - act(logits[None], g, D4)[0]).norm())
        for g in range(1, D4.order)
    ]
    assert (logits.flatten(1).std(1) > 0).all()
    return max(errors) / float(logits.norm())


#: Larger than the tile of 12, as large in one direction, and smaller, which is continued by its edges.
PICTURES = [(29, 29), (30, 30), (27, 38), (12, 31), (8, 26), (10, 6)]


@pytest.mark.parametrize("size", PICTURES)
def test_tiled_logits_turn_with_the_picture(size: tuple[int, int]) -> None:
    net = randomize_(create_model("unet", width=1, depth=2, group="D4").double().eval())
    picture = torch.rand(3, *size, dtype=torch.float64)
    assert worst(net, picture, tile=12, overlap=3) <= 1e-12
    assert worst(blur(channels=3), picture, tile=12, overlap=3) > FAR


def test_odd_tiles() -> None:
    net = randomize_(create_model("unet", width=1, depth=1, group="D4").double().eval())
    for size in ((20, 23), (9, 30), (5, 7)):
        assert worst(net, torch.rand(3, *size, dtype=torch.float64), tile=9, overlap=2) <= 1e-12


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_how_many_tiles_run_at_once_does_not_matter(batch_size: int) -> None:
    net, picture, ran = blur(), torch.rand(1, 30, 23, dtype=torch.float64), []
    net.register_forward_pre_hook(lambda _, inputs: ran.append(len(inputs[0])))
    found = predicted(net, picture, tile=12, overlap=3, batch_size=batch_size)
    number = len(tile_starts(30, 12, 3)) * len(tile_starts(23, 12, 3))
    assert ran == [batch_size] * (number // batch_size) + [number % batch_size] * (number % batch_size > 0)
    torch.testing.assert_close(found, predicted(net, picture, tile=12, overlap=3), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", [(30, 23), (6, 30)])
def test_bytes_are_divided_by_255(size: tuple[int, int]) -> None:
    net, picture = blur(), torch.randint(0, 256, (1, *size), dtype=torch.uint8)
    found = predicted(net, picture, tile=12, overlap=3)
    torch.testing.assert_close(found, predicted(net, picture.double() / 255, tile=12, overlap=3))


def test_modes_and_gradients_are_as_before() -> None:
    norm = nn.BatchNorm2d(2).double()
    net = nn.Sequential(blur(), norm, nn.Dropout(0.9)).train()
    norm.eval()
    before = [module.training for module in net.modules()]
    keys = {name: value.clone() for name, value in net.state_dict().items()}
    logits = predicted(net, torch.rand(1, 30, 23, dtype=torch.float64).requires_grad_(), tile=12, overlap=3)
    assert [module.training for module in net.modules()] == before
    assert all(torch.equal(value, keys[name]) for name, value in net.state_dict().items())
    assert not logits.requires_grad


def test_a_function_instead_of_a_module() -> None:
    picture = torch.rand(1, 30, 23)
    found = predict_tiled(lambda tiles: tiles.repeat(1, 2, 1, 1), picture, tile=12, overlap=3, device="cpu")
    torch.testing.assert_close(found, picture.repeat(2, 1, 1))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_large_tiles_in_half_precision(dtype: torch.dtype) -> None:
    """Weights and their sums are far beyond what float16 holds."""
    picture = torch.rand(1, 600, 600).to(dtype)
    found = predict_tiled(lambda tiles: 9 * tiles, picture, tile=512, overlap=400, dtype=dtype)
    torch.testing.assert_close(found, (9 * picture).float())


@pytest.mark.usefixtures("unchecked_annotations")
@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((1, 30, 23), {"batch_size": 0}, "batch_size=0: give at least 1"),
        ((1, 30, 23), {"tile": 0}, "tile=0: give at least 1"),
        ((1, 30, 23), {"overlap": 12}, "size=30, tile=12, overlap=12"),
        ((1, 30, 9), {}, "tile=12: width 9 is smaller and cannot be continued .* give tile=11 or tile=13"),
        ((1, 11, 30), {}, "tile=12: height 11 is smaller"),
    ],
)
def test_options_that_cannot_be(shape: tuple[int, ...], options: dict[str, Any], message: str) -> None:
    chosen: dict[str, Any] = {"tile": 12, "overlap": 3} | options
    with pytest.raises(ConfigError, match=message):
        predict_tiled(nn.Conv2d(1, 1, 1), torch.zeros(shape), **chosen)


@pytest.mark.usefixtures("unchecked_annotations")
def test_pictures_and_networks_that_do_not_fit() -> None:
    with pytest.raises(ShapeError, match=r"picture has shape \(1, 0, 23\): give one picture"):
        predict_tiled(nn.Identity(), torch.rand(1, 0, 23), tile=12, overlap=4)
    with pytest.raises(ShapeError, match=r"picture has shape \(2, 1, 30, 23\): give one picture"):
        predict_tiled(nn.Conv2d(1, 1, 1), torch.zeros(2, 1, 30, 23), tile=12, overlap=3)
    for net in (nn.Conv2d(1, 1, 3), nn.Flatten()):
        with pytest.raises(ShapeError, match=r"for tiles \[4, 1, 12, 12\]: it must give maps of the size of the tile"):
            predict_tiled(net, torch.zeros(1, 30, 23), tile=12, overlap=3)
