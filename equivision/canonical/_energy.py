"""Networks that score the poses of an image: one number for every element, which turn as the regular representation."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equivision._numbers import check_count
from equivision.canonical._orbit import Orbit, Sampling
from equivision.errors import ConfigError, ShapeError
from equivision.groups import PlanarGroup, planar
from equivision.nn import BatchNorm3d, BlurPool2d, GroupConv2d, LiftConv2d
from equivision.nn._base import Guarantee


def kind_of(found: object) -> str:
    """What a network gave, in words."""
    return f"shape {tuple(found.shape)}" if isinstance(found, Tensor) else f"a {type(found).__name__}"


def evaluate(energy: nn.Module, x: Tensor, numbers: int, layer: str, meaning: str) -> Tensor:
    """So many numbers for each image, not computed under autocast: with few digits, too many scores would be alike.

    Raises:
        ShapeError: the energy gives another shape.
    """
    kind = x.device.type
    low = torch.is_autocast_enabled(kind) and x.dtype in (torch.bfloat16, torch.float16)
    with torch.autocast(kind, enabled=False):
        found = energy(x.float() if low else x)
    if not isinstance(found, Tensor) or found.shape != (x.shape[0], numbers):
        raise ShapeError(
            f"{layer}: the energy gives {kind_of(found)} for {x.shape[0]} images: it must give {meaning}, "
            f"shape {(x.shape[0], numbers)}"
        )
    return found


class EnergyNetwork(nn.Module):
    """A small group convolutional network: its last layer has one field, whose mean over space scores every element.

    A lifting convolution, then group convolutions 3x3, each after a blur that halves the resolution, with batch norm
    and ReLU between; a last group convolution 1x1.

    Args:
        in_channels: channels of the images.
        group: C_n or D_n, as a group or its name, such as ``"D4"`` or ``"C8"``.
        width: fields of every layer.
        num_layers: convolutions before the last one.
        kernel_size: of the first one, odd.

    Shape:
        ``[B, in_channels, H, W]`` to ``[B, |G|]``.

    Equivariance: ``f(g x)[h] = f(x)[g^-1 h]``, image to regular; exact for C1, C2, C4, D1, D2 and D4, at every size;
    approximate for other elements.

    Raises:
        ConfigError: an argument is out of range.

    Source: Kaba et al. 2023, section 3.1; the layers are ours.

    >>> import torch
    >>> EnergyNetwork(3, group="D4")(torch.randn(2, 3, 15, 15)).shape
    torch.Size([2, 8])
    """

    equivariance: Guarantee = "exact"

    def __init__(
        self, in_channels: int, *, group: PlanarGroup | str, width: int = 8, num_layers: int = 3, kernel_size: int = 5
    ) -> None:
        super().__init__()
        for name, value in (("width", width), ("num_layers", num_layers), ("kernel_size", kernel_size)):
            check_count(name, value)
        if kernel_size % 2 == 0:
            raise ConfigError(f"kernel_size={kernel_size}: give an odd number, so that the size is kept")
        self.group = planar(group)
        if not self.group.is_on_grid:
            self.equivariance = "approximate"
        first = LiftConv2d(in_channels, width, kernel_size, group=self.group, padding="same", bias=False)
        layers: list[nn.Module] = [first, BatchNorm3d(width), nn.ReLU()]
        for _ in range(num_layers - 1):
            conv = GroupConv2d(width, width, 3, group=self.group, padding=1, bias=False)
            layers += [BlurPool2d(2), conv, BatchNorm3d(width), nn.ReLU()]
        self.layers = nn.Sequential(*layers, GroupConv2d(width, 1, 1, group=self.group, bias=False))

    def forward(self, x: Float[Tensor, "batch in_channels height width"]) -> Float[Tensor, "batch order"]:
        """Scores."""
        return self.layers(x).mean((3, 4)).squeeze(1)


class OrbitEnergy(nn.Module):
    """The scores that any network gives to the copies of an image: ``f(x)[h] = network(h^-1 x)``.

    The network need not be equivariant: it says how much an image looks as if it were upright.

    Args:
        network: any module that gives one number for each image, ``[B]`` or ``[B, 1]``.
        group: C_n or D_n, as a group or its name.
        sampling: ``"nearest"``, ``"bilinear"`` or ``"bicubic"``, for angles off the grid.

    Shape:
        ``[B, C, H, W]`` to ``[B, |G|]``; the network sees one batch of ``B |G|`` images.

    Equivariance: as in :class:`EnergyNetwork`, whatever the network is.

    Raises:
        ShapeError: the network gives something else; images are not square where the group has quarter turns.

    Source: Kaba et al. 2023, section 3.2 (canonicalisation as optimisation), over a finite group.

    >>> import torch
    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 25, 1))
    >>> OrbitEnergy(net, group="C4")(torch.randn(2, 1, 7, 7)).shape
    torch.Size([2, 4])
    """

    equivariance: Guarantee = "exact"

    def __init__(self, network: nn.Module, *, group: PlanarGroup | str, sampling: Sampling = "bilinear") -> None:
        super().__init__()
        self.network = network
        self.group = planar(group)
        self._orbit = Orbit(self.group, sampling)
        if not self._orbit.is_exact:
            self.equivariance = "approximate"

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch order"]:
        """Scores."""
        self._orbit.check_images(x, "OrbitEnergy")
        copies = self._orbit.undone(x).flatten(0, 1)
        scores = self.network(copies)
        if not isinstance(scores, Tensor) or scores.shape not in ((copies.shape[0],), (copies.shape[0], 1)):
            raise ShapeError(
                f"OrbitEnergy: the network gives {kind_of(scores)} for {copies.shape[0]} images: it must "
                "give one number for each, [batch] or [batch, 1]"
            )
        return scores.reshape(-1, self._orbit.order)

    def extra_repr(self) -> str:
        sampling = self._orbit.sampling
        return f"group={self.group!r}" + (f", sampling={sampling!r}" if sampling != "bilinear" else "")
