"""Rows of layers on feature maps of any representation, and of those that lead to a larger group."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from torch import Tensor, nn

import equivision.nn as evnn
from equivision import reps
from equivision.functional import act
from equivision.functional._fields import is_plain
from equivision.groups import PlanarGroup, cyclic, dihedral, inclusion, orthogonal, special_orthogonal
from tests.contract._case import ANY_SIZE, C1, C2, C4, D1, D2, D4, Case, fitting_sizes

STEERABLE = {
    C1: "2 regular", C2: "regular + B", C4: "regular + A + E1", D1: "A2 + regular", D2: "B1 + B2 + 2 A1",
    D4: "regular + E1 + A2",
}  # fmt: skip


def steerable() -> Iterator[Case]:
    """Feature maps of any representation, of the finite groups and, restricted to these, of SO(2) and O(2)."""
    for group, text in STEERABLE.items():
        yield from _of_fields(group, reps.parse(text, group), reps.parse(text, group), representative=group in (C4, D4))
        band = reps.band_limited(group, 1 if group.rotations == 4 else 0)
        make = partial(evnn.FourierNonlinearity, 2 * band)
        yield _on_fields("FourierNonlinearity", make, group, 2 * band, representative=group in (C4, D4))
        regular = reps.parse("2 regular", group)
        yield _on_fields(
            "PointwiseNonlinearity", partial(evnn.PointwiseNonlinearity, regular), group, regular, representative=True
        )
    for whole, text, group in (
        (special_orthogonal(), "2 A + 2 E1 + E2", C4),
        (orthogonal(), "A1 + E1 + A2 + E3 + A1", D4),
    ):
        rep = reps.parse(text, whole)
        yield from _of_fields(group, rep, reps.restricted(rep, group), representative=True)


def _of_fields(group: PlanarGroup, rep: reps.Representation, moves: reps.Representation, **kind: Any) -> Iterator[Case]:
    for options in (
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": 2, "bias": False},
        {"kernel_size": 3, "stride": 2, "padding": 1, "profile": "bspline"},
        {"kernel_size": 5, "padding": 2, "padding_mode": "circular", "cutoff": 2.0},
        {"kernel_size": 3, "dilation": 2, "padding": "same", "profile": "pixels"},
    ):
        kernel, stride = options["kernel_size"], options.get("stride", 1)
        sizes = fitting_sizes(kernel, stride, 1) if stride > 1 else ANY_SIZE
        make = partial(evnn.SteerableConv2d, rep, rep, **options)
        yield _on_fields(f"SteerableConv2d-{options}", make, group, moves, sizes=sizes, **kind)
    gates = rep.size + sum(not is_plain(field) for field in rep.fields)
    wide = moves + (gates - rep.size) * reps.trivial(group) if gates > rep.size else moves
    rows: tuple[tuple[str, Callable[[], nn.Module], Any, Any], ...] = (
        ("NormReLU", partial(evnn.NormReLU, rep), moves, moves),
        ("FieldBatchNorm2d", partial(evnn.FieldBatchNorm2d, rep), moves, moves),
        ("GatedNonlinearity", partial(evnn.GatedNonlinearity, rep), wide, moves),
        ("InvariantMap", partial(evnn.InvariantMap, rep), moves, None),
    )
    for name, make, into, out in rows:
        yield _on_fields(f"{name}-{rep.group}", make, group, into, out=out, **kind)


def _on_fields(
    name: str,
    make: Callable[[], nn.Module],
    group: PlanarGroup,
    rep: reps.Representation,
    *,
    out: Any = ...,
    sizes: tuple[tuple[int, int], ...] = ANY_SIZE,
    representative: bool = False,
) -> Case:
    moved_out = rep if out is ... else out
    return Case(
        f"{name}-{group}-{rep.name}",
        make,
        group,
        sizes,
        on_group=False,
        channels=rep.size,
        representative=representative,
        act_in=lambda x, g: act(x, g, group, rep),
        act_out=lambda y, g: act(y, g, group, moved_out),
        keeps_channels_last=name.startswith("SteerableConv2d"),
    )


def inductions() -> Iterator[Case]:
    for group, large in ((C1, D2), (C2, cyclic(6)), (C4, cyclic(16)), (D1, dihedral(3)), (D2, D4), (D4, dihedral(8))):
        outer = inclusion(group, large)

        def act_out(y: Tensor, g: int, outer: Any = outer, large: PlanarGroup = large) -> Tensor:
            return act(y, outer(g), large)

        for sizes in (ANY_SIZE, None):
            yield Case(
                f"Induce-{group}-{large}-{'values' if sizes is None else 'maps'}",
                partial(evnn.Induce, 2, 3, group, large, bias=sizes is None),
                group,
                sizes,
                representative=group in (C4, D2),
                act_out=act_out,
            )
