"""How strong is the texture of a polycrystal? Harmonics that the crystal allows, and orientations as they are named.

python examples/crystals.py [SEEDS STEPS]
"""

import sys

import torch
from torch import Tensor, nn

from equivision import volume
from equivision.data import Polycrystals, polycrystals

SEEDS, STEPS = [int(number) for number in sys.argv[1:]] or [1, 100]
FIELDS = "6 D4"  # what turns as harmonics of degree 4 do, the lowest that a cubic crystal allows


def harmonics(samples: Polycrystals) -> Tensor:
    return samples.voxels(volume.crystal_features(samples.orientations, "432", [4])).float()


def matrices(samples: Polycrystals) -> Tensor:
    return samples.voxels(samples.orientations.flatten(2)).float()


def power(samples: Polycrystals) -> Tensor:
    found = volume.texture_coefficients(samples.orientations, "432", [4], samples.weights())
    return volume.texture_power(found, "432", [4]).float()


for seed in range(SEEDS):
    seen, others = (polycrystals(200, size=6, grains=10, seed=2 * seed + part) for part in (0, 1))
    wanted, true = power(seen), power(others)
    for name, shown in {"spherical, allowed harmonics": harmonics, "plain, orientations": matrices}.items():
        torch.manual_seed(seed)
        if shown is harmonics:
            conv = volume.SphericalConv3d("D4", FIELDS, 3, padding=1)
            first = [
                conv,
                volume.SphericalNormReLU(FIELDS),
                nn.AdaptiveAvgPool3d(1),
                volume.SphericalInvariants(FIELDS),
            ]
        else:
            first = [nn.Conv3d(9, 16, 3, padding=1), nn.BatchNorm3d(16), nn.ReLU(), nn.AdaptiveAvgPool3d(1)]
        net = nn.Sequential(*first, nn.Flatten(), nn.LazyBatchNorm1d(), nn.LazyLinear(32), nn.ReLU(), nn.Linear(32, 1))
        net(shown(seen))
        optimizer, x = torch.optim.Adam(net.parameters(), 0.01), shown(seen)
        for _ in range(STEPS):
            batch = torch.randperm(len(x))[:25]
            optimizer.zero_grad()
            ((net(x[batch]) - wanted[batch]) / wanted.std()).square().mean().backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            found, renamed, turned = (net(shown(samples)) for samples in (others, others.renamed(1), others.turned(9)))
        left = float((found - true).square().mean() / true.var())
        moved = [float((other - found).norm() / (found - found.mean()).norm()) for other in (renamed, turned)]
        print(f"{name}: {left:.0%} unexplained; changed by other names {moved[0]:.0e}, by a turn {moved[1]:.0e}")
