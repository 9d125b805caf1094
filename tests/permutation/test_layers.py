"""Layers on sets: exact under every permutation of their group, none under others, and a usual life after training."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import equivision as ev
from equivision import groups
from equivision.errors import ConfigError, GroupMismatchError, ShapeError
from equivision.functional import act, relative_error
from equivision.groups import PermutationGroup, dihedral, parse_permutations, permutation_group, symmetric
from equivision.permutation import (
    MemberWise,
    PermutationConv2d,
    PermutationLayer,
    PermutationLinear,
    SetPool,
    mean_matrices,
    permutation_conv2d,
    permutation_linear,
    permute,
    set_pool,
)
from equivision.testing import (
    assert_backward_twice,
    assert_batch_independent,
    assert_compiles,
    assert_copies,
    assert_dtypes,
    assert_exports,
    assert_gradcheck,
    assert_repr,
    assert_state_dict,
    randomize_,
)

SMALL = [parse_permutations(name) for name in ("S1", "S2", "S4", "C6", "S1xS3", "S2xS3", "S2wrS3", "S2wrS2xS1")]
SMALL += [permutation_group((3, 2, 1, 0)), permutation_group((4, 1, 0, 3, 2))]
LARGE = [parse_permutations(name) for name in ("S20", "S3xS9", "S4wrS5", "C40")]
#: Layers for a group, each with the axes of a member.
LAYERS: dict[str, tuple[Callable[[PermutationGroup], nn.Module], tuple[int, ...]]] = {
    "linear": (lambda g: PermutationLinear(3, 4, group=g), (3,)),
    "linear, no bias": (lambda g: PermutationLinear(3, 4, group=g, bias=False), (3,)),
    "conv": (lambda g: PermutationConv2d(2, 3, 3, group=g, padding="same"), (2, 6, 5)),
    "strided": (lambda g: PermutationConv2d(2, 3, (3, 2), group=g, stride=2, dilation=(1, 2), bias=False), (2, 7, 6)),
    "layer": (lambda g: PermutationLayer(lambda: nn.Conv1d(2, 3, 3), group=g), (2, 5)),
    "member": (lambda _: MemberWise(nn.Conv2d(2, 3, 2), nn.BatchNorm2d(3), nn.ReLU()), (2, 5, 4)),
    "mean": (lambda _: SetPool(), (3,)),
    "max": (lambda _: SetPool("max"), (2, 4, 4)),
    "sums": (lambda g: SetPool("sum", group=g), (3,)),
}
MIXING = [name for name in LAYERS if name not in ("member", "mean", "max")]
FOUR, MANY = symmetric(4), permutation_group((4, 1, 0, 3, 2))
#: All layers with the tables of S_n, which are short, and some with those of a group without blocks.
CASES = [*((name, FOUR) for name in LAYERS), *((name, MANY) for name in ("linear", "conv", "layer", "sums"))]


def layer(name: str, group: PermutationGroup = FOUR) -> nn.Module:
    return randomize_(LAYERS[name][0](group).double()).eval()


def sets(name: str, group: PermutationGroup = FOUR) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, group.degree, *LAYERS[name][1], generator=generator, dtype=torch.float64)


def moved(y: Tensor, p: tuple[int, ...], name: str) -> Tensor:
    return y if name in ("mean", "max", "sums") else permute(y, p)


@torch.no_grad()
def check(net: nn.Module, x: Tensor, elements: list[tuple[int, ...]], name: str) -> None:
    still = net(x)
    assert float(still.std()) > 0.05
    for p in elements:
        assert float(relative_error(net(permute(x, p)), moved(still, p, name))) <= 1e-12


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("group", SMALL, ids=str)
def test_every_element_of_small_groups(name: str, group: PermutationGroup) -> None:
    check(layer(name, group), sets(name, group), list(group.elements()), name)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("group", LARGE, ids=str)
def test_random_elements_of_large_groups(name: str, group: PermutationGroup) -> None:
    rng = np.random.default_rng(0)
    check(layer(name, group), sets(name, group), [group.sample(rng) for _ in range(4)], name)


@torch.no_grad()
@pytest.mark.parametrize("name", MIXING)
@pytest.mark.parametrize("text", ["C6", "S1xS4", "S2xS3", "S2wrS3"])
def test_other_permutations_change_the_answer(name: str, text: str) -> None:
    """Layers are no more symmetric than they say; so the test above can fail."""
    group = parse_permutations(text)
    if name == "sums" and len(group.orbits) == 1:
        return
    net, x, p = layer(name, group), sets(name, group), (2, 1, 0, *range(3, group.degree))
    with pytest.raises(GroupMismatchError):
        group.check_element(p)
    assert float(relative_error(net(permute(x, p)), moved(net(x), p, name))) > 0.05


@torch.no_grad()
def test_plain_layers_fail() -> None:
    x, p = sets("conv"), (1, 2, 3, 0)
    joined = randomize_(nn.Conv2d(8, 12, 3, padding=1).double())

    def plain(x: Tensor) -> Tensor:
        return joined(x.flatten(1, 2)).unflatten(1, (4, 3))

    def cut(x: Tensor) -> Tensor:
        return plain(x)[:, :, 0].mean((1, 2, 3))

    assert float(relative_error(plain(permute(x, p)), permute(plain(x), p))) > 0.5
    assert float(relative_error(cut(permute(x, p)), cut(x))) > 0.1


@torch.no_grad()
@pytest.mark.parametrize("group", [FOUR, parse_permutations("S1xS3"), parse_permutations("S2wrS2")], ids=str)
def test_networks(group: PermutationGroup) -> None:
    net = nn.Sequential(
        PermutationConv2d(1, 4, 3, group=group, padding=1), MemberWise(nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)),
        PermutationConv2d(4, 5, 3, group=group), nn.ReLU(), MemberWise(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        PermutationLinear(5, 3, group=group),
    )  # fmt: skip
    x = torch.randn(3, 4, 1, 9, 8, dtype=torch.float64)
    for mode in (True, False):
        randomize_(net.double()).train(mode)
        for p in group.generators:
            one, other = net(permute(x, p)), net(x)
            assert float(relative_error(one, permute(other, p))) < 1e-12
            assert float(relative_error(SetPool("max")(one), SetPool("max")(other))) < 1e-12


@torch.no_grad()
def test_sets_of_images_that_turn_too() -> None:
    """Permutations and the motions of all images together: both at once, exactly."""
    inner, group = dihedral(4), parse_permutations("S2wrS2")
    net = nn.Sequential(
        PermutationLayer(lambda: ev.nn.LiftConv2d(1, 2, 3, group=inner, padding=1), group=group),
        MemberWise(ev.nn.BatchNorm3d(2), nn.ReLU()),
        PermutationLayer(lambda: ev.nn.GroupConv2d(2, 3, 3, group=inner), group=group),
        MemberWise(ev.nn.GroupPool()), SetPool(),
    )  # fmt: skip
    randomize_(net.double().eval())
    x = torch.randn(2, 4, 1, 7, 7, dtype=torch.float64)
    for p in ((1, 0, 3, 2), (2, 3, 1, 0)):
        for g in range(8):
            turned = act(permute(x, group.check_element(p)).flatten(0, 1), g, inner).unflatten(0, (2, 4))
            assert float(relative_error(net(turned), act(net(x), g, inner))) < 1e-12
    other = net(permute(x, (0, 2, 1, 3)))
    assert float(relative_error(other, net(x))) > 1e-3


@torch.no_grad()
def test_the_action() -> None:
    x, group, rng = torch.randn(2, 5, 3), symmetric(5), np.random.default_rng(0)
    for _ in range(5):
        g, h = group.sample(rng), group.sample(rng)
        assert torch.equal(permute(permute(x, h), g), permute(x, group.product(g, h)))
        assert torch.equal(permute(permute(x, h), group.inverse(h)), x)
        assert all(torch.equal(permute(x, g)[:, g[i]], x[:, i]) for i in range(5))


@torch.no_grad()
def test_weights_of_a_set_fit_a_set_of_another_size() -> None:
    small, large = (PermutationConv2d(1, 2, 3, group=f"S{n}") for n in (3, 6))
    large.load_state_dict(small.state_dict())
    x = torch.randn(2, 3, 1, 5, 5)
    torch.testing.assert_close(large(torch.cat([x, x], 1)), torch.cat([small(x), small(x)], 1))


@torch.no_grad()
def test_groups_by_their_names() -> None:
    """Functions take them as layers do."""
    x, images = sets("linear"), sets("conv")
    weight = torch.randn(4, 3, 2, dtype=torch.float64)
    assert np.array_equal(mean_matrices("S4"), mean_matrices(FOUR))
    assert torch.equal(permutation_linear(x, weight, group="S4"), permutation_linear(x, weight, group=FOUR))
    kernel = torch.randn(4, 2, 2, 3, 3, dtype=torch.float64)
    assert torch.equal(permutation_conv2d(images, kernel, group="S4"), permutation_conv2d(images, kernel, group=FOUR))
    assert torch.equal(set_pool(x, group="S1xS3"), set_pool(x, group=parse_permutations("S1xS3")))
    with pytest.raises(GroupMismatchError, match="group='D4' is not the name of a permutation group"):
        mean_matrices("D4")


def test_pools() -> None:
    x = torch.tensor([[[1.0], [2.0], [6.0], [3.0]]])
    assert [set_pool(x, mode).item() for mode in ("mean", "max", "sum")] == [3.0, 6.0, 12.0]
    pairs = permutation_group((2, 1, 0, 3))
    assert set_pool(x, group=pairs).flatten().tolist() == [3.5, 2.0, 3.0]
    blocks = MemberWise(SetPool("sum"))(x.unflatten(1, (2, 2)))  # of S_2 wr S_2: one for each block
    assert blocks.flatten().tolist() == [3.0, 9.0]


@pytest.mark.parametrize(("name", "group"), CASES, ids=str)
def test_life_after_training(name: str, group: PermutationGroup) -> None:
    net, x = layer(name, group), sets(name, group)
    assert_copies(net, x)
    assert_exports(net, x)
    assert_state_dict(lambda: LAYERS[name][0](group), x)
    assert_batch_independent(net, x)


@pytest.mark.parametrize(("name", "group"), [case for case in CASES if case[0] in MIXING], ids=str)
def test_numbers(name: str, group: PermutationGroup) -> None:
    net, x = layer(name, group), sets(name, group)
    assert_gradcheck(net, x[:1])
    assert_backward_twice(net, x)
    assert_dtypes(net, x)
    assert LAYERS[name][0](group)(x[:0].float()).shape == (0, *net(x).shape[1:])


@pytest.mark.compile
@pytest.mark.parametrize(("name", "group"), CASES, ids=str)
def test_compile(name: str, group: PermutationGroup) -> None:
    assert_compiles(layer(name, group), sets(name, group))


@pytest.mark.parametrize("name", [name for name in LAYERS if name not in ("layer", "member")])
@pytest.mark.parametrize("group", [FOUR, MANY, parse_permutations("S2wrS2xS1")], ids=str)
def test_repr(name: str, group: PermutationGroup) -> None:
    assert_repr(LAYERS[name][0](group), {**vars(ev.permutation), **vars(groups)})
    assert "group=symmetric(4)" in repr(layer("layer"))


@pytest.mark.parametrize("name", ["linear", "conv", "layer"])
@pytest.mark.parametrize("group", [FOUR, MANY], ids=str)
def test_built_without_memory(name: str, group: PermutationGroup) -> None:
    """As large networks are: on the device "meta", then filled."""
    with torch.device("meta"):
        net = LAYERS[name][0](group)
    assert {value.device.type for value in (*net.parameters(), *net.buffers())} == {"meta"}
    net.to_empty(device="cpu")
    for value in (*net.parameters(), *net.buffers()):
        value.detach().fill_(0)
    net.reset_parameters()
    model, x = LAYERS[name][0](group), sets(name, group).float()
    assert float(net(x).detach().std()) > 0.05
    net.load_state_dict(model.state_dict())
    assert torch.equal(net(x), model(x))


def test_channels_last() -> None:
    """A network converted as a whole; weights with five axes stay as they are."""
    net = nn.Sequential(PermutationConv2d(3, 4, 3, group="S4"), MemberWise(nn.Conv2d(4, 4, 3)))
    x = torch.randn(2, 4, 3, 7, 7)
    expected = net(x)
    torch.testing.assert_close(net.to(memory_format=torch.channels_last)(x), expected)  # pyright: ignore[reportCallIssue]


@torch.no_grad()
def test_the_variance_of_white_noise_doubles_for_the_relu() -> None:
    """For members that show the same; for independent ones the means are smaller."""
    for group in (symmetric(4), parse_permutations("S1xS3"), parse_permutations("S2wrS2"), parse_permutations("C4")):
        x = torch.randn(8, 1, 32, 16, 16).expand(-1, 4, -1, -1, -1)
        for conv in (PermutationConv2d(32, 64, 3, group=group), PermutationConv2d(32, 64, 1, group=group)):
            assert 1.8 < float(conv(x).var()) < 2.2
        linear = PermutationLinear(64, 512, group=group)
        assert 1.8 < float(linear(torch.randn(64, 1, 64).expand(-1, 4, -1)).var()) < 2.2


def test_every_orbit_of_members_has_its_bias() -> None:
    linear = PermutationLinear(2, 3, group="S1xS3")
    assert linear.bias is not None
    linear.bias.data.copy_(torch.tensor([[1.0, 2.0]]).expand(3, 2))
    assert linear(torch.zeros(1, 4, 2))[0, :, 0].tolist() == [1.0, 2.0, 2.0, 2.0]


@pytest.mark.usefixtures("unchecked_annotations")
class TestErrors:
    @pytest.mark.parametrize(
        ("options", "error", "message"),
        [
            ({"in_channels": 0}, ConfigError, "in_channels=0: give a whole number of at least 1"),
            ({"out_channels": 1.5}, ConfigError, "out_channels=1.5: give a whole number of at least 1"),
            ({"kernel_size": 0}, ConfigError, "kernel_size=0: give whole numbers of at least 1"),
            ({"stride": 0}, ConfigError, "stride=0: give whole numbers of at least 1"),
            ({"padding": "full"}, ConfigError, "padding='full' is not known"),
            ({"group": "D4"}, GroupMismatchError, "group='D4' is not the name of a permutation group"),
        ],
    )
    def test_convolution(self, options: dict[str, Any], error: type[Exception], message: str) -> None:
        plain: dict[str, Any] = {"in_channels": 1, "out_channels": 1, "kernel_size": 3, "group": "S3"}
        with pytest.raises(error, match=message):
            PermutationConv2d(**plain | options)

    def test_linear(self) -> None:
        with pytest.raises(ConfigError, match="in_features=0: give a whole number of at least 1"):
            PermutationLinear(0, 1, group="S3")
        with pytest.raises(ConfigError, match="out_features=0: give a whole number of at least 1"):
            PermutationLinear(1, 0, group="S3")

    def test_inputs(self) -> None:
        linear, conv = PermutationLinear(2, 3, group="S4"), PermutationConv2d(2, 3, 3, group="S4")
        inner = PermutationLayer(lambda: nn.Linear(2, 2), group="S4")
        for net, shape, message in (
            (linear, (1, 3, 2), r"PermutationLinear: .* \(1, 3, 2\); needs \[batch, 4 member\(s\), 2 feature\(s\)\]"),
            (linear, (1, 4, 3), r"PermutationLinear: input has shape \(1, 4, 3\); needs \[batch, 4 member"),
            (linear, (4, 2), r"PermutationLinear: input has shape \(4, 2\); needs \[batch, 4 member"),
            (conv, (1, 4, 1, 5, 5), r"PermutationConv2d: .* 4 member\(s\), 2 channel\(s\), height, width\]"),
            (conv, (4, 2, 5, 5), r"PermutationConv2d: input has shape \(4, 2, 5, 5\); needs"),
            (inner, (1, 3, 2), r"PermutationLayer: .* permutes 4 member\(s\), so it needs \[batch, 4, ...\]"),
            (inner, (1, 4), r"PermutationLayer: input has shape \(1, 4\)"),
            (MemberWise(nn.ReLU()), (4,), r"MemberWise: input has shape \(4,\); needs \[batch, member, ...\]"),
            (SetPool(), (4,), r"SetPool: input has shape \(4,\); needs \[batch, member, ...\]"),
            (SetPool(group="S4"), (1, 3, 2), r"SetPool: input has shape \(1, 3, 2\); needs \[batch, 4, ...\]"),
        ):
            with pytest.raises(ShapeError, match=message):
                net(torch.zeros(shape))
        with pytest.raises(ShapeError, match=r"PermutationLinear: input has dtype torch.float64, the weights torch.fl"):
            linear(torch.zeros(1, 4, 2).double())

    def test_images_smaller_than_the_kernel(self) -> None:
        conv = PermutationConv2d(2, 3, (3, 5), group="S2", dilation=(1, 2), padding=(0, 1))
        with pytest.raises(ShapeError, match=r"PermutationConv2d: width 6 with padding=1 is smaller .* at least 7 pix"):
            conv(torch.zeros(1, 2, 2, 3, 6))
        assert conv(torch.zeros(1, 2, 2, 3, 7)).shape == (1, 2, 3, 1, 1)

    def test_what_makes_no_layers(self) -> None:
        one = nn.Linear(2, 2)
        for make, message in (
            (one, r"make=Linear\(.*\): give a function that builds a layer"),
            (3, "make=3: give a function that builds a layer"),
            (lambda: None, r"make\(\) gives None: it must return a layer"),
            (lambda: one, r"make\(\) gives layers that are the same or share parameters"),
            (lambda: nn.Sequential(one, nn.ReLU()), r"make\(\) gives layers that are the same or share parameters"),
        ):
            with pytest.raises(ConfigError, match=message):
                PermutationLayer(make, group="S3")  # pyright: ignore[reportArgumentType]
        PermutationLayer(lambda: one, group="C1")  # one relation, so that nothing is tied

    def test_weights(self) -> None:
        x = torch.zeros(1, 4, 2)
        with pytest.raises(ShapeError, match=r"PermutationLinear: weight has shape \(3, 2, 1\); .* 2 relation\(s\)"):
            permutation_linear(x, torch.zeros(3, 2, 1), group=FOUR)
        with pytest.raises(ShapeError, match=r"bias has shape \(3,\); the group has 1 orbit\(s\) .* needs \[3, 1\]"):
            permutation_linear(x, torch.zeros(3, 2, 2), torch.zeros(3), group=FOUR)
        with pytest.raises(ShapeError, match=r"PermutationConv2d: weight has shape \(3, 2, 3, 1, 1\)"):
            permutation_conv2d(torch.zeros(1, 4, 2, 5, 5), torch.zeros(3, 2, 3, 1, 1), group=FOUR)

    def test_pools(self) -> None:
        with pytest.raises(ConfigError, match="mode='median' is not a way to pool a set: choose one of 'mean', 'max'"):
            SetPool("median")  # pyright: ignore[reportArgumentType]
        with pytest.raises(GroupMismatchError, match="group='D4' is not the name of a permutation group"):
            SetPool(group="D4")

    @pytest.mark.parametrize("p", [(0, 1), (0, 0, 1), (1, 2, 3)])
    def test_permute(self, p: tuple[int, ...]) -> None:
        with pytest.raises(GroupMismatchError, match=r"p=\(.*\) does not permute the members of .* \(1, 3, 2\)"):
            permute(torch.zeros(1, 3, 2), p)
