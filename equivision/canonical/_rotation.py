"""Canonicalisation by a continuous angle: a vector that turns with the image says where its canonical up is."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equivision._numbers import check_count, check_positive
from equivision.canonical._energy import evaluate
from equivision.canonical._orbit import Output, Sampling, check_choice
from equivision.errors import ConfigError, ShapeError
from equivision.functional import rotate
from equivision.functional._checks import check_floating
from equivision.nn import BlurPool2d, FieldBatchNorm2d, NormReLU, SteerableConv2d
from equivision.nn._base import Guarantee

Images = Float[Tensor, "batch channel height width"]


class RotationFrame(NamedTuple):
    """The angle that was found for every image of a batch: the image is its canonical image, turned by it.

    Attributes:
        degrees: counter-clockwise, in (-180, 180], ``[B]``.
        matrices: the rotations as 2x2 matrices, x to the right and y up, ``[B, 2, 2]``.
    """

    degrees: Float[Tensor, " batch"]
    matrices: Float[Tensor, "batch 2 2"]

    def prior_loss(self) -> Float[Tensor, ""]:
        """Mean squared distance of the rotation matrices to the unit matrix.

        Source: Mondal et al. 2023, section 3.3.

        >>> float(RotationFrame(torch.zeros(1), torch.eye(2)[None]).prior_loss())
        0.0
        """
        unit = torch.eye(2, dtype=self.matrices.dtype, device=self.matrices.device)
        return (self.matrices - unit).square().mean()

    def identity_fraction(self, within: float | int = 10.0) -> Float[Tensor, ""]:
        """The part of the images that are turned by no more than so many degrees."""
        return (self.degrees.detach().abs() <= within).to(self.degrees.dtype).mean()


class VectorEnergy(nn.Module):
    """A small steerable network that gives one vector of the plane for each image.

    Steerable convolutions between scalars and vectors of SO(2), with batch norm, norm nonlinearities and blurs; the
    vector is the mean over space of the last layer.

    Args:
        in_channels: channels of the images.
        width: scalars, and as many vectors, of every layer.
        num_layers: convolutions before the last one.
        kernel_size: taps of all of them, odd.

    Shape:
        ``[B, in_channels, H, W]`` to ``[B, 2]``, x to the right and y up.

    Equivariance: the vector turns with the image; exact for quarter turns, approximate for other angles.

    Raises:
        ConfigError: an argument is out of range.

    Source: Kaba et al. 2023, appendix (steerable canonicalisation); the layers are ours, after Worrall et al. 2017.

    >>> VectorEnergy(1)(torch.randn(2, 1, 15, 15)).shape
    torch.Size([2, 2])
    """

    equivariance: Guarantee = "approximate"

    def __init__(self, in_channels: int, *, width: int = 8, num_layers: int = 3, kernel_size: int = 5) -> None:
        super().__init__()
        counts = {"in_channels": in_channels, "width": width, "num_layers": num_layers, "kernel_size": kernel_size}
        for name, value in counts.items():
            check_count(name, value)
        if kernel_size % 2 == 0:
            raise ConfigError(f"kernel_size={kernel_size}: give an odd number, so that the size is kept")
        fields, before = f"{width} A + {width} E1", f"{in_channels} A"
        layers: list[nn.Module] = []
        for i in range(num_layers):
            layers += [BlurPool2d(2)] if i else []
            layers.append(SteerableConv2d(before, fields, kernel_size, group="SO2", padding="same", bias=False))
            layers += [FieldBatchNorm2d(fields, group="SO2"), NormReLU(fields, group="SO2")]
            before = fields
        last = SteerableConv2d(before, "E1", kernel_size, group="SO2", padding="same")
        self.layers = nn.Sequential(*layers, last)

    def forward(self, x: Images) -> Float[Tensor, "batch 2"]:
        """Vectors."""
        return self.layers(x).mean((2, 3))


class RotationCanonicalizer(nn.Module):
    """Turns every image back by the angle of its vector. The angle is continuous, and has a gradient of its own.

    A picture that a rotation leaves as it is has no such vector: what is left is rounding. Vectors no longer than
    ``smallest`` leave the picture as it is, which is then not invariant; use :class:`Canonicalizer` where such pictures
    occur.

    Args:
        energy: any module that gives vectors ``[B, 2]``, x to the right and y up, that turn with the image, such as
            :class:`VectorEnergy`.
        smallest: length of the shortest vector that has a direction.
        sampling: ``"nearest"``, ``"bilinear"`` or ``"bicubic"``; pictures are continued by their edge.

    Shape:
        ``[B, C, H, W]`` to canonical images of the same shape, and a :class:`RotationFrame`.

    Equivariance: the canonical image is invariant; on square images exact for quarter turns if the energy is,
    approximate for other angles, by which images are interpolated.

    Raises:
        ShapeError: the energy gives another shape, or the input is no batch of square images.
        ConfigError: an argument is out of range.

    Source: Kaba et al. 2023, eq. 2; Mondal et al. 2023, section 3.3.

    >>> canonicalize = RotationCanonicalizer(VectorEnergy(1)).eval()
    >>> images = torch.rand(2, 1, 15, 15)
    >>> canonical, frame = canonicalize(images)
    >>> turned, turned_frame = canonicalize(images.rot90(1, (2, 3)))
    >>> torch.allclose(canonical, turned, atol=1e-3)
    True
    >>> torch.allclose((turned_frame.degrees - frame.degrees) % 360, torch.tensor(90.0), atol=0.1)
    True
    """

    equivariance: Guarantee = "approximate"

    def __init__(self, energy: nn.Module, *, smallest: float | int = 1e-6, sampling: Sampling = "bilinear") -> None:
        super().__init__()
        check_choice("sampling", sampling, Sampling)
        check_positive("smallest", smallest)
        self.energy = energy
        self.smallest = float(smallest)
        self.sampling: Sampling = sampling

    def forward(self, x: Images) -> tuple[Images, RotationFrame]:
        """Canonical images, and the rotations that were undone."""
        if x.ndim != 4 or x.shape[-2] != x.shape[-1]:
            raise ShapeError(f"RotationCanonicalizer: input has shape {tuple(x.shape)}: give square images")
        check_floating(x, "RotationCanonicalizer")
        frame = self._frame(evaluate(self.energy, x, 2, "RotationCanonicalizer", "a vector of the plane for each"))
        return rotate(x, -frame.degrees, mode=self.sampling, padding_mode="border"), frame

    def _frame(self, vectors: Tensor) -> RotationFrame:
        still = torch.linalg.vector_norm(vectors.detach(), dim=1, keepdim=True) <= self.smallest
        ahead = torch.tensor([1.0, 0.0], dtype=vectors.dtype, device=vectors.device)
        safe = torch.where(still, ahead, vectors)  # chosen before the norm, whose gradient is infinite at 0
        cos, sin = (safe / torch.linalg.vector_norm(safe, dim=1, keepdim=True)).unbind(1)
        matrices = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
        return RotationFrame(torch.rad2deg(torch.atan2(sin, cos)), matrices)

    def restore(self, y: Any, frame: RotationFrame, output: Output = "plane") -> Any:
        """Turn what was computed from canonical images back into the pose of the images.

        Args:
            y: plane maps; for ``"invariant"`` anything at all.
            frame: what :meth:`forward` returned.
            output: ``"invariant"`` or ``"plane"``.

        Raises:
            ConfigError: output is ``"regular"``.
        """
        if output == "invariant":
            return y
        if output != "plane":
            raise ConfigError(f"output={output!r}: a continuous angle moves 'plane' outputs only; use Canonicalizer")
        return rotate(y, frame.degrees, mode=self.sampling, padding_mode="border")

    def extra_repr(self) -> str:
        parts = [f"smallest={self.smallest}"] if self.smallest != 1e-6 else []
        return ", ".join(parts + ([f"sampling={self.sampling!r}"] if self.sampling != "bilinear" else []))
