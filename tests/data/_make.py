"""Small files of every format, made on the spot."""

import gzip
import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import torch
from PIL import Image

from equivision.data import ImageData

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


def numbered_images(size: int = 12, classes: int = 3, side: int = 5) -> ImageData:
    """Random bytes; the labels go round."""
    generator = torch.Generator().manual_seed(7)
    images = torch.randint(0, 256, (size, 1, side, side), dtype=torch.uint8, generator=generator)
    names = tuple(f"class {i}" for i in range(classes))
    return ImageData(images, torch.arange(size) % classes, names, torch.arange(size))


def idx_bytes(array: np.ndarray) -> bytes:
    codes = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
    head = bytes([0, 0, codes[array.dtype.str[1:]], array.ndim])
    return (
        head
        + b"".join(n.to_bytes(4, "big") for n in array.shape)
        + array.astype(array.dtype.newbyteorder(">")).tobytes()
    )


def write_mnist(folder: Path, train: int = 30, test: int = 20, compress: bool = True) -> None:
    """Files named and laid out like MNIST's, with random bytes."""
    random = np.random.default_rng(0)
    for count, image_name, label_name in ((train, IMAGES, LABELS), (test, TEST_IMAGES, TEST_LABELS)):
        images = random.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        for name, array in ((image_name, images), (label_name, labels)):
            content = idx_bytes(array)
            if compress:
                (folder / f"{name}.gz").write_bytes(gzip.compress(content))
            else:
                (folder / name).write_bytes(content)


def picture(value: int | Sequence[int] = 100, size: tuple[int, int] = (6, 6), mode: str = "L") -> Image.Image:
    """A picture of one colour; ``size`` is (width, height)."""
    return Image.new(mode, size, value if isinstance(value, int) else tuple(value))


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def write_classes(
    root: Path, classes: Sequence[str] = ("ant", "bee"), each: int = 4, size: tuple[int, int] = (6, 6)
) -> None:
    """One folder a class; picture i of class c has the grey value 50 c + i."""
    for number, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for i in range(each):
            picture(50 * number + i, size).save(root / name / f"{i}.png")


def write_parquet(path: Path, columns: dict[str, list], class_names: Sequence[str] | None = None) -> Path:
    """A table; with class names in the hub's metadata if they are given."""
    table = pyarrow.table(columns)
    if class_names is not None:
        features = {"label": {"_type": "ClassLabel", "names": list(class_names)}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pyarrow.parquet.write_table(table, path)
    return path


def cells(count: int, size: tuple[int, int] = (6, 6), mode: str = "L") -> list[dict]:
    """Pictures as the hub's columns hold them; picture i has the grey value i."""
    return [
        {"bytes": png(picture(i if mode == "L" else (i, 0, 0), size, mode)), "path": f"{i}.png"} for i in range(count)
    ]


def write_masks(root: Path, count: int, size: tuple[int, int] = (6, 6)) -> None:
    """Folders ``images`` and ``masks``; picture i and mask i have the value i everywhere."""
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            picture(i, size).save(root / folder / f"{i}.png")


def write_ph2(root: Path, count: int, size: tuple[int, int] = (16, 12)) -> None:
    """PH2's layout; the lesion is the left quarter of each picture, which has the colour (i, 0, 0)."""
    mask = np.zeros(size[::-1], dtype=bool)
    mask[:, : size[0] // 4] = True
    for i in range(1, count + 1):
        case = root / "PH2 Dataset images" / f"IMD{i:03d}"
        for kind, content in (
            ("Dermoscopic_Image", picture((i, 0, 0), size, "RGB")),
            ("lesion", Image.fromarray(mask)),
        ):
            folder = case / f"{case.name}_{kind}"
            folder.mkdir(parents=True)
            content.save(folder / f"{case.name}{'_lesion' if kind == 'lesion' else ''}.bmp")
