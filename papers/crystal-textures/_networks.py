"""Networks that read a texture off the grains of a sample, and what they are shown of the orientations."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from equivision.data import Polycrystals
from equivision.reps import Representation
from equivision.volume import (
    SphericalBatchNorm3d,
    SphericalConv3d,
    SphericalInvariants,
    SphericalNormReLU,
    crystal_features,
    crystal_rep,
    equivalent_orientations,
    spherical_rep,
    wigner_d,
)

FEW, MANY = 200, 800
WIDTH, HEAD = 20, 48
#: Degrees that the symmetry allows: those that are shown and asked for.
DEGREES = {"432": (4, 6), "622": (2, 4, 6)}
#: Degrees that it forbids.
FORBIDDEN = {"432": (2, 3), "622": (1, 3)}
Shown = Callable[[Polycrystals], Tensor]


def symmetrised(samples: Polycrystals) -> Tensor:
    """Features that the symmetry allows, at every voxel."""
    group = samples.point_group
    return samples.voxels(crystal_features(samples.orientations, group, DEGREES[group.name]))


def forbidden(samples: Polycrystals) -> Tensor:
    """Averages over equivalent orientations of what the symmetry forbids: 0, but for rounding."""
    group = samples.point_group
    every = equivalent_orientations(samples.orientations, group)
    parts = [wigner_d(degree, every)[..., 0].mean(0) for degree in FORBIDDEN[group.name]]
    return samples.voxels(torch.cat(parts, -1))


def axes(samples: Polycrystals) -> Tensor:
    """The axes of the crystal as three vectors: which is which depends on the name of the orientation."""
    return samples.voxels(samples.orientations.mT.flatten(2))


def quaternions(samples: Polycrystals) -> Tensor:
    """The orientation as it is given, as a quaternion whose first component is not negative."""
    return samples.voxels(_quaternions(samples.orientations))


def zone(samples: Polycrystals) -> Tensor:
    """The quaternion of the equivalent orientation that turns least: the usual cure, which has seams."""
    every = equivalent_orientations(samples.orientations, samples.point_group)
    turns = every.diagonal(dim1=-2, dim2=-1).sum(-1)
    chosen = turns.argmax(0)[None, ..., None, None].expand(1, *every.shape[1:])
    return samples.voxels(_quaternions(every.gather(0, chosen)[0]))


def _quaternions(rotations: Tensor) -> Tensor:
    """Quaternions (w, x, y, z) with w >= 0: the eigenvectors of the largest eigenvalue of Bar-Itzhack's matrix."""
    r = rotations
    trace = r.diagonal(dim1=-2, dim2=-1).sum(-1)
    whole = r.new_zeros(*r.shape[:-2], 4, 4)
    whole[..., 1:, 1:] = r + r.mT - trace[..., None, None] * torch.eye(3).to(r)
    spin = torch.stack([r[..., 2, 1] - r[..., 1, 2], r[..., 0, 2] - r[..., 2, 0], r[..., 1, 0] - r[..., 0, 1]], -1)
    whole[..., 0, 0] = trace
    whole[..., 0, 1:] = whole[..., 1:, 0] = spin
    found = torch.linalg.eigh(whole).eigenvectors[..., -1]
    return found * torch.where(found[..., :1] < 0, -1.0, 1.0)


class Spherical(nn.Module):
    """Fields that turn with the sample; what is read off them does not: lengths, at every voxel and of the means."""

    def __init__(self, in_rep: Representation, fields: str, targets: int) -> None:
        super().__init__()
        self.fields = nn.Sequential(
            SphericalConv3d(in_rep, fields, 3, padding=1, padding_mode="circular"),
            SphericalBatchNorm3d(fields),
            SphericalNormReLU(fields),
        )
        self.lengths = SphericalInvariants(fields)
        self.head = head(2 * len(self.lengths.rep.fields), targets)

    def forward(self, x: Tensor) -> Tensor:
        """Targets."""
        fields = self.fields(x)
        both = self.lengths(fields), self.lengths(fields.mean((2, 3, 4), keepdim=True))
        return self.head(torch.cat([one.mean((2, 3, 4)) for one in both], 1))


class Plain(nn.Module):
    """Ordinary convolutions, which take components for channels."""

    def __init__(self, channels: int, targets: int) -> None:
        super().__init__()
        self.maps = nn.Sequential(
            nn.Conv3d(channels, WIDTH, 1), nn.BatchNorm3d(WIDTH), nn.ReLU(),
            nn.Conv3d(WIDTH, WIDTH, 3, padding=1, padding_mode="circular"), nn.BatchNorm3d(WIDTH), nn.ReLU(),
        )  # fmt: skip
        self.head = head(2 * WIDTH, targets)

    def forward(self, x: Tensor) -> Tensor:
        """Targets."""
        first = self.maps[:3](x)
        both = first, self.maps[3:](first)
        return self.head(torch.cat([one.mean((2, 3, 4)) for one in both], 1))


def head(given: int, targets: int) -> nn.Sequential:
    """A perceptron with two hidden layers."""
    return nn.Sequential(
        nn.BatchNorm1d(given),
        nn.Linear(given, HEAD),
        nn.ReLU(),
        nn.Linear(HEAD, HEAD),
        nn.ReLU(),
        nn.Linear(HEAD, targets),
    )


@dataclass(frozen=True)
class Contestant:
    """A network and what it is shown.

    Attributes:
        about: for the table.
        shown: of the orientations.
        spherical: whether its layers turn with the sample.
        renames: whether orientations are replaced by equivalent ones in every epoch.
    """

    about: str
    shown: Shown
    spherical: bool
    renames: bool = False

    @property
    def samples(self) -> tuple[int, ...]:
        """How many to train on: plain networks need more, and are given both numbers."""
        return (FEW,) if self.spherical else (FEW, MANY)

    def network(self, point_group: str) -> nn.Module:
        """A new one."""
        targets = len(DEGREES[point_group]) + 1
        if not self.spherical:
            return Plain(4 if self.shown in (quaternions, zone) else self.rep(point_group).size, targets)
        high = " + ".join(f"{count} D{degree}" for degree, count in {2: 6, 4: 4, 6: 2}.items())
        return Spherical(self.rep(point_group), high, targets)

    def rep(self, point_group: str) -> Representation:
        """Fields of the input."""
        if self.shown is axes:
            return spherical_rep("3 D1")
        if self.shown is forbidden:
            return spherical_rep(" + ".join(f"D{degree}" for degree in FORBIDDEN[point_group]))
        return crystal_rep(point_group, DEGREES[point_group])


CONTESTANTS = {
    "spherical": Contestant("spherical layers, allowed harmonics", symmetrised, spherical=True),
    "harmonics": Contestant("plain layers, allowed harmonics", symmetrised, spherical=False),
    "axes": Contestant("spherical layers, axes of the crystal", axes, spherical=True),
    "quaternions": Contestant("plain layers, quaternions", quaternions, spherical=False),
    "renamed": Contestant("plain layers, quaternions, renamed in every epoch", quaternions, False, renames=True),
    "zone": Contestant("plain layers, quaternions in the fundamental zone", zone, spherical=False),
    "forbidden": Contestant("spherical layers, forbidden harmonics", forbidden, spherical=True),
}
