"""Pictures larger than memory: a network runs on tiles that lie symmetrically, and their logits are blended."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn import functional as F

from equivision._modes import evaluation_mode
from equivision.errors import ConfigError, ShapeError

Picture = Shaped[Tensor, "channel height width"]


def tile_starts(size: int, tile: int, overlap: int) -> list[int]:
    """Where tiles begin that cover ``size`` pixels, overlap by at least ``overlap``, and lie symmetrically.

    Symmetrically means that the list is its own mirror image: ``start`` is in it whenever ``size - tile - start`` is.

    Raises:
        ConfigError: the tile is larger than the size, or the overlap not smaller than the tile.

    >>> tile_starts(100, 40, 8)
    [0, 30, 60]
    >>> tile_starts(101, 40, 8)
    [0, 21, 40, 61]
    """
    if not 0 < tile <= size or not 0 <= overlap < tile:
        raise ConfigError(
            f"size={size}, tile={tile}, overlap={overlap}: a tile may be as large as the picture, and the overlap must "
            "be smaller than the tile"
        )
    room = size - tile
    number = -(-room // (tile - overlap)) + 1
    if number > 1 and number % 2 and room % 2:  # the tile in the middle would be half a pixel off
        number += 1
    first = [-(-i * room // (number - 1)) for i in range(number // 2)] if number > 1 else []
    middle = [room // 2] if number % 2 else []
    return first + middle + [room - start for start in reversed(first)]


@torch.no_grad()
def predict_tiled(
    model: nn.Module | Callable[[Tensor], Tensor],
    picture: Picture,
    *,
    tile: int = 256,
    overlap: int = 64,
    batch_size: int = 4,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "maps height width"]:
    """Logits of one large picture, computed tile by tile.

    Tiles are squares that all have the same size. They lie symmetrically on the picture, and where they overlap, their
    logits are averaged with weights that fall off towards the edges of a tile, equally on all sides. So the result
    turns with the picture just as the network's own output does; only what a tile cannot see is missing. Pictures
    smaller than a tile are continued by their edges, by as much on both sides, and cropped again.

    Args:
        model: network from ``[B, C, tile, tile]`` to ``[B, maps, tile, tile]``; a module runs in evaluation mode.
        picture: floats, or uint8, which is divided by 255, ``[C, H, W]``. It may lie on disk (``torch.from_file``): one
            batch of tiles after another is read.
        tile: height and width of a tile, a size that the network takes.
        overlap: pixels that neighbours share at least; as much as the network sees around a pixel loses nothing.
        batch_size: tiles in one run.
        device: where the network is; by default that of its parameters.
        dtype: of the network; logits in half precision are blended in float32.

    Equivariance: that of the network on tiles: exact for C1, C2, C4, D1, D2 and D4 if it is.

    Raises:
        ConfigError: tile, overlap or batch_size is out of range, or a picture smaller than the tile has not its parity.
        ShapeError: the picture has not three axes or no pixels, or the output has not the size of a tile.

    >>> net = nn.Conv2d(1, 2, 3, padding=1)
    >>> predict_tiled(net, torch.rand(1, 50, 37), tile=16, overlap=4).shape
    torch.Size([2, 50, 37])
    """
    if picture.ndim != 3 or not picture.numel():
        raise ShapeError(f"picture has shape {tuple(picture.shape)}: give one picture, [channel, height, width]")
    if batch_size < 1:
        raise ConfigError(f"batch_size={batch_size}: give at least 1")
    if device is None:
        parameter = next(model.parameters(), None) if isinstance(model, nn.Module) else None
        device = torch.device("cpu") if parameter is None else parameter.device
    height, width = picture.shape[1:]
    border = _border(height, tile, "height"), _border(width, tile, "width")
    if any(border):
        edges = (border[1], border[1], border[0], border[0])
        picture = F.pad(_floats(picture, dtype)[None], edges, mode="replicate")[0]
    rows, columns = (tile_starts(n, tile, overlap) for n in picture.shape[1:])
    corners = [(row, column) for row in rows for column in columns]
    blend: _Blend | None = None
    for begin in range(0, len(corners), batch_size):
        some = corners[begin : begin + batch_size]
        tiles = torch.stack([_floats(picture[:, i : i + tile, j : j + tile], dtype) for i, j in some])
        logits = _run(model, tiles.to(device)).cpu()
        blend = blend or _Blend(logits, (picture.shape[1], picture.shape[2]))
        for corner, one in zip(some, logits, strict=True):
            blend.add(one, corner)
    assert blend is not None  # noqa: S101 (there is at least one tile)
    return blend.mean()[:, border[0] : border[0] + height, border[1] : border[1] + width]


class _Blend:
    """Weighted mean of overlapping tiles.

    Args:
        logits: those of some tiles, for their shape and dtype.
        size: height and width of the picture.
    """

    def __init__(self, logits: Tensor, size: tuple[int, int]) -> None:
        self._tile = logits.shape[-1]
        dtype = torch.promote_types(logits.dtype, torch.float32)  # sums are beyond what half precision holds
        distance = torch.arange(1, self._tile + 1, dtype=dtype)
        ramp = torch.minimum(distance, distance.flip(0))
        self._window = ramp[:, None] * ramp  # falls off towards the edge, equally on all sides
        self._total = torch.zeros(logits.shape[1], *size, dtype=dtype)
        self._weights = torch.zeros(size, dtype=dtype)

    def add(self, logits: Tensor, corner: tuple[int, int]) -> None:
        """Add the logits of one tile."""
        rows, columns = (slice(start, start + self._tile) for start in corner)
        self._total[:, rows, columns] += logits * self._window
        self._weights[rows, columns] += self._window

    def mean(self) -> Tensor:
        """The mean where tiles overlap."""
        return self._total / self._weights


def _border(size: int, tile: int, name: str) -> int:
    """Pixels to add on both sides of a picture that is smaller than a tile."""
    if tile < 1:
        raise ConfigError(f"tile={tile}: give at least 1")
    missing = max(tile - size, 0)
    if missing % 2:
        raise ConfigError(
            f"tile={tile}: {name} {size} is smaller and cannot be continued by as much on both sides: give "
            f"tile={tile - 1} or tile={tile + 1}, if the network takes it"
        )
    return missing // 2


def _floats(picture: Tensor, dtype: torch.dtype) -> Tensor:
    return picture.to(dtype) / 255 if picture.dtype == torch.uint8 else picture.to(dtype)


def _run(model: nn.Module | Callable[[Tensor], Tensor], tiles: Tensor) -> Tensor:
    if isinstance(model, nn.Module):
        with evaluation_mode(model):
            logits = model(tiles)
    else:
        logits = model(tiles)
    if logits.ndim != 4 or (len(logits), *logits.shape[2:]) != (len(tiles), *tiles.shape[2:]):
        raise ShapeError(
            f"the network gives {list(logits.shape)} for tiles {list(tiles.shape)}: it must give maps of the size of "
            "the tile; choose another tile, or a network with one answer a pixel, such as 'unet'"
        )
    return logits
