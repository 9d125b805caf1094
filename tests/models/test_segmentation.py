"""SegNets and U-Nets: logits turn with the picture at every legal size; sizes that cannot be exact are refused."""

from typing import Any

import pytest
import torch
from torch import nn

import equivision as ev
from equivision.errors import ConfigError, GridError
from equivision.groups import PlanarGroup, cyclic, dihedral
from equivision.models import create_model
from equivision.testing import (
    assert_compiles,
    assert_copies,
    assert_exports,
    assert_state_dict,
    equivariance_error,
    random_input,
    randomize_,
    relative_error,
)

C4, D1, D4 = cyclic(4), dihedral(1), dihedral(4)
FAR = 1e-4
#: Models, their options, and sizes that they take.
LEGAL = (
    ("segnet", {}, [(32, 32), (48, 16)]),
    ("segnet", {"up": "transposed"}, [(33, 33), (17, 49)]),
    ("segnet", {"head": "plain", "num_classes": 3}, [(16, 16)]),
    ("unet", {"num_classes": 3}, [(32, 32), (31, 31), (30, 37), (5, 3)]),
    ("unet", {"depth": 2}, [(9, 9), (10, 13)]),
    ("unet", {"up": "transposed"}, [(32, 32), (38, 38), (22, 50)]),
)


def parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def worst(net: nn.Module, x: torch.Tensor, group: PlanarGroup) -> float:
    with torch.no_grad():
        return max(map(float, equivariance_error(net, x, group=group).values()))


def lively(name: str, **options: Any) -> nn.Module:
    width = 8 if name.startswith("z2") else 2
    return randomize_(create_model(name, width=width, **options).double().eval())


@pytest.mark.parametrize("group", [C4, D1, D4], ids=str)
@pytest.mark.parametrize(("name", "options", "sizes"), LEGAL)
def test_logits_turn_with_the_picture(name: str, options: dict[str, Any], sizes: list, group: PlanarGroup) -> None:
    net = lively(name, group=group, **options)
    for size in sizes:
        x = random_input(3, size)
        with torch.no_grad():
            assert net(x).shape == (len(x), options.get("num_classes", 1), *size)
        assert worst(net, x, group) <= 1e-12


@pytest.mark.parametrize(("name", "options", "sizes"), LEGAL)
def test_a_network_is_no_more_symmetric_than_its_group(name: str, options: dict[str, Any], sizes: list) -> None:
    x = random_input(3, sizes[0])
    assert worst(lively(name, group=C4, **options), x, D4) > FAR
    plain = lively(f"z2_{name}", **options)
    assert worst(plain, x, C4) > FAR
    assert worst(plain, x, D1) > FAR


@pytest.mark.parametrize("name", ["segnet", "unet"])
def test_training_keeps_the_symmetry(name: str) -> None:
    net = lively(name, group="D4").train()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    x = random_input(3, (32, 32))
    for _ in range(2):
        optimizer.zero_grad()
        net(x).square().mean().backward()
        optimizer.step()
    assert all(p.grad is not None for p in net.parameters())
    assert worst(net.eval(), x, D4) <= 1e-12


def test_groups_off_the_grid_are_exact_for_what_is_on_it() -> None:
    for name in ("segnet", "unet"):
        net, x = lively(name, group="C8"), random_input(3, (32, 32))
        assert worst(net, x, C4) <= 1e-12


@pytest.mark.parametrize("up", ["bilinear", "transposed"])
def test_parameters_of_the_study(up: str) -> None:
    counts = [parameters(create_model("z2_segnet", up=up))]
    counts += [parameters(create_model("segnet", group=group, up=up)) for group in ("C4", "D4")]
    assert counts == [2_347_011, 2_344_371, 2_325_939]


def test_unets_of_about_the_same_size() -> None:
    plain = parameters(create_model("z2_unet"))
    for group in ("C2", "C4", "D4"):
        assert parameters(create_model("unet", group=group)) == pytest.approx(plain, rel=0.07)


def test_logits_of_the_study_are_bounded_below() -> None:
    printed, plain = create_model("z2_segnet", width=2), create_model("z2_segnet", width=2, head="plain")
    assert isinstance(list(printed.decoder[-1])[-1], nn.BatchNorm2d)
    assert isinstance(list(plain.decoder[-1])[-1], nn.Conv2d)
    x = torch.randn(4, 3, 32, 32)
    for net, bounded in ((printed, True), (plain, False)):
        logits = net(x)
        least = float((logits == logits.min()).float().mean())  # part of the pixels; where ReLU is 0
        assert (least > 0.05) == bounded


@pytest.mark.parametrize(
    ("name", "options", "size", "message"),
    [
        (
            "segnet",
            {},
            (37, 32),
            r"SegNet: height 37 is not 16 times a number plus 0: use 32 or 48, or up='transposed'",
        ),
        ("z2_segnet", {}, (32, 8), r"SegNet: width 8 .*: use 16, or"),
        (
            "segnet",
            {"up": "transposed"},
            (33, 32),
            r"width 32 is not 16 times a number plus 1: use 17 or 33, or up='bil",
        ),
        (
            "unet",
            {"up": "transposed"},
            (38, 37),
            r"UNet: width 37 with up='transposed' .* such as 32 or 48, or up='bil",
        ),
        ("unet", {"up": "transposed"}, (4, 38), r"UNet: height 4 with .* use an even size, such as 16 or 32"),
    ],
)
def test_sizes_that_cannot_be(name: str, options: dict[str, Any], size: tuple[int, int], message: str) -> None:
    with pytest.raises(GridError, match=message):
        create_model(name, width=2, **options)(torch.zeros(1, 3, *size))


@pytest.mark.usefixtures("unchecked_annotations")
@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("segnet", {"width": 2, "widths": (1, 2, 3, 4)}, r"width=2 and widths=\(1, 2, 3, 4\) say the same"),
        ("segnet", {"widths": (1, 2, 3)}, "give four whole numbers"),
        ("segnet", {"widths": (1, 2, 3, 0)}, r"widths\[3\]=0: give a whole number"),
        ("segnet", {"up": "nearest"}, "up='nearest' is not known: choose one of 'bilinear', 'transposed'"),
        ("segnet", {"head": "none"}, "head='none' is not known: choose one of 'plain', 'printed'"),
        ("segnet", {"num_classes": 0}, "num_classes=0: give a whole number"),
        ("z2_segnet", {"group": "C4"}, "z2_segnet has no symmetry but C1; choose the model 'segnet'"),
        ("z2_unet", {"group": "C4"}, "z2_unet has no symmetry but C1; choose the model 'unet'"),
        ("unet", {"up": "nearest"}, "up='nearest' is not known: choose one of 'bilinear', 'transposed'"),
        ("unet", {"depth": 0}, "depth=0: give a whole number"),
        ("unet", {"width": 0}, "width=0: give a whole number"),
    ],
)
def test_arguments(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        create_model(name, **options)


@pytest.mark.parametrize(("name", "options", "sizes"), [*LEGAL[:2], LEGAL[3], LEGAL[5]])
def test_frozen_networks_are_torchs_own(name: str, options: dict[str, Any], sizes: list) -> None:
    net, x = lively(name, group=D4, **options), random_input(3, sizes[-1])
    plain = ev.freeze(net, example=x)
    with torch.no_grad():
        assert float(relative_error(plain(x), net(x))) <= 1e-12
    assert not any(type(part).__module__.startswith("equivision") for part in plain.modules())
    with pytest.raises(AssertionError, match=r"frozen for a|modulo 2 must be"):
        plain(random_input(3, (x.shape[-2] + 1, x.shape[-1])))


@pytest.mark.costly(2)
@pytest.mark.parametrize("name", ["segnet", "unet", "z2_segnet", "z2_unet"])
def test_mechanics(name: str) -> None:
    net, x = lively(name), random_input(3, (32, 32))
    assert_copies(net, x)
    assert_state_dict(lambda: lively(name), x)
    assert_exports(net, x)


@pytest.mark.compile
@pytest.mark.parametrize(("name", "size"), [("segnet", 32), ("unet", 37)])
def test_compiled(name: str, size: int) -> None:
    assert_compiles(lively(name), random_input(3, (size, size)))
