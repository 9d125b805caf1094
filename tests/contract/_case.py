"""One row of the contract table: a layer in one configuration."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

import equivision.nn as evnn
from equivision.functional import act
from equivision.groups import SpatialGroup, cyclic, dihedral
from equivision.nn._base import Guarantee
from equivision.reps import Representation
from equivision.testing import random_input, randomize_

C1, C2, C4, D1, D2, D4 = GROUPS = (cyclic(1), cyclic(2), cyclic(4), dihedral(1), dihedral(2), dihedral(4))
ANY_SIZE = ((7, 7), (6, 6), (5, 6))
ODD, EVEN = ((7, 7), (5, 9)), ((6, 6), (8, 4))
Action = Callable[[Tensor, int], Tensor]


@dataclass(frozen=True)
class Case:
    """One layer in one configuration.

    Attributes:
        name: unique.
        make: builds a fresh layer.
        group: acts on input and output.
        sizes: (depths,) heights and widths on which the layer is exact; None for values on the group, ``[B, C, G]``.
        on_group: whether the input has a group axis.
        channels: channels or fields of the input.
        representative: whether the slow properties are tested too.
        act_in, act_out: actions other than the reference action.
        keeps_channels_last: whether the memory format survives.
        repr_builds: whether the repr builds the layer (torch's own do not promise it).
        shapes: of the inputs, without the batch, where they are no maps on the plane, in space or on the group.
        guarantee: what its class states; "approximate" where it is so beyond the group of the row, as in scale.
        freezes: whether :func:`equivision.freeze` takes it.
    """

    name: str
    make: Callable[[], nn.Module]
    group: SpatialGroup
    sizes: tuple[tuple[int, ...], ...] | None = ANY_SIZE
    on_group: bool = True
    channels: int = 2
    representative: bool = False
    act_in: Action | None = None
    act_out: Action | None = None
    keeps_channels_last: bool = True
    repr_builds: bool = True
    shapes: tuple[tuple[int, ...], ...] = ()
    guarantee: Guarantee = "exact"
    freezes: bool = True

    def __str__(self) -> str:
        return self.name

    def layer(self) -> nn.Module:
        """The layer in float64 and eval mode with random parameters and running statistics."""
        return randomize_(self.make().double().eval())

    def inputs(self) -> list[Tensor]:
        """One random batch for every size."""
        if self.shapes:
            generator = torch.Generator().manual_seed(0)
            return [torch.randn(2, *shape, generator=generator, dtype=torch.float64) for shape in self.shapes]
        if self.sizes is None:
            return [random_input(self.channels, (1,) * self.group.dimension, self.group).flatten(2)]
        # Restrict takes features on the larger group, Induce gives them
        layer = self.make()
        of = self.group if isinstance(layer, evnn.Induce) else getattr(layer, "group", self.group)
        group = of if self.on_group else None
        return [random_input(self.channels, size, group) for size in self.sizes]


def moved_by(x: Tensor, g: int, group: SpatialGroup, rep: Representation) -> Tensor:
    """The action on channels that carry a representation."""
    return act(x, g, group, rep)


def fitting_sizes(kernel: int, stride: int, padding: int, dilation: int = 1) -> tuple[tuple[int, int], ...]:
    """Sizes on which a sliding window is centred: an odd and an even one where there are both, and both together."""
    extent = dilation * (kernel - 1) + 1
    fits = [n for n in range(5, 14) if n + 2 * padding >= extent and (n + 2 * padding - extent) % stride == 0]
    first = fits[0]
    other = next((n for n in fits if (n - first) % 2), fits[1])
    return (first, first), (other, other), (first, other)
