"""Small pictures inside a report: eight bits a value, as text in JSON, as PNG on the page."""

import base64
import struct
import zlib
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

#: Pictures larger than this are averaged down.
LARGEST = 64
#: Likewise pictures with masks, whose outlines are to be seen.
LARGEST_MASK = 128

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Picture:
    """A picture of 1 (values) or 3 (red, green, blue) channels.

    Attributes:
        height, width, channels: its size.
        data: the bytes, row by row, in base64.
    """

    height: int
    width: int
    channels: int
    data: str

    @property
    def array(self) -> UInt8[np.ndarray, "height width channels"]:
        """The values."""
        flat = np.frombuffer(base64.b64decode(self.data), dtype=np.uint8)
        return flat.reshape(self.height, self.width, self.channels)


def _fitting(values: Tensor, largest: int) -> tuple[int, int]:
    """Height and width, at most ``largest``."""
    return min(values.shape[-2], largest), min(values.shape[-1], largest)


def _stored(pixels: Bytes) -> Picture:
    height, width, channels = pixels.shape
    return Picture(height, width, channels, base64.b64encode(pixels.tobytes()).decode("ascii"))


def picture(values: Float[Tensor, "channel height width"], low: float, high: float, largest: int = LARGEST) -> Picture:
    """Quantise values between ``low`` and ``high``; what lies outside is clipped, what is too large averaged down.

    Averaging over windows that are mirror images of each other commutes with quarter turns and reflections.
    """
    small = F.adaptive_avg_pool2d(values.detach().cpu().double(), _fitting(values, largest))
    scaled = (small - low) / (high - low) if high > low else torch.zeros_like(small)
    return _stored((255 * scaled).round().clamp(0, 255).byte().permute(1, 2, 0).contiguous().numpy())


def class_picture(mask: Int64[Tensor, "height width"]) -> Picture:
    """Classes below 255 as they are, -1 as 255; what is too large takes the class of most pixels of each window."""
    size = _fitting(mask, LARGEST_MASK)
    small, most = torch.zeros(size, dtype=torch.int64), torch.full(size, -1.0, dtype=torch.float64)
    for value in mask.unique().tolist():
        covered = F.adaptive_avg_pool2d((mask == value).cpu().double()[None], size)[0]
        small, most = small.where(covered <= most, torch.full_like(small, value)), most.maximum(covered)
    return _stored((small % 256).byte()[..., None].numpy())


def marked_picture(marked: Bool[Tensor, "height width"]) -> Picture:
    """255 where a pixel is marked; what is too large is marked where any pixel of a window is."""
    small = F.adaptive_max_pool2d(marked.cpu().double()[None], _fitting(marked, LARGEST_MASK))
    return picture(small, 0.0, 1.0, LARGEST_MASK)


def image_picture(image: Float[Tensor, "channel *depth height width"], largest: int = LARGEST) -> Picture:
    """An input as a picture: grey for one channel, colour for three, the mean of the channels otherwise.

    Of a volume the mean along its depth.
    """
    seen = image if image.ndim == 3 else image.mean(1)
    shown = seen if seen.shape[0] in (1, 3) else seen.mean(0, keepdim=True)
    return picture(shown, float(shown.min()), float(shown.max()), largest)


def png(pixels: UInt8[np.ndarray, "height width channels"]) -> str:
    """Pixels (1 channel grey, 3 colour) as the text of a ``data:`` address of a PNG."""
    height, width, channels = pixels.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, width * channels)], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if channels == 3 else 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b""))
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + body).decode("ascii")


def colour_table(anchors: str) -> Bytes:
    """256 colours ``[256, 3]`` that run straight through the given hexadecimal colours."""
    points = np.array([[int(colour[i : i + 2], 16) for i in (0, 2, 4)] for colour in anchors.split()], dtype=float)
    where = np.linspace(0, len(points) - 1, 256)
    channels = [np.interp(where, np.arange(len(points)), points[:, c]) for c in range(3)]
    return np.stack(channels, 1).round().astype(np.uint8)


#: Feature maps: dark violet (low) over green to yellow (high).
MAP_COLOURS = colour_table("1c1044 33347e 2f5f8d 23888e 2fb07a 8fd24a fbe723")
#: Differences: black (none) over red to pale yellow (as large as the range of the map).
DIFFERENCE_COLOURS = colour_table("000000 4a0c4e 95264e dd513a fba40a fcffa4")
