"""The taps of a kernel that lie in the unit disk, and banks of kernels put together from their values."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from equivision._numbers import check_count
from equivision.errors import ConfigError
from equivision.nn._base import Movable

#: Taps on the edge of the disk are inside, whatever the rounding.
_EDGE = 1e-6


def disk(kernel_size: int) -> tuple[Float[Tensor, "tap 2"], Int[Tensor, " tap"]]:
    """Offsets (right, up) in half pixels, whole numbers, of the taps with ``|x| <= 1``, and their positions.

    Raises:
        ConfigError: kernel_size is less than 1, or 2, all of whose taps are corners.

    >>> len(disk(3)[1]), len(disk(7)[1])
    (5, 29)
    """
    check_count("kernel_size", kernel_size)
    if kernel_size == 2:
        raise ConfigError("kernel_size=2 has no tap in the unit disk, only corners: use 1, or 3 and more")
    along = 2 * torch.arange(kernel_size) - (kernel_size - 1)
    up, right = torch.meshgrid(-along, along, indexing="ij")
    inside = torch.nonzero((right**2 + up**2 <= max(kernel_size - 1, 1) ** 2).flatten()).flatten()
    return torch.stack([right.flatten(), up.flatten()], -1)[inside].float(), inside


class Taps(Movable):
    """The coordinates of a square kernel, disk mask included; nothing to learn, nothing in ``state_dict``.

    Args:
        kernel_size: taps of a row.
        reach: coordinate of the outermost tap; the scale of the largest kernel, which then fills the window.
    """

    offsets: Tensor
    inside: Tensor

    def __init__(self, kernel_size: int, reach: float = 1.0, device: torch.device | str | None = None) -> None:
        super().__init__()
        self.kernel_size, self.reach = kernel_size, reach
        offsets, inside = disk(kernel_size)
        self.num_taps = len(inside)
        self.register_buffer("offsets", torch.empty_like(offsets, device=device), persistent=False)
        self.register_buffer("inside", torch.empty_like(inside, device=device), persistent=False)
        self.reset_parameters()

    def fill_tables(self) -> None:
        """Fill the coordinates and the numbers of the taps."""
        offsets, inside = disk(self.kernel_size)
        self.offsets.copy_(offsets)
        self.inside.copy_(inside)

    def places(self, dtype: torch.dtype) -> Float[Tensor, "tap 2"]:
        """Coordinates (right, up) of the taps in the disk."""
        return self.offsets.to(dtype) * (self.reach / max(self.kernel_size - 1, 1))

    def bank(self, values: Float[Tensor, "*kernels tap"]) -> Float[Tensor, "*kernels size size"]:
        """Kernels from their values at the taps in the disk; 0 elsewhere."""
        square = values.new_zeros((*values.shape[:-1], self.kernel_size**2))
        square = square.index_copy(-1, self.inside, values)
        return square.unflatten(-1, (self.kernel_size, self.kernel_size))

    def extra_repr(self) -> str:
        return f"{self.kernel_size}"


def inside_disk(places: Float[Tensor, "*points 2"]) -> Float[Tensor, "*points 1"]:
    """1 in the unit disk, 0 outside."""
    return (places.square().sum(-1, keepdim=True) <= 1 + _EDGE).to(places)
