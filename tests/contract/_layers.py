"""The table: every public layer in several configurations, and torch's own layers that are right as they stand."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

import equivision.nn as evnn
from equivision import gauge, permutation, reps, scale, volume
from equivision.filters import HermiteBasis
from equivision.functional import act
from equivision.groups import (
    PlanarGroup,
    Subgroup,
    cyclic,
    dihedral,
    inclusion,
    orthogonal,
    point_group,
    special_orthogonal,
    symmetric,
    wreath_product,
)
from equivision.reps import quotient
from equivision.testing import random_input, randomize_
from tests.contract._case import ANY_SIZE, C1, C2, C4, D1, D2, D4, EVEN, GROUPS, ODD, Case, fitting_sizes
from tests.contract._families import families
from tests.contract._fields import inductions, steerable
from tests.contract._volumes import volumes

CONVOLUTIONS: tuple[dict[str, Any], ...] = (
    {"kernel_size": 3, "padding": 1},
    {"kernel_size": 1},
    {"kernel_size": 2},
    {"kernel_size": 4, "padding": 1, "bias": False},
    {"kernel_size": 5, "padding": 2},
    {"kernel_size": 1, "stride": 2},
    {"kernel_size": 2, "stride": 2},
    {"kernel_size": 3, "stride": 2, "padding": 1},
    {"kernel_size": 4, "stride": 3, "padding": 2},
    {"kernel_size": 3, "dilation": 2, "padding": "same"},
    {"kernel_size": 2, "dilation": 3, "stride": 2, "padding": 1},
    {"kernel_size": 3, "groups": 2},
    {"kernel_size": 3, "padding": 1, "padding_mode": "reflect"},
    {"kernel_size": 4, "padding": 2, "padding_mode": "replicate"},
    {"kernel_size": 3, "padding": 1, "padding_mode": "circular", "stride": 2},
)
SEPARABLE: tuple[dict[str, Any], ...] = (
    {"kernel_size": 3, "padding": 1},
    {"kernel_size": 1},
    {"kernel_size": 2},
    {"kernel_size": 4, "padding": 1, "bias": False},
    {"kernel_size": 3, "stride": 2, "padding": 1},
    {"kernel_size": 2, "dilation": 3, "stride": 2, "padding": 1},
    {"kernel_size": 3, "dilation": 2, "padding": "same", "groups": 2},
    {"kernel_size": 3, "padding": 1, "padding_mode": "reflect"},
    {"kernel_size": 3, "padding": 1, "padding_mode": "circular", "stride": 2},
)
TRANSPOSED: tuple[dict[str, Any], ...] = (
    {"kernel_size": 3, "stride": 2, "padding": 1},
    {"kernel_size": 4, "stride": 2, "padding": 1},
    {"kernel_size": 2, "stride": 2, "bias": False},
    {"kernel_size": 3, "dilation": 2},
    {"kernel_size": 5, "stride": 3, "groups": 2},
)
# rows and columns treated differently: only without quarter turns
OBLONG: tuple[dict[str, Any], ...] = (
    {"kernel_size": (3, 2), "padding": (1, 0)},
    {"kernel_size": (1, 4), "stride": (2, 1), "dilation": (1, 2), "padding": (0, 3)},
)
OBLONG_GROUPS = (C1, C2, D1, D2)


def _label(kind: type, group: PlanarGroup, options: dict[str, Any]) -> str:
    return "-".join([kind.__name__, group.name, *(f"{name}={value}" for name, value in options.items())])


def _convolutions() -> Iterator[Case]:
    for kind in (evnn.LiftConv2d, evnn.GroupConv2d, evnn.ProjectConv2d):
        for group in GROUPS:
            for i, options in enumerate(CONVOLUTIONS):
                kernel, dilation = options["kernel_size"], options.get("dilation", 1)
                padding = options.get("padding", 0)
                padding = dilation * (kernel - 1) // 2 if padding == "same" else padding
                yield Case(
                    _label(kind, group, options),
                    partial(kind, 2, 4, group=group, **options),
                    group,
                    sizes=fitting_sizes(kernel, options.get("stride", 1), padding, dilation),
                    on_group=kind is not evnn.LiftConv2d,
                    representative=i == 0 or group == C4,
                )
        for group in OBLONG_GROUPS:
            for options in OBLONG:
                yield Case(
                    _label(kind, group, options),
                    partial(kind, 2, 4, group=group, **options),
                    group,
                    sizes=((7, 6), (5, 5)),
                    on_group=kind is not evnn.LiftConv2d,
                    representative=group == D2,
                )


def _algorithms() -> Iterator[Case]:
    """The dense layer by the algorithm that ``auto`` leaves alone here: it takes it for many fields in float32."""
    for case in _convolutions():
        if case.name.startswith("GroupConv2d"):
            make = cast("partial[nn.Module]", case.make)
            representative = case.representative or (case.group == D4 and "kernel_size=4" in case.name)
            yield replace(
                case,
                name=f"{case.name}-fourier",
                make=partial(make.func, *make.args, **make.keywords, algorithm="fourier"),
                representative=representative,
            )


def _separable() -> Iterator[Case]:
    kind = evnn.SeparableGroupConv2d
    forms = [{"variant": variant, "algorithm": how} for variant in ("g", "gc") for how in ("factored", "expand")]
    for group in GROUPS:
        for form in forms:
            for i, options in enumerate(SEPARABLE):
                kernel, dilation = options["kernel_size"], options.get("dilation", 1)
                padding = options.get("padding", 0)
                padding = dilation * (kernel - 1) // 2 if padding == "same" else padding
                yield Case(
                    _label(kind, group, options | form),
                    partial(kind, 2, 4, group=group, **options, **form),
                    group,
                    sizes=fitting_sizes(kernel, options.get("stride", 1), padding, dilation),
                    representative=i == 0 or (group == C4 and i in (4, 6)),
                    # the maps between the steps of factored g kernels are put in another order
                )
    for group in OBLONG_GROUPS:
        for options in OBLONG:
            make = partial(kind, 2, 4, group=group, **options)
            yield Case(_label(kind, group, options), make, group, sizes=((7, 6), (5, 5)), representative=group == D2)


def _transposed() -> Iterator[Case]:
    kind = evnn.GroupConvTranspose2d
    for group in GROUPS:
        for i, options in enumerate(TRANSPOSED):
            make = partial(kind, 2, 4, group=group, **options)
            yield Case(_label(kind, group, options), make, group, sizes=ANY_SIZE, representative=i == 0 or group == C4)
    for group in OBLONG_GROUPS:
        for options in OBLONG:
            yield Case(_label(kind, group, options), partial(kind, 2, 4, group=group, **options), group)
    free = {"kernel_size": 3, "stride": (1, 2), "output_padding": (0, 1)}  # D1 does not reverse columns
    yield Case(_label(kind, D1, free), partial(kind, 2, 4, group=D1, **free), D1)


ATTENTIVE: tuple[dict[str, Any], ...] = (
    {"kernel_size": 3, "padding": 1, "attention_size": 3},
    {"kernel_size": 2, "reduction": 1},
    {"kernel_size": 4, "padding": 1, "bias": False, "attention_size": 5},
    {"kernel_size": 3, "stride": 2, "padding": 1, "attention_size": 3},
    {"kernel_size": 2, "dilation": 3, "stride": 2, "padding": 1, "attention_size": 1},
    {"kernel_size": 3, "padding": 1, "padding_mode": "circular", "attention_size": 3, "reduction": 8},
)


def _attentive() -> Iterator[Case]:
    for kind in (evnn.AttentiveLiftConv2d, evnn.AttentiveGroupConv2d):
        for group in GROUPS:
            for i, options in enumerate(ATTENTIVE):
                kernel, dilation = options["kernel_size"], options.get("dilation", 1)
                yield Case(
                    _label(kind, group, options),
                    partial(kind, 2, 3, group=group, **options),
                    group,
                    sizes=fitting_sizes(kernel, options.get("stride", 1), options.get("padding", 0), dilation),
                    on_group=kind is evnn.AttentiveGroupConv2d,
                    representative=group == C4 or (group == D4 and i == 0),
                )
        for group in OBLONG_GROUPS:
            make = partial(kind, 2, 3, group=group, **OBLONG[0], attention_size=3)
            on_group = kind is evnn.AttentiveGroupConv2d
            yield Case(f"{kind.__name__}-{group}-oblong", make, group, ((7, 6), (5, 5)), on_group)


DEFORMABLE: tuple[dict[str, Any], ...] = (
    {"kernel_size": 3, "padding": 1},
    {"kernel_size": 2, "groups": 2, "padding": 1, "padding_mode": "reflect"},
    {"kernel_size": 3, "stride": 2, "padding": 1},
    {"kernel_size": 2, "dilation": 3, "stride": 2, "padding": 1},
    {"kernel_size": 4, "padding": 1, "padding_mode": "circular", "bias": False},
)


def _deformable() -> Iterator[Case]:
    for kind in (evnn.DeformableLiftConv2d, evnn.DeformableGroupConv2d):
        on_group = kind is evnn.DeformableGroupConv2d
        for group in GROUPS:
            for i, options in enumerate(DEFORMABLE):
                kernel, dilation = options["kernel_size"], options.get("dilation", 1)
                yield Case(
                    _label(kind, group, options),
                    partial(kind, 2, 4, group=group, **options),
                    group,
                    sizes=fitting_sizes(kernel, options.get("stride", 1), options.get("padding", 0), dilation),
                    on_group=on_group,
                    representative=(i == 0 and group == D4) or (group == C4 and i in (1, 2, 4)),
                )
        for group in OBLONG_GROUPS:
            for options in OBLONG:
                make = partial(kind, 2, 4, group=group, **options)
                yield Case(_label(kind, group, options), make, group, sizes=((7, 6), (5, 5)), on_group=on_group)
    yield Case("DeformableGroupConv2d-1x1", partial(evnn.DeformableGroupConv2d, 2, 3, 1, group=D4), D4)
    yield Case("DeformableLiftConv2d-1x1", partial(evnn.DeformableLiftConv2d, 2, 3, 1, group=D1), D1, on_group=False)


def _attention() -> Iterator[Case]:
    layers: tuple[tuple[type[nn.Module], tuple[int, ...], dict[str, Any]], ...] = (
        (evnn.ChannelAttention2d, (2,), {}),
        (evnn.ChannelAttention2d, (2,), {"reduction": 1}),
        (evnn.SpatialAttention2d, (3,), {}),
        (evnn.SpatialAttention2d, (7,), {"dilation": 2}),
        (evnn.CoAttention2d, (2,), {}),
    )
    for kind, arguments, options in layers:
        for group in GROUPS:
            for on_group in (True, False):
                chosen = options if on_group else {**options, "on_group": False}
                make = partial(kind, *arguments, group=group, **chosen)
                yield Case(
                    _label(kind, group, chosen), make, group, on_group=on_group, representative=group in (C4, D1)
                )


def _windows() -> Iterator[Case]:
    options: tuple[dict[str, Any], ...] = (
        {"kernel_size": 2},
        {"kernel_size": 3, "stride": 2, "padding": 1},
        {"kernel_size": 3, "stride": 1},
    )
    for kind in (evnn.MaxPool2d, evnn.AvgPool2d):
        for group in GROUPS:
            for i, option in enumerate(options):
                kernel = option["kernel_size"]
                sizes = fitting_sizes(kernel, option.get("stride", kernel), option.get("padding", 0))
                for on_group in (True, False):
                    name = f"{_label(kind, group, option)}-{'group' if on_group else 'plane'}"
                    make = partial(kind, group=group, **option)
                    yield Case(name, make, group, sizes, on_group, representative=i == 0 and group in (C4, D1))
        oblong = {"kernel_size": (2, 3), "stride": (2, 1), "padding": (0, 1)}
        for group in OBLONG_GROUPS:
            yield Case(_label(kind, group, oblong), partial(kind, group=group, **oblong), group, sizes=((6, 5), (4, 4)))


def _resolution() -> Iterator[Case]:
    options: dict[type[nn.Module], tuple[dict[str, Any], ...]] = {
        evnn.BlurPool2d: (
            {},
            {"stride": 3},
            {"sigma": 0.3, "padding_mode": "zeros"},
            {"padding_mode": "circular"},
            {"stride": 1},
            {"stride": 1, "sigma": 1.0},
        ),
        evnn.CenteredMaxPool2d: ({}, {"stride": 3}, {"stride": 1}),
        evnn.Upsample2d: ({}, {"scale_factor": 3, "mode": "nearest"}),
    }
    for kind, table in options.items():
        for group in GROUPS:
            for option in table:
                for on_group in (True, False):
                    name = f"{_label(kind, group, option)}-{'group' if on_group else 'plane'}"
                    yield Case(
                        name,
                        partial(kind, **option),
                        group,
                        on_group=on_group,
                        representative=group == C4,
                        keeps_channels_last=option.get("padding_mode") != "circular",
                    )


def _over_the_group() -> Iterator[Case]:
    for group in GROUPS:
        for mode in ("max", "mean", "norm"):
            representative = group in (C4, D4)
            for sizes in (ANY_SIZE, None):
                where = "values" if sizes is None else "maps"
                yield Case(
                    f"GroupPool-{group}-{mode}-{where}",
                    partial(evnn.GroupPool, mode),
                    group,
                    sizes,
                    representative=representative,
                    keeps_channels_last=False,
                )
                subgroups = group.subgroups() if mode == "max" else group.subgroups()[-2:]
                for subgroup in subgroups:
                    yield _coset_pool(subgroup, mode, sizes, f"CosetPool-{group}-{subgroup.elements}-{mode}-{where}")
    yield _coset_pool(inclusion(C4, D4).image(), "max", None, "CosetPool-named", partial(evnn.CosetPool, D4, "C4"))


def _characters() -> Iterator[Case]:
    """Pools with the signs of every representation of size 1."""
    for group in GROUPS:
        for rep in reps.irreps(group):
            for sizes in (ANY_SIZE, None) if rep.size == 1 else ():
                yield Case(
                    f"CharacterPool-{group}-{rep.name}-{'values' if sizes is None else 'maps'}",
                    partial(evnn.CharacterPool, rep),
                    group,
                    sizes,
                    representative=rep.index == 1 and group in (C4, D4),
                    act_out=lambda y, g, rep=rep, group=group: (
                        float(rep.character[g]) * (y if y.ndim == 2 else act(y, g, group))
                    ),
                    keeps_channels_last=False,
                )


def _wallpapers() -> Iterator[Case]:
    kind = evnn.WallpaperConv2d
    for group in GROUPS:
        for i, options in enumerate(CONVOLUTIONS):
            kernel, dilation = options["kernel_size"], options.get("dilation", 1)
            padding = options.get("padding", 0)
            padding = dilation * (kernel - 1) // 2 if padding == "same" else padding
            for how in ("auto", "sums") if i % 2 else ("auto",):
                yield Case(
                    _label(kind, group, {**options, "algorithm": how}),
                    partial(kind, 2, 4, group=group, **options, algorithm=how),
                    group,
                    sizes=fitting_sizes(kernel, options.get("stride", 1), padding, dilation),
                    on_group=False,
                    representative=(i == 0 and group == D4) or (group == C4 and i in (0, 7, 11)),
                    keeps_channels_last=how == "auto",
                )
    for group in OBLONG_GROUPS:
        for options in OBLONG:
            for how in ("auto", "sums"):
                make = partial(kind, 2, 4, group=group, **options, algorithm=how)
                name = _label(kind, group, {**options, "algorithm": how})
                yield Case(name, make, group, sizes=((7, 6), (5, 5)), on_group=False)


def _coset_pool(
    subgroup: Subgroup,
    mode: str,
    sizes: tuple[tuple[int, int], ...] | None,
    name: str,
    make: Callable[[], nn.Module] | None = None,
) -> Case:
    group = subgroup.group
    if not isinstance(group, PlanarGroup):
        raise TypeError(group)
    make = make if make is not None else partial(evnn.CosetPool, group, subgroup, mode)  # pyright: ignore[reportArgumentType]
    return Case(
        name,
        make,
        group,
        sizes,
        representative=group == D4 and subgroup.order == 2,
        act_out=lambda y, g: act(y, g, group, quotient(subgroup)),
        keeps_channels_last=False,
    )


def _restrictions() -> Iterator[Case]:
    pairs = ((C2, C1), (C4, C2), (D1, C1), (D2, D1), (D2, C2), (D4, D2), (D4, D1), (D4, C4), (D4, C2), (D4, D4))
    for group, subgroup in pairs:
        embed = inclusion(subgroup, group)
        yield Case(
            f"Restrict-{group}-{subgroup}",
            partial(evnn.Restrict, group, subgroup),
            subgroup,
            representative=(group, subgroup) in ((C4, C2), (D4, D1)),
            act_in=lambda x, h, embed=embed, group=group: act(x, embed(h), group),
            keeps_channels_last=False,
        )


def _linear() -> Iterator[Case]:
    for group in (*GROUPS, cyclic(3), cyclic(8), dihedral(5)):
        for bias in (True, False):
            make = partial(evnn.GroupLinear, 2, 3, group=group, bias=bias)
            yield Case(f"GroupLinear-{group}-bias={bias}", make, group, sizes=None, representative=group in (C4, D4))


def _norms() -> Iterator[Case]:
    for group in GROUPS:
        for affine in (True, False):
            make = partial(evnn.BatchNorm3d, 2, affine=affine)
            yield Case(f"BatchNorm3d-{group}-affine={affine}", make, group, representative=group in (C4, D4))


def _torch_layers() -> Iterator[Case]:
    """What the documentation says is right as it stands on ``[B, C, G, H, W]``."""
    pointwise: dict[str, Callable[[], nn.Module]] = {
        "ReLU": nn.ReLU,
        "LeakyReLU": nn.LeakyReLU,
        "ELU": nn.ELU,
        "GELU": nn.GELU,
        "SiLU": nn.SiLU,
        "Softplus": nn.Softplus,
        "Tanh": nn.Tanh,
        "PReLU": partial(nn.PReLU, 4),
        "Dropout3d": nn.Dropout3d,
        "Identity": nn.Identity,
    }
    others: dict[str, tuple[Callable[[], nn.Module], tuple[tuple[int, int], ...]]] = {
        "BatchNorm3d": (partial(nn.BatchNorm3d, 4), ANY_SIZE),
        "InstanceNorm3d": (partial(nn.InstanceNorm3d, 4, affine=True), ANY_SIZE),
        "InstanceNorm3d-running": (partial(nn.InstanceNorm3d, 4, track_running_stats=True), ANY_SIZE),
        "GroupNorm": (partial(nn.GroupNorm, 2, 4), ANY_SIZE),
        "MaxPool3d": (partial(nn.MaxPool3d, (1, 2, 2)), EVEN),
        "MaxPool3d-padded": (partial(nn.MaxPool3d, (1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)), ODD),
        "AvgPool3d": (partial(nn.AvgPool3d, (1, 2, 2)), EVEN),
        "AdaptiveAvgPool3d": (partial(nn.AdaptiveAvgPool3d, (None, 1, 1)), ANY_SIZE),
        "AdaptiveAvgPool3d-3": (partial(nn.AdaptiveAvgPool3d, (None, 3, 3)), ANY_SIZE),
        "AdaptiveMaxPool3d": (partial(nn.AdaptiveMaxPool3d, (None, 1, 1)), ANY_SIZE),
        "Upsample-nearest": (partial(nn.Upsample, scale_factor=(1, 2, 2)), ANY_SIZE),
        "Upsample-trilinear": (partial(nn.Upsample, scale_factor=(1, 2, 2), mode="trilinear"), ANY_SIZE),
        "Conv3d-1": (partial(nn.Conv3d, 4, 3, 1), ANY_SIZE),
    }
    for name, make in pointwise.items():
        yield Case(f"torch-{name}", make, D4, channels=4, repr_builds=False)
    for name, (make, sizes) in others.items():
        for group in (C4, D1, D4):
            yield Case(
                f"torch-{name}-{group}",
                make,
                group,
                sizes,
                channels=4,
                representative=group == D4 and name != "AvgPool3d",  # torch has no bfloat16 kernel for it on the CPU
                keeps_channels_last=False,
                repr_builds=False,
            )


CASES: tuple[Case, ...] = (
    *_convolutions(),
    *_algorithms(),
    *_separable(),
    *_transposed(),
    *_attentive(),
    *_attention(),
    *_deformable(),
    *_windows(),
    *_resolution(),
    *_over_the_group(),
    *_characters(),
    *_wallpapers(),
    *_restrictions(),
    *_linear(),
    *_norms(),
    *steerable(),
    *inductions(),
    *volumes(),
    *families(),
    *_torch_layers(),
)
REPRESENTATIVES: tuple[Case, ...] = tuple(case for case in CASES if case.representative)
#: Each layer and each of its options over one group: the same is traced over the others.
TRACED: tuple[Case, ...] = tuple({case.name.replace(f"-{case.group}", ""): case for case in REPRESENTATIVES}.values())
NAMES: dict[str, object] = {
    **{
        name: value
        for module in (evnn, volume, scale, permutation, gauge)
        for name, value in vars(module).items()
        if isinstance(value, type)
    },
    "HermiteBasis": HermiteBasis,
    "symmetric": symmetric,
    "wreath_product": wreath_product,
    "cyclic": cyclic,
    "dihedral": dihedral,
    "point_group": point_group,
    "Subgroup": Subgroup,
    "special_orthogonal": special_orthogonal,
    "spherical_irrep": volume.spherical_irrep,
    "orthogonal": orthogonal,
    **{name: getattr(reps, name) for name in ("trivial", "sign", "irrep", "regular", "quotient", "band_limited")},
}


def plain_networks() -> list[tuple[str, nn.Module, Tensor]]:
    """What must fail where equivariant layers pass: ordinary layers, with an input each."""
    image, field = random_input(2, (7, 7)), random_input(2, (7, 7), D4)
    cnn = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    layers: list[tuple[str, nn.Module, Tensor]] = [
        ("Conv2d", nn.Conv2d(2, 3, 3), image),
        ("CNN", cnn, image),
        ("Conv3d", nn.Conv3d(2, 2, (1, 3, 3)), field),
        ("Conv3d over the group", nn.Conv3d(2, 2, (3, 1, 1), padding=(1, 0, 0)), field),
        ("MaxPool3d over the group", nn.MaxPool3d((3, 1, 1), 1, (1, 0, 0)), field),
        ("LayerNorm", nn.LayerNorm((8, 7, 7)), field),
        ("MaxPool2d off centre", nn.MaxPool2d(2), image),
    ]
    return [(name, randomize_(layer.double()), x.to(torch.float64)) for name, layer, x in layers]
