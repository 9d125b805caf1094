"""Models by name: sizes, arguments, errors."""

import pytest
import torch
from torch import nn

import equivision as ev
from equivision.errors import ConfigError, GridError, GroupMismatchError, ShapeError
from equivision.groups import cyclic
from equivision.models import _registry as registry
from equivision.models import create_model, list_models, register
from equivision.testing import (
    assert_compiles,
    assert_copies,
    assert_exports,
    assert_state_dict,
    random_input,
    randomize_,
)


def parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize(
    ("name", "width", "count"), [("z2cnn", 20, 25_210), ("p4cnn", 10, 24_810), ("p4mcnn", 7, 24_202)]
)
def test_parameter_counts(name: str, width: int, count: int) -> None:
    assert parameters(create_model(name)) == parameters(create_model(name, width=width)) == count


def test_parameter_count_of_the_residual_network() -> None:
    """The plain ResNet-18 for small images has 11,173,962; the default widths stay near it."""
    assert parameters(create_model("resnet18", group="C1")) == 11_173_962
    for group in ("C2", "C4", "D1", "D2", "D4"):
        assert parameters(create_model("resnet18", group=group)) / 11_173_962 == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("name", list_models())
def test_common_arguments(name: str) -> None:
    group = "C1" if name == "z2cnn" else "D1"
    net = create_model(name, group=group, width=2, in_channels=2, num_classes=7)
    assert net(torch.randn(2, 2, 28, 28)).shape == (2, 7)


@pytest.mark.parametrize("name", ["p4cnn", "p4mcnn", "resnet18"])
def test_groups_and_their_names(name: str) -> None:
    for group in (cyclic(2), "C2"):
        net = create_model(name, group=group, width=1)
        assert {module.group for module in net.modules() if hasattr(module, "group")} == {cyclic(2)}


def test_factories_are_public_and_the_same() -> None:
    for name in list_models():
        assert getattr(ev.models, name) is registry._MODELS[name]
    assert ev.create_model is create_model
    assert ev.list_models is list_models


def test_register(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_MODELS", dict(registry._MODELS))

    @register
    def my_net(width: int = 3) -> nn.Module:
        return nn.Conv2d(1, width, 1)

    assert "my_net" in list_models()
    assert list_models() == sorted(list_models())
    assert create_model("my_net", width=5)(torch.zeros(1, 1, 2, 2)).shape == (1, 5, 2, 2)
    with pytest.raises(ConfigError, match="a model named 'my_net' is registered already: choose another name"):
        register(my_net)


@pytest.mark.parametrize("name", list_models())
def test_life_after_training(name: str) -> None:
    channels = 3 if name == "resnet18" else 1
    net = randomize_(create_model(name, width=1).double().eval())
    x = random_input(channels, (28, 28))
    assert_copies(net, x)
    assert_exports(net, x)
    assert_state_dict(lambda: create_model(name, width=1), x)


@pytest.mark.compile
@pytest.mark.parametrize("name", ["p4cnn", "resnet18"])
def test_compile(name: str) -> None:
    channels = 3 if name == "resnet18" else 1
    net = randomize_(create_model(name, width=1).double().eval())
    assert_compiles(net, random_input(channels, (28, 28)))


@pytest.mark.parametrize("name", ["p4cnn", "resnet18", "z2cnn"])
def test_untrained_logits_are_of_order_one(name: str) -> None:
    torch.manual_seed(1)
    channels = 3 if name == "resnet18" else 1
    net = create_model(name, **({"width": 8} if name == "resnet18" else {})).train()
    logits = net(random_input(channels, (28, 28), batch=8, dtype=torch.float32))
    assert 0.05 < float(logits.std().detach()) < 5


@pytest.mark.parametrize("name", ["p4cnn", "p4mcnn", "z2cnn"])
def test_weights_are_drawn_as_in_the_study(name: str) -> None:
    """Uniform within ``1 / sqrt(in_channels k k)``, the group axis not counted."""
    net = create_model(name)
    convolutions = [m for m in net.modules() if isinstance(m, nn.Conv2d | ev.nn.LiftConv2d | ev.nn.GroupConv2d)]
    assert [m.kernel_size for m in convolutions] == [(3, 3)] * 6 + [(4, 4)]
    for conv in convolutions:
        bound = 1 / (conv.in_channels * conv.kernel_size[0] ** 2) ** 0.5
        assert 0.8 * bound < float(conv.weight.detach().abs().max()) <= bound
        assert 0 < float(conv.bias.detach().abs().max()) <= bound


class TestErrors:
    pytestmark = pytest.mark.usefixtures("unchecked_annotations")

    def test_unknown_name(self) -> None:
        with pytest.raises(
            ConfigError, match="model 'resnet50' is not known: choose one of p4cnn, p4mcnn, resnet18, z2cnn"
        ):
            create_model("resnet50")

    def test_unknown_argument(self) -> None:
        with pytest.raises(
            ConfigError, match="model 'z2cnn' has no argument 'stem': it takes group, width, in_channels,"
        ):
            create_model("z2cnn", stem="small")

    def test_plain_network_with_a_symmetry(self) -> None:
        with pytest.raises(ConfigError, match="group='C4': z2cnn has no symmetry but C1; choose the model 'p4cnn'"):
            create_model("z2cnn", group="C4")

    def test_image_that_is_too_small(self) -> None:
        with pytest.raises(ShapeError, match="GroupConv2d: height 2 with padding=0 is smaller than the window of 3"):
            create_model("p4cnn")(torch.zeros(1, 1, 20, 20))

    @pytest.mark.parametrize("name", list_models())
    def test_no_width(self, name: str) -> None:
        for width in (0, 2.5):
            with pytest.raises(ConfigError, match=f"width={width}: give a whole number of at least 1"):
                create_model(name, width=width)

    @pytest.mark.parametrize("argument", ["in_channels", "num_classes"])
    @pytest.mark.parametrize("name", list_models())
    def test_no_channels_or_classes(self, name: str, argument: str) -> None:
        with pytest.raises(ConfigError, match=f"{argument}=0: give a whole number of at least 1"):
            create_model(name, **{argument: 0})

    def test_unknown_stem(self) -> None:
        with pytest.raises(ConfigError, match="stem='tiny' is not known: choose 'small' or 'large'"):
            create_model("resnet18", stem="tiny")

    @pytest.mark.parametrize("name", ["p4cnn", "p4mcnn", "resnet18"])
    def test_group_off_the_grid(self, name: str) -> None:
        with pytest.raises(GroupMismatchError, match="group=C8 holds rotations by 45 degrees"):
            create_model(name, group="C8")

    def test_size_that_is_not_exact(self) -> None:
        with pytest.raises(GridError, match=r"MaxPool2d: height 25 .*Exact instead: size"):
            create_model("p4cnn")(torch.zeros(1, 1, 29, 29))
