"""Plain networks that are equivariant because their weights follow the image."""

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from equivision.errors import ConfigError, GridError, GroupMismatchError, ShapeError
from equivision.functional import rotate
from equivision.hyper import HyperEquivariantCNN, ParameterGenerator, conv_trunk
from equivision.nn import GroupConv2d, GroupPool, LiftConv2d
from equivision.testing import assert_compiles, randomize_
from tests.hyper._mains import MAINS

VARIANTS: dict[str, dict[str, Any]] = {
    "equi": {},
    "light": {"light": 2},
    "naive": {"combiner": "average"},
    "static": {"static_linear": True},
    "torch": {"init": "torch"},
}


def turned(maps: Tensor, turns: int = 1) -> Tensor:
    return torch.rot90(maps, turns, (-2, -1))


def wrapped(name: str, **options: Any) -> tuple[HyperEquivariantCNN, Tensor]:
    """A wrapped network in evaluation mode with random parameters and statistics, and three images, in float64."""
    make, shape = MAINS[name]
    net = randomize_(HyperEquivariantCNN(make(), input_shape=shape, **options).double().eval())
    return net, torch.rand(3, *shape, dtype=torch.float64)


def difference(found: Tensor, expected: Tensor) -> float:
    return ((found - expected).abs().max() / expected.abs().max()).item()


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", MAINS)
@torch.no_grad()
def test_outputs_do_not_change_as_images_turn(name: str, variant: str) -> None:
    net, x = wrapped(name, **VARIANTS[variant])
    expected = net(x)
    assert all(difference(net(turned(x, turns)), expected) <= 1e-12 for turns in (1, 2, 3))
    assert difference(net(x.flip(-1)), expected) > 1e-6  # reflections are not in the group


@pytest.mark.parametrize("name", MAINS)
@torch.no_grad()
def test_the_same_networks_are_not_invariant_by_themselves(name: str) -> None:
    make, shape = MAINS[name]
    main = randomize_(make().double().eval())
    x = torch.rand(3, *shape, dtype=torch.float64)
    assert difference(main(turned(x)), main(x)) > 1e-3
    alone, _ = wrapped(name, combiner="none")
    assert difference(alone(turned(x)), alone(x)) > 1e-3


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", MAINS)
@torch.no_grad()
def test_weights_turn_with_the_image(name: str, variant: str) -> None:
    net, x = wrapped(name, **VARIANTS[variant])
    for turns in (1, 2, 3):
        before, after = net.generate(x), net.generate(turned(x, turns))
        for key, value in before.items():
            layer, _, kind = key.rpartition(".")
            expected = net.layers[layer].turned(value, turns) if kind == "weight" else value
            assert difference(after[key], expected) <= 1e-14, key
            assert kind == "bias" or value.ndim < 5 or value.shape[-1] == 1 or difference(value, after[key]) > 1e-3


@pytest.mark.parametrize("name", MAINS)
@torch.no_grad()
def test_a_batch_is_a_loop_over_images(name: str) -> None:
    """The user's own network with each image's parameters, one image at a time."""
    make, _ = MAINS[name]
    net, x = wrapped(name)
    main = make().double().eval()
    main.load_state_dict(net.main.state_dict(), strict=False)
    parameters = net.generate(x)
    assert set(parameters) == {key for key, _ in main.named_parameters() if key.rpartition(".")[0] in net.layers}
    alone = [
        functional_call(main, {key: value[i] for key, value in parameters.items()}, (x[i : i + 1],)) for i in range(3)
    ]
    torch.testing.assert_close(net(x), torch.cat(alone), rtol=1e-12, atol=1e-12)


@torch.no_grad()
def test_mixed_orientations_in_a_batch() -> None:
    """With weights of its own every image may turn by itself; with shared weights all must turn together."""
    for mode, exact in (("sample", True), ("batch", False)):
        net, x = wrapped("residual", mode=mode)
        for module in net.modules():
            module.training = not isinstance(module, nn.BatchNorm2d)  # training, with fixed statistics
        mixed = torch.cat([turned(x[:1], 1), turned(x[1:2], 2), x[2:]])
        assert (difference(net(mixed), net(x)) <= 1e-12) == exact
        assert difference(net(turned(x)), net(x)) <= 1e-12
        net.eval()
        assert difference(net(mixed), net(x)) <= 1e-12


def test_shared_weights_are_the_mean() -> None:
    net, x = wrapped("odd", mode="batch")
    make, _ = MAINS["odd"]
    mean = {key: value.mean(0) for key, value in net.generate(x).items()}
    torch.testing.assert_close(net.train()(x), functional_call(make().double(), mean, (x,)), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("light", [None, 3])
def test_everything_that_generates_learns(light: int | None) -> None:
    net, x = wrapped("plain", light=light)
    net.train()(x).square().mean().backward()
    for key, parameter in net.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.abs().max() > 0, key


@pytest.mark.parametrize("group", ["D4", "C8", "D8"])
@torch.no_grad()
def test_larger_groups(group: str) -> None:
    """Exact for quarter turns, and for reflections where the group has them; better at the angles in between."""
    net, x = wrapped("residual", group=group)
    expected = net(x)
    assert difference(net(turned(x)), expected) <= 1e-12
    assert (difference(net(turned(x).flip(-2)), expected) <= 1e-12) == group.startswith("D")
    net.averaging = False
    quarter = net(x)
    assert difference(quarter, expected) > 1e-6
    torch.testing.assert_close(quarter, net._exact(x))


@torch.no_grad()
def test_maps_turn_too() -> None:
    for group in ("C4", "D4"):
        main = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 3, padding=1))
        net = randomize_(HyperEquivariantCNN(main, input_shape=(2, 8, 8), group=group).double().eval())
        x = torch.rand(2, 2, 8, 8, dtype=torch.float64)
        assert difference(net(turned(x)), turned(net(x))) <= 1e-12
        assert (difference(net(x.flip(-2)), net(x).flip(-2)) <= 1e-12) == (group == "D4")


@torch.no_grad()
def test_angles_in_between_are_approximate() -> None:
    """On smooth pictures the average over eight angles follows a turn by 45 degrees better than quarter turns alone."""
    grid = torch.linspace(-1, 1, 25, dtype=torch.float64)
    row, column = torch.meshgrid(grid, grid, indexing="ij")
    x = (torch.exp(-4 * ((row - 0.2) ** 2 + 2 * column**2)) + 0.5 * torch.exp(-9 * ((row + 0.3) ** 2 + column**2)))[
        None, None
    ]
    main = nn.Sequential(nn.Conv2d(1, 6, 5), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4))
    net = HyperEquivariantCNN(main, input_shape=(1, 25, 25), group="C8").double().eval()
    errors = []
    for averaging in (True, False):
        net.averaging = averaging
        errors.append(difference(net(rotate(x, 45.0)), net(x)))
    assert errors[0] < 0.5 * errors[1], errors


@torch.no_grad()
def test_an_invariant_generator_collapses_the_kernels() -> None:
    lift = nn.Sequential(LiftConv2d(1, 6, 3, group="C4"), nn.ReLU(), GroupConv2d(6, 6, 3, group="C4"), GroupPool("max"))
    trunk = nn.Sequential(*lift, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    make, shape = MAINS["plain"]
    x = torch.rand(2, *shape, dtype=torch.float64)
    for generator, collapses in ((trunk, True), (conv_trunk(1), False)):
        net = HyperEquivariantCNN(make(), generator, input_shape=shape).double().eval()
        kernels = net.generate(x)["3.weight"]
        assert (difference(turned(kernels), kernels) < 1e-12) == collapses
        assert kernels.std() > 0.01


@pytest.mark.parametrize("name", MAINS)
@torch.no_grad()
def test_outputs_of_generated_layers_begin_with_variance_1(name: str) -> None:
    """On noise that they have not seen; as torch draws the heads, they are far from it."""
    make, shape = MAINS[name]
    variants: list[dict[str, Any]] = [{}, {"light": 8}, {"combiner": "none"}, {"combiner": "average"}]
    for options in variants:
        far = []
        for init in ("calibrated", "torch"):
            net = HyperEquivariantCNN(make(), input_shape=shape, init=init, **options)
            outputs: list[Tensor] = []
            for layer in net.layers.values():
                layer.register_forward_hook(lambda _, __, output, seen=outputs: seen.append(output))
            net(torch.rand(20, *shape))
            far.append(max(float(y.std().log().abs()) for y in outputs if y.any() and y.std() > 0))
        assert far[0] < 0.8 < far[1], options


def test_parameters_are_counted_as_in_the_study() -> None:
    """One number for each quarter of a kernel; a light generator gives factors of the root of that."""
    net, _ = wrapped("plain")
    counts = [layer.count("equi") for layer in net.layers.values()]
    assert counts == [5 * 4 + 5, 4 * 5 * 4 + 4, 7 * 4 * 1 + 7, 6 * 7 + 6, 3 * 6 + 3]
    assert net.generator.head.out_features == sum(counts)
    light, _ = wrapped("plain", light=2)
    assert [layer.count("equi") for layer in light.layers.values()] == [25, 84, 35, 48, 21]
    sides = [5, 10, 6, 7, 5]  # the roots, rounded up
    assert light.generator.head.out_features == 2 * 2 * sum(sides)


def test_the_network_is_left_as_it_was_and_nothing_else_is_kept() -> None:
    make, shape = MAINS["plain"]
    main = make()
    before = copy.deepcopy(main.state_dict())
    net = HyperEquivariantCNN(main, input_shape=shape)
    assert all(torch.equal(main.state_dict()[key], value) for key, value in before.items())
    keys = set(net.state_dict())
    assert {key.rpartition(".")[0] for key in keys if key.startswith("main.")} == {"main.4", "main.9"}  # batch norm
    net.eval()
    net(torch.rand(2, *shape))
    assert set(net.state_dict()) == keys


@pytest.mark.parametrize("name", MAINS)
@torch.no_grad()
def test_copies(name: str) -> None:
    net, x = wrapped(name, light=2)
    expected = net(x)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        torch.testing.assert_close(other(x), expected)
    again, _ = wrapped(name, light=2)
    again.load_state_dict(net.state_dict())
    torch.testing.assert_close(again(x), expected)


@pytest.mark.parametrize("name", MAINS)
@torch.no_grad()
def test_export(name: str) -> None:
    net, x = wrapped(name)
    program = torch.export.export(net, (x,))
    torch.testing.assert_close(program.module()(x), net(x))


@pytest.mark.compile
def test_compile() -> None:
    variants: list[dict[str, Any]] = [{}, {"light": 2, "group": "D4"}]
    for options in variants:
        net, x = wrapped("plain", **options)
        assert_compiles(net, x, backend="aot_eager")


@torch.no_grad()
def test_bfloat16_autocast() -> None:
    net, x = wrapped("residual")
    net, x = net.float(), x.float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert difference(net(x).float(), net(x).float()) < 0.1


def bad(*layers: nn.Module, size: int = 8) -> HyperEquivariantCNN:
    return HyperEquivariantCNN(nn.Sequential(*layers), input_shape=(1, size, size))


def test_dtype_and_modes_are_those_of_what_is_given() -> None:
    make, shape = MAINS["residual"]
    net = HyperEquivariantCNN(make().double(), input_shape=shape)
    assert {parameter.dtype for parameter in net.parameters()} == {torch.float64}
    assert net(torch.rand(2, *shape, dtype=torch.float64)).dtype == torch.float64
    trunk = conv_trunk(3, batch_norm=True)
    trunk[1].eval()  # frozen statistics stay frozen
    statistics = copy.deepcopy(trunk.state_dict())
    net = HyperEquivariantCNN(make(), trunk, input_shape=shape)
    assert (trunk[1].training, trunk[4].training, net.training) == (False, True, True)
    assert all(torch.equal(trunk.state_dict()[key], value) for key, value in statistics.items())


@pytest.mark.usefixtures("unchecked_annotations")
@pytest.mark.filterwarnings("ignore:.*even kernel lengths")  # torch says so once in a process
def test_architectures_that_cannot_be_exact_are_named() -> None:
    with pytest.raises(GridError, match=r"^1 \(MaxPool2d\): height 7 with kernel_size=2.*Exact instead: size 4, 6, 8"):
        bad(nn.Conv2d(1, 2, 2), nn.MaxPool2d(2), nn.Flatten())
    with pytest.raises(GridError, match=r"^0 \(Conv2d\): height 8 with kernel_size=3, stride=2, padding=1"):
        bad(nn.Conv2d(1, 2, 3, stride=2, padding=1))
    with pytest.raises(GridError, match=r"0 \(Conv2d\) .*one side only; use an odd kernel"):
        bad(nn.Conv2d(1, 2, 4, padding="same"))
    with pytest.raises(ConfigError, match=r"1 \(LayerNorm\) gives a feature map that does not follow"):
        bad(nn.Conv2d(1, 2, 3), nn.LayerNorm([2, 6, 6]))
    with pytest.raises(ConfigError, match=r"2 \(BatchNorm1d\) gives a flattened feature map"):
        bad(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.BatchNorm1d(72))
    with pytest.raises(ConfigError, match=r"1 \(ConvTranspose2d\) gives a feature map .* strict=False"):
        bad(nn.Conv2d(1, 2, 3), nn.ConvTranspose2d(2, 2, 3))
    with pytest.raises(ConfigError, match=r"0 \(LiftConv2d\) is equivariant by itself"):
        bad(LiftConv2d(1, 2, 3, group="C4"))
    with pytest.raises(ConfigError, match="no convolution or linear layer"):
        bad(nn.ReLU())
    parametrized = nn.utils.parametrizations.weight_norm(nn.Conv2d(1, 2, 3))
    with pytest.raises(ConfigError, match=r"has a parametrization.*remove_parametrizations"):
        bad(parametrized)
    with pytest.raises(ConfigError, match="main ends in a flattened feature map"):
        bad(nn.Conv2d(1, 2, 3), nn.Flatten())
    with pytest.raises(ShapeError, match=r"input_shape=\(1, 8, 8\): main fails on such images at 1 \(Linear\)"):
        bad(nn.Conv2d(1, 2, 3), nn.Linear(5, 5))
    net = HyperEquivariantCNN(
        nn.Sequential(nn.Conv2d(1, 2, 2), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(18, 3)), input_shape=(1, 8, 8),
        strict=False,
    )  # fmt: skip
    assert net(torch.rand(2, 1, 8, 8)).shape == (2, 3)


class Branching(nn.Module):
    """Decides by its input."""

    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


@pytest.mark.usefixtures("unchecked_annotations")
def test_arguments_are_checked() -> None:
    main = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 3))
    shape = (1, 8, 8)
    wrong: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"input_shape": (1, 8, 9)}, GridError, "exchange height and width"),
        ({"input_shape": (1, 8)}, ConfigError, "channels, height and width"),
        ({"input_shape": shape, "group": "C2"}, GroupMismatchError, "group=C2 does not contain the quarter turns"),
        ({"input_shape": shape, "group": "C6"}, GroupMismatchError, "give C4, C8"),
        (
            {"input_shape": shape, "mode": "all"},
            ConfigError,
            "mode='all' is not known: choose one of 'sample'",
        ),
        ({"input_shape": shape, "combiner": "sum"}, ConfigError, "combiner='sum'"),
        ({"input_shape": shape, "init": "zero"}, ConfigError, "init='zero'"),
        ({"input_shape": shape, "light": 0}, ConfigError, "light=0"),
        ({"input_shape": shape, "generator": nn.Conv2d(1, 4, 3)}, ShapeError, r"generator gives \(2, 4, 6, 6\)"),
    ]
    for options, error, words in wrong:
        with pytest.raises(error, match=words):
            HyperEquivariantCNN(main, **options)
    with pytest.raises(ConfigError, match="cannot be wrapped: the forward of Branching"):
        HyperEquivariantCNN(Branching(), input_shape=shape)
    with pytest.raises(ShapeError, match=r"x has shape \(2, 1, 9, 9\): this network takes \[batch, 1, 8, 8\]"):
        HyperEquivariantCNN(main, input_shape=shape)(torch.rand(2, 1, 9, 9))
    trunks: list[tuple[dict[str, Any], str]] = [
        ({"channels": ()}, "channels=\\(\\)"),
        ({"channels": (4, 0)}, r"channels\[1\]=0"),
        ({"strides": (1, 2)}, r"strides=\(1, 2\): give one whole number of at least 1, or 3"),
        ({"paddings": -1}, "paddings=-1"),
    ]
    for options, words in trunks:
        with pytest.raises(ConfigError, match=words):
            conv_trunk(1, **options)
    with pytest.raises(ConfigError, match="rank=0: give a whole number of at least 1"):
        ParameterGenerator(nn.Flatten(), 4, [3], rank=0)
