"""Which algorithm a group convolution takes."""

import math
from typing import Literal

import torch
from torch import Tensor

from equivision.errors import ConfigError
from equivision.functional._cost_model import Pass, Shape, predicted
from equivision.functional._fourier import HAS_LOOPS, is_transformed
from equivision.groups import PlanarGroup
from equivision.kernels import Window

Algorithm = Literal["auto", "expand", "fourier"]
ALGORITHMS: tuple[str, ...] = ("auto", "expand", "fourier")
POINTWISE = Window((1, 1), (0, 0), (1, 1))
#: How much faster a convolution must be for which slots are put in another order.
_REORDERED = 1.15


def check_algorithm(algorithm: str, known: tuple[str, ...] = ALGORITHMS) -> None:
    """Raise ConfigError unless the word is one of these."""
    if algorithm not in known:
        raise ConfigError(f"algorithm={algorithm!r} is not known: choose one of {', '.join(known)}")


def takes_fourier(
    algorithm: str,
    maps: Tensor,
    weight: Tensor,
    group: PlanarGroup,
    window: Window,
    groups: int,
    *,
    last: bool = False,
    taps: tuple[int, int] | None = None,
    copies: int = 1,
) -> bool:
    """Whether a convolution of ``maps [B, C * G, H, W]``, which may lie channels last, runs in the Fourier basis.

    ``"auto"`` does so where the cost model was fitted: float32 on a CPU, with numba, outside of ``torch.export``.
    Nothing does so in ``torch.export``, whose programs shall run without this package, and inside the transforms of
    ``torch.func`` and forward-mode differentiation, for which the operator has no rules.

    ``taps`` are those of ``weight``, unless it says itself; its fields count ``copies`` times on either side, and their
    slots must then be put in another order, which is to pay.
    """
    check_algorithm(algorithm)
    if group.order == 1 or is_transformed() or torch.compiler.is_exporting():
        return False
    has_operator = maps.device.type == "cpu" and HAS_LOOPS
    if algorithm != "auto":
        return algorithm == "fourier" and (has_operator or not torch.compiler.is_compiling())
    fitted = has_operator and maps.dtype == weight.dtype == torch.float32
    if not fitted or torch.is_autocast_enabled("cpu") or groups > 1:
        return False
    taps = taps if taps is not None else (weight.shape[-2], weight.shape[-1])
    out = window.out_size((maps.shape[-2], maps.shape[-1]), taps)
    pixels = (maps.shape[0] * maps.shape[-2] * maps.shape[-1], maps.shape[0] * math.prod(out))
    shape = Shape.of(group, (copies * weight.shape[1], copies * weight.shape[0]), taps, pixels)
    pointwise = taps == (1, 1) and window == POINTWISE
    backward = torch.is_grad_enabled() and (maps.requires_grad or weight.requires_grad)
    kind = Pass(pointwise, last, backward)
    dear = _REORDERED if copies > 1 else 1.0
    return dear * predicted(shape, "fourier", kind) < predicted(shape, "expand", kind)
