"""The rule behind GridError agrees with what really happens, and the cures that it names work."""

import re
from itertools import product

import pytest
import torch
from torch import Tensor

from equivision import functional
from equivision.errors import GridError, GroupMismatchError
from equivision.groups import PlanarGroup, cyclic, dihedral
from equivision.testing import equivariance_error, random_input

GROUPS = [cyclic(1), cyclic(2), cyclic(4), dihedral(1), dihedral(2), dihedral(4)]
SIZES = (5, 6, 7, 8)


def convolve(x: Tensor, k: int, s: int, p: int, d: int, group: PlanarGroup, *, strict: bool) -> Tensor:
    weight = random_input(1, (k, k), batch=1, seed=1)
    return functional.lift_conv2d(x, weight, group=group, stride=s, padding=p, dilation=d, strict=strict)


def raises(x: Tensor, k: int, s: int, p: int, d: int, group: PlanarGroup) -> bool:
    try:
        convolve(x, k, s, p, d, group, strict=True)
    except GridError:
        return True
    return False


def worst_error(x: Tensor, k: int, s: int, p: int, d: int, group: PlanarGroup) -> float:
    errors = equivariance_error(lambda z: convolve(z, k, s, p, d, group, strict=False), x, group=group)
    return max(float(error) for error in errors.values())


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_convolutions_raise_exactly_where_they_are_not_equivariant(group: PlanarGroup) -> None:
    outcomes = set()
    for n, k, s, p, d in product(SIZES, (1, 2, 3, 4), (2, 3), (0, 1), (1, 2)):
        if n + 2 * p < d * (k - 1) + 1:
            continue
        x = random_input(1, (n, n), batch=1)
        refused, error = raises(x, k, s, p, d, group), worst_error(x, k, s, p, d, group)
        assert error > 1e-2 if refused else error <= 1e-12, f"{n=} {k=} {s=} {p=} {d=} {refused=} {error=}"
        outcomes.add(refused)
    assert outcomes == ({False} if group.order == 1 else {True, False})


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_each_axis_counts_only_where_the_group_reverses_it(group: PlanarGroup) -> None:
    rows_matter, columns_matter = group.order > 1, group.order > 1 and group != dihedral(1)
    for height, width in product((5, 6), (7, 8)):  # 3x3, stride 2, padding 1: odd sizes are centred
        x = random_input(1, (height, width), batch=1)
        refused = raises(x, 3, 2, 1, 1, group)
        assert refused == ((height == 6 and rows_matter) or (width == 8 and columns_matter))
        assert (worst_error(x, 3, 2, 1, 1, group) > 1e-2) == refused


@pytest.mark.parametrize("pool", [functional.max_pool2d, functional.avg_pool2d])
@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_pools_raise_exactly_where_they_are_not_equivariant(group: PlanarGroup, pool) -> None:
    for n, k, s, p in product(SIZES, (1, 2, 3), (1, 2, 3), (0, 1)):
        if 2 * p > k:
            continue
        x = random_input(16, (n, n), batch=1)  # with few channels the largest value may lie where all windows meet
        errors = equivariance_error(
            lambda z, k=k, s=s, p=p: pool(z, k, group=group, stride=s, padding=p, strict=False), x, group=group
        )
        try:
            pool(x, k, group=group, stride=s, padding=p)
            refused = False
        except GridError:
            refused = True
        assert (max(map(float, errors.values())) > 1e-2) == refused, f"{n=} {k=} {s=} {p=}"


def cures(message: str) -> list[tuple[str, int]]:
    """``[("size", 6), ("padding", 1), ...]`` from the text between "Exact instead:" and the next sentence."""
    found = re.search(r"Exact instead: (.*?)\. With strict", message)
    assert found, message
    return [
        (name, int(number))
        for part in found[1].split("; or ")
        if " with " not in part
        for name, numbers in re.findall(r"([a-z_ ]*[a-z]) (\d.*)", part)
        for number in numbers.split(", ")
    ]


@pytest.mark.parametrize("group", [dihedral(1), cyclic(4)], ids=str)
def test_the_cures_that_the_message_names_are_exact(group: PlanarGroup) -> None:
    named = set()
    for n, k, s, p, d in product((6, 7, 8), (2, 3), (2, 3, 4), (0, 1), (1, 2)):
        if n + 2 * p < d * (k - 1) + 1 or not raises(random_input(1, (n, n), batch=1), k, s, p, d, group):
            continue
        with pytest.raises(GridError) as caught:
            convolve(random_input(1, (n, n), batch=1), k, s, p, d, group, strict=True)
        for name, value in cures(str(caught.value)):
            option = {"size": n, "kernel_size": k, "padding": p} | {name: value}
            x = random_input(1, (option["size"], option["size"]), batch=1)
            setting = (option["kernel_size"], s, option["padding"], d, group)
            assert not raises(x, *setting)
            assert worst_error(x, *setting) <= 1e-12
            named.add(name)
    assert named == {"size", "kernel_size", "padding"}


@pytest.mark.parametrize("pool", [functional.max_pool2d, functional.avg_pool2d])
def test_the_cures_for_pools_are_ones_that_torch_can_run(pool) -> None:
    for n, k, s, p in product((6, 7, 8), (2, 3, 5), (2, 3, 4), (0, 1)):
        x = random_input(1, (n, n), batch=1)
        try:
            pool(x, k, group=cyclic(4), stride=s, padding=p)
        except GridError as error:
            for name, value in cures(str(error)):
                option = {"size": n, "kernel_size": k, "stride": s, "padding": p}
                option |= dict.fromkeys(name.split(" and "), value)
                assert option["kernel_size"] > 1
                assert k != s or name != "kernel_size"  # the stride may follow the kernel
                x = random_input(1, (option["size"], option["size"]), batch=1)
                pool(x, option["kernel_size"], group=cyclic(4), stride=option["stride"], padding=option["padding"])


@pytest.mark.parametrize("group", [cyclic(4), dihedral(2), dihedral(1)], ids=str)
def test_the_cures_for_rectangles_hold_on_both_axes(group: PlanarGroup) -> None:
    named = set()
    for (height, width), k, s, p in product([(9, 8), (8, 9), (7, 10), (8, 10)], (2, 3, 4), (2, 3), (0, 1)):
        try:
            functional.max_pool2d(random_input(1, (height, width), batch=1), k, group=group, stride=s, padding=p)
        except GridError as error:
            text = str(error).split("Exact instead: ")[1].split(". With strict")[0].split("; or ")
            sizes = {name: int(first) for name, first in re.findall(r"(height|width) (\d+)", text[0])}
            assert sizes, text
            x = random_input(1, (sizes.get("height", height), sizes.get("width", width)), batch=1)
            functional.max_pool2d(x, k, group=group, stride=s, padding=p)
            for name, value in [pair for pair in cures(str(error)) if pair[0] not in sizes]:
                option = {"kernel_size": k, "stride": s, "padding": p} | dict.fromkeys(name.split(" and "), value)
                x = random_input(1, (height, width), batch=1)
                functional.max_pool2d(x, option.pop("kernel_size"), group=group, **option)
                named.add(name)
    assert named == {"kernel_size", "kernel_size and stride", "padding"}


def test_the_message() -> None:
    with pytest.raises(
        GridError,
        match=r"LiftConv2d: height 64 with kernel_size=3, stride=2, padding=1, dilation=1 is not exact under C4: 1 "
        r"pixel\(s\) are left over on one side.* Exact instead: size 61, 63, 65; or kernel_size 2, 4, 6\. With strict",
    ):
        convolve(random_input(1, (64, 64), batch=1), 3, 2, 1, 1, cyclic(4), strict=True)


def test_the_message_names_the_axis() -> None:
    with pytest.raises(GridError, match=r"MaxPool2d: width 9 .* Exact instead: width 6, 8, 10\."):
        functional.max_pool2d(torch.zeros(1, 1, 8, 9), 2, group=cyclic(2))


@pytest.mark.parametrize("name", ["stride", "padding", "dilation"])
def test_rows_and_columns_must_be_treated_alike_under_quarter_turns(name: str) -> None:
    x, weight = random_input(1, (9, 9)), random_input(1, (3, 3), batch=1)
    options = {name: (1, 2)}
    functional.lift_conv2d(x, weight, group=dihedral(2), **options)
    functional.lift_conv2d(x, weight, group=cyclic(4), strict=False, **options)
    with pytest.raises(GroupMismatchError, match=rf"{name}=\(1, 2\) differs between rows and columns.*C4.*C2, D1, D2"):
        functional.lift_conv2d(x, weight, group=cyclic(4), **options)
    field, kernel = random_input(1, (9, 9), cyclic(4)), random_input(1, (3, 3), cyclic(4), batch=1)
    with pytest.raises(GroupMismatchError, match=rf"{name}=\(1, 2\) differs between rows and columns"):
        functional.group_conv_transpose2d(field, kernel, group=cyclic(4), **options)
