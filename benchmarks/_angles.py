"""What the parts of error_by_angle share: pictures, small networks, and the error at an angle."""

import math
import os
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

import equivision.nn as evnn
from equivision.data import find_parquet, read_digits, read_mnist, read_parquet
from equivision.functional import relative_error, rotate

Map = Callable[[Tensor], Tensor]
Down = Literal["max pool", "stride", "blur"]
#: How the kernels of a layer are turned: the options of a group convolution by a name.
MODES: dict[str, dict[str, Any]] = {
    "nearest": {"interpolation": "nearest", "mask": "none"},
    "bilinear, raw": {"interpolation": "bilinear", "mask": "none"},
    "bilinear, masked": {"interpolation": "bilinear", "mask": "smooth"},
    "bicubic, masked": {"interpolation": "bicubic", "mask": "smooth"},
    "fourier, masked": {"interpolation": "fourier", "mask": "smooth"},
    "bspline, raw": {"interpolation": "bspline", "mask": "none"},
    "bspline, masked": {"interpolation": "bspline", "mask": "smooth"},
    "steerable": {"interpolation": "steerable"},
}
#: Networks by their names, all with 64 real channels: group and options of the layers.
NETWORKS: dict[str, tuple[str | None, dict[str, Any]]] = {
    "plain": (None, {}),
    "C4": ("C4", {}),
    "C8": ("C8", MODES["bicubic, masked"]),
    "C16": ("C16", MODES["bicubic, masked"]),
    "C8, steerable": ("C8", MODES["steerable"]),
    "SO(2) irreps": ("SO2", {}),
}
CHANNELS, SIDE = 64, 49
IRREPS = "16 A + 12 E1 + 8 E2 + 4 E3"


def band_limited(count: int, size: int, *, highest: float = 0.1, degrees: float = 0.0, seed: int = 0) -> Tensor:
    """Sums of 64 plane waves of at most ``highest`` cycles a pixel, float64: pictures without finer detail.

    ``degrees`` turns them counter-clockwise without any interpolation: the waves themselves are turned.
    """
    generator = torch.Generator().manual_seed(seed)
    along = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    frequency, angle, phase = torch.rand(3, count, 64, 1, 1, generator=generator, dtype=torch.float64)
    across, up = (
        highest * frequency.sqrt() * turn(2 * math.pi * angle + math.radians(degrees))
        for turn in (torch.cos, torch.sin)
    )
    waves = torch.cos(2 * math.pi * (across * along[None, :] - up * along[:, None] + phase))
    return waves.mean(1, keepdim=True) * 8


def blurred(x: Tensor, sigma: float) -> Tensor:
    """Square pictures behind a Gaussian of this width."""
    frequency = torch.fft.fftfreq(x.shape[-1], dtype=x.dtype)
    low_pass = torch.exp(-2 * (math.pi * sigma) ** 2 * (frequency[:, None] ** 2 + frequency[None, :] ** 2))
    return torch.fft.ifft2(torch.fft.fft2(x) * low_pass).real


def blurred_noise(count: int, size: int, sigma: float, *, seed: int = 0) -> Tensor:
    """White noise behind a Gaussian of this width, float64, of variance 1."""
    generator = torch.Generator().manual_seed(seed)
    smooth = blurred(torch.randn(count, 1, size, size, generator=generator, dtype=torch.float64), sigma)
    return smooth / smooth.std()


def digits(count: int, *, seed: int = 0) -> tuple[Tensor, str]:
    """Digits of 28 pixels, ``[digit, 1, 28, 28]`` from 0 to 1, and where they are from."""
    real = "EQUIVISION_DATA" in os.environ
    found = read_mnist(parts=("test",)) if real else read_digits()
    chosen = torch.randperm(len(found), generator=torch.Generator().manual_seed(seed))[:count]
    images = found.images[chosen]
    images = images.float() / 255 if images.dtype == torch.uint8 else images.float()
    return images, "MNIST, test files" if real else "digits of scikit-learn"


def backgrounds(count: int, size: int, *, seed: int = 0) -> tuple[Tensor, str]:
    """Pictures of things, grey, or blurred noise where there are none."""
    if "EQUIVISION_DATA" not in os.environ:
        return (0.5 + 0.2 * blurred_noise(count, size, 1.0, seed=seed)).clamp(0, 1).float(), "blurred noise"
    files = find_parquet(os.path.join(os.environ["EQUIVISION_DATA"], "tiny-imagenet10"), "valid")
    found = read_parquet(files, image_size=64, channels=1).images
    chosen = torch.randperm(len(found), generator=torch.Generator().manual_seed(seed))[:count]
    start = (64 - size) // 2
    return found[chosen, :, start : start + size, start : start + size].float() / 255, "tiny-imagenet10, validation"


def on_canvas(images: Tensor, size: int = SIDE, *, down: int = 0, right: int = 0) -> Tensor:
    """Pictures on a black square, their centre moved by this many pixels; what leaves the square is cut off."""
    height = images.shape[-1]
    canvas = images.new_zeros(*images.shape[:-2], size + 2 * height, size + 2 * height)
    top, left = (height + (size - height + 1) // 2 + shift for shift in (down, right))
    canvas[..., top : top + height, left : left + height] = images
    return canvas[..., height:-height, height:-height]


def disk(size: int, radius: float) -> Tensor:
    """1 within this many pixels of the centre, else 0."""
    along = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    return (along[:, None] ** 2 + along[None, :] ** 2 <= radius**2).double()


def error_at(function: Map, x: Tensor, degrees: float, inside: Tensor, *, slots: int = 0, order: int = 0) -> float:
    """``||f(R x) - R f(x)|| / ||R f(x)||`` on a disk, R bicubic; ``order`` slots are turned by ``slots``, too."""
    upright, turned = function(x), function(rotate(x, degrees, mode="bicubic"))
    if order:
        upright = upright.unflatten(1, (-1, order)).roll(slots, 2).flatten(1, 2)
    moved = rotate(upright, degrees, mode="bicubic")
    return float(relative_error(turned * inside, moved * inside))


class Network(nn.Module):
    """Three convolutions with batch norm and ReLU, two halvings between; invariant maps, and logits of their means.

    Args:
        name: one of ``NETWORKS``.
        down: how the resolution is halved: a max pool of 3x3 pixels, the stride of the next convolution, or a blur.
        kernel_size: of all convolutions.
        sigma: of the blurs.
        seed: of all random numbers.
    """

    def __init__(
        self, name: str, *, down: Down = "blur", kernel_size: int = 5, sigma: float | None = None, seed: int = 0
    ) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.group, self.options = NETWORKS[name]
        self.down, self.kernel_size, self.sigma = down, kernel_size, sigma
        layers = [*self._block(0), *self._half(), *self._block(1), *self._half(), *self._block(2)]
        self.maps = nn.Sequential(*layers, *self._invariants())
        fields = {None: CHANNELS, "SO2": 40}.get(self.group) or CHANNELS // int(str(self.group)[1:])
        self.last = nn.Linear(fields, 10)

    def _block(self, number: int) -> list[nn.Module]:
        """Convolution, batch norm, nonlinearity."""
        stride = 2 if number and self.down == "stride" else 1
        where: dict[str, Any] = {"padding": self.kernel_size // 2, "stride": stride, "bias": False}
        if self.group is None:
            conv = nn.Conv2d(CHANNELS if number else 1, CHANNELS, self.kernel_size, **where)
            return [conv, nn.BatchNorm2d(CHANNELS), nn.ReLU()]
        if self.group == "SO2":
            gate = evnn.GatedNonlinearity(IRREPS, group="SO2")
            into = IRREPS if number else "1 trivial"
            conv = evnn.SteerableConv2d(into, gate.in_rep, self.kernel_size, group="SO2", **where)
            return [conv, evnn.FieldBatchNorm2d(gate.in_rep), gate]
        fields, options = CHANNELS // int(self.group[1:]), {"group": self.group, **self.options, **where}
        conv = (
            evnn.GroupConv2d(fields, fields, self.kernel_size, **options)
            if number
            else evnn.LiftConv2d(1, fields, self.kernel_size, **options)
        )
        return [conv, evnn.BatchNorm3d(fields), nn.ReLU()]

    def _half(self) -> list[nn.Module]:
        if self.down == "stride":
            return []
        if self.down == "blur":
            return [evnn.BlurPool2d(2, sigma=self.sigma)]
        return [evnn.MaxPool2d(3, group=self.group or "C1", stride=2, padding=1)]

    def _invariants(self) -> list[nn.Module]:
        if self.group is None:
            return []
        return [evnn.InvariantMap(IRREPS, group="SO2")] if self.group == "SO2" else [evnn.GroupPool()]

    @torch.no_grad()
    def settle(self, x: Tensor, *, seed: int = 0) -> "Network":
        """Give the batch norms the statistics of these pictures, each times its own random number around 1; freeze."""
        generator = torch.Generator().manual_seed(seed)
        norms: list[Any] = [layer for layer in self.modules() if hasattr(layer, "running_var")]
        for norm in norms:
            norm.momentum = 1.0
        self.train()(x)
        for norm in norms:
            for name in ("running_var", "running_mean", "weight", "bias"):
                numbers = getattr(norm, name, None)
                if numbers is not None:
                    spread = 0.75 + 0.5 * torch.rand(numbers.shape, generator=generator)
                    numbers.copy_(spread - 1 if name == "bias" else numbers * spread)
        return self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        return self.last(self.maps(x).mean((2, 3)))


def _change(turned: Tensor, moved: Tensor, inside: Tensor | float = 1.0) -> float:
    """``||turned - moved||`` beside how much ``moved`` varies: what is the same everywhere in all pictures is nothing.

    Features that have nothing to do with each other are at about 1.4.
    """
    dims = tuple(d for d in range(moved.ndim) if d != 1)
    weight = torch.ones_like(moved) * inside
    mean = (moved * weight).sum(dims, keepdim=True) / weight.sum(dims, keepdim=True)
    return float(relative_error((turned - mean) * weight, (moved - mean) * weight))


@torch.no_grad()
def errors_of(network: Network, x: Tensor, degrees: Sequence[float]) -> tuple[list[float], list[float]]:
    """Errors of the invariant maps on a disk and of the logits, at every angle, relative to how much these vary."""
    maps = network.maps(x)
    logits = network.last(maps.mean((2, 3)))
    inside = disk(maps.shape[-1], 0.4 * maps.shape[-1]).to(x.dtype)
    of_maps, of_logits = [], []
    for angle in degrees:
        turned = network.maps(rotate(x, angle, mode="bicubic"))
        of_maps.append(_change(turned, rotate(maps, angle, mode="bicubic"), inside))
        of_logits.append(_change(network.last(turned.mean((2, 3))), logits))
    return of_maps, of_logits


@torch.no_grad()
def there_and_back(network: Network, x: Tensor, degrees: Sequence[float]) -> float:
    """What the maps lose when they themselves turn and turn back, mean over angles: not the fault of a network."""
    maps = network.maps(x)
    inside = disk(maps.shape[-1], 0.4 * maps.shape[-1]).to(x.dtype)
    turned = [rotate(rotate(maps, angle, mode="bicubic"), -angle, mode="bicubic") for angle in degrees]
    return sum(_change(back, maps, inside) for back in turned) / len(turned)
