"""Rows of layers for volumes, and of those of the plane that take maps on a group of space, too."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from torch import nn

import equivision.nn as evnn
from equivision import volume
from equivision.functional import act
from equivision.groups import PointGroup, full_octahedral, inclusion, octahedral, point_group
from equivision.reps import Representation, quotient, restricted
from tests.contract._case import Case, moved_by

O, OH, G422, G222, MM2 = octahedral(), full_octahedral(), point_group("422"), point_group("222"), point_group("mm2")
BOTH = ((3, 3, 3), (4, 4, 4))
BOX = ((5, 4, 3), (4, 3, 4))


def _row(
    name: str,
    make: partial[nn.Module],
    group: PointGroup,
    sizes: tuple[tuple[int, ...], ...] | None = BOTH,
    **more: Any,
) -> Case:
    return Case(name, make, group, sizes, **{"keeps_channels_last": False, **more})


def _convolutions() -> Iterator[Case]:
    rows: tuple[tuple[PointGroup, dict[str, Any], tuple[tuple[int, ...], ...], bool], ...] = (
        (O, {"kernel_size": 3, "padding": 1}, BOTH, False),
        (O, {"kernel_size": 2, "stride": 2, "bias": False}, ((4, 4, 4),), False),
        (OH, {"kernel_size": 2}, ((3, 3, 3),), False),
        (G422, {"kernel_size": (1, 3, 3), "stride": (1, 2, 2), "padding": (0, 1, 1)}, ((4, 3, 3), (3, 5, 5)), True),
        (G222, {"kernel_size": 2, "groups": 2, "padding": 1, "padding_mode": "reflect"}, BOX, True),
        (MM2, {"kernel_size": (2, 1, 3), "dilation": (2, 1, 1), "padding_mode": "circular", "padding": 1}, BOX, False),
    )
    for kind in (volume.LiftConv3d, volume.GroupConv3d, volume.ProjectConv3d):
        for group, options, sizes, representative in rows:
            on_group = kind is not volume.LiftConv3d
            make = partial(kind, 2, 2, group=group, **options)
            name = "-".join([kind.__name__, group.name, *(f"{option}={value}" for option, value in options.items())])
            slow = representative and group == (G222 if on_group else G422)
            yield _row(name, make, group, sizes, on_group=on_group, representative=slow)


def _pools() -> Iterator[Case]:
    for kind in (volume.MaxPool3d, volume.AvgPool3d):
        for group, options, sizes in (
            (O, {"kernel_size": 2}, ((4, 4, 4),)),
            (G422, {"kernel_size": (2, 3, 3), "stride": 2, "padding": (0, 1, 1)}, ((4, 3, 3), (2, 5, 5))),
        ):
            for on_group in (True, False):
                name = f"{kind.__name__}-{group}-{'group' if on_group else 'space'}"
                representative = group == G422 and on_group and kind is volume.MaxPool3d
                make = partial(kind, group=group, **options)
                yield _row(name, make, group, sizes, on_group=on_group, representative=representative)


def _over_the_group() -> Iterator[Case]:
    yield _row("BatchNorm3d-space", partial(evnn.BatchNorm3d, 2), O, BOTH)
    yield _row("GroupPool-space", partial(evnn.GroupPool, "norm"), O, BOTH)
    subgroup = inclusion(G422, O).image()
    yield _row(
        "CosetPool-space", partial(evnn.CosetPool, O, G422), O, BOTH,
        act_out=lambda y, g: act(y, g, O, quotient(subgroup)),
    )  # fmt: skip
    embed = inclusion(G222, O)
    yield _row("Restrict-space", partial(evnn.Restrict, O, G222), G222, BOX, act_in=lambda x, h: act(x, embed(h), O))
    into = inclusion(G222, G422)
    yield _row(
        "Induce-space", partial(evnn.Induce, 2, 3, G222, G422), G222, BOX, act_out=lambda y, h: act(y, into(h), G422)
    )
    for group in (O, point_group("622")):
        yield _row(f"GroupLinear-{group}", partial(evnn.GroupLinear, 2, 3, group=group), group, None)


def _spherical() -> Iterator[Case]:
    """Fields of SO(3) and O(3), under the finite groups that move voxels; more in tests/volume/test_spherical.py."""
    for group, name in ((O, "2 D0 + D1 + D2"), (OH, "D0g + D1u + D2g + D0u")):
        fields = volume.spherical_rep(name)
        gates = volume.SphericalGate(fields)
        scalars = len(fields.fields) * volume.spherical_irrep(0, "g" if group == OH else None)
        rows: tuple[tuple[partial[nn.Module], Representation, Representation], ...] = (
            (partial(volume.SphericalConv3d, fields, fields, 2, padding=1), fields, fields),
            (partial(volume.SphericalGate, fields), gates.in_rep, fields),
            (partial(volume.SphericalNormReLU, fields), fields, fields),
            (partial(volume.SphericalBatchNorm3d, fields), fields, fields),
            (partial(volume.SphericalInvariants, fields), fields, scalars),
        )
        for make, into, out in rows:
            yield _row(
                f"{make.func.__name__}-{group}", make, group, ((3, 3, 3),), on_group=False, channels=into.size,
                act_in=partial(moved_by, group=group, rep=restricted(into, group)),
                act_out=partial(moved_by, group=group, rep=restricted(out, group)),
            )  # fmt: skip


def volumes() -> Iterator[Case]:
    """Groups of few elements where properties are slow to test."""
    yield from _convolutions()
    yield from _pools()
    yield from _over_the_group()
    yield from _spherical()
