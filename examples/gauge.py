"""Fibres in the wall of a beating heart, measured in three kinds of frames: a gauge network does not notice which.

python examples/gauge.py [SEEDS STEPS]
"""

import sys

import torch
from torch import Tensor, nn

from equivision.data import fibre_slices
from equivision.gauge import GaugeConv2d, GaugeSequential, radial_frames, random_frames, to_frames, to_world
from equivision.nn import FieldBatchNorm2d, GatedNonlinearity

SEEDS, STEPS = [int(number) for number in sys.argv[1:]] or [1, 60]
GIVEN, FIELDS, GATES = "A + E2", "8 A + 8 E1 + 12 E2 + 4 E4", " + 24 A"  # brightness and a line, which has frequency 2


class Plain(nn.Sequential):  # takes components for channels
    def forward(self, x: Tensor, frames: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return super().forward(x)


def network(kind: type[nn.Sequential]) -> nn.Module:
    layers: list[nn.Module] = []
    for rep, channels in ((GIVEN, 3), (FIELDS, 16)):
        if kind is Plain:
            layers += [nn.Conv2d(channels, 16, 5, padding=2), nn.ReLU(), nn.BatchNorm2d(16)]
        else:
            conv, norm = GaugeConv2d(rep, FIELDS + GATES, 5, padding=2), FieldBatchNorm2d(FIELDS, group="SO2")
            layers += [conv, GatedNonlinearity(FIELDS, group="SO2"), norm]
    return kind(*layers, nn.Conv2d(16, 2, 5, padding=2) if kind is Plain else GaugeConv2d(FIELDS, "E2", 5, padding=2))


for seed in range(SEEDS):
    seen, others = fibre_slices(2, times=4, seed=seed), fibre_slices(4, times=4, seed=1000 + seed)
    sets = [(torch.cat([one.images, one.measured], 2), one.lines, one.wall) for one in (seen, others)]
    (given, lines, wall), (test, true, inside) = ([part.flatten(0, 1) for part in parts] for parts in sets)
    radial = [radial_frames(48, 48, centre=(row, column)) for row, column in others.centres.tolist() for _ in range(4)]
    frames = {"along the picture": torch.zeros(48, 48), "radial": torch.stack(radial), "random": random_frames(48, 48)}
    for kind in (Plain, GaugeSequential):
        torch.manual_seed(seed)
        net = network(kind)
        optimizer = torch.optim.Adam(net.parameters())
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.02, total_steps=STEPS)
        for _ in range(STEPS):
            optimizer.zero_grad()
            (net(given, torch.zeros(48, 48)) - lines).square().sum(1)[wall].mean().backward()
            optimizer.step()
            schedule.step()
        found, words = [], []
        for name, at in frames.items():
            with torch.no_grad():
                found.append(to_world(net.double().eval()(to_frames(test.double(), GIVEN, at), at), "E2", at))
            apart = torch.atan2(*found[-1].flip(1).unbind(1)) - torch.atan2(*true.flip(1).unbind(1))
            error = torch.atan2(apart.sin(), apart.cos()).abs()[inside].mean().rad2deg() / 2
            words.append(f"{name} {error:.2f}")
        differ = max(float((one - found[0]).norm() / found[0].norm()) for one in found)
        print(f"{kind.__name__}, degrees by frames: {', '.join(words)}; lines differ by {differ:.0e}", flush=True)
