"""The networks of the study, with the numbers that it prints, and those of our controls."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import equivision as ev
from equivision.groups import PlanarGroup, cyclic

#: How kernels turn by angles off the grid: as the study's code does it, or by a mode of the library.
Filters = Literal["torchvision", "nearest", "bilinear", "steerable"]


@dataclass(frozen=True)
class Network:
    """One line of a table.

    ``upright``, ``transformed`` and ``rotated`` are accuracies in % that the study prints: trained on upright digits
    and tested on those and on transformed ones, trained and tested on rotated ones.
    """

    name: str
    group: str | None
    filters: Filters = "torchvision"
    widths_of: str | None = None
    upright: str = "-"
    transformed: str = "-"
    rotated: str = "-"
    parameters: str = "-"

    def build(self) -> nn.Module:
        """The network, not trained, with the padding of the study."""
        if self.group is None:
            return ev.create_model("pn_z2cnn", padding="printed")
        mode = "nearest" if self.filters == "torchvision" else self.filters
        widths = None if self.widths_of is None else study_widths(self.widths_of)
        net = ev.create_model("pn_cnn", group=self.group, widths=widths, interpolation=mode, padding="printed")
        return with_torchvision_filters(net) if self.filters == "torchvision" else net

    @property
    def exact_group(self) -> PlanarGroup:
        """The elements that should not change the logits at all; for the plain network, the quarter turns."""
        if self.group is None:
            return cyclic(4)
        group = ev.groups.parse(self.group)
        if not isinstance(group, PlanarGroup):
            raise TypeError(group)
        return group.grid_part


#: Tables 1 and 2 of the text, then the further networks of its code.
STUDY = (
    Network("CNN", None, upright="98.2", transformed="34.1", rotated="92.43", parameters="395,882"),
    Network("P4CNN", "C4", upright="95.8", transformed="62.9", rotated="96.17", parameters="393,786"),
    Network("D4CNN", "D4", upright="94.2", transformed="79.6", rotated="93.95", parameters="392,858"),
    Network("P8CNN", "C8", upright="95.9", transformed="63.5", rotated="96.01", parameters="392,858"),
    Network("P6CNN", "C6", upright="96.0", transformed="42.0", rotated="94.82", parameters="395,362"),
)
MORE = (
    Network("P5CNN", "C5", rotated="94.53", parameters="393,344"),
    Network("P7CNN", "C7", rotated="93.28", parameters="392,473"),
    Network("P12CNN", "C12", rotated="95.91", parameters="395,114"),
    Network("P16CNN", "C16", rotated="95.70", parameters="392,738"),
)
#: The same with one thing changed.
P6_BILINEAR = Network("P6CNN, bilinear", "C6", "bilinear")
P6_SHARED = Network("P6CNN, nearest, ties shared", "C6", "nearest")
P8_BILINEAR = Network("P8CNN, bilinear", "C8", "bilinear")
P6_STEERABLE = Network("P6CNN, steerable", "C6", "steerable")
P8_STEERABLE = Network("P8CNN, steerable", "C8", "steerable")
D4_WIDE = Network("D4CNN, widths of P4", "D4", widths_of="C4")
P4_NARROW = Network("P4CNN, widths of D4", "C4", widths_of="D4")
CONTROLS = (P6_BILINEAR, P6_STEERABLE, D4_WIDE, P4_NARROW, P6_SHARED, P8_BILINEAR, P8_STEERABLE)
NETWORKS = {network.name: network for network in (*STUDY, *MORE, *CONTROLS)}


def study_widths(group: str) -> list[int]:
    """Fields of the five convolutions of the study's network over a group."""
    net = ev.create_model("pn_cnn", group=group)
    kinds = (ev.nn.LiftConv2d, ev.nn.GroupConv2d)
    return [module.out_channels for module in net.modules() if isinstance(module, kinds)]


def torchvision_matrices(n: int, taps: int = 3) -> Tensor:
    """Matrices that turn a kernel by 360 r / n degrees as ``torchvision.transforms.functional.rotate`` does by default.

    It takes the nearest tap, at positions computed in float32: what lies half way between two falls to one of them.
    """
    images = torch.eye(taps**2).reshape(taps**2, 1, taps, taps)
    along = torch.linspace(-(taps - 1) / 2, (taps - 1) / 2, taps)
    rows, columns = torch.meshgrid(along, along, indexing="ij")
    places = torch.stack([columns, rows, torch.ones_like(rows)], -1).reshape(1, -1, 3)
    matrices = []
    for r in range(n):
        angle = torch.deg2rad(torch.tensor(360.0 * r / n, dtype=torch.float64))
        cosine, sine = float(torch.cos(angle)), float(torch.sin(angle))
        theta = torch.tensor([[cosine, -sine, 0.0], [sine, cosine, 0.0]])[None]  # rows count downwards
        grid = places.bmm(theta.transpose(1, 2) / (taps / 2)).reshape(1, taps, taps, 2).expand(taps**2, -1, -1, -1)
        turned = F.grid_sample(images, grid, mode="nearest", padding_mode="zeros", align_corners=False)
        matrices.append(turned.reshape(taps**2, -1).T)
    return torch.stack(matrices).double()


def with_torchvision_filters(net: nn.Module) -> nn.Module:
    """Turn all kernels off the grid as the study's code does; the matrices are in no checkpoint."""
    for module in net.modules():
        if isinstance(module, ev.nn.LiftConv2d | ev.nn.GroupConv2d) and module.sampling is not None:
            module.sampling.copy_(torchvision_matrices(module.group.rotations))
    return net
