"""Anti-aliased stride and upsampling."""

from typing import ClassVar, Literal

from jaxtyping import Float
from torch import Tensor, nn

from equivision import functional
from equivision.functional._checks import PaddingMode
from equivision.functional._resample import check_blur, check_upsample
from equivision.nn._base import Guarantee


class BlurPool2d(nn.Module):
    """Isotropic Gaussian blur, then stride; the number of taps follows the size, so it is always centred.

    Args:
        stride: step; a map of n pixels becomes ``ceil(n / stride)``.
        sigma: width of the Gaussian in pixels; by default half the stride, and nothing is blurred with stride 1.
        padding_mode: what lies outside.

    Shape:
        ``[B, C, H, W]`` or ``[B, C, |G|, H, W]``; only the last two axes change.

    Equivariance: exact for C1, C2, C4, D1, D2 and D4, at every size; approximate at other angles.

    Raises:
        ConfigError: an option is not valid.

    Source: Zhang 2019; the rule for the taps is ours.

    >>> import torch
    >>> BlurPool2d()(torch.randn(1, 3, 4, 8, 8)).shape, BlurPool2d()(torch.randn(1, 3, 4, 9, 9)).shape
    (torch.Size([1, 3, 4, 4, 4]), torch.Size([1, 3, 4, 5, 5]))
    """

    equivariance: ClassVar[Guarantee] = "exact"

    def __init__(self, stride: int = 2, *, sigma: float | None = None, padding_mode: PaddingMode = "reflect") -> None:
        super().__init__()
        check_blur(stride, sigma, padding_mode)
        self.stride = stride
        self.sigma = 0.5 * stride if sigma is None and stride > 1 else sigma
        self.padding_mode = padding_mode

    def forward(self, x: Float[Tensor, "batch channel *rest"]) -> Float[Tensor, "batch channel *out"]:
        """Blur and stride."""
        return functional.blur_pool2d(x, self.stride, sigma=self.sigma, padding_mode=self.padding_mode)

    def extra_repr(self) -> str:
        return f"{self.stride}, sigma={self.sigma}, padding_mode={self.padding_mode!r}"


class Upsample2d(nn.Module):
    """Enlarge by a whole factor, or in the forward pass to a given size, as that of a skip connection.

    Args:
        scale_factor: whole number.
        mode: ``"nearest"`` or ``"bilinear"``.

    Shape:
        ``[B, C, H, W]`` or ``[B, C, |G|, H, W]``; only the last two axes change.

    Equivariance: exact for C1, C2, C4, D1, D2 and D4, at every size and to every size.

    Raises:
        ConfigError: the factor is not a positive whole number, or the mode unknown.

    >>> import torch
    >>> Upsample2d(2)(torch.randn(1, 3, 4, 5, 5)).shape
    torch.Size([1, 3, 4, 10, 10])
    """

    equivariance: ClassVar[Guarantee] = "exact"

    def __init__(self, scale_factor: int = 2, mode: Literal["nearest", "bilinear"] = "bilinear") -> None:
        super().__init__()
        check_upsample(scale_factor, mode)
        self.scale_factor = scale_factor
        self.mode: Literal["nearest", "bilinear"] = mode

    def forward(
        self, x: Float[Tensor, "batch channel *rest"], size: tuple[int, int] | None = None
    ) -> Float[Tensor, "batch channel *out"]:
        """Enlarge by the factor, or to ``size``, height and width (bilinear only)."""
        return functional.upsample2d(x, self.scale_factor, self.mode, size=size)

    def extra_repr(self) -> str:
        return f"{self.scale_factor}, mode={self.mode!r}"
